//! The container while it runs: what callbacks and other threads can ask of it.
//!
//! Decides how connections, listeners, timers and injected events come to be.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::MessagingHandler;
use super::connection::Connection;
use super::link::{Receiver, Sender};
use super::registry::{
    Accepted, AcceptorEntry, ConnectionEntry, Shared, SharedHandler, TimerEntry, Work, share,
};
use crate::driver::{Command, ConnectionShared, Notice, Tap, Unheard, abandon};
use crate::error::{Error, ErrorScope};
use crate::handles::{self, ConnectionOptions, SessionOptions};
use crate::listener::Access;
use crate::transport::{Address, ListenOptions};

/// How many accepted connections of a listener may wait for the handler; the others wait outside.
const MOST_WAITING: usize = 64;

/// A container that runs; clones stand for the same one, and work from any thread. It does not keep
/// the container running.
#[derive(Clone, Debug)]
pub struct ActiveContainer {
    shared: Arc<Shared>,
}

impl ActiveContainer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The container-id. Section 2.4.1.
    pub fn id(&self) -> &str {
        self.shared.container.id()
    }

    /// Connects to `amqp://user:password@host:port`, or to the first that opens of several hosts or URLs
    /// with commas between them. The connection may be used at once; what is asked of it waits for the
    /// peer. Callbacks tell when it is open, or that it could not be opened. An address that begins to
    /// speak AMQP and then refuses is the last that is tried: what was asked is lost with it.
    ///
    /// # Errors
    /// Configuration for a bad URL; when the container is stopping.
    pub fn connect(&self, url: &str) -> Result<Connection, Error> {
        self.connect_with(url, self.shared.container.options().clone())
    }

    /// Like [`connect`](Self::connect), with options of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with(&self, url: &str, options: ConnectionOptions) -> Result<Connection, Error> {
        self.start_connect(url, options, None)
    }

    /// Like [`connect_with`](Self::connect_with); the events of the connection and of all in it go to
    /// a handler of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_handled(
        &self,
        url: &str,
        options: ConnectionOptions,
        handler: impl MessagingHandler,
    ) -> Result<Connection, Error> {
        self.start_connect(url, options, Some(share(handler)))
    }

    fn start_connect(
        &self,
        url: &str,
        mut options: ConnectionOptions,
        handler: Option<SharedHandler>,
    ) -> Result<Connection, Error> {
        // Checked here, where the mistake is made.
        let _ = Address::parse_list(url)?;
        let driver = ConnectionShared::new();
        let number = self.shared.number();
        let session = SessionOptions {
            config: options.config.session.clone(),
        };
        let connection = Connection::new(number, self.clone(), driver.clone(), session);
        // The driver's first command: nothing happens that is not told.
        self.tap(number, &driver);
        options.prepared = Some(driver.clone());
        let mut registry = self.shared.registry();
        if registry.stopping {
            return Err(Error::closed_locally(ErrorScope::Connection));
        }
        let (shared, url) = (self.shared.clone(), url.to_owned());
        let task = self.shared.runtime.spawn(async move {
            match shared.container.connect_with(&url, options).await {
                Ok(handle) => shared.tell(Work::Connected(number, handle)),
                Err(error) => {
                    abandon(&driver, &error);
                    shared.tell(Work::ConnectFailed(number, error));
                }
            }
        });
        let entry = ConnectionEntry {
            connection: connection.clone(),
            handler,
            handle: None,
            connecting: Some(task.abort_handle()),
            early: Vec::new(),
            opened: false,
            peer_closed: None,
            woken: false,
        };
        registry.connections.insert(number, entry);
        Ok(connection)
    }

    /// Takes a connection that a listener accepted into the registry.
    pub(super) fn adopt(
        &self,
        number: u64,
        handle: handles::Connection,
        handler: Option<SharedHandler>,
    ) -> Connection {
        let session = SessionOptions {
            config: self.shared.container.options().config.session.clone(),
        };
        let connection = Connection::new(number, self.clone(), handle.shared().clone(), session);
        let identity = handle.identity().map(str::to_owned);
        connection.set_remote(handle.remote().clone(), identity);
        let entry = ConnectionEntry {
            connection: connection.clone(),
            handler,
            handle: Some(handle),
            connecting: None,
            early: Vec::new(),
            opened: true,
            peer_closed: None,
            woken: false,
        };
        self.shared.registry().connections.insert(number, entry);
        connection
    }

    /// Has the driver tell everything.
    fn tap(&self, number: u64, driver: &ConnectionShared) {
        driver.push(Command::Tap(Tap::new(self.teller(number))));
    }

    /// Where the notices of a connection go.
    fn teller(&self, number: u64) -> impl Fn(Notice, Unheard) + Send + 'static {
        let work = self.shared.work.clone();
        move |notice, unheard| {
            // Nobody may be there to hear it any more.
            let _ = work.send(Work::Notice(number, notice, unheard));
        }
    }

    /// Connects, and attaches a sender to the node that the URL's path names.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn create_sender(&self, url: &str) -> Result<Sender, Error> {
        let node = Address::first_node(url)?;
        self.connect(url)?.create_sender(&node)
    }

    /// Connects, and attaches a receiver to the node that the URL's path names.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn create_receiver(&self, url: &str) -> Result<Receiver, Error> {
        let node = Address::first_node(url)?;
        self.connect(url)?.create_receiver(&node)
    }

    /// Listens on `host:port`, where anybody may connect; a scheme and a path are ignored. Blocks for
    /// as long as the name's resolution takes.
    ///
    /// # Errors
    /// I/O when the address can not be bound.
    pub fn listen(&self, address: &str) -> Result<Acceptor, Error> {
        self.start_listen(address, Access::anyone(), ListenOptions::new(), None)
    }

    /// Like [`listen`](Self::listen), for those whom `access` lets in, with TLS, WebSocket or both.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub fn listen_with(
        &self,
        address: &str,
        access: Access,
        options: ListenOptions,
    ) -> Result<Acceptor, Error> {
        self.start_listen(address, access, options, None)
    }

    /// Like [`listen_with`](Self::listen_with); the events of all connections that come this way go to
    /// a handler of their own.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub fn listen_handled(
        &self,
        address: &str,
        access: Access,
        options: ListenOptions,
        handler: impl MessagingHandler,
    ) -> Result<Acceptor, Error> {
        self.start_listen(address, access, options, Some(share(handler)))
    }

    fn start_listen(
        &self,
        address: &str,
        access: Access,
        options: ListenOptions,
        handler: Option<SharedHandler>,
    ) -> Result<Acceptor, Error> {
        let address = address.split_once("://").map_or(address, |(_, rest)| rest);
        let address = address.split_once('/').map_or(address, |(host, _)| host);
        let io = |error| Error::io("listen", error);
        let socket = std::net::TcpListener::bind(address).map_err(io)?;
        socket.set_nonblocking(true).map_err(io)?;
        let listener = {
            let _context = self.shared.runtime.enter();
            self.shared.container.listen_kept(socket, access, options)?
        };
        let local = listener.local_addr();
        let number = self.shared.number();
        let container = self.clone();
        let task = self.shared.runtime.spawn(async move {
            let permits = Arc::new(Semaphore::new(MOST_WAITING));
            while let Ok(waiting) = permits.clone().acquire_owned().await {
                let Ok(handle) = listener.accept().await else {
                    return;
                };
                let kept = handle.kept().cloned();
                let accepted = Accepted {
                    acceptor: number,
                    number: container.shared.number(),
                    handle,
                    waiting,
                };
                let number = accepted.number;
                container.shared.tell(Work::Accepted(Box::new(accepted)));
                // Told after that: whatever has happened finds the connection known.
                if let Some(kept) = kept {
                    kept.hand_over(container.teller(number));
                }
            }
        });
        let entry = AcceptorEntry {
            handler,
            task: task.abort_handle(),
        };
        self.shared.registry().acceptors.insert(number, entry);
        Ok(Acceptor {
            shared: self.shared.clone(),
            number,
            local,
        })
    }

    /// Has `on_timer_task` called after a while.
    pub fn schedule(&self, delay: Duration) -> Task {
        self.start_timer(delay, None)
    }

    /// Has `on_timer_task` of this handler called after a while.
    pub fn schedule_handled(&self, delay: Duration, handler: impl MessagingHandler) -> Task {
        self.start_timer(delay, Some(share(handler)))
    }

    fn start_timer(&self, delay: Duration, handler: Option<SharedHandler>) -> Task {
        let number = self.shared.number();
        // Locked until the timer is in: a short one may be quicker.
        let mut registry = self.shared.registry();
        let shared = self.shared.clone();
        let task = self.shared.runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            shared.tell(Work::Timer(number));
        });
        let entry = TimerEntry {
            handler,
            task: task.abort_handle(),
        };
        registry.timers.insert(number, entry);
        Task {
            shared: self.shared.clone(),
            number,
        }
    }

    /// Has `work` called on the thread of the callbacks, between two of them.
    pub fn defer(&self, work: impl FnOnce() + Send + 'static) {
        self.shared.tell(Work::Call(Box::new(work)));
    }

    /// A way to have `on_application_event` called from other threads. The container runs as long as
    /// there is one.
    pub fn injector(&self) -> EventInjector {
        self.shared.registry().injectors += 1;
        EventInjector {
            shared: self.shared.clone(),
            clones: Arc::new(AtomicUsize::new(1)),
        }
    }

    /// Closes all connections and listeners, cancels all tasks, and lets the run end when the peers
    /// have answered.
    pub fn stop(&self) {
        self.shared.tell(Work::Stop);
    }
}

