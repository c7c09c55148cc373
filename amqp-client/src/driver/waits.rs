//! What a sender's application can wait for: room, credit, outcomes, the end of the link.
//!
//! Decides when a wait is over. All of them can be dropped at any point: what they wait for stays where
//! it is. Section 2.6.7.

use amqp_types::messaging::{DeliveryState, Outcome};

use super::link::Status;
use super::sender::{SenderShared, SenderState, Slot, Ticket};
use crate::error::Error;

impl SenderShared {
    /// Waits for outcomes of messages that were enqueued to have them collected, and takes them all.
    pub(crate) async fn collect(&self, outcomes: &mut Vec<(u64, Outcome)>) -> Result<(), Error> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.lock();
                if !state.collected.is_empty() {
                    outcomes.append(&mut state.collected);
                    return Ok(());
                }
                if let Status::Over(error) = &state.status {
                    return Err(error.clone());
                }
            }
            changed.await;
        }
    }

    /// Takes the outcomes that there are.
    pub(crate) fn try_collect(&self, outcomes: &mut Vec<(u64, Outcome)>) {
        outcomes.append(&mut self.lock().collected);
    }

    /// The last state that was reported of a message, if it is newer than the report `seen`.
    ///
    /// # Errors
    /// When no more will be reported: the message is settled, or lost.
    pub(crate) fn state_of(
        &self,
        ticket: Ticket,
        seen: u64,
    ) -> Result<Option<(u64, DeliveryState)>, Settled> {
        self.lock().state_of(ticket, seen)
    }

    /// Waits for a report newer than `seen`; `None` when no more will come.
    pub(crate) async fn updated_state(
        &self,
        ticket: Ticket,
        seen: u64,
    ) -> Option<(u64, DeliveryState)> {
        let update = self.wait(|state| match state.state_of(ticket, seen) {
            Ok(update) => update.map(Some),
            Err(Settled) => Some(None),
        });
        update.await.ok().flatten()
    }

    /// Waits until `ready` holds or the link is over.
    pub(super) async fn wait<R>(
        &self,
        mut ready: impl FnMut(&SenderState) -> Option<R>,
    ) -> Result<R, Error> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.lock();
                if let Some(result) = ready(&state) {
                    return Ok(result);
                }
                if let Status::Over(error) = &state.status {
                    return Err(error.clone());
                }
            }
            changed.await;
        }
    }

    /// Waits for room in the outbox.
    pub(crate) async fn wait_room(&self) -> Result<(), Error> {
        let room = self.room;
        self.wait(|state| {
            (state.messages < room.messages && state.bytes < room.bytes).then_some(())
        })
        .await
    }

    /// Waits until nothing is queued or unsettled any more.
    pub(crate) async fn wait_settled(&self) -> Result<(), Error> {
        self.wait(|state| (state.messages == 0).then_some(())).await
    }

    /// Waits until everything that was enqueued has been written.
    pub(crate) async fn wait_flushed(&self) -> Result<(), Error> {
        self.wait(|state| (state.transmitted >= state.enqueued).then_some(()))
            .await
    }

    /// Waits until the peer would take another message at once; answers how many.
    pub(crate) async fn wait_credit(&self) -> Result<u32, Error> {
        self.wait(|state| Some(state.free_credit()).filter(|credit| *credit > 0))
            .await
    }

    /// Waits until free credit or drain differ from what is known.
    pub(crate) async fn wait_flow(&self, credit: u32, drain: bool) -> Result<(), Error> {
        self.wait(|state| ((state.free_credit(), state.drain) != (credit, drain)).then_some(()))
            .await
    }

    /// Waits until the link is over.
    pub(crate) async fn wait_over(&self) -> Error {
        match self.wait(|_| None::<std::convert::Infallible>).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }
}

/// Says that nothing more is reported of a message.
pub(crate) struct Settled;

impl SenderState {
    fn state_of(&self, ticket: Ticket, seen: u64) -> Result<Option<(u64, DeliveryState)>, Settled> {
        match self.receipts.get(ticket.seq as u32) {
            Some(Slot::Waiting { .. }) if !ticket.settled => {
                let update = self.updates.get(&ticket.seq);
                Ok(update.filter(|(report, _)| *report > seen).cloned())
            }
            _ => Err(Settled),
        }
    }
}
