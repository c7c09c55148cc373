//! Everything that handles may ask of the driver, as one enum, and the box it is put into.
//!
//! Decides how work reaches the connection's task: commands are collected under one short lock and
//! taken all at once, so that a burst of them costs one wake.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use amqp_types::security::{SaslCode, SaslInit};
use amqp_types::transport::{self, Attach};
use amqp_types::{Binary, Str, Symbol};
use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::names::Named;
use super::notice::Tap;
use super::receiver::ReceiverShared;
use super::sender::SenderShared;
use super::session::SessionShared;
use super::stats::ConnectionStats;
use crate::deadlines::Deadlines;
use crate::error::{Error, ErrorScope};
use crate::proto::{LinkConfig, LinkKey, SaslFailure, SessionConfig, StreamEnd};

/// How an operation that waits for the peer ends.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Either end of a link, as the handles and the driver share it.
#[derive(Clone, Debug)]
pub(crate) enum LinkShared {
    Sender(Arc<SenderShared>),
    Receiver(Arc<ReceiverShared>),
}

/// What a link is attached with.
#[derive(Debug)]
pub(crate) struct AttachOrder {
    pub(crate) shared: LinkShared,
    pub(crate) attach: Box<Attach>,
    pub(crate) config: LinkConfig,
}

/// What handles may ask.
#[derive(Debug)]
pub(crate) enum Command {
    /// Begin a session.
    Begin {
        session: Arc<SessionShared>,
        config: SessionConfig,
        reply: Option<Reply<()>>,
    },
    /// End a session.
    End {
        session: Arc<SessionShared>,
        error: Option<Box<transport::Error>>,
        reply: Option<Reply<()>>,
    },
    /// Attach a link in a session.
    Attach {
        session: Arc<SessionShared>,
        order: AttachOrder,
        /// Where its name is of the user's choice and not looked up yet: whether it takes the place of
        /// the link that has the name.
        claim: Option<bool>,
        reply: Reply<Box<Attach>>,
    },
    /// The peer has opened, and it is known who it is.
    Named,
    /// Accept a link that the peer attached.
    Accept { link: LinkKey, order: AttachOrder },
    /// Refuse a link that the peer attached.
    Refuse {
        link: LinkKey,
        attach: Box<Attach>,
        error: Box<transport::Error>,
    },
    /// Detach a link, or close it.
    Detach {
        link: LinkShared,
        closed: bool,
        error: Option<Box<transport::Error>>,
        reply: Option<Reply<()>>,
    },
    /// A detached link is attached elsewhere, or never again: what is said of its deliveries does not
    /// count any more.
    Forget(LinkKey),
    /// A link's name has gone to another link, and its handles know: it is closed for the peer with an
    /// error, or detached without.
    Steal {
        link: LinkKey,
        error: Option<Box<transport::Error>>,
    },
    /// A sender has messages in its outbox.
    Outbox(Arc<SenderShared>),
    /// A part of a streamed message, or its end.
    Stream {
        link: Arc<SenderShared>,
        seq: u64,
        part: Option<Bytes>,
        end: Option<StreamEnd>,
    },
    /// Settle a message that is held, if its outcome is known.
    SettleHeld { link: Arc<SenderShared>, seq: u64 },
    /// A receiver has dispositions, or room for more.
    Inbox(Arc<ReceiverShared>),
    /// Say whether a delivery is settled already.
    Watch {
        receiver: Arc<ReceiverShared>,
        link: LinkKey,
        id: u32,
    },
    /// Grant credit by hand.
    Credit {
        link: Arc<ReceiverShared>,
        credit: u32,
    },
    /// Grant more credit by hand.
    AddCredit {
        link: Arc<ReceiverShared>,
        more: u32,
    },
    /// Keep credit granted.
    AutoCredit {
        link: Arc<ReceiverShared>,
        window: u32,
    },
    /// Ask the sender to use up its credit.
    Drain {
        link: Arc<ReceiverShared>,
        reply: Reply<()>,
    },
    /// A sender that answers drains by hand has nothing more to send.
    Drained(Arc<SenderShared>),
    /// Close the connection.
    Close {
        error: Option<Box<transport::Error>>,
    },
    /// Count what there is.
    Stats(Reply<ConnectionStats>),
    /// Tell somebody everything, from now on.
    Tap(Tap),
    /// What the mechanism says that runs beside the driver.
    Sasl(SaslAnswer),
}

/// What a SASL exchange asks of the mechanism that runs beside the driver. Section 5.3.
#[derive(Debug)]
pub(crate) enum SaslStep {
    /// To a client: choose.
    Offer(Vec<Symbol>),
    /// To a client: answer.
    Challenge(Binary),
    /// To a client: is the listener believed?
    Accepted(Option<Binary>),
    /// To a listener: the client has chosen.
    Init {
        mechanism: Symbol,
        initial_response: Option<Binary>,
        hostname: Option<Str>,
    },
    /// To a listener: the client has answered.
    Response(Binary),
}

/// What the mechanism answers.
pub(crate) enum SaslAnswer {
    /// A client's choice.
    Init(SaslInit),
    /// A client's answer to a challenge.
    Respond(Binary),
    /// A client believes the listener.
    Accept,
    /// A client goes no further.
    GiveUp(SaslFailure, Box<Error>),
    /// A listener asks on.
    Challenge(Binary),
    /// A listener's verdict.
    Outcome {
        code: SaslCode,
        additional_data: Option<Binary>,
        /// Who the client is, where it was let in.
        identity: Option<String>,
    },
}

