//! A session, as its user holds it.
//!
//! Decides how links are asked for within one session. Section 2.5.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use amqp_types::messaging::{FilterSet, SourceArchetype};
use amqp_types::{Str, Symbol, transport};
use tokio::sync::oneshot;

use super::attach;
use super::connection::ConnectionInner;
use super::options::{ReceiverOptions, SenderOptions};
use super::receiver::Receiver;
use super::sender::Sender;
use crate::driver::{
    AttachOrder, Command, LinkShared, ReceiverShared, Room, SenderShared, SessionShared, Template,
    reply_within,
};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{LinkConfig, missing};

/// A session of a connection; clones stand for the same one. Dropping the last handle of it and of
/// its links ends it. Section 2.5.
#[derive(Clone)]
pub struct Session {
    inner: Arc<SessionInner>,
}

/// Where the peer's attach comes, or why there is none.
pub(crate) type AttachAnswer = oneshot::Receiver<Result<Box<transport::Attach>, Error>>;

#[derive(Debug)]
pub(crate) struct SessionInner {
    shared: Arc<SessionShared>,
    /// Keeps the connection open as long as the session is used.
    _connection: Option<Arc<ConnectionInner>>,
    /// Whether the session ends with its last handle.
    owned: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("key", &self.inner.shared.key())
            .finish_non_exhaustive()
    }
}

impl SessionInner {
    pub(crate) fn new(
        shared: Arc<SessionShared>,
        connection: Option<Arc<ConnectionInner>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared,
            _connection: connection,
            owned: true,
        })
    }

    /// A handle of a session that lives as long as its connection.
    pub(crate) fn shared_default(
        shared: Arc<SessionShared>,
        connection: Arc<ConnectionInner>,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared,
            _connection: Some(connection),
            owned: false,
        })
    }

    /// A handle that keeps nothing alive and ends nothing.
    pub(crate) fn bare(shared: Arc<SessionShared>) -> Arc<Self> {
        Arc::new(Self {
            shared,
            _connection: None,
            owned: false,
        })
    }

    pub(crate) fn shared(&self) -> &Arc<SessionShared> {
        &self.shared
    }
}

impl Drop for SessionInner {
    fn drop(&mut self) {
        if self.owned {
            self.shared.connection.push(Command::End {
                session: self.shared.clone(),
                error: None,
                reply: None,
            });
        }
    }
}

impl Session {
    pub(crate) fn inner(&self) -> &Arc<SessionInner> {
        &self.inner
    }

    pub(crate) fn from_inner(inner: Arc<SessionInner>) -> Self {
        Self { inner }
    }

