//! The sending end of a link, as consumers and browsers of a queue use it.
//!
//! Decides when a link task has to wait, and for what, and when a drain is answered. What is sent is
//! left to the task. Section 2.6.7.

use std::sync::Arc;

use amqp_types::messaging::Outcome;
use tokio::sync::Notify;

use super::stored::Stored;
use crate::error::ErrorScope;
use crate::handles::{SendSettings, Sender};

/// A link that the peer receives on.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) sender: Sender,
    /// Whether messages are sent settled.
    pub(super) settled: bool,
    /// Notified by the queue.
    pub(super) wake: Arc<Notify>,
    /// Whether the drain that the peer asked for has been answered.
    drained: bool,
}

/// The link is over.
#[derive(Debug)]
pub(super) struct Over;

/// What became of an attempt to send.
#[derive(Debug)]
pub(super) enum Sent {
    /// It is on its way, under this number.
    Yes(u64),
    /// As much is under way as may be.
    Full,
    /// The peer takes no message of this size.
    TooLarge,
    Over,
}

/// Credit as it was when a task looked at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    pub(super) messages: u32,
    drain: bool,
}

/// Why a task has nothing to do.
#[derive(Debug)]
pub(super) enum Pause {
    /// There is no credit, or nothing to send.
    Idle(Credit),
    Full,
}

impl Outlet {
    pub(super) fn new(sender: Sender, settled: bool) -> Self {
        Self {
            sender,
            settled,
            wake: Arc::new(Notify::new()),
            drained: false,
        }
    }

    pub(super) fn credit(&mut self) -> Credit {
        let credit = Credit {
            messages: self.sender.credit(),
            drain: self.sender.is_draining(),
        };
        self.drained &= credit.drain && credit.messages == 0;
        credit
    }

    pub(super) fn send(&self, message: &Stored) -> Sent {
        match self
            .sender
            .try_enqueue_collected(message, SendSettings::default())
        {
            Ok(Some(number)) => Sent::Yes(number),
            Ok(None) => Sent::Full,
            Err(error) if error.scope() == ErrorScope::Delivery => Sent::TooLarge,
            Err(_) => Sent::Over,
        }
    }

    /// Waits until there may be something to do; outcomes that come meanwhile are appended. A peer
    /// that drains gets its answer: what it has credit for is not there. [LNK-31]
    pub(super) async fn pause(
        &mut self,
        pause: Pause,
        outcomes: &mut Vec<(u64, Outcome)>,
    ) -> Result<(), Over> {
        match pause {
            Pause::Idle(credit) => {
                if credit.drain && !self.drained {
                    self.drained = true;
                    self.sender.drained();
                    if credit.messages > 0 {
                        // The credit is as good as gone: nothing is sent on it any more.
                        let gone = self.sender.flow_changed(credit.messages, credit.drain);
                        return gone.await.map_err(|_| Over);
                    }
                }
                tokio::select! {
                    () = self.wake.notified() => Ok(()),
                    changed = self.sender.flow_changed(credit.messages, credit.drain) => changed.map_err(|_| Over),
                    ended = self.sender.collect_outcomes(outcomes) => ended.map_err(|_| Over),
                }
            }
            // Settled messages make room when they are written, the others when they end.
            Pause::Full if self.settled => self.sender.flush().await.map_err(|_| Over),
            Pause::Full => self
                .sender
                .collect_outcomes(outcomes)
                .await
                .map_err(|_| Over),
        }
    }
}
