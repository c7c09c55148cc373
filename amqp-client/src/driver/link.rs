//! What the handles of a link and the driver share: the sender's outbox, the receiver's inbox.
//!
//! Decides how messages, outcomes and dispositions cross between tasks: in batches, under one short
//! lock a link, without an allocation for each. Credit and windows are the engine's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use amqp_types::Encode;
use amqp_types::messaging::{Accepted, DeliveryState, Outcome, SourceArchetype};
use amqp_types::transport::Attach;
use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::command::{Command, ConnectionShared};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{Incoming, LinkKey, Outgoing, Ring};

/// Messages are encoded into pieces of this size, which several of them share.
const CHUNK: usize = 16 * 1024;
/// A message from this size on gets memory of its own.
const OWN_CHUNK: usize = 4 * 1024;

/// Whether a link can be used.
#[derive(Clone, Debug)]
pub(crate) enum Status {
    /// The peer has not answered the attach.
    Attaching,
    Attached,
    Over(Error),
}

// ---- the sending end --------------------------------------------------------------------------

/// What a sender may have on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
pub(crate) struct SenderShared {
    pub(crate) connection: Arc<ConnectionShared>,
    pub(crate) name: amqp_types::Str,
    room: Room,
    state: Mutex<SenderState>,
    /// Woken when there is room again, when credit changes and when the link is over.
    changed: Notify,
}

#[derive(Debug)]
struct SenderState {
    key: Option<LinkKey>,
    status: Status,
    remote: Option<Arc<Attach>>,
    chunk: BytesMut,
    outbox: Vec<Outgoing>,
    scheduled: bool,
    receipts: Ring<Slot>,
    next_seq: u64,
    /// Messages handed to the outbox; their first transfers written.
    enqueued: u64,
    transmitted: u64,
    /// Messages and octets that are queued or unsettled.
    messages: usize,
    bytes: usize,
    credit: u32,
    drain: bool,
    flushed: Vec<(u64, Waker)>,
    /// Outcomes of the messages whose outcomes are collected.
    collected: Vec<(u64, Outcome)>,
    /// What a settlement without a state means: the receiver's source says so. [OUT-14]
    default_outcome: Option<Outcome>,
}

/// Where the outcome of one message will be, or is.
#[derive(Debug)]
enum Slot {
    Waiting {
        waker: Option<Waker>,
        bytes: usize,
    },
    /// Nobody wants to know.
    Abandoned {
        bytes: usize,
    },
    /// The outcome is put into the collection.
    Collected {
        bytes: usize,
    },
    Done(Result<Outcome, Error>),
}

/// What a message is sent with.
#[derive(Clone, Debug, Default)]
pub(crate) struct SendOptions {
    pub(crate) settled: bool,
    /// Whether the outcome goes into the collection instead of a receipt.
    pub(crate) collect: bool,
    pub(crate) message_format: u32,
    pub(crate) tag: Option<Box<crate::proto::Tag>>,
    pub(crate) state: Option<Box<DeliveryState>>,
}

/// Why a message could not be enqueued now.
pub(crate) enum Refusal {
    Full,
    Over(Error),
}

/// The name of a message that was enqueued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) seq: u64,
    pub(crate) settled: bool,
    ordinal: u64,
}

impl SenderShared {
    pub(crate) fn new(
        connection: Arc<ConnectionShared>,
        name: amqp_types::Str,
        room: Room,
    ) -> Arc<Self> {
        Arc::new(Self {
            connection,
            name,
            room,
            state: Mutex::new(SenderState {
                key: None,
                status: Status::Attaching,
                remote: None,
                chunk: BytesMut::new(),
                outbox: Vec::new(),
                scheduled: false,
                receipts: Ring::default(),
                next_seq: 0,
                enqueued: 0,
                transmitted: 0,
                messages: 0,
                bytes: 0,
                credit: 0,
                drain: false,
                flushed: Vec::new(),
                collected: Vec::new(),
                default_outcome: None,
            }),
            changed: Notify::new(),
        })
    }