/// A listener of a running container.
#[derive(Clone, Debug)]
pub struct Acceptor {
    shared: Arc<Shared>,
    number: u64,
    local: std::net::SocketAddr,
}

impl Acceptor {
    /// The address that is listened on, with the port that was found.
    pub fn local_addr(&self) -> std::net::SocketAddr {
        self.local
    }

    /// Listens no more. Connections that have been accepted go on.
    pub fn close(&self) {
        let entry = self.shared.registry().acceptors.remove(&self.number);
        if let Some(entry) = entry {
            entry.task.abort();
        }
        self.shared.tell(Work::Look);
    }
}

/// Something that is due later.
#[derive(Clone, Debug)]
pub struct Task {
    shared: Arc<Shared>,
    number: u64,
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Task {
    pub(super) fn new(shared: Arc<Shared>, number: u64) -> Self {
        Self { shared, number }
    }

    /// The callback is not called, unless it has been already.
    pub fn cancel(&self) {
        let entry = self.shared.registry().timers.remove(&self.number);
        if let Some(entry) = entry {
            entry.task.abort();
        }
        self.shared.tell(Work::Look);
    }
}

/// An event of the application's own.
#[derive(Debug)]
pub struct ApplicationEvent {
    pub(super) name: String,
    pub(super) subject: Option<Box<dyn Any + Send>>,
}

impl ApplicationEvent {
    /// An event of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            subject: None,
        }
    }

    /// What the event is about.
    pub fn subject(mut self, subject: impl Any + Send) -> Self {
        self.subject = Some(Box::new(subject));
        self
    }
}

/// Injects events into a running container, from any thread.
#[derive(Debug)]
pub struct EventInjector {
    shared: Arc<Shared>,
    clones: Arc<AtomicUsize>,
}

impl EventInjector {
    /// Has `on_application_event` called.
    pub fn trigger(&self, event: ApplicationEvent) {
        self.shared.tell(Work::Inject(event));
    }
}

impl Clone for EventInjector {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: self.shared.clone(),
            clones: self.clones.clone(),
        }
    }
}

impl Drop for EventInjector {
    fn drop(&mut self) {
        if self.clones.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.registry().injectors -= 1;
            self.shared.tell(Work::Look);
        }
    }
}
