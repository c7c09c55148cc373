//! Senders and receivers, as handlers hold them.
//!
//! Decides what can be done without waiting. Section 2.6.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amqp_types::Str;
use amqp_types::transport::{self, Attach};
use tokio::sync::oneshot;

use super::connection::{Connection, Session};
use crate::driver::{Command, LinkShared};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::handles::{self, SendSettings, Sendable};

/// A link of either direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// It sends.
    Sender(Sender),
    /// It receives.
    Receiver(Receiver),
}

impl Link {
    /// The link, if it sends.
    pub fn sender(&self) -> Option<&Sender> {
        match self {
            Self::Sender(sender) => Some(sender),
            Self::Receiver(_) => None,
        }
    }

    /// The link, if it receives.
    pub fn receiver(&self) -> Option<&Receiver> {
        match self {
            Self::Receiver(receiver) => Some(receiver),
            Self::Sender(_) => None,
        }
    }

    /// The name of the link. Section 2.6.1.
    pub fn name(&self) -> &str {
        match self {
            Self::Sender(sender) => sender.name(),
            Self::Receiver(receiver) => receiver.name(),
        }
    }

    /// The session of the link.
    pub fn session(&self) -> &Session {
        match self {
            Self::Sender(sender) => sender.session(),
            Self::Receiver(receiver) => receiver.session(),
        }
    }

    /// Closes the link. Section 2.6.6.
    pub fn close(&self) {
        match self {
            Self::Sender(sender) => sender.close(),
            Self::Receiver(receiver) => receiver.close(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Sender(sender) => sender.core.is_closed(),
            Self::Receiver(receiver) => receiver.core.is_closed(),
        }
    }

    pub(super) fn close_as(&self, closed: bool, error: Option<Box<transport::Error>>) {
        match self {
            Self::Sender(sender) => sender.core.detach(closed, error, || sender.shared()),
            Self::Receiver(receiver) => receiver.core.detach(closed, error, || receiver.shared()),
        }
    }
}

/// What both directions have.
#[derive(Clone, Debug)]
struct Core {
    session: Session,
    closed: Arc<AtomicBool>,
}

impl Core {
    fn new(session: Session) -> Self {
        Self {
            session,
            closed: Arc::default(),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn detach(
        &self,
        closed: bool,
        error: Option<Box<transport::Error>>,
        link: impl FnOnce() -> LinkShared,
    ) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.session.connection().driver().push(Command::Detach {
            link: link(),
            closed,
            error,
            reply: None,
        });
    }
}

/// A message on its way: what [`Sender::send`] returns, and what events about the message name.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracker {
    sender: Sender,
    number: u64,
}

impl Tracker {
    pub(super) fn new(sender: Sender, number: u64) -> Self {
        Self { sender, number }
    }

    /// The sender of the message.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// How many messages were sent on the link before this one.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Settles the message, once the peer has told its outcome and not settled it; nothing happens
    /// before. Only needed where [`auto_settle`](super::HandlerOptions::auto_settle) is off. Callable
    /// from any thread; `on_settled` follows. Section 2.6.12.
    pub fn settle(&self) {
        self.sender.handle.shared().settle_held(self.number);
    }
}

/// A link that sends; clones stand for the same one. It lasts until it is closed.
#[derive(Clone, Debug)]
pub struct Sender {
    handle: handles::Sender,
    core: Core,
}

impl PartialEq for Sender {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core.closed, &other.core.closed)
    }
}

impl Sender {
    pub(super) fn new(handle: handles::Sender, session: Session) -> Self {
        Self {
            handle,
            core: Core::new(session),
        }
    }

    /// Sends a message. Without credit it waits in memory, however many there are:
    /// [`credit`](Self::credit) says how many the peer would take at once.
    ///
    /// # Errors
    /// Limit when the message is larger than the peer takes; whatever ended the link.
    pub fn send(&self, message: impl Sendable) -> Result<Tracker, Error> {
        self.send_with(message, SendSettings::default())
    }

