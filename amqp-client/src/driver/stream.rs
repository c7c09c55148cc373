//! A delivery on its way from the driver to its reader, part by part.
//!
//! Decides how parts are handed over and how the reader learns of the end. What is not read counts
//! in the session's window, which is what holds the peer back. Section 2.6.14.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::receiver::ReceiverShared;
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{Incoming, Load, StreamEnd};

#[derive(Debug)]
struct Shared {
    link: Arc<ReceiverShared>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    parts: VecDeque<Bytes>,
    end: Option<End>,
    /// Nobody reads any more.
    abandoned: bool,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Complete,
    Aborted,
    Lost,
}

/// The driver's end.
#[derive(Debug)]
pub(crate) struct PartWriter(Arc<Shared>);

/// The reader's end.
#[derive(Debug)]
pub(crate) struct PartReader {
    shared: Arc<Shared>,
    /// The delivery without its payload, until it is taken.
    head: Option<Incoming>,
}

/// Both ends of a delivery that begins to arrive.
pub(super) fn channel(link: Arc<ReceiverShared>, head: Incoming) -> (PartWriter, PartReader) {
    let shared = Arc::new(Shared {
        link,
        state: Mutex::default(),
        changed: Notify::new(),
    });
    let reader = PartReader {
        shared: shared.clone(),
        head: Some(head),
    };
    (PartWriter(shared), reader)
}

impl PartWriter {
    /// Hands a part on.
    pub(super) fn part(&self, payload: Bytes, end: Option<StreamEnd>) {
        let load = Load {
            frames: 1,
            octets: payload.len(),
        };
        let abandoned = {
            let mut state = self.0.lock();
            if !state.abandoned && end != Some(StreamEnd::Aborted) {
                state.parts.push_back(payload);
            }
            state.end = end.map(|end| match end {
                StreamEnd::Complete => End::Complete,
                StreamEnd::Aborted => End::Aborted,
            });
            state.abandoned
        };
        if abandoned && end != Some(StreamEnd::Aborted) {
            self.0.link.part_taken(load, false);
        }
        self.0.changed.notify_one();
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        self.0.lock().end.get_or_insert(End::Lost);
        self.0.changed.notify_one();
    }
}

impl PartReader {
    /// Whether the sender had settled the delivery when it began.
    pub(super) fn is_settled(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.settled)
    }

    /// The delivery without its payload; there is one until it has been taken.
    pub(crate) fn take_head(&mut self) -> Option<Incoming> {
        self.head.take()
    }

    /// The next part; `None` at the end of the message. Cancel safe.
    pub(crate) async fn next(&self) -> Result<Option<Bytes>, Error> {
        loop {
            let changed = self.shared.changed.notified();
            if let Some(result) = self.try_next() {
                return result;
            }
            changed.await;
        }
    }

    fn try_next(&self) -> Option<Result<Option<Bytes>, Error>> {
        let mut state = self.shared.lock();
        if let Some(part) = state.parts.pop_front() {
            let more = !state.parts.is_empty();
            drop(state);
            let load = Load {
                frames: 1,
                octets: part.len(),
            };
            self.shared.link.part_taken(load, more);
            return Some(Ok(Some(part)));
        }
        Some(match state.end? {
            End::Complete => Ok(None),
            End::Aborted => Err(broken("the sender gave the delivery up")),
            End::Lost => Err(broken("the link was lost before the delivery was complete")),
        })
    }
}

impl Drop for PartReader {
    /// What is not read is taken off the window, so that it holds nobody back.
    fn drop(&mut self) {
        let mut load = Load::default();
        {
            let mut state = self.shared.lock();
            state.abandoned = true;
            for part in state.parts.drain(..) {
                load.add(Load {
                    frames: 1,
                    octets: part.len(),
                });
            }
        }
        if load != Load::default() {
            self.shared.link.part_taken(load, false);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken(what: &str) -> Error {
    Error::new(
        ErrorKind::LinkDetached,
        ErrorScope::Delivery,
        Initiator::Remote,
        what,
    )
}
