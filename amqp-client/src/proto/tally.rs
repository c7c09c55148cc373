//! What an engine holds, counted when somebody asks.
//!
//! Decides what is worth counting. But for a few totals nothing is kept up to date for it on the way.

/// What a connection's engine holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sessions that have not been ended by both sides.
    pub sessions: usize,
    /// Links that are attached, are being attached, or are being detached.
    pub links: usize,
    /// Deliveries that were sent and are not settled.
    pub unsettled_sent: usize,
    /// Deliveries that were received whole and are not settled.
    pub unsettled_received: usize,
    /// Messages that wait for credit, for the window or for their turn.
    pub queued: usize,
    /// The octets of messages that wait, and of those that are sent and not settled.
    pub queued_octets: usize,
    /// Octets that were received and have not been taken.
    pub received_octets: usize,
}

/// What a connection's engine has done so far, and what is open: cheap enough to be asked often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// AMQP frames that came, heartbeats included.
    pub frames_in: u64,
    /// Deliveries that partners were allowed to send to our receivers.
    pub credit_granted: u64,
    /// Deliveries that our senders were allowed to send.
    pub credit_received: u64,
    /// Deliveries that were sent and are not settled.
    pub unsettled_sent: usize,
    /// Deliveries that were received whole and are not settled.
    pub unsettled_received: usize,
}
