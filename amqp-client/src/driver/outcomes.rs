//! The driver's side of a sender: what was transmitted, what was settled, the end of the link.
//!
//! Decides what the engine's events mean to whoever waits for them. The users' side is
//! [`super::sender`]. Sections 2.6.12, 2.6.13.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use amqp_types::messaging::{Accepted, DeliveryState, Outcome, SourceArchetype};
use amqp_types::transport::Attach;
use bytes::BytesMut;

use super::command::Command;
use super::link::Status;
use super::sender::{SenderShared, SenderState, Slot};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{LinkKey, Outgoing, Ring};

impl SenderShared {
    /// The link has a key: what was enqueued meanwhile can be handed over.
    pub(crate) fn attach(self: &Arc<Self>, key: LinkKey) {
        let mut state = self.lock();
        state.key = Some(key);
        state.detached = None;
        self.release_outbox(&mut state);
    }

    fn release_outbox(self: &Arc<Self>, state: &mut SenderState) {
        if !state.outbox.is_empty() && !state.scheduled && !state.holding && state.key.is_some() {
            state.scheduled = true;
            state.connection.push(Command::Outbox(self.clone()));
        }
    }

    /// Nothing new goes out in this attachment: not all that is unsettled was told. [LNK-64]
    pub(crate) fn hold(&self) {
        self.lock().status = Status::Partial;
    }

    /// The peer knows nothing of a message: it goes out as a new one as soon as that is allowed.
    pub(crate) fn absent(&self, seq: u64) {
        self.lock().absent.insert(seq);
    }

    /// The link is detached, to be attached again at once: what is kept goes on in the next attachment.
    pub(super) fn turn(&self) {
        let mut state = self.lock();
        state.detached = state.key.take().or(state.detached);
        state.scheduled = false;
        state.credit = 0;
        state.note_reached();
        let SenderState { outbox, .. } = &mut *state;
        outbox.retain(|message| message.settled || message.stream);
        state.status = Status::Suspended(Error::closed_locally(ErrorScope::Link));
    }

    pub(crate) fn attached(self: &Arc<Self>, remote: Arc<Attach>) {
        let mut state = self.lock();
        state.default_outcome = match &remote.source {
            Some(SourceArchetype::Source(source)) => source.default_outcome.clone(),
            _ => None,
        };
        state.remote = Some(remote);
        if !matches!(state.status, Status::Partial) {
            state.status = Status::Attached;
            state.holding = false;
            // From now on they may arrive.
            state.absent = HashSet::new();
            self.release_outbox(&mut state);
        }
    }

    /// Takes what was enqueued since the last time, in exchange for an empty vector.
    pub(crate) fn take_outbox(&self, empty: &mut Vec<Outgoing>) -> Option<LinkKey> {
        let mut state = self.lock();
        state.scheduled = false;
        std::mem::swap(&mut state.outbox, empty);
        state.key
    }

    pub(crate) fn set_credit(&self, credit: u32, drain: bool) {
        {
            let mut state = self.lock();
            state.credit = credit;
            state.drain = drain;
        }
        self.changed.notify_waiters();
    }

    /// The first transfers of `count` messages have been written; `settled` of them with `bytes`
    /// octets need no outcome.
    pub(crate) fn transmitted(&self, count: u32, settled: u32, settled_bytes: usize) {
        let mut wake = Vec::new();
        {
            let mut state = self.lock();
            state.transmitted += u64::from(count);
            state.credit = state.credit.saturating_sub(count);
            state.messages = state.messages.saturating_sub(settled as usize);
            state.bytes = state.bytes.saturating_sub(settled_bytes);
            if !state.unsent.is_empty() {
                let sent = state.unsent.len().min(settled as usize);
                state.unsent.drain(..sent);
            }
            if !state.flushed.is_empty() {
                let transmitted = state.transmitted;
                state.flushed.retain(|(ordinal, waker)| {
                    let waits = *ordinal > transmitted;
                    if !waits {
                        wake.push(waker.clone());
                    }
                    waits
                });
            }
        }
        self.changed.notify_waiters();
        wake.into_iter().for_each(Waker::wake);
    }

