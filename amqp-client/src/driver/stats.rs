//! What a connection holds and has done, for whoever asks.
//!
//! Decides nothing; counts when it is asked.

use super::{Driver, LinkShared, Reply};
use crate::proto::Tally;

/// What a connection holds at a moment, and what it has done so far:
/// [`Connection::stats`](crate::Connection::stats).
///
/// Both ends count for themselves: a delivery that is settled here may still be unsettled there. Who would
/// rather be told than ask has [`Metrics`](crate::metrics::Metrics), with the same numbers as far as both have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Sessions that have not been ended by both sides, the first one included. Section 2.5.
    pub sessions: usize,
    /// Links that are attached, are being attached, or are being detached. Section 2.6.
    pub links: usize,
    /// Links that were detached and not closed, whose deliveries are kept to be settled or resumed.
    /// Section 2.6.4.
    pub detached_links: usize,
    /// Deliveries that were sent and are not settled. Section 2.6.12.
    pub unsettled_sent: usize,
    /// Deliveries that were received and are not settled. Section 2.6.12.
    pub unsettled_received: usize,
    /// Messages that wait to be sent: for credit, for the session's window or for their turn.
    pub queued: usize,
    /// The octets of the messages that wait, and of those that are sent and not settled.
    pub queued_octets: usize,
    /// Octets of messages that were received and not taken by the application yet.
    pub received_octets: usize,
    /// Octets that the socket has not taken yet.
    pub unwritten_octets: usize,
    /// Calls that wait for the peer to answer a begin, an attach, a drain, a detach or an end.
    pub waiting_calls: usize,
    /// Octets that were read from the socket, or from TLS.
    pub octets_in: u64,
    /// Octets that were written to the socket, or to TLS.
    pub octets_out: u64,
    /// AMQP frames that came, heartbeats included. Section 2.3.
    pub frames_in: u64,
    /// AMQP frames that were written, heartbeats included. Section 2.3.
    pub frames_out: u64,
    /// Messages that came whole. Section 2.6.14.
    pub messages_in: u64,
    /// Messages whose first transfer was written; those that are sent again count again.
    pub messages_out: u64,
}

impl Driver {
    pub(super) fn stats(&self) -> ConnectionStats {
        let Tally {
            sessions,
            links,
            unsettled_sent,
            unsettled_received,
            queued,
            queued_octets,
            received_octets,
        } = self.engine.tally();
        let mut stats = ConnectionStats {
            sessions,
            links,
            detached_links: self.suspended.len(),
            unsettled_sent,
            unsettled_received,
            queued,
            queued_octets,
            received_octets,
            unwritten_octets: self.wire.output.len(),
            waiting_calls: 0,
            octets_in: self.wire.octets_in,
            octets_out: self.wire.octets_out,
            frames_in: self.engine.totals().frames_in,
            frames_out: self.wire.output.frames(),
            messages_in: self.meter.messages_in,
            messages_out: self.meter.messages_out,
        };
        for link in self.links.values() {
            if let LinkShared::Sender(sender) = &link.shared {
                let (messages, octets) = sender.outbox();
                stats.queued += messages;
                stats.queued_octets += octets;
            }
            let replies = link.detached.iter().chain(&link.drained);
            stats.waiting_calls += usize::from(link.attached.as_ref().is_some_and(waits));
            stats.waiting_calls += replies.filter(|reply| waits(reply)).count();
        }
        for session in self.sessions.values() {
            stats.waiting_calls += usize::from(session.begun.as_ref().is_some_and(waits));
            stats.waiting_calls += session.ended.iter().filter(|reply| waits(reply)).count();
        }
        stats
    }
}

/// Whether somebody still waits for this reply.
pub(super) fn waits<T>(reply: &Reply<T>) -> bool {
    !reply.is_closed()
}
