//! What a connection's task tells one who listens in on it: everything that its handles learn, as
//! one stream, in the order of the wire.
//!
//! Decides what there is to tell, and how much of it may wait to be heard. Handles wait for one thing
//! each; whoever calls handlers back has to know what came before what.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use amqp_types::messaging::{DeliveryState, Outcome};
use amqp_types::transport::{self, Open};

use super::{LinkShared, Offer, ReceiverShared, SenderShared, SessionShared};
use crate::error::Error;
use crate::proto::Tag;

/// How many notices may wait to be heard; with more the connection reads no more, so that a peer can
/// not fill the memory of one who is slow to listen. What one turn reads may come on top.
const MOST_UNHEARD: usize = 1024;

/// Where notices go; must not block.
pub(crate) struct Tap {
    tell: Box<dyn Fn(Notice, Unheard) + Send>,
    backlog: Arc<Backlog>,
}

impl Tap {
    pub(crate) fn new(tell: impl Fn(Notice, Unheard) + Send + 'static) -> Self {
        Self {
            tell: Box::new(tell),
            backlog: Arc::default(),
        }
    }

    pub(super) fn tell(&self, notice: Notice) {
        self.backlog.unheard.fetch_add(1, Ordering::SeqCst);
        (self.tell)(notice, Unheard(self.backlog.clone()));
    }

    /// Whether more may be told; where not, the task is woken once half of what waits has been heard.
    pub(super) fn has_room(&self, cx: &Context<'_>) -> bool {
        if !self.is_full() {
            return true;
        }
        *self.backlog.lock() = Some(cx.waker().clone());
        // Once more: the last may have been heard in between.
        !self.is_full()
    }

    pub(super) fn is_full(&self) -> bool {
        self.backlog.unheard.load(Ordering::SeqCst) >= MOST_UNHEARD
    }
}

#[derive(Default)]
struct Backlog {
    unheard: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

impl Backlog {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Comes with a notice, and is dropped when it has been heard.
pub(crate) struct Unheard(Arc<Backlog>);

impl Drop for Unheard {
    fn drop(&mut self) {
        if self.0.unheard.fetch_sub(1, Ordering::SeqCst) == MOST_UNHEARD / 2 {
            let waker = self.0.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tap")
    }
}

/// Notices of a connection that nobody listens in on yet: kept, and handed over in order.
pub(crate) struct Kept(Mutex<Ear>);

enum Ear {
    Nobody(Vec<(Notice, Unheard)>),
    Listens(Box<dyn Fn(Notice, Unheard) + Send>),
}

impl Kept {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Ear::Nobody(Vec::new()))))
    }

    /// What the connection is to tell everything, from its first moment on.
    pub(crate) fn tap(self: &Arc<Self>) -> Tap {
        let kept = self.clone();
        Tap::new(move |notice, unheard| match &mut *kept.lock() {
            Ear::Nobody(notices) => notices.push((notice, unheard)),
            Ear::Listens(tell) => tell(notice, unheard),
        })
    }

    /// Somebody listens from now on, and hears of what has been before; `tell` must not block.
    pub(crate) fn hand_over(&self, tell: impl Fn(Notice, Unheard) + Send + 'static) {
        let mut ear = self.lock();
        if let Ear::Nobody(notices) = &mut *ear {
            for (notice, unheard) in notices.drain(..) {
                tell(notice, unheard);
            }
        }
        *ear = Ear::Listens(Box::new(tell));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ear> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum Notice {
    Opened(Box<Open>),
    SessionBegun {
        session: Arc<SessionShared>,
        by_peer: bool,
    },
    SessionEnded {
        session: Arc<SessionShared>,
        error: Error,
        by_peer: bool,
    },
    LinkOffered(Offer),
    LinkAttached(LinkShared),
    LinkDetached {
        link: LinkShared,
        closed: bool,
        error: Error,
        by_peer: bool,
    },
    /// Credit or drain of a sender have changed, to these.
    Flow {
        link: Arc<SenderShared>,
        credit: u32,
        drain: bool,
    },
    /// First transfers of a sender have been written.
    Sent(Arc<SenderShared>),
    Updated {
        link: Arc<SenderShared>,
        seq: u64,
        state: DeliveryState,
    },
    Settled {
        link: Arc<SenderShared>,
        outcomes: Vec<(u64, Outcome)>,
    },
    /// So many deliveries more can be taken from a receiver.
    Deliveries {
        link: Arc<ReceiverShared>,
        count: usize,
    },
    Aborted(Arc<ReceiverShared>),
    /// What the sender of a delivery says of it, which may settle it.
    Told {
        link: Arc<ReceiverShared>,
        tag: Tag,
        state: Option<DeliveryState>,
        settled: bool,
    },
    Drained(Arc<ReceiverShared>),
    /// The peer's close has come.
    Closed(Option<Box<transport::Error>>),
    /// The connection is over; `None` when it was closed in good order from here.
    Over(Option<Error>),
}