    /// What states of settled deliveries mean.
    pub(crate) fn read(&self, states: &[(u64, Option<DeliveryState>)]) -> Vec<(u64, Outcome)> {
        let default = self.lock().default_outcome.clone();
        let read = |(seq, state): &(u64, Option<DeliveryState>)| {
            (*seq, outcome_of(state.clone(), default.as_ref()))
        };
        states.iter().map(read).collect()
    }

    /// Outcomes have come.
    pub(crate) fn settled(&self, outcomes: &mut Vec<(u64, Option<DeliveryState>)>) {
        let mut wake = Vec::new();
        #[cfg(feature = "opentelemetry")]
        let mut ended = Vec::new();
        {
            let mut state = self.lock();
            for (seq, delivery_state) in outcomes.drain(..) {
                let outcome = outcome_of(delivery_state, state.default_outcome.as_ref());
                #[cfg(feature = "opentelemetry")]
                state.trace_outcome(seq, || Ok(outcome.clone()), &mut ended);
                let Some(slot) = state.receipts.get_mut(seq as u32) else {
                    continue;
                };
                let (bytes, waiter) = match std::mem::replace(slot, Slot::Done(Ok(outcome))) {
                    Slot::Waiting { waker, bytes } => (bytes, waker),
                    Slot::Abandoned { bytes, .. } => {
                        state.receipts.remove(seq as u32);
                        (bytes, None)
                    }
                    Slot::Collected { bytes } => {
                        if let Some(Slot::Done(Ok(outcome))) = state.receipts.remove(seq as u32) {
                            state.collected.push((seq, outcome));
                        }
                        (bytes, None)
                    }
                    Slot::Done(_) => (0, None),
                };
                wake.extend(waiter);
                state.kept.remove(seq as u32);
                state.forget(seq);
                state.messages = state.messages.saturating_sub(1);
                state.bytes = state.bytes.saturating_sub(bytes);
            }
        }
        self.changed.notify_waiters();
        wake.into_iter().for_each(Waker::wake);
        #[cfg(feature = "opentelemetry")]
        super::traced::end(ended);
    }

    /// The peer can not say what became of a message, and it is not sent again.
    pub(crate) fn unknown(&self, seq: u64) {
        let error = Error::new(
            ErrorKind::LinkDetached,
            ErrorScope::Delivery,
            Initiator::Remote,
            "the outcome is not known: the peer does not resume links",
        );
        let mut wake = None;
        #[cfg(feature = "opentelemetry")]
        let mut ended = Vec::new();
        {
            let mut state = self.lock();
            state.kept.remove(seq as u32);
            state.forget(seq);
            #[cfg(feature = "opentelemetry")]
            state.trace_outcome(seq, || Err(error.clone()), &mut ended);
            let Some(slot) = state.receipts.get_mut(seq as u32) else {
                return;
            };
            let bytes = match std::mem::replace(slot, Slot::Done(Err(error))) {
                Slot::Waiting { waker, bytes } => {
                    wake = waker;
                    bytes
                }
                Slot::Abandoned { bytes, .. } | Slot::Collected { bytes } => {
                    state.receipts.remove(seq as u32);
                    bytes
                }
                Slot::Done(_) => 0,
            };
            state.messages = state.messages.saturating_sub(1);
            state.bytes = state.bytes.saturating_sub(bytes);
        }
        self.changed.notify_waiters();
        wake.into_iter().for_each(Waker::wake);
        #[cfg(feature = "opentelemetry")]
        super::traced::end(ended);
    }