    /// Attaches a sender to a node.
    ///
    /// # Errors
    /// What the peer says when it refuses; Unsupported when it does not offer what the options require;
    /// Configuration when the options' name is that of another link to the peer; whatever ends the session or the connection.
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
        let required = options.link.required_capabilities.clone();
        let (handle, answer) = self.start_sender(address, options);
        self.sender_attached(handle, answer, &required).await
    }

    /// Waits for the answer to an attach, and looks whether it is what the options require.
    pub(super) async fn sender_attached(
        &self,
        handle: Sender,
        answer: AttachAnswer,
        required: &[Symbol],
    ) -> Result<Sender, Error> {
        let remote = self.attached(answer).await?;
        if let Some((error, refusal)) = unmet(required, None, &remote) {
            handle.close_with_error(refusal).await.ok();
            return Err(error);
        }
        Ok(handle)
    }

    /// Asks for a sender; the answer is for whoever waits for it, and must be kept until it comes.
    pub(crate) fn start_sender(
        &self,
        address: &str,
        options: SenderOptions,
    ) -> (Sender, AttachAnswer) {
        let connection = self.inner.shared.connection.clone();
        let claim = options.link.name.as_ref().map(|_| options.link.take_over);
        let name = options
            .link
            .name
            .clone()
            .unwrap_or_else(|| link_name("sender"));
        let room = Room {
            messages: options.max_queued_messages,
            bytes: options.max_queued_bytes,
        };
        let resumable = options.link.resumable;
        let manual_drain = options.manual_drain;
        let hold = options.manual_settle;
        let settled =
            options.link.snd_settle_mode == amqp_types::transport::SenderSettleMode::Settled;
        let attach = attach::of_sender(name, address, options);
        let template = Template {
            attach: attach.clone(),
            resumable,
        };
        let shared = SenderShared::new(connection.clone(), template, room);
        let attach = Box::new(attach);
        let handle = Sender::new(shared.clone(), self.inner.clone(), settled, hold);
        let config = LinkConfig {
            manual_drain,
            keep: resumable,
            ..LinkConfig::default()
        };
        let order = AttachOrder {
            shared: LinkShared::Sender(shared),
            attach,
            config,
        };
        (handle, self.attach(order, claim))
    }

    /// Attaches a receiver to a node.
    ///
    /// # Errors
    /// What the peer says when it refuses; Unsupported when it does not offer what the options require;
    /// Configuration when the options' name is that of another link to the peer; whatever ends the session or the connection.
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
        let ignore = options.ignore_missing_filters;
        let asked = options.link.source.filter.clone().filter(|_| !ignore);
        let required = options.link.required_capabilities.clone();
        let (handle, answer) = self.start_receiver(address, options);
        self.receiver_attached(handle, answer, &required, asked.as_ref())
            .await
    }

    /// Waits for the answer to an attach, and looks whether it is what the options require and
    /// whether the filters that were asked for are applied.
    pub(super) async fn receiver_attached(
        &self,
        handle: Receiver,
        answer: AttachAnswer,
        required: &[Symbol],
        asked: Option<&FilterSet>,
    ) -> Result<Receiver, Error> {
        let remote = self.attached(answer).await?;
        if let Some((error, refusal)) = unmet(required, asked, &remote) {
            handle.close_with_error(refusal).await.ok();
            return Err(error);
        }
        Ok(handle)
    }

    /// Asks for a receiver; the answer is for whoever waits for it, and must be kept until it comes.
    pub(crate) fn start_receiver(
        &self,
        address: &str,
        options: ReceiverOptions,
    ) -> (Receiver, AttachAnswer) {
        let connection = self.inner.shared.connection.clone();
        let claim = options.link.name.as_ref().map(|_| options.link.take_over);
        let name = options
            .link
            .name
            .clone()
            .unwrap_or_else(|| link_name("receiver"));
        let credit = options.credit;
        let streaming = options.streaming;
        let resumable = options.link.resumable;
        let attach = attach::of_receiver(name, address, options);
        let template = Template {
            attach: attach.clone(),
            resumable,
        };
        let shared = ReceiverShared::new(connection.clone(), template, credit.unwrap_or(1));
        let attach = Box::new(attach);
        let handle = Receiver::new(shared.clone(), self.inner.clone(), credit);
        let config = LinkConfig {
            credit,
            streaming,
            keep: resumable,
            ..LinkConfig::default()
        };
        let order = AttachOrder {
            shared: LinkShared::Receiver(shared),
            attach,
            config,
        };
        (handle, self.attach(order, claim))
    }

    /// Asks for a link. A name that another link to the peer has is an error, unless it is taken over.
    fn attach(&self, order: AttachOrder, claim: Option<bool>) -> AttachAnswer {
        let connection = &self.inner.shared.connection;
        let (reply, answer) = oneshot::channel();
        // Before the peer has opened nobody knows whose name it would be: then the driver looks.
        let later = claim.filter(|_| connection.named().is_none());
        match connection.claim(&order.shared, claim) {
            Ok(()) => connection.push(Command::Attach {
                session: self.inner.shared.clone(),
                order,
                claim: later,
                reply,
            }),
            Err(error) => {
                order.shared.finish(&error, true);
                drop(reply.send(Err(error)));
            }
        }
        answer
    }

    /// Waits for the peer's attach.
    async fn attached(&self, answer: AttachAnswer) -> Result<Box<transport::Attach>, Error> {
        let connection = &self.inner.shared.connection;
        let limit = connection.deadlines().attach;
        reply_within(connection, answer, limit, "attach", ErrorScope::Link).await
    }

    /// The peer's begin: what it offers, what it would like, its properties. `None` before it has come,
    /// which is before a session that was asked for is handed out. Section 2.7.2.
    pub fn remote(&self) -> Option<Arc<transport::Begin>> {
        self.inner.shared.remote()
    }

    /// Waits until the session is over, however it comes to that; answers why.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn ended(&self) -> Error {
        self.inner.shared.wait_over().await
    }

    /// Ends the session and waits for the peer's answer. Section 2.5.2.
    ///
    /// # Errors
    /// What ended the session, when it was for an error.
    ///
    /// # Cancel safety
    /// The session is ended even when the future is dropped.
    pub async fn end(&self) -> Result<(), Error> {
        let connection = &self.inner.shared.connection;
        let (reply_to, answer) = oneshot::channel();
        connection.push(Command::End {
            session: self.inner.shared.clone(),
            error: None,
            reply: Some(reply_to),
        });
        reply_within(
            connection,
            answer,
            connection.deadlines().end,
            "end",
            ErrorScope::Session,
        )
        .await
    }
}

/// Why an answer is not what a link was asked for with: what the user learns, and what the peer is told.
pub(crate) fn unmet(
    required: &[Symbol],
    asked: Option<&FilterSet>,
    answer: &transport::Attach,
) -> Option<(Error, transport::Error)> {
    match missing(required, &answer.offered_capabilities) {
        Some(missing) => Some(lacks(missing)),
        None => missing_filter(asked, answer).map(|missing| unfiltered(&missing)),
    }
}

/// A capability that a link requires and the peer does not offer: what the user learns, and what the
/// peer is told. [CON-46]
pub(crate) fn lacks(missing: &Symbol) -> (Error, transport::Error) {
    unsupported(format!("the peer does not offer the capability {missing}"))
}

/// The same of a filter that the peer does not apply. [SRC-20] [LNK-12]
fn unfiltered(missing: &Symbol) -> (Error, transport::Error) {
    unsupported(format!("the peer does not apply the filter {missing}"))
}

fn unsupported(what: String) -> (Error, transport::Error) {
    let mut refusal = transport::Error::new(transport::ErrorCondition::NotImplemented);
    refusal.description = Some(what.clone().into());
    let error = Error::new(
        ErrorKind::Unsupported,
        ErrorScope::Link,
        Initiator::Library,
        what,
    );
    (error, refusal)
}

/// The first filter that was asked for and that the answer does not name.
fn missing_filter(asked: Option<&FilterSet>, answer: &transport::Attach) -> Option<Symbol> {
    let given = match &answer.source {
        Some(SourceArchetype::Source(source)) => source.filter.as_ref(),
        _ => None,
    };
    let applied =
        |name: &Symbol| given.is_some_and(|given| given.iter().any(|(key, _)| key == name));
    asked?
        .iter()
        .find(|(name, filter)| filter.is_some() && !applied(name))
        .map(|(name, _)| name.clone())
}

/// A name that no other link of this process has. [LNK-01]
pub(crate) fn link_name(kind: &str) -> Str {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    Str::from(format!("{kind}-{}-{n}", std::process::id()))
}