    /// Encodes a message and puts it into the outbox, if there is room.
    pub(crate) fn try_enqueue(
        self: &Arc<Self>,
        message: &impl Encode,
        options: &SendOptions,
    ) -> Result<Ticket, Refusal> {
        let mut state = self.lock();
        if let Status::Over(error) = &state.status {
            return Err(Refusal::Over(error.clone()));
        }
        if state.messages >= self.room.messages || state.bytes >= self.room.bytes {
            return Err(Refusal::Full);
        }
        let payload = state.encode(message);
        if let Some(limit) = state
            .remote
            .as_ref()
            .and_then(|attach| attach.max_message_size)
            && limit != 0
            && payload.len() as u64 > limit
        {
            // [LNK-41]
            return Err(Refusal::Over(Error::new(
                ErrorKind::Limit,
                ErrorScope::Delivery,
                Initiator::Library,
                format!(
                    "the message has {} octets, the peer takes {limit}",
                    payload.len()
                ),
            )));
        }
        Ok(self.enqueue(&mut state, payload, options))
    }

    fn enqueue(
        self: &Arc<Self>,
        state: &mut SenderState,
        payload: Bytes,
        options: &SendOptions,
    ) -> Ticket {
        let seq = state.next_seq;
        state.next_seq += 1;
        state.enqueued += 1;
        state.messages += 1;
        let bytes = payload.len();
        state.bytes += bytes;
        if !options.settled {
            state
                .receipts
                .push(seq as u32, Slot::Waiting { waker: None, bytes });
        }
        state.outbox.push(Outgoing {
            seq,
            payload,
            settled: options.settled,
            tag: options.tag.clone(),
            message_format: options.message_format,
            state: options.state.clone(),
        });
        let ticket = Ticket {
            seq,
            settled: options.settled,
            ordinal: state.enqueued,
        };
        if !state.scheduled {
            state.scheduled = true;
            self.connection.push(Command::Outbox(self.clone()));
        }
        ticket
    }

    /// The outcome of a message, once it is there. A settled one counts as accepted when its first
    /// transfer has been written.
    pub(crate) fn poll_outcome(
        &self,
        ticket: Ticket,
        waker: &Waker,
    ) -> Poll<Result<Outcome, Error>> {
        let mut state = self.lock();
        if ticket.settled {
            if state.transmitted >= ticket.ordinal {
                return Poll::Ready(Ok(Outcome::Accepted(Accepted::default())));
            }
            if let Status::Over(error) = &state.status {
                return Poll::Ready(Err(error.clone()));
            }
            state.flushed.push((ticket.ordinal, waker.clone()));
            return Poll::Pending;
        }
        match state.receipts.get_mut(ticket.seq as u32) {
            Some(Slot::Waiting { waker: slot, .. }) => {
                match slot {
                    Some(known) if known.will_wake(waker) => {}
                    _ => *slot = Some(waker.clone()),
                }
                Poll::Pending
            }
            Some(Slot::Done(_)) => match state.receipts.remove(ticket.seq as u32) {
                Some(Slot::Done(result)) => Poll::Ready(result),
                _ => Poll::Ready(Err(Error::closed_locally(ErrorScope::Delivery))),
            },
            _ => Poll::Ready(Err(Error::closed_locally(ErrorScope::Delivery))),
        }
    }

    /// Nobody waits for the outcome any more; the message itself goes on.
    pub(crate) fn abandon(&self, ticket: Ticket) {
        if ticket.settled {
            return;
        }
        let mut state = self.lock();
        match state.receipts.get_mut(ticket.seq as u32) {
            Some(slot @ Slot::Waiting { .. }) => {
                if let Slot::Waiting { bytes, .. } = slot {
                    *slot = Slot::Abandoned { bytes: *bytes };
                }
            }
            Some(Slot::Done(_)) => {
                state.receipts.remove(ticket.seq as u32);
            }
            _ => {}
        }
    }

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

