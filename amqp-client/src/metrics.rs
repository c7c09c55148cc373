//! What connections count, for whoever exports it.
//!
//! Decides what is counted and when it is told; where the numbers go is the application's. A connection
//! tells them once a turn of its task, many messages at a time, and nothing is counted on the side where
//! nobody asks. Sections 2.4 to 2.7.

use std::fmt;
use std::sync::Arc;

use amqp_types::Str;
use amqp_types::messaging::DeliveryState;
use amqp_types::transport::Role;

use crate::error::Error;

/// Takes what connections count: [`ConnectionOptions::metrics`](crate::ConnectionOptions::metrics).
///
/// All methods do nothing unless they are overridden. They are called by the task of the connection, which does
/// nothing else meanwhile: add numbers up and return. One that panics ends its connection.
///
/// What has been opened is closed once, also when the connection is lost: the number of `*_opened`,
/// `*_begun` and `*_attached` less that of `*_closed`, `*_ended` and `*_detached` is how many there are.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use amqp_client::metrics::{ConnectionInfo, Counts, Metrics};
///
/// #[derive(Default)]
/// struct Rejections(AtomicU64);
///
/// impl Metrics for Rejections {
///     fn counted(&self, _: &ConnectionInfo, counts: &Counts) {
///         self.0.fetch_add(counts.sent.rejected, Ordering::Relaxed);
///     }
/// }
/// ```
#[allow(unused_variables)]
pub trait Metrics: Send + Sync + 'static {
    /// The peer has opened. Section 2.4.1.
    fn connection_opened(&self, connection: &ConnectionInfo) {}

    /// A connection was over before it was open. What failed before there was a stream to speak AMQP on is
    /// not told.
    fn connection_refused(&self, connection: &ConnectionInfo, error: &Error) {}

    /// A connection that was open is over; without an error when it was closed from here. Section 2.4.3.
    fn connection_closed(&self, connection: &ConnectionInfo, error: Option<&Error>) {}

    /// Both sides have begun a session. Section 2.5.1.
    fn session_begun(&self, connection: &ConnectionInfo) {}

    /// A session is over; without an error when nobody named one. Section 2.5.5.
    fn session_ended(&self, connection: &ConnectionInfo, error: Option<&Error>) {}

    /// A link is attached, on which this side has this role. Section 2.6.3.
    fn link_attached(&self, connection: &ConnectionInfo, role: Role) {}

    /// A link was asked for and refused, by either side. Section 2.6.3.
    fn link_refused(&self, connection: &ConnectionInfo, role: Role) {}

    /// A link that was attached is not any more; without an error when nobody named one. Section 2.6.4.
    fn link_detached(&self, connection: &ConnectionInfo, role: Role, error: Option<&Error>) {}

    /// What has been counted since the last call, if anything was: once a turn of the connection's task, and
    /// a last time when it is over.
    fn counted(&self, connection: &ConnectionInfo, counts: &Counts) {}
}

/// The connection that something was counted on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its number in the program, as in its span and in frames that are printed.
    pub number: u64,
    /// Whether the peer connected to us.
    pub listener: bool,
    /// The peer's container-id, once it has opened. Section 2.4.1.
    pub peer: Option<Str>,
}

impl ConnectionInfo {
    pub(crate) fn new(number: u64, listener: bool) -> Self {
        Self {
            number,
            listener,
            peer: None,
        }
    }
}

/// What was counted since the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// AMQP frames that came, heartbeats included. Those of SASL are not counted. Section 2.3.
    pub frames_in: u64,
    /// AMQP frames that were written, heartbeats included. Section 2.3.
    pub frames_out: u64,
    /// Octets that were read from the socket, or from TLS.
    pub octets_in: u64,
    /// Octets that were written to the socket, or to TLS.
    pub octets_out: u64,
    /// Messages that came whole. Section 2.6.14.
    pub messages_in: u64,
    /// Messages whose first transfer was written; those that are sent again count again.
    pub messages_out: u64,
    /// What peers decided on messages that were sent unsettled. Section 3.4.
    pub sent: Outcomes,
    /// What this side decided on messages that came unsettled. Section 3.4.
    pub received: Outcomes,
    /// By how many deliveries receivers have raised what their peers may send. Section 2.6.7.
    pub credit_granted: u64,
    /// By how many deliveries peers have raised what senders may send. Section 2.6.7.
    pub credit_received: u64,
    /// How many more deliveries are sent and not settled than before, or fewer. What a connection ends
    /// with is taken off again. Section 2.6.12.
    pub unsettled_sent: i64,
    /// How many more deliveries are received whole and not settled than before, or fewer.
    pub unsettled_received: i64,
}

impl Counts {
    /// What came to these since an earlier time.
    pub(crate) fn since(&self, then: &Self) -> Self {
        Self {
            frames_in: self.frames_in - then.frames_in,
            frames_out: self.frames_out - then.frames_out,
            octets_in: self.octets_in - then.octets_in,
            octets_out: self.octets_out - then.octets_out,
            messages_in: self.messages_in - then.messages_in,
            messages_out: self.messages_out - then.messages_out,
            sent: self.sent.since(&then.sent),
            received: self.received.since(&then.received),
            credit_granted: self.credit_granted - then.credit_granted,
            credit_received: self.credit_received - then.credit_received,
            unsettled_sent: self.unsettled_sent - then.unsettled_sent,
            unsettled_received: self.unsettled_received - then.unsettled_received,
        }
    }
}

/// Deliveries by what was decided on them. Section 3.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcomes {
    /// Taken over.
    pub accepted: u64,
    /// Found to be invalid.
    pub rejected: u64,
    /// Free for others, as they were.
    pub released: u64,
    /// Free for others, with changes.
    pub modified: u64,
    /// Whatever else: those of transactions and of extensions.
    pub other: u64,
}

impl Outcomes {
    fn since(&self, then: &Self) -> Self {
        Self {
            accepted: self.accepted - then.accepted,
            rejected: self.rejected - then.rejected,
            released: self.released - then.released,
            modified: self.modified - then.modified,
            other: self.other - then.other,
        }
    }

    /// Counts a state, if it is an outcome.
    pub(crate) fn add(&mut self, state: &DeliveryState, count: u64) {
        let kind = match state {
            DeliveryState::Received(_) => return,
            DeliveryState::Accepted(_) => &mut self.accepted,
            DeliveryState::Rejected(_) => &mut self.rejected,
            DeliveryState::Released(_) => &mut self.released,
            DeliveryState::Modified(_) => &mut self.modified,
            _ => &mut self.other,
        };
        *kind += count;
    }
}

/// Where the options of a connection have it.
#[derive(Clone)]
pub(crate) struct Observer(pub(crate) Arc<dyn Metrics>);

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
