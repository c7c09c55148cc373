//! A link on which the peer receives: messages leave a queue and come to their outcomes.
//!
//! Decides how much is sent and what an outcome does to the message. Who gets which message is the
//! queue's decision. Sections 2.6, 3.3, 3.4.

use std::collections::HashMap;
use std::sync::Arc;

use amqp_types::messaging::{Outcome, Rejected, Released};

use super::nodes::Use;
use super::outlet::{Outlet, Over, Pause, Sent};
use super::queue::{Deleted, Queue};
use super::stored::{ConsumerId, Stored};
use crate::driver::SessionShared;

/// The broker's end of a link that empties a queue.
pub(super) struct Egress {
    outlet: Outlet,
    node: Use,
    id: ConsumerId,
    /// What becomes of messages whose outcome stays unknown; released, where none is named. [MSG-25]
    default_outcome: Option<Outcome>,
    dead_letters: Option<Arc<Queue>>,
    /// The session of the link.
    session: Arc<SessionShared>,

    /// Messages under way, by their numbers.
    unsettled: HashMap<u64, Stored>,
    /// Messages that were dealt to this link.
    hand: Vec<Stored>,
    outcomes: Vec<(u64, Outcome)>,
    archived: Vec<Stored>,
    returned: Vec<Stored>,
}

/// Why a task stops.
enum Stop {
    LinkOver,
    QueueDeleted,
}

impl From<Over> for Stop {
    fn from(_: Over) -> Self {
        Self::LinkOver
    }
}

impl From<Deleted> for Stop {
    fn from(_: Deleted) -> Self {
        Self::QueueDeleted
    }
}

impl Egress {
    pub(super) fn new(
        outlet: Outlet,
        node: Use,
        id: ConsumerId,
        default_outcome: Option<Outcome>,
        dead_letters: Option<Arc<Queue>>,
        session: Arc<SessionShared>,
    ) -> Self {
        Self {
            outlet,
            node,
            id,
            default_outcome,
            dead_letters,
            session,
            unsettled: HashMap::new(),
            hand: Vec::new(),
            outcomes: Vec::new(),
            archived: Vec::new(),
            returned: Vec::new(),
        }
    }

    /// Serves the link until it is over.
    pub(super) async fn run(mut self) {
        self.node.queue().join(self.id, self.outlet.wake.clone());
        let stop = self.serve().await;
        if let Stop::QueueDeleted = stop {
            // The peer's own end of the link is of no interest any more.
            let _ = self.outlet.sender.close_with_error(Deleted.into()).await;
        }
        self.node.queue().leave(self.id);
        self.returned.append(&mut self.hand);
        self.sweep();
        // What is still under way will never come to an outcome of its own.
        let unknown = self
            .default_outcome
            .take()
            .unwrap_or(Outcome::Released(Released {}));
        for (_, message) in std::mem::take(&mut self.unsettled) {
            self.apply(unknown.clone(), message);
        }
        self.sweep();
        self.node
            .end(self.outlet.sender.error(), &self.session)
            .await;
    }

    async fn serve(&mut self) -> Stop {
        loop {
            self.sweep();
            let pause = match self.send() {
                Ok(pause) => pause,
                Err(stop) => return stop,
            };
            if let Some(pause) = pause
                && let Err(Over) = self.outlet.pause(pause, &mut self.outcomes).await
            {
                return Stop::LinkOver;
            }
        }
    }

    /// Sends what there is credit for; answers why there is nothing more to do at once.
    fn send(&mut self) -> Result<Option<Pause>, Stop> {
        let credit = self.outlet.credit();
        self.node
            .queue()
            .exchange(self.id, credit.messages as usize, &mut self.hand)?;
        if self.hand.is_empty() {
            return Ok(Some(Pause::Idle(credit)));
        }
        // What goes beyond the credit was dealt before the peer lowered it.
        let within = self.hand.len().min(credit.messages as usize);
        self.returned.extend(self.hand.drain(within..));
        let mut pause = None;
        let mut hand = self.hand.drain(..);
        for mut message in hand.by_ref() {
            match self.outlet.send(&message) {
                Sent::Yes(_) if self.outlet.settled => self.archived.push(message),
                Sent::Yes(number) => {
                    self.unsettled.insert(number, message);
                }
                Sent::TooLarge => {
                    message.refuse_by(self.id);
                    self.returned.push(message);
                }
                Sent::Full => {
                    self.returned.push(message);
                    pause = Some(Pause::Full);
                    break;
                }
                Sent::Over => {
                    self.returned.push(message);
                    self.returned.extend(hand);
                    return Err(Stop::LinkOver);
                }
            }
        }
        self.returned.extend(hand);
        Ok(pause)
    }

    /// Does to messages what their outcomes ask for, and tells the queue.
    fn sweep(&mut self) {
        self.outlet.sender.try_collect_outcomes(&mut self.outcomes);
        let mut outcomes = std::mem::take(&mut self.outcomes);
        for (number, outcome) in outcomes.drain(..) {
            if let Some(message) = self.unsettled.remove(&number) {
                self.apply(outcome, message);
            }
        }
        self.outcomes = outcomes;
        if self.archived.is_empty() && self.returned.is_empty() {
            return;
        }
        self.node
            .queue()
            .settle(&self.archived, self.returned.drain(..));
        self.archived.clear();
        self.node.review();
    }

    fn apply(&mut self, outcome: Outcome, mut message: Stored) {
        match outcome {
            Outcome::Rejected(Rejected { error }) => {
                if let Some(queue) = &self.dead_letters {
                    let dead = message.clone().into_dead(error.map(|error| *error));
                    // A dead-letter queue that is full lets it go.
                    let _ = queue.put(&mut vec![dead]);
                }
                self.archived.push(message);
            }
            Outcome::Released(_) => self.returned.push(message),
            Outcome::Modified(modified) => {
                message.modify(modified, self.id);
                self.returned.push(message);
            }
            Outcome::Accepted(_) | Outcome::Declared(_) | Outcome::Other(_) => {
                self.archived.push(message);
            }
        }
    }
}
