//! A connection, as its user holds it.
//!
//! Decides how sessions and links are asked for. Section 2.4.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use amqp_types::Str;
use amqp_types::transport::{self, Open};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument;

use super::options::{ReceiverOptions, SenderOptions, SessionOptions};
use super::receiver::Receiver;
use super::sender::Sender;
use super::session::{Session, SessionInner};
use crate::deadlines::Deadlines;
use crate::driver::{
    Command, ConnectionShared, ConnectionStats, Driver, Kept, LinkNames, Named, Offer, Offers,
    Peer, Phase, SaslStep, SessionShared, Setup, connection_span, next_number, reply, reply_within,
};
use crate::error::{Error, ErrorScope};
use crate::metrics::Observer;
use crate::proto::{Connection as Engine, SessionConfig};
use crate::transport::{BoxedStream, Security};

/// An open connection; clones stand for the same one. Dropping the last handle of the connection,
/// its sessions and its links closes it. Section 2.4.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<ConnectionInner>,
}

#[derive(Debug)]
pub(crate) struct ConnectionInner {
    pub(crate) shared: Arc<ConnectionShared>,
    remote: Open,
    identity: Option<String>,
    security: Security,
    session: SessionConfig,
    /// The session that `create_sender` and `create_receiver` use.
    default: std::sync::Mutex<Arc<SessionShared>>,
    /// Links that the peer attached, on a listener.
    offers: Option<Arc<Offers>>,
    /// What has happened, where a handler is going to hear of it.
    kept: Option<Arc<Kept>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("remote", &self.remote_container_id())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Drop for ConnectionInner {
    fn drop(&mut self) {
        self.shared.push(Command::Close { error: None });
    }
}

/// The mechanism that runs beside a driver.
pub(crate) type Beside = Box<
    dyn FnOnce(
            mpsc::UnboundedReceiver<SaslStep>,
            Arc<ConnectionShared>,
        ) -> Pin<Box<dyn Future<Output = ()> + Send>>
        + Send,
>;

/// What a connection is started with.
pub(crate) struct Starting {
    pub(crate) stream: BoxedStream,
    pub(crate) engine: Engine,
    /// Who we are.
    pub(crate) container: Str,
    pub(crate) security: Security,
    pub(crate) deadlines: Deadlines,
    /// Who authenticates, or judges, where the SASL layer is there.
    pub(crate) sasl: Option<Beside>,
    /// Whether the peer's links are offered to the application.
    pub(crate) listens: bool,
    pub(crate) first_session: Option<SessionConfig>,
    pub(crate) prepared: Option<Arc<ConnectionShared>>,
    /// What keeps everything that happens, on a listener whose connections go to a handler.
    pub(crate) kept: Option<Arc<Kept>>,
    /// The names of the container's links.
    pub(crate) names: Arc<LinkNames>,
    /// Where a client has connected to.
    pub(crate) address: Option<(String, u16)>,
    /// Who is told what is counted.
    pub(crate) metrics: Option<Observer>,
    /// Whether messages carry trace contexts.
    #[cfg(feature = "opentelemetry")]
    pub(crate) trace_messages: bool,
}

/// Starts the driver and waits until the peer has opened. A client begins its first session with
/// the open, so that a link costs no round trip of its own for it.
pub(crate) async fn start(starting: Starting) -> Result<Connection, Error> {
    let Starting {
        stream,
        engine,
        container,
        security,
        deadlines,
        sasl,
        listens,
        first_session,
        prepared,
        kept,
        names,
        address,
        metrics,
        #[cfg(feature = "opentelemetry")]
        trace_messages,
    } = starting;
    let shared = prepared.unwrap_or_else(ConnectionShared::new);
    shared.set_deadlines(deadlines);
    #[cfg(feature = "opentelemetry")]
    if trace_messages {
        shared.trace_messages(listens);
    }
    if let Some(kept) = &kept {
        shared.push(Command::Tap(kept.tap()));
    }
    let (opened, open) = oneshot::channel();
    let offers = listens.then(Offers::new);
    let (phase, phases) = watch::channel(match &sasl {
        Some(_) => Phase::Sasl,
        None => Phase::Open,
    });
    let number = next_number();
    let span = connection_span(number, listens, &container, address.as_ref());
    let sasl = sasl.map(|beside| {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(beside(receiver, shared.clone()).instrument(span.clone()));
        sender
    });
    let default = SessionShared::new(shared.clone());
    let session = first_session.clone().unwrap_or_default();
    if let Some(config) = first_session
        && default.claim_begin()
    {
        shared.push(Command::Begin {
            session: default.clone(),
            config,
            reply: None,
        });
    }
    let driver = Driver::new(Setup {
        stream,
        engine,
        shared: shared.clone(),
        close_deadline: deadlines.close,
        opened,
        offers: offers.clone(),
        sasl,
        phase,
        number,
        span: span.clone(),
        metrics,
    });
    let guard = AbortOnDrop(Some(tokio::spawn(driver.instrument(span))));
    let opened = in_time(open, phases, &deadlines)
        .await?
        .unwrap_or_else(|_| Err(shared.over_error()))?;
    guard.disarm();
    shared.set_named(Named {
        names,
        peer: Arc::new(Peer {
            container: opened.open.container_id.clone(),
            address,
            identity: opened.identity.clone(),
        }),
    });
    Ok(Connection {
        inner: Arc::new(ConnectionInner {
            shared,
            remote: *opened.open,
            identity: opened.identity,
            security,
            session,
            default: std::sync::Mutex::new(default),
            offers,
            kept,
        }),
    })
}

/// Waits for the open, with a deadline for each layer on the way to it.
async fn in_time<T>(
    open: impl Future<Output = T>,
    mut phases: watch::Receiver<Phase>,
    deadlines: &Deadlines,
) -> Result<T, Error> {
    tokio::pin!(open);
    let through = async {
        if phases
            .wait_for(|phase| *phase == Phase::Open)
            .await
            .is_err()
        {
            std::future::pending().await
        }
    };
    tokio::select! {
        opened = &mut open => return Ok(opened),
        through = tokio::time::timeout(deadlines.sasl, through) => {
            through.map_err(|_| Error::timed_out("sasl", ErrorScope::Connection))?;
        }
    }
    tokio::time::timeout(deadlines.open, open)
        .await
        .map_err(|_| Error::timed_out("open", ErrorScope::Connection))
}

/// Drops the socket of a connection that nobody waits for any more.
struct AbortOnDrop(Option<tokio::task::JoinHandle<()>>);

impl AbortOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

impl Connection {
    /// What the peer said in its open. Section 2.7.1.
    pub fn remote(&self) -> &Open {
        &self.inner.remote
    }

