//! Receipts: what becomes of a message that was handed over.
//!
//! Decides how outcomes, and states before them, reach whoever sent the message. Sections 2.6.12, 2.7.6.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use amqp_types::messaging::{DeliveryState, Outcome};

use super::sender::SenderInner;
use crate::driver::Ticket;
use crate::error::Error;

/// The promise of an outcome: a future that resolves when the receiver has settled the message.
///
/// # Cancel safety
/// Dropping it changes nothing for the message; only the outcome is not reported any more.
#[must_use = "a receipt tells whether the message was accepted"]
pub struct Receipt {
    /// Keeps the link open until the outcome is known, also when the sender has been dropped.
    sender: Arc<SenderInner>,
    ticket: Ticket,
    /// The number of the last state that was given.
    seen: u64,
    done: bool,
}

impl Receipt {
    pub(super) fn new(sender: Arc<SenderInner>, ticket: Ticket) -> Self {
        Self {
            sender,
            ticket,
            seen: 0,
            done: false,
        }
    }

    /// The last state that the receiver reported without settling the message, such as how much of it
    /// has arrived. A state that is an outcome settles the message: it is what the receipt resolves
    /// to; unless [`manual_settle`](crate::SenderOptions::manual_settle) leaves that to
    /// [`settle`](Self::settle). `None` once the message is settled. Sections 2.7.6, 3.4.1.
    pub fn state(&self) -> Option<DeliveryState> {
        self.sender
            .shared
            .state_of(self.ticket, 0)
            .ok()
            .flatten()
            .map(|(_, state)| state)
    }

    /// On a link of [`manual_settle`](crate::SenderOptions::manual_settle): settles the message, whose
    /// outcome the receiver has told without settling it; the receipt resolves to that outcome. Nothing
    /// happens before there is one. A receipt that is dropped settles its message too. Section 2.6.12.
    pub fn settle(&self) {
        self.sender.shared.settle_held(self.ticket.seq);
    }

    /// Waits until the receiver has reported a state without settling the message, one that this
    /// method has not given before. Of several that come at once the last counts. `None` when no more
    /// will come: the receipt resolves now. Section 2.7.6.
    ///
    /// # Cancel safety
    /// No state is lost when the future is dropped.
    pub async fn updated(&mut self) -> Option<DeliveryState> {
        let (version, state) = self
            .sender
            .shared
            .updated_state(self.ticket, self.seen)
            .await?;
        self.seen = version;
        Some(state)
    }
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receipt")
            .field("link", &self.sender.shared.name)
            .field("number", &self.ticket.seq)
            .finish_non_exhaustive()
    }
}

impl Future for Receipt {
    type Output = Result<Outcome, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.sender.shared.poll_outcome(self.ticket, cx.waker());
        self.done |= outcome.is_ready();
        outcome
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.done {
            self.sender.shared.abandon(self.ticket);
        }
    }
}
