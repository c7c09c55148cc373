//! A link on which the peer looks at messages that stay in their queue.
//!
//! Decides that each message is shown once, in order, whatever the outcome. Section 3.5.7.

use std::sync::Arc;

use super::nodes::Use;
use super::outlet::{Outlet, Over, Pause, Sent};
use super::stored::{ConsumerId, Stored};
use crate::driver::SessionShared;

/// The broker's end of a link in distribution mode copy.
pub(super) struct Browse {
    pub(super) outlet: Outlet,
    pub(super) node: Use,
    pub(super) id: ConsumerId,
    /// The session of the link.
    pub(super) session: Arc<SessionShared>,
}

impl Browse {
    /// Serves the link until it is over.
    pub(super) async fn run(mut self) {
        let queue = self.node.queue().clone();
        queue.join_browser(self.id, self.outlet.wake.clone());
        let (mut place, mut hand, mut outcomes) = (0, Vec::new(), Vec::new());
        loop {
            // No outcome changes a message that was only looked at. [SRC-15]
            self.outlet.sender.try_collect_outcomes(&mut outcomes);
            outcomes.clear();
            let credit = self.outlet.credit();
            let next = match queue.browse(place, credit.messages as usize, &mut hand) {
                Ok(next) => next,
                Err(deleted) => {
                    // The peer's own end of the link is of no interest any more.
                    let _ = self.outlet.sender.close_with_error(deleted.into()).await;
                    break;
                }
            };
            let pause = match self.show(&mut hand) {
                Ok(None) if next == place => Some(Pause::Idle(credit)),
                Ok(None) => {
                    place = next;
                    None
                }
                Ok(Some(stopped)) => {
                    place = stopped;
                    Some(Pause::Full)
                }
                Err(Over) => break,
            };
            if let Some(pause) = pause
                && let Err(Over) = self.outlet.pause(pause, &mut outcomes).await
            {
                break;
            }
        }
        queue.leave(self.id);
        self.node
            .end(self.outlet.sender.error(), &self.session)
            .await;
    }

    /// Sends copies; answers where to go on when not all of them could be sent.
    fn show(&self, hand: &mut Vec<Stored>) -> Result<Option<u64>, Over> {
        for message in hand.drain(..) {
            match self.outlet.send(&message) {
                Sent::Yes(_) | Sent::TooLarge => {}
                Sent::Full => return Ok(Some(message.place)),
                Sent::Over => return Err(Over),
            }
        }
        Ok(None)
    }
}