    /// Waits until `ready` holds or the link is over.
    async fn wait<R>(&self, mut ready: impl FnMut(&SenderState) -> Option<R>) -> Result<R, Error> {
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

    /// Credit that no enqueued message is going to use.
    pub(crate) fn credit(&self) -> u32 {
        self.lock().free_credit()
    }

    /// Whether the receiver asks for the credit to be used up.
    pub(crate) fn is_draining(&self) -> bool {
        self.lock().drain
    }

    pub(crate) fn key(&self) -> Option<LinkKey> {
        self.lock().key
    }

    pub(crate) fn remote(&self) -> Option<Arc<Attach>> {
        self.lock().remote.clone()
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    // ---- the driver's side ----

    pub(crate) fn attach(&self, key: LinkKey) {
        self.lock().key = Some(key);
    }

    pub(crate) fn attached(&self, remote: Arc<Attach>) {
        let mut state = self.lock();
        state.default_outcome = match &remote.source {
            Some(SourceArchetype::Source(source)) => source.default_outcome.clone(),
            _ => None,
        };
        state.remote = Some(remote);
        state.status = Status::Attached;
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

    /// Outcomes have come.
    pub(crate) fn settled(&self, outcomes: &mut Vec<(u64, Option<DeliveryState>)>) {
        let mut wake = Vec::new();
        {
            let mut state = self.lock();
            for (seq, delivery_state) in outcomes.drain(..) {
                let outcome = outcome_of(delivery_state, state.default_outcome.as_ref());
                let Some(slot) = state.receipts.get_mut(seq as u32) else {
                    continue;
                };
                let (bytes, waiter) = match std::mem::replace(slot, Slot::Done(Ok(outcome))) {
                    Slot::Waiting { waker, bytes } => (bytes, waker),
                    Slot::Abandoned { bytes } => {
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
                state.messages = state.messages.saturating_sub(1);
                state.bytes = state.bytes.saturating_sub(bytes);
            }
        }
        self.changed.notify_waiters();
        wake.into_iter().for_each(Waker::wake);
    }

    /// The link is over: everything that waits learns why. Only the first reason counts.
    pub(crate) fn finish(&self, error: &Error) {
        let mut wake = Vec::new();
        {
            let mut state = self.lock();
            state.key = None;
            if matches!(state.status, Status::Over(_)) {
                return;
            }
            state.status = Status::Over(error.clone());
            state.outbox = Vec::new();
            state.chunk = BytesMut::new();
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
        self.changed.notify_waiters();
        wake.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, SenderState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SenderState {
    fn free_credit(&self) -> u32 {
        let queued = u32::try_from(self.enqueued - self.transmitted).unwrap_or(u32::MAX);
        self.credit.saturating_sub(queued)
    }

    /// Encodes into memory that messages share, so that a small one costs no allocation.
    fn encode(&mut self, message: &impl Encode) -> Bytes {
        if self.chunk.capacity() - self.chunk.len() < 512 {
            self.chunk = BytesMut::with_capacity(CHUNK);
        }
        message.encode(&mut self.chunk);
        let whole = self.chunk.split();
        if whole.len() >= OWN_CHUNK {
            // It grew beyond the shared piece: what is left behind it belongs to it alone.
            self.chunk = BytesMut::new();
        }
        whole.freeze()
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

// ---- the receiving end ------------------------------------------------------------------------

#[derive(Debug)]
pub(crate) struct ReceiverShared {
    pub(crate) connection: Arc<ConnectionShared>,
    pub(crate) name: amqp_types::Str,
    /// How many deliveries may be taken before the driver is told.
    report: u32,
    state: Mutex<ReceiverState>,
    /// Woken once for each delivery that comes while somebody waits, and when the link is over.
    arrived: Notify,
}

#[derive(Debug)]
struct ReceiverState {
    key: Option<LinkKey>,
    status: Status,
    remote: Option<Arc<Attach>>,
    queue: VecDeque<Incoming>,
    scheduled: bool,
    work: ReceiverWork,
}

/// What a receiver's application has done since the driver last looked.
#[derive(Debug, Default)]
pub(crate) struct ReceiverWork {
    /// Dispositions to be reported.
    pub(crate) settlements: Vec<Settlement>,
    /// Deliveries that are done with: settled, or taken when they came settled.
    pub(crate) consumed: u32,
    /// Transfer frames that were taken off the queue.
    pub(crate) frames: u32,
}

/// One disposition.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) id: u32,
    pub(crate) settled: bool,
    pub(crate) state: Option<DeliveryState>,
}

impl ReceiverShared {
    pub(crate) fn new(
        connection: Arc<ConnectionShared>,
        name: amqp_types::Str,
        window: u32,
    ) -> Arc<Self> {
        Arc::new(Self {
            connection,
            name,
            report: (window / 4).clamp(1, 256),
            state: Mutex::new(ReceiverState {
                key: None,
                status: Status::Attaching,
                remote: None,
                queue: VecDeque::new(),
                scheduled: false,
                work: ReceiverWork::default(),
            }),
            arrived: Notify::new(),
        })
    }

    /// The next delivery, if one is there.
    pub(crate) fn try_take(self: &Arc<Self>) -> Result<Option<Incoming>, Error> {
        let mut state = self.lock();
        let Some(delivery) = state.queue.pop_front() else {
            return match &state.status {
                Status::Over(error) => {
                    // Whoever else waits learns it too.
                    self.arrived.notify_one();
                    Err(error.clone())
                }
                _ => Ok(None),
            };
        };
        state.work.frames += delivery.frames;
        if delivery.settled {
            state.work.consumed += 1;
        }
        if state.work.frames >= self.report || state.queue.is_empty() {
            self.schedule(&mut state);
        }
        if !state.queue.is_empty() {
            // Whoever else waits is not forgotten when one of several was woken for many.
            self.arrived.notify_one();
        }
        Ok(Some(delivery))
    }

    /// Waits for the next delivery. Cancel safe: nothing is taken before it is returned.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Incoming, Error> {
        loop {
            if let Some(delivery) = self.try_take()? {
                return Ok(delivery);
            }
            self.arrived.notified().await;
        }
    }

    /// Reports the outcome of a delivery. Deliveries of a link that is over are past settling.
    pub(crate) fn settle(self: &Arc<Self>, id: u32, state: Option<DeliveryState>, settled: bool) {
        let mut shared = self.lock();
        if shared.key.is_none() {
            return;
        }
        shared
            .work
            .settlements
            .push(Settlement { id, settled, state });
        shared.work.consumed += 1;
        self.schedule(&mut shared);
    }

    fn schedule(self: &Arc<Self>, state: &mut ReceiverState) {
        if !state.scheduled && state.key.is_some() {
            state.scheduled = true;
            self.connection.push(Command::Inbox(self.clone()));
        }
    }

    pub(crate) fn key(&self) -> Option<LinkKey> {
        self.lock().key
    }

    pub(crate) fn remote(&self) -> Option<Arc<Attach>> {
        self.lock().remote.clone()
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    // ---- the driver's side ----

    pub(crate) fn attach(&self, key: LinkKey) {
        self.lock().key = Some(key);
    }

    pub(crate) fn attached(&self, remote: Arc<Attach>) {
        let mut state = self.lock();
        state.remote = Some(remote);
        state.status = Status::Attached;
    }

    pub(crate) fn deliver(&self, deliveries: &mut Vec<Incoming>) {
        {
            let mut state = self.lock();
            state.queue.extend(deliveries.drain(..));
        }
        self.arrived.notify_one();
    }

    /// Takes what the application has done since the last time, in exchange for an empty record.
    pub(crate) fn take_work(&self, empty: &mut ReceiverWork) -> Option<LinkKey> {
        let mut state = self.lock();
        state.scheduled = false;
        std::mem::swap(&mut state.work, empty);
        state.key
    }

    pub(crate) fn finish(&self, error: &Error) {
        {
            let mut state = self.lock();
            state.key = None;
            if matches!(state.status, Status::Over(_)) {
                return;
            }
            state.status = Status::Over(error.clone());
            // What was not taken is the sender's again: it was never settled.
            state.queue.retain(|delivery| delivery.settled);
        }
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, ReceiverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