    /// Like [`send`](Self::send), with settings for this message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with(
        &self,
        message: impl Sendable,
        settings: SendSettings,
    ) -> Result<Tracker, Error> {
        if self.core.is_closed() {
            return Err(Error::closed_locally(ErrorScope::Link));
        }
        match self.handle.put(&message, settings)? {
            Some(number) => Ok(Tracker::new(self.clone(), number)),
            None => Err(Error::new(
                ErrorKind::Limit,
                ErrorScope::Delivery,
                Initiator::Local,
                "too many messages wait to be sent",
            )),
        }
    }

    /// How many more messages the peer would take at once: the credit as it is now, less what has been
    /// sent and not written. Section 2.6.7.
    pub fn credit(&self) -> u32 {
        self.handle.credit()
    }

    /// Whether the peer has asked for the credit to be used up. Section 2.6.7.
    pub fn is_draining(&self) -> bool {
        self.handle.is_draining()
    }

    /// Answers a drain: there is nothing more to send. Only needed with
    /// [`manual_drain`](crate::SenderOptions::manual_drain). Section 2.6.7.
    pub fn return_credit(&self) {
        self.handle.drained();
    }

    /// The name of the link. Section 2.6.1.
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// The address of the target as the peer gives it, once it has.
    pub fn address(&self) -> Option<Str> {
        self.handle.address()
    }

    /// The peer's attach, once it has come. Section 2.7.3.
    pub fn remote(&self) -> Option<Arc<Attach>> {
        self.handle.remote()
    }

    /// The link's session.
    pub fn session(&self) -> &Session {
        &self.core.session
    }

    /// The link's connection.
    pub fn connection(&self) -> &Connection {
        self.core.session.connection()
    }

    /// The asynchronous handle of the same link, for use in tasks.
    pub fn handle(&self) -> &handles::Sender {
        &self.handle
    }

    /// Closes the link once everything that was sent is settled; nothing more can be sent. What
    /// [`Tracker::settle`] is to settle is waited for too. Section 2.6.6.
    pub fn close(&self) {
        self.finish(true);
    }

    /// Detaches the link once everything that was sent is settled, and leaves the terminus at the peer
    /// in place. Section 2.6.4.
    pub fn detach(&self) {
        self.finish(false);
    }

    fn finish(&self, closed: bool) {
        if self.core.is_closed() {
            return;
        }
        self.core.closed.store(true, Ordering::Release);
        let handle = self.handle.clone();
        let link = self.shared();
        let driver = self.connection().driver().clone();
        self.connection()
            .container()
            .shared()
            .runtime
            .spawn(async move {
                // When the link is over before, there is nothing left to close.
                if handle.shared().wait_settled().await.is_ok() {
                    driver.push(Command::Detach {
                        link,
                        closed,
                        error: None,
                        reply: None,
                    });
                }
            });
    }

    /// Closes the link with an error for the peer, at once. Section 2.6.5.
    pub fn close_with_error(&self, error: transport::Error) {
        self.core
            .detach(true, Some(Box::new(error)), || self.shared());
    }

    fn shared(&self) -> LinkShared {
        LinkShared::Sender(self.handle.shared().clone())
    }
}

/// A link that receives; clones stand for the same one. It lasts until it is closed.
#[derive(Clone, Debug)]
pub struct Receiver {
    handle: handles::Receiver,
    core: Core,
}

impl PartialEq for Receiver {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core.closed, &other.core.closed)
    }
}

impl Receiver {
    pub(super) fn new(handle: handles::Receiver, session: Session) -> Self {
        Self {
            handle,
            core: Core::new(session),
        }
    }

    /// Grants credit for more deliveries, by hand from now on. Section 2.6.7.
    pub fn add_credit(&self, deliveries: u32) {
        self.connection().driver().push(Command::AddCredit {
            link: self.handle.shared().clone(),
            more: deliveries,
        });
    }

    /// Keeps deliveries fetched ahead from now on. Section 2.6.7.
    pub fn set_prefetch(&self, deliveries: u32) {
        self.handle.set_prefetch(deliveries);
    }

    /// Asks the peer to use up the credit or give it back; `on_drain_finish` tells when it has.
    /// Section 2.6.7.
    pub fn drain(&self) {
        // The callback tells; nobody waits for this reply.
        let (reply, _) = oneshot::channel();
        self.connection().driver().push(Command::Drain {
            link: self.handle.shared().clone(),
            reply,
        });
    }

    /// The name of the link. Section 2.6.1.
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// The address of the source as the peer gives it, once it has: how a dynamic node is reached.
    pub fn address(&self) -> Option<Str> {
        self.handle.address()
    }

    /// The peer's attach, once it has come. Section 2.7.3.
    pub fn remote(&self) -> Option<Arc<Attach>> {
        self.handle.remote()
    }

    /// The link's session.
    pub fn session(&self) -> &Session {
        &self.core.session
    }

    /// The link's connection.
    pub fn connection(&self) -> &Connection {
        self.core.session.connection()
    }

    /// Closes the link. Deliveries that were not settled are the peer's again. Section 2.6.6.
    pub fn close(&self) {
        self.core.detach(true, None, || self.shared());
    }

    /// Detaches the link and leaves the terminus at the peer in place. Section 2.6.4.
    pub fn detach(&self) {
        self.core.detach(false, None, || self.shared());
    }

    /// Closes the link with an error for the peer. Section 2.6.5.
    pub fn close_with_error(&self, error: transport::Error) {
        self.core
            .detach(true, Some(Box::new(error)), || self.shared());
    }

    pub(super) fn take(&self) -> Result<Option<handles::Delivery>, Error> {
        self.handle.try_recv()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    fn shared(&self) -> LinkShared {
        LinkShared::Receiver(self.handle.shared().clone())
    }
}
