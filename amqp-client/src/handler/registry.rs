//! What a running container knows: its connections, sessions, links, timers, and whose handler is whose.
//!
//! Decides how work reaches the one thread that calls back. The registry is locked for moments only,
//! and never while a callback runs, so that handles can be used in callbacks and from any thread.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqp_types::Symbol;
use amqp_types::messaging::{DeliveryState, FilterSet};
use amqp_types::transport::Attach;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::AbortHandle;

use super::connection::{Connection, Session};
use super::container::ApplicationEvent;
use super::link::Link;
use super::{HandlerOptions, MessagingHandler};
use crate::driver::{LinkShared, Notice, Offer, SessionShared, Unheard};
use crate::error::Error;
use crate::handles;

/// A handler that belongs to a connection, a session or a link.
pub(super) type SharedHandler = Arc<Slot>;

/// A handler, and what it said of its options when it was handed over.
pub(super) struct Slot {
    pub(super) options: HandlerOptions,
    /// Locked while one of its callbacks runs.
    pub(super) handler: Mutex<Box<dyn MessagingHandler>>,
}

pub(super) fn share(handler: impl MessagingHandler) -> SharedHandler {
    Arc::new(Slot {
        options: handler.options(),
        handler: Mutex::new(Box::new(handler)),
    })
}

/// What the thread that calls back is told.
pub(super) enum Work {
    /// Something happened on a connection.
    Notice(u64, Notice, Unheard),
    Connected(u64, handles::Connection),
    ConnectFailed(u64, Error),
    /// A listener accepted a connection.
    Accepted(Box<Accepted>),
    Timer(u64),
    Inject(ApplicationEvent),
    Call(Box<dyn FnOnce() + Send>),
    Wake(u64),
    /// Something that kept the container running is gone.
    Look,
    Stop,
}

/// A connection that a listener accepted.
pub(super) struct Accepted {
    pub(super) acceptor: u64,
    /// What the connection is called from now on.
    pub(super) number: u64,
    pub(super) handle: handles::Connection,
    /// The permit to have one that waits for the handler.
    pub(super) waiting: OwnedSemaphorePermit,
}

/// What all handles of a running container share.
pub(super) struct Shared {
    pub(super) container: handles::Container,
    pub(super) runtime: Handle,
    pub(super) work: mpsc::UnboundedSender<Work>,
    /// What happens by itself where no other handler says so.
    pub(super) options: HandlerOptions,
    registry: Mutex<Registry>,
    next: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveContainer")
            .field("id", &self.container.id())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
pub(super) struct Registry {
    pub(super) connections: HashMap<u64, ConnectionEntry>,
    pub(super) sessions: HashMap<usize, SessionEntry>,
    pub(super) links: HashMap<usize, LinkEntry>,
    pub(super) timers: HashMap<u64, TimerEntry>,
    pub(super) acceptors: HashMap<u64, AcceptorEntry>,
    pub(super) injectors: usize,
    pub(super) stopping: bool,
}

pub(super) struct ConnectionEntry {
    pub(super) connection: Connection,
    pub(super) handler: Option<SharedHandler>,
    /// The connection, once it is open; keeps it open.
    pub(super) handle: Option<handles::Connection>,
    /// The task that connects.
    pub(super) connecting: Option<AbortHandle>,
    /// Links that the peer attached before `handle` was here.
    pub(super) early: Vec<Offer>,
    pub(super) opened: bool,
    /// The peer's close has come; whether it counts as a loss.
    pub(super) peer_closed: Option<bool>,
    pub(super) woken: bool,
}

pub(super) struct SessionEntry {
    pub(super) session: Session,
    pub(super) handler: Option<SharedHandler>,
}

pub(super) struct LinkEntry {
    pub(super) link: Link,
    pub(super) handler: Option<SharedHandler>,
    /// Kept until the peer has answered the attach.
    pub(super) answer: Option<oneshot::Receiver<Result<Box<Attach>, Error>>>,
    /// Filters that the peer has to name in its answer.
    pub(super) asked: Option<FilterSet>,
    /// Capabilities that the peer has to offer.
    pub(super) required: Vec<Symbol>,
    /// Whether both sides have attached.
    pub(super) opened: bool,
    pub(super) draining: bool,
    pub(super) manual_drain: bool,
    /// Messages whose outcome has been told and that are not settled.
    pub(super) told: HashMap<u64, DeliveryState>,
}

pub(super) struct TimerEntry {
    pub(super) handler: Option<SharedHandler>,
    pub(super) task: AbortHandle,
}

pub(super) struct AcceptorEntry {
    pub(super) handler: Option<SharedHandler>,
    pub(super) task: AbortHandle,
}

impl Shared {
    pub(super) fn new(
        container: handles::Container,
        runtime: Handle,
        work: mpsc::UnboundedSender<Work>,
        options: HandlerOptions,
    ) -> Arc<Self> {
        Arc::new(Self {
            container,
            runtime,
            work,
            options,
            registry: Mutex::default(),
            next: AtomicU64::new(1),
        })
    }

    /// A number that nothing else in the container has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the thread that calls back; when it is gone there is nobody to tell.
    pub(super) fn tell(&self, work: Work) {
        let _ = self.work.send(work);
    }
}

impl Registry {
    /// Whether nothing can happen any more.
    pub(super) fn is_idle(&self) -> bool {
        self.connections.is_empty()
            && self.timers.is_empty()
            && self.acceptors.is_empty()
            && (self.injectors == 0 || self.stopping)
    }

    /// The handler for a connection's events; `None` is the container's.
    pub(super) fn connection_handler(&self, id: u64) -> Option<SharedHandler> {
        self.connections.get(&id)?.handler.clone()
    }

    pub(super) fn session_handler(&self, id: u64, session: usize) -> Option<SharedHandler> {
        let own = self.sessions.get(&session).and_then(|s| s.handler.clone());
        own.or_else(|| self.connection_handler(id))
    }

    pub(super) fn link_handler(&self, id: u64, link: usize) -> Option<SharedHandler> {
        let entry = self.links.get(&link);
        let own = entry.and_then(|entry| entry.handler.clone());
        own.or_else(|| {
            let session = entry.map_or(0, |entry| entry.link.session().key());
            self.session_handler(id, session)
        })
    }

    /// Forgets a connection and everything in it. What is answered is to be dropped when the registry
    /// is not locked any more: handlers among it may reach for it.
    pub(super) fn forget(&mut self, id: u64) -> Forgotten {
        Forgotten {
            _connection: self.connections.remove(&id),
            _links: self
                .links
                .extract_if(|_, link| link.link.session().connection().number() == id)
                .map(|(_, entry)| entry)
                .collect(),
            _sessions: self
                .sessions
                .extract_if(|_, entry| entry.session.connection().number() == id)
                .map(|(_, entry)| entry)
                .collect(),
        }
    }
}

/// What the registry knows no more.
pub(super) struct Forgotten {
    _connection: Option<ConnectionEntry>,
    _links: Vec<LinkEntry>,
    _sessions: Vec<SessionEntry>,
}

/// The name of a link in the registry.
pub(super) fn link_key(link: &LinkShared) -> usize {
    match link {
        LinkShared::Sender(link) => Arc::as_ptr(link) as usize,
        LinkShared::Receiver(link) => Arc::as_ptr(link) as usize,
    }
}

/// The name of a session in the registry.
pub(super) fn session_key(session: &Arc<SessionShared>) -> usize {
    Arc::as_ptr(session) as usize
}
