//! Messages whose outcome nobody waits for, and messages that the program settles by itself.
//!
//! Decides who settles a message once its receiver has told the outcome and not settled it: a message
//! that is held waits for the program, every other one is settled at once. Sections 2.6.12, 2.8.3.

use std::sync::Arc;

use amqp_types::messaging::DeliveryState;

use super::command::Command;
use super::sender::{SenderShared, SenderState, Slot, Ticket};
use crate::proto::is_terminal;

impl SenderShared {
    /// Nobody waits for the outcome any more; the message itself goes on, and settles with its outcome.
    pub(crate) fn abandon(self: &Arc<Self>, ticket: Ticket) {
        self.let_go(ticket, false);
    }

    /// Nobody waits for the outcome, and the program settles the message when it has heard of it.
    pub(crate) fn settle_by_hand(self: &Arc<Self>, ticket: Ticket) {
        self.let_go(ticket, true);
    }

    fn let_go(self: &Arc<Self>, ticket: Ticket, held: bool) {
        if ticket.settled {
            return;
        }
        let mut state = self.lock();
        match state.receipts.get_mut(ticket.seq as u32) {
            Some(slot @ Slot::Waiting { .. }) => {
                if let Slot::Waiting { bytes, .. } = *slot {
                    *slot = Slot::Abandoned { bytes, held };
                }
                if !held && !state.updates.is_empty() {
                    let told = state.outcome_told(ticket.seq).is_some();
                    state.updates.remove(&ticket.seq);
                    if told {
                        self.ask_to_settle(&state, ticket.seq);
                    }
                }
            }
            Some(Slot::Done(_)) => {
                state.receipts.remove(ticket.seq as u32);
            }
            _ => {}
        }
    }

    /// The program settles a message that is held; nothing happens before its outcome is known.
    pub(crate) fn settle_held(self: &Arc<Self>, seq: u64) {
        self.ask_to_settle(&self.lock(), seq);
    }

    fn ask_to_settle(self: &Arc<Self>, state: &SenderState, seq: u64) {
        let link = self.clone();
        state.connection.push(Command::SettleHeld { link, seq });
    }

    /// A state has come that does not settle its message; it is kept for who settles the message or has
    /// its receipt. Answers whether that is nobody.
    pub(crate) fn updated(&self, seq: u64, delivery_state: DeliveryState) -> bool {
        {
            let mut state = self.lock();
            match state.receipts.get(seq as u32) {
                Some(Slot::Waiting { .. } | Slot::Abandoned { held: true, .. }) => {}
                _ => return true,
            }
            state.reports += 1;
            let report = state.reports;
            state.updates.insert(seq, (report, delivery_state));
        }
        self.changed.notify_waiters();
        false
    }
}

impl SenderState {
    /// The outcome of a message that its receiver has told and not settled.
    pub(super) fn outcome_told(&self, seq: u64) -> Option<DeliveryState> {
        let (_, told) = self.updates.get(&seq)?;
        is_terminal(told).then(|| told.clone())
    }
}