    /// The link is detached. One that can be resumed keeps what is unsettled, unless `for_good`;
    /// otherwise everything that waits learns why. Only the first reason counts.
    pub(crate) fn finish(&self, error: &Error, for_good: bool) {
        let mut wake = Vec::new();
        #[cfg(feature = "opentelemetry")]
        let mut ended = Vec::new();
        {
            let mut state = self.lock();
            let last = state.key.take();
            state.scheduled = false;
            state.credit = 0;
            if matches!(state.status, Status::Over(_)) {
                return;
            }
            state.outbox = Vec::new();
            state.chunk = BytesMut::new();
            state.note_reached();
            if self.template.resumable && !for_good {
                // Nobody has seen anything of them, so that they can not arrive twice.
                let all = state.unsent.len();
                state.unsent.retain(|message| !message.stream);
                state.messages = state.messages.saturating_sub(all - state.unsent.len());
                state.outbox = state.unsent.iter().cloned().collect();
                state.status = Status::Suspended(error.clone());
                state.detached = last.or(state.detached);
                // Streamed messages are not kept: their outcome can not be learnt any more.
                let SenderState { receipts, kept, .. } = &mut *state;
                receipts.drain_range(0, u32::MAX, |seq, slot| {
                    if kept.get(seq).is_some() || matches!(slot, Slot::Done(_)) {
                        return false;
                    }
                    match std::mem::replace(slot, Slot::Done(Err(error.clone()))) {
                        Slot::Waiting { waker, .. } => {
                            wake.extend(waker);
                            false
                        }
                        _ => true,
                    }
                });
                state.streams = HashMap::new();
                let SenderState {
                    tags,
                    updates,
                    kept,
                    ..
                } = &mut *state;
                tags.retain(|seq| kept.get(seq as u32).is_some());
                updates.retain(|seq, _| kept.get(*seq as u32).is_some());
            } else {
                state.status = Status::Over(error.clone());
                #[cfg(feature = "opentelemetry")]
                state.trace_over(error, &mut ended);
                state.kept = Ring::default();
                state.unsent = VecDeque::new();
                state.tags = Default::default();
                state.updates = HashMap::new();
                state.receipts.drain_range(0, u32::MAX, |_, slot| {
                    match std::mem::replace(slot, Slot::Done(Err(error.clone()))) {
                        Slot::Waiting { waker, .. } => {
                            wake.extend(waker);
                            false
                        }
                        Slot::Abandoned { .. } | Slot::Collected { .. } => true,
                        Slot::Done(result) => {
                            *slot = Slot::Done(result);
                            false
                        }
                    }
                });
                wake.extend(state.flushed.drain(..).map(|(_, waker)| waker));
            }
        }
        self.changed.notify_waiters();
        wake.into_iter().for_each(Waker::wake);
        #[cfg(feature = "opentelemetry")]
        super::traced::end(ended);
    }
}

impl SenderState {
    /// A message is settled: its tag is free, and its outcome is the last that is said of it.
    fn forget(&mut self, seq: u64) {
        self.tags.release(seq);
        // A stream that was given up before anything of it was written.
        if !self.unsent.is_empty()
            && let Ok(at) = self
                .unsent
                .binary_search_by_key(&seq, |message| message.seq)
        {
            self.unsent.remove(at);
        }
        if !self.updates.is_empty() {
            self.updates.remove(&seq);
        }
    }

    /// Works out which messages may have reached the receiver: all but the last ones that were
    /// enqueued and not transmitted.
    fn note_reached(&mut self) {
        let mut waiting = self.enqueued - self.transmitted;
        let first_new = self.resumed.last().map_or(0, |last| last + 1);
        let new = self.next_seq - first_new;
        let boundary = if waiting <= new {
            self.next_seq - waiting
        } else {
            waiting = (waiting - new).saturating_sub(self.carried);
            let sent = (self.resumed.len() as u64).saturating_sub(waiting) as usize;
            self.resumed.get(sent).copied().unwrap_or(first_new)
        };
        self.reached = self.reached.max(boundary);
    }
}

/// What a settled delivery came to. Without a state the source's default outcome counts, and where
/// it names none the delivery is accepted. [OUT-14] [SRC-23]
fn outcome_of(state: Option<DeliveryState>, default: Option<&Outcome>) -> Outcome {
    match state.map(Outcome::try_from) {
        Some(Ok(outcome)) => outcome,
        _ => default
            .cloned()
            .unwrap_or_else(|| Outcome::Accepted(Accepted::default())),
    }
}
