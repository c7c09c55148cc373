//! What callbacks are given: one type for each kind of thing that can happen.
//!
//! Decides what each callback can reach. Everything in an event is a cheap handle that may be kept.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{self, Attach};
use amqp_types::{EncodedMessage, Message};

use super::MessagingHandler;
use super::connection::{Connection, Session};
use super::container::{ActiveContainer, ApplicationEvent, Task};
use super::link::{Link, Receiver, Sender, Tracker};
use super::registry::{SharedHandler, share};
use crate::error::Error;
use crate::handles::Delivery;
use crate::proto::Tag;

macro_rules! container {
    () => {
        /// The container that runs.
        pub fn container(&self) -> &ActiveContainer {
            self.connection.container()
        }

        /// The connection.
        pub fn connection(&self) -> &Connection {
            &self.connection
        }
    };
}

/// The container starts, stops, or rests.
#[derive(Debug)]
pub struct StartEvent {
    pub(super) container: ActiveContainer,
}

impl StartEvent {
    /// The container that runs.
    pub fn container(&self) -> &ActiveContainer {
        &self.container
    }
}

/// A task is due.
#[derive(Debug)]
pub struct TimerEvent {
    pub(super) container: ActiveContainer,
    pub(super) task: Task,
}

impl TimerEvent {
    /// The container that runs.
    pub fn container(&self) -> &ActiveContainer {
        &self.container
    }

    /// The task, as `schedule` returned it.
    pub fn task(&self) -> &Task {
        &self.task
    }
}

/// An event of the application's own.
#[derive(Debug)]
pub struct InjectedEvent {
    pub(super) container: ActiveContainer,
    pub(super) event: ApplicationEvent,
}

impl InjectedEvent {
    /// The container that runs.
    pub fn container(&self) -> &ActiveContainer {
        &self.container
    }

    /// What the event is called.
    pub fn name(&self) -> &str {
        &self.event.name
    }

    /// What the event is about, if it is a `T`.
    pub fn subject<T: Any>(&self) -> Option<&T> {
        self.event.subject.as_ref()?.downcast_ref()
    }
}

/// Something happened to a connection.
#[derive(Debug)]
pub struct ConnectionEvent {
    pub(super) connection: Connection,
    pub(super) error: Option<Error>,
}

impl ConnectionEvent {
    container!();

    /// What went wrong, if something did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

/// Something happened to a session.
#[derive(Debug)]
pub struct SessionEvent {
    pub(super) connection: Connection,
    pub(super) session: Session,
    pub(super) error: Option<Error>,
}

impl SessionEvent {
    container!();

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What went wrong, if something did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

/// Something happened to a link.
#[derive(Debug)]
pub struct LinkEvent {
    pub(super) connection: Connection,
    pub(super) link: Link,
    pub(super) error: Option<Error>,
}

impl LinkEvent {
    container!();

    /// The link.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The link, if it sends.
    pub fn sender(&self) -> Option<&Sender> {
        self.link.sender()
    }

    /// The link, if it receives.
    pub fn receiver(&self) -> Option<&Receiver> {
        self.link.receiver()
    }

    /// What went wrong, if something did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

/// A peer attaches a link. What is set here is how the link is answered after the callback.
pub struct LinkOpeningEvent {
    pub(super) connection: Connection,
    pub(super) attach: Attach,
    pub(super) answer: RefCell<Attach>,
    pub(super) refusal: RefCell<Option<transport::Error>>,
    pub(super) prefetch: Cell<Option<u32>>,
    pub(super) handler: Mutex<Option<SharedHandler>>,
}

impl std::fmt::Debug for LinkOpeningEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkOpeningEvent")
            .field("attach", &self.attach)
            .finish_non_exhaustive()
    }
}

impl LinkOpeningEvent {
    container!();

    pub(super) fn new(connection: Connection, attach: Attach, answer: Attach) -> Self {
        Self {
            connection,
            attach,
            answer: RefCell::new(answer),
            refusal: RefCell::new(None),
            prefetch: Cell::new(None),
            handler: Mutex::new(None),
        }
    }

