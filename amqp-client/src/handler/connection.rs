//! Connections and sessions, as handlers hold them.
//!
//! Decides how links are asked for without waiting: everything here returns at once, callbacks tell
//! what became of it. Sections 2.4, 2.5.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use amqp_types::transport::{self, Open};

use super::container::ActiveContainer;
use super::link::{Link, Receiver, Sender};
use super::registry::{LinkEntry, SessionEntry, SharedHandler, Work, link_key, session_key, share};
use super::{HandlerOptions, MessagingHandler};
use crate::driver::{Command, ConnectionShared, LinkShared, SessionShared};
use crate::error::{Error, ErrorScope};
use crate::handles::{self, ReceiverOptions, SenderOptions, SessionInner, SessionOptions};

/// A connection of a running container; clones stand for the same one. It stays open until it is
/// closed, whether or not a handle of it is kept.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    number: u64,
    container: ActiveContainer,
    driver: Arc<ConnectionShared>,
    /// What sessions are begun with unless they say otherwise.
    session: SessionOptions,
    state: Mutex<State>,
    closed: AtomicBool,
    /// The handler failed: only the end of the connection is told.
    failed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    remote: Option<Arc<Open>>,
    identity: Option<String>,
    default: Option<Session>,
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Connection {
    pub(super) fn new(
        number: u64,
        container: ActiveContainer,
        driver: Arc<ConnectionShared>,
        session: SessionOptions,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                number,
                container,
                driver,
                session,
                state: Mutex::default(),
                closed: AtomicBool::new(false),
                failed: AtomicBool::new(false),
            }),
        }
    }

    /// The container that the connection belongs to.
    pub fn container(&self) -> &ActiveContainer {
        &self.inner.container
    }

    /// What the peer said in its open, once it has. Section 2.7.1.
    pub fn remote(&self) -> Option<Arc<Open>> {
        self.lock().remote.clone()
    }

    /// Who the client is, on the listener's side; `None` for an anonymous one.
    pub fn identity(&self) -> Option<String> {
        self.lock().identity.clone()
    }

    /// Attaches a sender in the connection's first session. It may be used at once; what is sent waits
    /// for the peer.
    ///
    /// # Errors
    /// When the connection has been closed.
    pub fn create_sender(&self, address: &str) -> Result<Sender, Error> {
        self.session()?.create_sender(address)
    }

    /// Like [`create_sender`](Self::create_sender), with options.
    ///
    /// # Errors
    /// When the connection has been closed; Configuration when the options' name is that of another link
    /// to the peer. Before the peer has opened that is not known, and told in `on_link_error`.
    pub fn create_sender_with(
        &self,
        address: &str,
        options: SenderOptions,
    ) -> Result<Sender, Error> {
        self.session()?.create_sender_with(address, options)
    }

    /// Attaches a receiver in the connection's first session.
    ///
    /// # Errors
    /// When the connection has been closed.
    pub fn create_receiver(&self, address: &str) -> Result<Receiver, Error> {
        self.session()?.create_receiver(address)
    }

    /// Like [`create_receiver`](Self::create_receiver), with options.
    ///
    /// # Errors
    /// When the connection has been closed; Configuration when the options' name is that of another link
    /// to the peer. Before the peer has opened that is not known, and told in `on_link_error`.
    pub fn create_receiver_with(
        &self,
        address: &str,
        options: ReceiverOptions,
    ) -> Result<Receiver, Error> {
        self.session()?.create_receiver_with(address, options)
    }

    /// The connection's first session, which is begun when it is first asked for, with what
    /// [`ConnectionOptions::session`](crate::ConnectionOptions::session) says.
    ///
    /// # Errors
    /// When the connection has been closed.
    pub fn session(&self) -> Result<Session, Error> {
        {
            let state = self.lock();
            if let Some(session) = &state.default
                && !session.shared.is_over()
            {
                return Ok(session.clone());
            }
        }
        let session = self.begin(self.inner.session.clone(), None)?;
        self.lock().default = Some(session.clone());
        Ok(session)
    }

    /// Begins a session of its own. Section 2.5.1.
    ///
    /// # Errors
    /// When the connection has been closed.
    pub fn create_session(&self, options: SessionOptions) -> Result<Session, Error> {
        self.begin(options, None)
    }

    /// Begins a session whose events, and those of its links, go to a handler of its own.
    ///
    /// # Errors
    /// When the connection has been closed.
    pub fn create_session_handled(
        &self,
        options: SessionOptions,
        handler: impl MessagingHandler,
    ) -> Result<Session, Error> {
        self.begin(options, Some(share(handler)))
    }

    fn begin(
        &self,
        options: SessionOptions,
        handler: Option<SharedHandler>,
    ) -> Result<Session, Error> {
        if self.is_closed() {
            return Err(Error::closed_locally(ErrorScope::Connection));
        }
        let shared = SessionShared::new(self.inner.driver.clone());
        shared.claim_begin();
        let session = self.adopt(shared.clone(), handler);
        self.inner.driver.push(Command::Begin {
            session: shared,
            config: options.config,
            reply: None,
        });
        Ok(session)
    }

    /// Takes a session into the registry.
    pub(super) fn adopt(
        &self,
        shared: Arc<SessionShared>,
        handler: Option<SharedHandler>,
    ) -> Session {
        let mut registry = self.container().shared().registry();
        let entry = registry
            .sessions
            .entry(session_key(&shared))
            .or_insert_with(|| SessionEntry {
                session: Session {
                    connection: self.clone(),
                    shared,
                },
                handler,
            });
        entry.session.clone()
    }

    /// Has `on_connection_wake` called, from any thread.
    pub fn wake(&self) {
        let shared = self.container().shared();
        if let Some(entry) = shared.registry().connections.get_mut(&self.inner.number)
            && !std::mem::replace(&mut entry.woken, true)
        {
            shared.tell(Work::Wake(self.inner.number));
        }
    }

    /// Closes the connection. What was sent and waits for credit is not sent. Section 2.4.3.
    pub fn close(&self) {
        self.close_as(None);
    }

    /// Closes the connection with an error for the peer. Section 2.4.3.
    pub fn close_with_error(&self, error: transport::Error) {
        self.close_as(Some(Box::new(error)));
    }

    fn close_as(&self, error: Option<Box<transport::Error>>) {
        if self.inner.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.inner.driver.push(Command::Close { error });
        let shared = self.container().shared();
        let mut registry = shared.registry();
        if let Some(entry) = registry.connections.get_mut(&self.inner.number)
            && !entry.opened
            && let Some(task) = entry.connecting.take()
        {
            // Nobody is there to say goodbye to.
            task.abort();
            let error = Error::closed_locally(ErrorScope::Connection);
            shared.tell(Work::ConnectFailed(self.inner.number, error));
        }
    }

    /// Whether `close` was called.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Acquire)
    }

    pub(super) fn number(&self) -> u64 {
        self.inner.number
    }

    pub(super) fn driver(&self) -> &Arc<ConnectionShared> {
        &self.inner.driver
    }

    pub(super) fn set_remote(&self, remote: Open, identity: Option<String>) {
        let mut state = self.lock();
        state.remote = Some(Arc::new(remote));
        state.identity = identity;
    }

    pub(super) fn has_failed(&self) -> bool {
        self.inner.failed.load(Ordering::Acquire)
    }

    pub(super) fn set_failed(&self) {
        self.inner.failed.store(true, Ordering::Release);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session of a connection; clones stand for the same one. It lasts until it is ended.
#[derive(Clone, Debug)]
pub struct Session {
    connection: Connection,
    shared: Arc<SessionShared>,
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Session {
    /// The session's connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Attaches a sender in this session.
    ///
    /// # Errors
    /// When the connection has been closed.
    pub fn create_sender(&self, address: &str) -> Result<Sender, Error> {
        self.create_sender_with(address, SenderOptions::default())
    }

    /// Like [`create_sender`](Self::create_sender), with options.
    ///
    /// # Errors
    /// When the connection has been closed; Configuration when the options' name is that of another link
    /// to the peer. Before the peer has opened that is not known, and told in `on_link_error`.
    pub fn create_sender_with(
        &self,
        address: &str,
        options: SenderOptions,
    ) -> Result<Sender, Error> {
        self.sender(address, options, None)
    }

    /// Attaches a sender whose events go to a handler of its own.
    ///
    /// # Errors
    /// When the connection has been closed; Configuration when the options' name is that of another link
    /// to the peer. Before the peer has opened that is not known, and told in `on_link_error`.
    pub fn create_sender_handled(
        &self,
        address: &str,
        options: SenderOptions,
        handler: impl MessagingHandler,
    ) -> Result<Sender, Error> {
        self.sender(address, options, Some(share(handler)))
    }

    fn sender(
        &self,
        address: &str,
        options: SenderOptions,
        handler: Option<SharedHandler>,
    ) -> Result<Sender, Error> {
        self.check()?;
        let manual_drain = options.manual_drain;
        let required = options.link.required_capabilities.clone();
        let own = handler.as_ref().map(|handler| handler.options);
        let options = match own.unwrap_or_else(|| self.options()).auto_settle {
            true => options,
            false => options.manual_settle(),
        };
        // As much as the program sends is kept until the peer has credit: credit is its limit.
        let options = options
            .manual_drain()
            .max_queued_messages(usize::MAX)
            .max_queued_bytes(usize::MAX);
        let shared = self.connection.container().shared();
        // Locked until the link is in: the driver may be quicker.
        let mut registry = shared.registry();
        let (handle, mut answer) = self.handle().start_sender(address, options);
        if let Ok(Err(error)) = answer.try_recv() {
            return Err(error);
        }
        let key = link_key(&LinkShared::Sender(handle.shared().clone()));
        let sender = Sender::new(handle, self.clone());
        let entry = LinkEntry {
            link: Link::Sender(sender.clone()),
            handler,
            answer: Some(answer),
            asked: None,
            required,
            opened: false,
            draining: false,
            manual_drain,
            told: HashMap::new(),
        };
        registry.links.insert(key, entry);
        Ok(sender)
    }

    /// Attaches a receiver in this session.
    ///
    /// # Errors
    /// When the connection has been closed.
    pub fn create_receiver(&self, address: &str) -> Result<Receiver, Error> {
        let options = match self.options().prefetch {
            0 => ReceiverOptions::default().manual_credit(),
            deliveries => ReceiverOptions::default().prefetch(deliveries),
        };
        self.receiver(address, options, None)
    }

    /// Like [`create_receiver`](Self::create_receiver), with options, whose prefetch counts.
    ///
    /// # Errors
    /// When the connection has been closed; Configuration when the options' name is that of another link
    /// to the peer. Before the peer has opened that is not known, and told in `on_link_error`.
    pub fn create_receiver_with(
        &self,
        address: &str,
        options: ReceiverOptions,
    ) -> Result<Receiver, Error> {
        self.receiver(address, options, None)
    }

    /// Attaches a receiver whose events go to a handler of its own.
    ///
    /// # Errors
    /// When the connection has been closed; Configuration when the options' name is that of another link
    /// to the peer. Before the peer has opened that is not known, and told in `on_link_error`.
    pub fn create_receiver_handled(
        &self,
        address: &str,
        options: ReceiverOptions,
        handler: impl MessagingHandler,
    ) -> Result<Receiver, Error> {
        self.receiver(address, options, Some(share(handler)))
    }

    fn receiver(
        &self,
        address: &str,
        options: ReceiverOptions,
        handler: Option<SharedHandler>,
    ) -> Result<Receiver, Error> {
        self.check()?;
        let ignore = options.ignore_missing_filters;
        let asked = options.link.source.filter.clone().filter(|_| !ignore);
        let required = options.link.required_capabilities.clone();
        let shared = self.connection.container().shared();
        let mut registry = shared.registry();
        let (handle, mut answer) = self.handle().start_receiver(address, options);
        if let Ok(Err(error)) = answer.try_recv() {
            return Err(error);
        }
        let key = link_key(&LinkShared::Receiver(handle.shared().clone()));
        let receiver = Receiver::new(handle, self.clone());
        let entry = LinkEntry {
            link: Link::Receiver(receiver.clone()),
            handler,
            answer: Some(answer),
            asked,
            required,
            opened: false,
            draining: false,
            manual_drain: false,
            told: HashMap::new(),
        };
        registry.links.insert(key, entry);
        Ok(receiver)
    }

    /// Ends the session. Section 2.5.2.
    pub fn close(&self) {
        self.shared.connection.push(Command::End {
            session: self.shared.clone(),
            error: None,
            reply: None,
        });
    }

    pub(super) fn key(&self) -> usize {
        session_key(&self.shared)
    }

    /// A handle for the layer below.
    pub(super) fn handle(&self) -> handles::Session {
        handles::Session::from_inner(SessionInner::bare(self.shared.clone()))
    }

    /// What happens by itself in this session.
    fn options(&self) -> HandlerOptions {
        let shared = self.connection.container().shared();
        let handler = shared
            .registry()
            .session_handler(self.connection.number(), self.key());
        handler.map_or(shared.options, |handler| handler.options)
    }

    fn check(&self) -> Result<(), Error> {
        match self.connection.is_closed() {
            true => Err(Error::closed_locally(ErrorScope::Connection)),
            false => Ok(()),
        }
    }
}