impl std::fmt::Debug for SaslAnswer {
    /// Says what it is and nothing of what is in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Init(_) => "Init",
            Self::Respond(_) => "Respond",
            Self::Accept => "Accept",
            Self::GiveUp(..) => "GiveUp",
            Self::Challenge(_) => "Challenge",
            Self::Outcome { .. } => "Outcome",
        })
    }
}

/// What the handles of a connection and its driver share.
#[derive(Debug)]
pub(crate) struct ConnectionShared {
    inbox: Mutex<Inbox>,
    /// Woken when the connection is over.
    over: Notify,
    /// How long the peer may take; set before anything is asked.
    deadlines: OnceLock<Deadlines>,
    /// The names of links to this peer; set once it has opened.
    named: OnceLock<Named>,
    /// Where messages carry trace contexts: whether the peer connected to us.
    #[cfg(feature = "opentelemetry")]
    traces_messages: OnceLock<bool>,
}

#[derive(Debug, Default)]
struct Inbox {
    commands: Vec<Command>,
    waker: Option<Waker>,
    /// Why the connection is over, once it is; `None` inside when it was closed in good order.
    over: Option<Option<Error>>,
}

impl ConnectionShared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inbox: Mutex::default(),
            over: Notify::new(),
            deadlines: OnceLock::new(),
            named: OnceLock::new(),
            #[cfg(feature = "opentelemetry")]
            traces_messages: OnceLock::new(),
        })
    }

    /// Says how long the peer may take. Only the first call counts.
    pub(crate) fn set_deadlines(&self, deadlines: Deadlines) {
        let _ = self.deadlines.set(deadlines);
    }

    /// Lets messages carry trace contexts, on a connection that the peer has made or we have.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn trace_messages(&self, listens: bool) {
        let _ = self.traces_messages.set(listens);
    }

    /// Whether the peer connected to us, where messages carry trace contexts.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn traces_messages(&self) -> Option<bool> {
        self.traces_messages.get().copied()
    }

    /// Says who the peer is. Only the first call counts.
    pub(crate) fn set_named(&self, named: Named) {
        let _ = self.named.set(named);
        self.push(Command::Named);
    }

    /// Sees to it that a name of the user's choice is that of one link alone; `claim` says whether there
    /// is one, and whether the link may take it from another.
    pub(crate) fn claim(&self, link: &LinkShared, claim: Option<bool>) -> Result<(), Error> {
        match (self.named(), claim) {
            (Some(named), Some(true)) => named.take_over(link, false),
            (Some(named), Some(false)) => named.claim(link)?,
            _ => {}
        }
        Ok(())
    }

    /// The names of links to this peer, once it has opened.
    pub(crate) fn named(&self) -> Option<&Named> {
        self.named.get()
    }

    /// How long the peer may take.
    pub(crate) fn deadlines(&self) -> Deadlines {
        self.deadlines.get().copied().unwrap_or_default()
    }

    /// Hands a command to the driver. When the connection is over the command is dropped, and with
    /// it its reply, which whoever waits for it takes as the end of the connection.
    pub(crate) fn push(&self, command: Command) {
        let waker = {
            let mut inbox = self.lock();
            if inbox.over.is_some() {
                return;
            }
            inbox.commands.push(command);
            inbox.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes what is there, in exchange for the emptied vector of the last time.
    pub(crate) fn swap(&self, empty: &mut Vec<Command>) {
        std::mem::swap(&mut self.lock().commands, empty);
    }

    /// Registers the driver to be woken by the next command; answers whether one is there already.
    pub(crate) fn register(&self, cx: &Context<'_>) -> bool {
        let mut inbox = self.lock();
        match &inbox.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => inbox.waker = Some(cx.waker().clone()),
        }
        !inbox.commands.is_empty()
    }

    /// Marks the connection as over.
    pub(crate) fn finish(&self, error: Option<Error>) -> Vec<Command> {
        let left = {
            let mut inbox = self.lock();
            inbox.over.get_or_insert(error);
            std::mem::take(&mut inbox.commands)
        };
        self.over.notify_waiters();
        left
    }

    /// Why the connection is over, when it is.
    pub(crate) fn over(&self) -> Option<Option<Error>> {
        self.lock().over.clone()
    }

    /// The error for whoever finds the connection over.
    pub(crate) fn over_error(&self) -> Error {
        self.over()
            .flatten()
            .unwrap_or_else(|| Error::closed_locally(ErrorScope::Connection))
    }

    /// Waits until the connection is over.
    pub(crate) async fn wait_over(&self) -> Option<Error> {
        loop {
            let notified = self.over.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(over) = self.over() {
                return over;
            }
            notified.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a reply; a reply that never comes means that the connection is over.
pub(crate) async fn reply<T>(
    connection: &ConnectionShared,
    receiver: oneshot::Receiver<Result<T, Error>>,
) -> Result<T, Error> {
    match receiver.await {
        Ok(result) => result,
        Err(_) => Err(connection.over_error()),
    }
}

/// Like [`reply`], and an error that says at which point the peer went silent.
pub(crate) async fn reply_within<T>(
    connection: &ConnectionShared,
    receiver: oneshot::Receiver<Result<T, Error>>,
    limit: Duration,
    point: &str,
    scope: ErrorScope,
) -> Result<T, Error> {
    tokio::time::timeout(limit, reply(connection, receiver))
        .await
        .map_err(|_| Error::timed_out(point, scope))?
}