    /// The peer's container-id. Section 2.4.1.
    pub fn remote_container_id(&self) -> &str {
        &self.inner.remote.container_id
    }

    /// Who the client is, on the listener's side: the authenticated user, `None` for an anonymous one.
    pub fn identity(&self) -> Option<&str> {
        self.inner.identity.as_deref()
    }

    /// How well the connection is kept from others: TLS and what was agreed on there.
    pub fn security(&self) -> &Security {
        &self.inner.security
    }

    /// Begins a session of its own. Section 2.5.1.
    ///
    /// # Errors
    /// Limit when the peer's channel-max is reached; whatever ends the connection.
    ///
    /// # Cancel safety
    /// Dropping the future ends the session.
    pub async fn create_session(&self, options: SessionOptions) -> Result<Session, Error> {
        let session = SessionShared::new(self.inner.shared.clone());
        let (reply, answer) = oneshot::channel();
        // Made before the wait: should the future be dropped, the session is ended.
        let handle =
            Session::from_inner(SessionInner::new(session.clone(), Some(self.inner.clone())));
        self.inner.shared.push(Command::Begin {
            session,
            config: options.config,
            reply: Some(reply),
        });
        reply_within(
            &self.inner.shared,
            answer,
            self.inner.shared.deadlines().begin,
            "begin",
            ErrorScope::Session,
        )
        .await?;
        Ok(handle)
    }

    /// Attaches a sender to a node, in the connection's first session.
    ///
    /// # Errors
    /// What the peer says when it refuses; whatever ends the session or the connection.
    ///
    /// # Cancel safety
    /// Dropping the future detaches the link.
    pub async fn create_sender(&self, address: &str) -> Result<Sender, Error> {
        self.create_sender_with(address, SenderOptions::default())
            .await
    }

    /// Like [`create_sender`](Self::create_sender), with options.
    pub async fn create_sender_with(
        &self,
        address: &str,
        options: SenderOptions,
    ) -> Result<Sender, Error> {
        self.default_session()
            .await?
            .create_sender_with(address, options)
            .await
    }

