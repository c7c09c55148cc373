//! The handler that users write: every callback, when it is called, and what it does by default.
//!
//! Decides the defaults. Who is called, and when, is decided where events are dispatched.

use amqp_types::transport;

use super::event::{
    ConnectionEvent, DeliveryEvent, InjectedEvent, LinkEvent, LinkOpeningEvent, MessageEvent,
    ReceiverEvent, SenderEvent, SessionEvent, StartEvent, TimerEvent,
};

/// What a callback answers. An error ends the connection that the callback was called for, with
/// `amqp:internal-error`; other connections go on. Where there is no connection it ends the run.
pub type HandlerResult = Result<(), HandlerError>;

/// Why a callback did not do what it was called for. Made of any error by `?`.
#[derive(Debug)]
pub enum HandlerError {
    /// From `on_message`: the message is rejected, with this error for its sender. Nothing else ends.
    Reject(Option<transport::Error>),
    /// From `on_message`: the message is given back as modified, delivery failed. Nothing else ends.
    Release,
    /// The handler failed.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What happens by itself for a handler's links and connections.
#[derive(Clone, Copy, Debug)]
pub struct HandlerOptions {
    /// How many deliveries receivers fetch ahead, unless their options say otherwise; 0 leaves credit
    /// to [`Receiver::add_credit`](super::Receiver::add_credit). Default 500.
    pub prefetch: u32,
    /// Whether a delivery is accepted when `on_message` has returned without settling it. Default yes.
    pub auto_accept: bool,
    /// Whether a message that was sent is settled as soon as its receiver has told the outcome. With no,
    /// one whose outcome is told and not settled, as by a receiver of settle mode second, waits for
    /// [`Tracker::settle`](super::Tracker::settle). Default yes.
    pub auto_settle: bool,
    /// Whether a peer that closes a link, a session or a connection without an error is treated as if
    /// it had given one. Default no.
    pub peer_close_is_error: bool,
}

impl Default for HandlerOptions {
    fn default() -> Self {
        Self {
            prefetch: 500,
            auto_accept: true,
            auto_settle: true,
            peer_close_is_error: false,
        }
    }
}

/// A program as callbacks, all of which may be left out.
///
/// The handler of a link hears what concerns the link, else that of its session, else that of its
/// connection, else the container's: the first one there is, and no other.
#[allow(unused_variables)]
pub trait MessagingHandler: Send + 'static {
    /// What happens by itself. Asked once, when the handler is handed over.
    fn options(&self) -> HandlerOptions {
        HandlerOptions::default()
    }

    // ---- the container

