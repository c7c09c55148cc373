//! Futures that are polled so many times and then dropped.
//!
//! Decides where a future is cut off: after each of its polls, at once or when it has been woken again,
//! which is when a careless one has taken what it then loses.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::sync::Notify;

/// How long a future that nothing wakes any more is waited for, on the clock of the test.
const PATIENCE: Duration = Duration::from_secs(1);
/// More polls than any future here takes.
const MOST: usize = 200;

/// Where the futures of one round are dropped.
#[derive(Debug)]
pub(crate) struct Cut {
    polls: usize,
    woken: bool,
    /// How many futures were polled, and how many of them were dropped before their end. One that
    /// nothing wakes any more has no further point to be dropped at.
    used: Cell<usize>,
    dropped: Cell<usize>,
}

struct Flag(Notify);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Cut {
    /// Whether the futures of this round are polled at all.
    pub(crate) fn polls_any(&self) -> bool {
        self.polls > 0
    }

    /// Polls the future as often as this round says and drops it; its output if it came to its end.
    pub(crate) async fn on<F: Future>(&self, future: F) -> Option<F::Output> {
        self.used.set(self.used.get() + 1);
        let flag = Arc::new(Flag(Notify::new()));
        let waker = Waker::from(flag.clone());
        let mut future = Box::pin(future);
        for poll in 1..=self.polls {
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = polled {
                return Some(output);
            }
            if poll < self.polls || self.woken {
                let woken = tokio::time::timeout(PATIENCE, flag.0.notified()).await;
                if woken.is_err() {
                    return None;
                }
            }
        }
        self.dropped.set(self.dropped.get() + 1);
        None
    }
}

/// Runs a case with its future cut at every point; answers how many rounds that took.
pub(crate) async fn everywhere(case: impl AsyncFn(&Cut)) -> usize {
    let mut rounds = 0;
    for woken in [false, true] {
        for polls in 0..=MOST {
            let cut = Cut {
                woken,
                ..after(polls)
            };
            case(&cut).await;
            assert!(cut.used.get() > 0, "the case cuts nothing");
            rounds += 1;
            if cut.dropped.get() == 0 {
                break;
            }
            assert!(polls < MOST, "a future without an end");
        }
    }
    rounds
}

/// One round: the future is dropped after so many polls.
pub(crate) fn after(polls: usize) -> Cut {
    Cut {
        polls,
        woken: false,
        used: Cell::new(0),
        dropped: Cell::new(0),
    }
}