    /// Attaches a receiver to a node, in the connection's first session.
    ///
    /// # Errors
    /// What the peer says when it refuses; whatever ends the session or the connection.
    ///
    /// # Cancel safety
    /// Dropping the future detaches the link.
    pub async fn create_receiver(&self, address: &str) -> Result<Receiver, Error> {
        self.create_receiver_with(address, ReceiverOptions::default())
            .await
    }

    /// Like [`create_receiver`](Self::create_receiver), with options.
    pub async fn create_receiver_with(
        &self,
        address: &str,
        options: ReceiverOptions,
    ) -> Result<Receiver, Error> {
        self.default_session()
            .await?
            .create_receiver_with(address, options)
            .await
    }

    /// The session that links are attached in when none is named: the first one, or another one when
    /// the peer has ended that. A listener begins it on demand.
    async fn default_session(&self) -> Result<Session, Error> {
        let (session, answer) = {
            let mut default = self
                .inner
                .default
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if default.is_over() {
                *default = SessionShared::new(self.inner.shared.clone());
            }
            let answer = default.claim_begin().then(|| {
                let (reply, answer) = oneshot::channel();
                self.inner.shared.push(Command::Begin {
                    session: default.clone(),
                    config: self.inner.session.clone(),
                    reply: Some(reply),
                });
                answer
            });
            (default.clone(), answer)
        };
        if let Some(answer) = answer {
            reply_within(
                &self.inner.shared,
                answer,
                self.inner.shared.deadlines().begin,
                "begin",
                ErrorScope::Session,
            )
            .await?;
        }
        Ok(Session::from_inner(SessionInner::shared_default(
            session,
            self.inner.clone(),
        )))
    }

    /// Closes the connection and waits for the peer's answer, at most for the close deadline.
    /// Messages that wait for credit are not sent; [`Sender::close`] waits for those. Section 2.4.3.
    ///
    /// # Errors
    /// What ended the connection, when it was not this close.
    ///
    /// # Cancel safety
    /// The connection is closed even when the future is dropped.
    pub async fn close(&self) -> Result<(), Error> {
        self.inner.shared.push(Command::Close { error: None });
        self.closed().await
    }

    /// Closes the connection with an error for the peer. Section 2.4.3.
    ///
    /// # Errors
    /// What ended the connection, when it was not this close.
    ///
    /// # Cancel safety
    /// The connection is closed even when the future is dropped.
    pub async fn close_with_error(&self, error: transport::Error) -> Result<(), Error> {
        self.inner.shared.push(Command::Close {
            error: Some(Box::new(error)),
        });
        self.closed().await
    }

    /// Waits until the connection is over, however it comes to that.
    ///
    /// # Errors
    /// Why it is over, unless it was closed in good order from here.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn closed(&self) -> Result<(), Error> {
        match self.inner.shared.wait_over().await {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// What the connection holds at the moment and has done so far. Counted when it is asked for, by the
    /// connection's own task: what was asked of it before is in the numbers.
    ///
    /// # Errors
    /// Why the connection is over, when it is.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn stats(&self) -> Result<ConnectionStats, Error> {
        let (to, answer) = oneshot::channel();
        self.inner.shared.push(Command::Stats(to));
        reply(&self.inner.shared, answer).await
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.inner.shared.over().is_some()
    }

    /// The next link that the peer attaches, on a listener's connection. `None` when the connection
    /// is over; a client's connection refuses links by itself and answers `None` at once.
    pub(crate) async fn next_offer(&self) -> Option<Offer> {
        self.inner.offers.as_ref()?.next().await
    }

    /// What has happened so far, on a connection whose listener keeps it.
    pub(crate) fn kept(&self) -> Option<&Arc<Kept>> {
        self.inner.kept.as_ref()
    }

    pub(crate) fn shared(&self) -> &Arc<ConnectionShared> {
        &self.inner.shared
    }

    /// Makes a session that was begun with the open the one that links are attached in.
    pub(super) fn keep_session(&self, session: Arc<SessionShared>) -> Session {
        *self
            .inner
            .default
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = session.clone();
        let inner = SessionInner::shared_default(session, self.inner.clone());
        Session::from_inner(inner)
    }

    pub(crate) fn inner(&self) -> &Arc<ConnectionInner> {
        &self.inner
    }

    /// The error of whoever uses the connection after its end.
    pub(crate) fn over_error(&self) -> Error {
        match self.inner.shared.over() {
            Some(Some(error)) => error,
            _ => Error::closed_locally(ErrorScope::Connection),
        }
    }
}
