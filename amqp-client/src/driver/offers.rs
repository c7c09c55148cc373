//! Links that the peer has attached and that the application has not looked at.
//!
//! Decides that an offer lasts as long as its link: a peer that attaches and detaches for ever leaves
//! nothing behind. Section 2.6.3.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqp_types::transport::Attach;
use tokio::sync::Notify;

use super::session::SessionShared;
use crate::proto::{Key, LinkKey};

/// A link that waits for an answer.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) link: LinkKey,
    pub(crate) session: Arc<SessionShared>,
    pub(crate) attach: Box<Attach>,
}

/// What a listener's application has to hear of.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Offer>,
    over: bool,
}

impl Offers {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The next offer; `None` once the connection is over. Cancel safe.
    pub(crate) async fn next(&self) -> Option<Offer> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                let next = state.queue.pop_front();
                if next.is_some() || state.over {
                    if state.over || !state.queue.is_empty() {
                        // Whoever else waits is not forgotten.
                        self.changed.notify_one();
                    }
                    return next;
                }
            }
            changed.await;
        }
    }

    pub(super) fn push(&self, offer: Offer) {
        self.lock().queue.push_back(offer);
        self.changed.notify_one();
    }

    /// The link is gone, or nobody has to answer it any more.
    pub(super) fn withdraw(&self, link: LinkKey) {
        self.lock().queue.retain(|offer| offer.link != link);
    }

    pub(super) fn withdraw_session(&self, session: Key) {
        let mut state = self.lock();
        state.queue.retain(|offer| offer.link.session != session);
    }

    pub(super) fn finish(&self) {
        let mut state = self.lock();
        state.queue = VecDeque::new();
        state.over = true;
        drop(state);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