    /// What the peer asks for. Section 2.7.3.
    pub fn attach(&self) -> &Attach {
        &self.attach
    }

    /// Changes our attach, which agrees with everything the peer asks for: for example the address of
    /// a dynamic node. Section 2.6.3.
    pub fn answer(&self, change: impl FnOnce(&mut Attach)) {
        change(&mut self.answer.borrow_mut());
    }

    /// Refuses the link. [LNK-08]
    pub fn refuse(&self, error: transport::Error) {
        *self.refusal.borrow_mut() = Some(error);
    }

    /// How many deliveries are fetched ahead, where the peer sends; 0 leaves credit to the application.
    /// Otherwise it is what the link's handler says in its options.
    pub fn set_prefetch(&self, deliveries: u32) {
        self.prefetch.set(Some(deliveries));
    }

    /// Gives the link a handler of its own, whose options count for it.
    pub fn set_handler(&self, handler: impl MessagingHandler) {
        *self.handler.lock().unwrap_or_else(PoisonError::into_inner) = Some(share(handler));
    }
}

/// Something happened to a sender.
#[derive(Debug)]
pub struct SenderEvent {
    pub(super) connection: Connection,
    pub(super) sender: Sender,
}

impl SenderEvent {
    container!();

    /// The sender.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }
}

/// Something happened to a receiver.
#[derive(Debug)]
pub struct ReceiverEvent {
    pub(super) connection: Connection,
    pub(super) receiver: Receiver,
}

impl ReceiverEvent {
    container!();

    /// The receiver.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }
}

/// Something became of a delivery.
#[derive(Debug)]
pub struct DeliveryEvent {
    pub(super) connection: Connection,
    pub(super) link: Link,
    pub(super) of: Subject,
    pub(super) state: Option<DeliveryState>,
}

/// Which delivery it is.
#[derive(Debug)]
pub(super) enum Subject {
    Sent(Tracker),
    Received(Tag),
}

impl DeliveryEvent {
    container!();

    /// The sender, for a delivery that was sent.
    pub fn sender(&self) -> Option<&Sender> {
        self.link.sender()
    }

    /// The receiver, for a delivery that was received.
    pub fn receiver(&self) -> Option<&Receiver> {
        self.link.receiver()
    }

    /// What [`Sender::send`] returned for the delivery, if it was sent.
    pub fn tracker(&self) -> Option<&Tracker> {
        match &self.of {
            Subject::Sent(tracker) => Some(tracker),
            Subject::Received(_) => None,
        }
    }

    /// The tag of the delivery, if it was received: that of [`Delivery::tag`]. Section 2.8.7.
    pub fn tag(&self) -> Option<&[u8]> {
        match &self.of {
            Subject::Sent(_) => None,
            Subject::Received(tag) => Some(tag.as_bytes()),
        }
    }

    /// The state that the peer reported. Section 3.4.
    pub fn state(&self) -> Option<&DeliveryState> {
        self.state.as_ref()
    }

    /// Why the delivery was rejected. Section 3.4.3.
    pub fn condition(&self) -> Option<&transport::Error> {
        match self.state.as_ref()? {
            DeliveryState::Rejected(rejected) => rejected.error.as_deref(),
            _ => None,
        }
    }
}

/// A message has come.
#[derive(Debug)]
pub struct MessageEvent {
    pub(super) connection: Connection,
    pub(super) receiver: Receiver,
    pub(super) delivery: Arc<Delivery>,
}

impl MessageEvent {
    container!();

    /// The receiver.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The delivery; a clone of it may be kept, to be settled later and from any thread.
    pub fn delivery(&self) -> &Arc<Delivery> {
        &self.delivery
    }

    /// Decodes the message. Section 3.2.
    ///
    /// # Errors
    /// Codec when the octets are no message.
    pub fn message(&self) -> Result<Message, Error> {
        self.delivery.message()
    }

    /// The message with its sections told apart, none of them decoded.
    ///
    /// # Errors
    /// Codec when the sections can not be told apart.
    pub fn encoded(&self) -> Result<EncodedMessage, Error> {
        self.delivery.encoded()
    }
}