    /// The container runs: once, before everything else.
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        Ok(())
    }

    /// The container has come to its end: once, after everything else.
    fn on_stop(&mut self, event: &StartEvent) -> HandlerResult {
        Ok(())
    }

    /// Nothing is left to be called back for at the moment.
    fn on_quiescent(&mut self, event: &StartEvent) -> HandlerResult {
        Ok(())
    }

    /// A scheduled task is due: once for each, unless it is cancelled before.
    fn on_timer_task(&mut self, event: &TimerEvent) -> HandlerResult {
        Ok(())
    }

    /// An application event was injected: once for each, in the order of injection.
    fn on_application_event(&mut self, event: &InjectedEvent) -> HandlerResult {
        Ok(())
    }

    // ---- connections

    /// A peer has opened a connection to this listener; `on_connection_opened` follows. To close it
    /// here is to refuse it.
    fn on_connection_opening(&mut self, event: &ConnectionEvent) -> HandlerResult {
        Ok(())
    }

    /// Both sides have opened: once for each connection that gets so far.
    fn on_connection_opened(&mut self, event: &ConnectionEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer closes first, and without an error; `on_connection_closed` follows. With
    /// `peer_close_is_error` this calls `on_connection_error` by default.
    fn on_connection_closing(&mut self, event: &ConnectionEvent) -> HandlerResult {
        match self.options().peer_close_is_error {
            true => self.on_connection_error(event),
            false => Ok(()),
        }
    }

    /// Both sides have closed.
    fn on_connection_closed(&mut self, event: &ConnectionEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer closes with an error, which is not `amqp:connection:forced`; `on_connection_closed`
    /// follows. Calls `on_error` by default.
    fn on_connection_error(&mut self, event: &ConnectionEvent) -> HandlerResult {
        self.on_error(event)
    }

    /// [`Connection::wake`](super::Connection::wake) was called: once for one or many calls.
    fn on_connection_wake(&mut self, event: &ConnectionEvent) -> HandlerResult {
        Ok(())
    }

    /// The socket, TLS, SASL or the protocol failed, or the peer could not be reached at all; unless the
    /// connection had been closed from here, `on_disconnected` follows. Calls `on_error` by default.
    fn on_transport_error(&mut self, event: &ConnectionEvent) -> HandlerResult {
        self.on_error(event)
    }

    /// The connection is lost, not closed: the transport failed, or the peer forced it closed with
    /// `amqp:connection:forced`. Once for each loss. No callbacks follow for its sessions and links.
    fn on_disconnected(&mut self, event: &ConnectionEvent) -> HandlerResult {
        Ok(())
    }

    /// The connection is over, however it came to that: once, the last callback for it.
    fn on_transport_closed(&mut self, event: &ConnectionEvent) -> HandlerResult {
        Ok(())
    }

    // ---- sessions

    /// The peer has begun a session; `on_session_opened` follows.
    fn on_session_opening(&mut self, event: &SessionEvent) -> HandlerResult {
        Ok(())
    }

    /// Both sides have begun the session.
    fn on_session_opened(&mut self, event: &SessionEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer ends first, and without an error; `on_session_closed` follows. With
    /// `peer_close_is_error` this calls `on_session_error` by default.
    fn on_session_closing(&mut self, event: &SessionEvent) -> HandlerResult {
        match self.options().peer_close_is_error {
            true => self.on_session_error(event),
            false => Ok(()),
        }
    }

    /// Both sides have ended the session. No callbacks follow for its links.
    fn on_session_closed(&mut self, event: &SessionEvent) -> HandlerResult {
        Ok(())
    }

    /// The session ends with an error; `on_session_closed` follows. By default the connection is closed.
    fn on_session_error(&mut self, event: &SessionEvent) -> HandlerResult {
        tracing::error!(target: "amqp_client::handler", error = ?event.error(), "a session ended with an error");
        event.connection().close();
        Ok(())
    }

    // ---- links

    /// The peer attaches a link, which is accepted afterwards as the event says, or refused;
    /// `on_link_opened` follows where it is accepted.
    fn on_link_opening(&mut self, event: &LinkOpeningEvent) -> HandlerResult {
        Ok(())
    }

    /// Both sides have attached the link.
    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer closes first, and without an error; `on_link_closed` follows. With
    /// `peer_close_is_error` this calls `on_link_error` by default.
    fn on_link_closing(&mut self, event: &LinkEvent) -> HandlerResult {
        match self.options().peer_close_is_error {
            true => self.on_link_error(event),
            false => Ok(()),
        }
    }

    /// Both sides have closed the link.
    fn on_link_closed(&mut self, event: &LinkEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer detaches the link without closing it, and without an error: it may come back.
    fn on_link_detached(&mut self, event: &LinkEvent) -> HandlerResult {
        Ok(())
    }

    /// The link is refused or ends with an error; `on_link_closed` follows. By default the connection
    /// is closed.
    fn on_link_error(&mut self, event: &LinkEvent) -> HandlerResult {
        tracing::error!(target: "amqp_client::handler", error = ?event.error(), "a link ended with an error");
        event.connection().close();
        Ok(())
    }

    // ---- sending

    /// A sender has credit: at each flow of the peer and after each write of its messages, as long as
    /// there is credit that no message waits for. [`Sender::credit`](super::Sender::credit) is that of the
    /// moment when it is asked, not that of the event: it goes down with each send of this callback, and
    /// by the time that a slow handler hears of one flow it may count the next one too. It never promises
    /// more than the peer has granted.
    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer accepted a message: once for each. `on_delivery_updated` follows, and `on_settled`: at
    /// once, but for an outcome that [`auto_settle`](HandlerOptions::auto_settle) leaves to the handler.
    fn on_accepted(&mut self, event: &DeliveryEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer rejected a message; the same callbacks follow.
    fn on_rejected(&mut self, event: &DeliveryEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer released a message; the same callbacks follow.
    fn on_released(&mut self, event: &DeliveryEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer gave a message back with changes; the same callbacks follow. Calls `on_released` by
    /// default.
    fn on_modified(&mut self, event: &DeliveryEvent) -> HandlerResult {
        self.on_released(event)
    }

    /// The peer reported a state, final or not: once for each, after what is called for the outcome. Also
    /// of a delivery that was received, whose sender may tell states of it.
    fn on_delivery_updated(&mut self, event: &DeliveryEvent) -> HandlerResult {
        Ok(())
    }

    /// A delivery is settled and forgotten: one that was sent, after its outcome, when the peer has
    /// settled it or when it is settled from here; or one that was received on a link of settle mode
    /// second, when its sender has settled it. Once for each, the last callback for it.
    fn on_settled(&mut self, event: &DeliveryEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer asks for the credit of a sender to be used up. What has been sent when this returns is
    /// sent, the rest of the credit is given back; with
    /// [`manual_drain`](crate::SenderOptions::manual_drain) that waits for
    /// [`Sender::return_credit`](super::Sender::return_credit).
    fn on_drain_start(&mut self, event: &SenderEvent) -> HandlerResult {
        Ok(())
    }

    // ---- receiving

    /// A message has come, whole. When this returns it is accepted, unless `auto_accept` is off, it has
    /// been settled, or the error is [`HandlerError::Reject`] or [`HandlerError::Release`]. With
    /// `auto_accept` off keep the delivery to settle it later; it is released when it is dropped.
    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer gave up a message halfway. Nothing is left to be settled.
    fn on_aborted(&mut self, event: &ReceiverEvent) -> HandlerResult {
        Ok(())
    }

    /// The peer has used up or given back the credit, as [`Receiver::drain`](super::Receiver::drain)
    /// asked.
    fn on_drain_finish(&mut self, event: &ReceiverEvent) -> HandlerResult {
        Ok(())
    }

    // ---- whatever is not handled elsewhere

    /// A connection has failed, and neither `on_connection_error` nor `on_transport_error` was
    /// written. Writes to the log by default.
    fn on_error(&mut self, event: &ConnectionEvent) -> HandlerResult {
        tracing::error!(target: "amqp_client::handler", error = ?event.error(), "a connection failed");
        Ok(())
    }
}
