//! The receiving end of a link: an inbox of deliveries, and the dispositions that go back.
//!
//! Decides how deliveries and dispositions cross between tasks: in batches, under one short lock a
//! link. Credit and windows are the engine's. Sections 2.6.7, 2.6.12.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{Attach, ReceiverSettleMode};
use tokio::sync::Notify;

use super::command::{Command, ConnectionShared};
use super::link::{Status, Template};
use super::report::Report;
use super::stream::{PartReader, PartWriter};
use crate::error::Error;
use crate::proto::{Incoming, LinkKey, Load, Ring, Tag};

#[derive(Debug)]
pub(crate) struct ReceiverShared {
    pub(crate) name: amqp_types::Str,
    /// Whether its handles have let go of it, or detach it: its name is free for another link.
    pub(super) leaving: AtomicBool,
    /// How many deliveries may be taken before the driver is told.
    report: u32,
    pub(super) template: Template,
    state: Mutex<ReceiverState>,
    /// Woken once for each delivery that comes while somebody waits, and when the link is over.
    arrived: Notify,
    /// Woken when the link is over.
    ended: Notify,
}

#[derive(Debug)]
pub(super) struct ReceiverState {
    /// The connection that the link belongs to now.
    pub(super) connection: Arc<ConnectionShared>,
    /// Deliveries that the application has and the sender does not know the end of, where the link
    /// can be resumed.
    pub(super) outstanding: HashMap<Tag, Open>,
    /// Their tags by delivery-id; also while the link is suspended, since the sender may still settle
    /// them.
    pub(super) tags: Ring<Tag>,
    /// Who is told what the senders of deliveries say, by delivery-id.
    pub(super) reports: HashMap<u32, Arc<Report>>,
    pub(super) key: Option<LinkKey>,
    /// The key of the last attachment, while the link is suspended.
    pub(super) detached: Option<LinkKey>,
    pub(super) status: Status,
    pub(super) remote: Option<Arc<Attach>>,
    queue: VecDeque<Incoming>,
    /// Deliveries that have begun to arrive, on a link that reads while they do.
    streams: VecDeque<PartReader>,
    pub(super) scheduled: bool,
    /// Whether the link is about to be detached and attached again: outcomes wait for that.
    pub(super) turning: bool,
    pub(super) work: ReceiverWork,
}

/// A delivery, and what its sender says of it where that is kept.
pub(crate) type Taken = (Incoming, Option<Arc<Report>>);

/// A delivery that outlives a detach.
#[derive(Debug)]
pub(super) struct Open {
    /// Its delivery-id now; `None` until the sender has resumed it.
    pub(super) id: Option<u32>,
    /// The outcome, once the application has decided.
    pub(super) decided: Option<DeliveryState>,
    /// Who is told what its sender says.
    pub(super) report: Option<Arc<Report>>,
}

/// What a receiver's application has done since the driver last looked.
#[derive(Debug, Default)]
pub(crate) struct ReceiverWork {
    /// Dispositions to be reported.
    pub(crate) settlements: Vec<Settlement>,
    /// Deliveries that came settled and were taken.
    pub(crate) consumed: u32,
    /// What was taken off the queue.
    pub(crate) load: Load,
}

/// One disposition.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) id: u32,
    /// Whether every delivery before it that has no outcome is meant as well.
    pub(crate) up_to: bool,
    pub(crate) settled: bool,
    pub(crate) state: Option<DeliveryState>,
}

impl ReceiverShared {
    pub(crate) fn new(
        connection: Arc<ConnectionShared>,
        template: Template,
        window: u32,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: template.attach.name.clone(),
            leaving: AtomicBool::new(false),
            template,
            report: (window / 4).clamp(1, 256),
            state: Mutex::new(ReceiverState {
                connection,
                outstanding: HashMap::new(),
                tags: Ring::default(),
                reports: HashMap::new(),
                key: None,
                detached: None,
                status: Status::Attaching,
                remote: None,
                queue: VecDeque::new(),
                streams: VecDeque::new(),
                scheduled: false,
                turning: false,
                work: ReceiverWork::default(),
            }),
            arrived: Notify::new(),
            ended: Notify::new(),
        })
    }

    /// The next delivery, if one is there, and in settle mode second what its sender says of it.
    pub(crate) fn try_take(self: &Arc<Self>) -> Result<Option<Taken>, Error> {
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
        let report = match state.reports.is_empty() {
            true => None,
            false => state.reports.get(&delivery.id).cloned(),
        };
        if self.template.resumable && !delivery.settled {
            let open = Open {
                id: Some(delivery.id),
                decided: None,
                report: report.clone(),
            };
            state.outstanding.insert(delivery.tag, open);
            state.tags.push(delivery.id, delivery.tag);
        }
        state.work.load.add(delivery.load());
        if delivery.settled {
            state.work.consumed += 1;
        }
        if state.work.load.frames >= self.report || state.queue.is_empty() {
            self.schedule(&mut state);
        }
        if !state.queue.is_empty() {
            // Whoever else waits is not forgotten when one of several was woken for many.
            self.arrived.notify_one();
        }
        Ok(Some((delivery, report)))
    }

    /// Waits for the next delivery. Cancel safe: nothing is taken before it is returned.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Taken, Error> {
        loop {
            if let Some(delivery) = self.try_take()? {
                return Ok(delivery);
            }
            self.arrived.notified().await;
        }
    }

    /// Waits for the next delivery to begin. Cancel safe: nothing is taken before it is returned.
    pub(crate) async fn take_stream(self: &Arc<Self>) -> Result<PartReader, Error> {
        loop {
            {
                let mut state = self.lock();
                if let Some(stream) = state.streams.pop_front() {
                    if stream.is_settled() {
                        state.work.consumed += 1;
                        self.schedule(&mut state);
                    }
                    if !state.streams.is_empty() {
                        self.arrived.notify_one();
                    }
                    return Ok(stream);
                }
                if let Status::Over(error) = &state.status {
                    self.arrived.notify_one();
                    return Err(error.clone());
                }
            }
            self.arrived.notified().await;
        }
    }

    /// A part of a delivery was taken.
    pub(super) fn part_taken(self: &Arc<Self>, load: Load, more_waiting: bool) {
        let mut state = self.lock();
        state.work.load.add(load);
        if state.work.load.frames >= self.report || !more_waiting {
            self.schedule(&mut state);
        }
    }

    /// Reports the outcome of a delivery. Deliveries of a link that is over are past settling; those
    /// of a suspended one are settled once it is attached again.
    pub(crate) fn settle(
        self: &Arc<Self>,
        id: u32,
        tag: &Tag,
        outcome: DeliveryState,
        settled: bool,
    ) {
        let mut state = self.lock();
        let id = match self.template.resumable {
            false if state.key.is_none() => return,
            false => id,
            true => {
                let Some(open) = state.outstanding.get_mut(tag) else {
                    return;
                };
                let now = open.id;
                open.decided = Some(outcome.clone());
                match now {
                    Some(id) if state.key.is_some() && !state.turning => {
                        if settled {
                            state.outstanding.remove(tag);
                            state.tags.remove(id);
                        }
                        id
                    }
                    _ => return,
                }
            }
        };
        if settled {
            state.settled_here(id);
        }
        state.report(id, Some(outcome), settled);
        self.schedule(&mut state);
    }

    /// Tells the sender a state of a delivery that stays unsettled. Nothing is kept of it: while the
    /// link is detached nobody is told.
    pub(crate) fn tell(self: &Arc<Self>, id: u32, tag: &Tag, told: DeliveryState) {
        let mut state = self.lock();
        let id = match self.template.resumable {
            false => Some(id),
            true => state.outstanding.get(tag).and_then(|open| open.id),
        };
        let (Some(id), Some(_), false) = (id, state.key, state.turning) else {
            return;
        };
        state.work.settlements.push(Settlement {
            id,
            up_to: false,
            settled: false,
            state: Some(told),
        });
        self.schedule(&mut state);
    }

    /// Reports one outcome for every delivery up to one that has none.
    pub(crate) fn settle_up_to(self: &Arc<Self>, last: u32, outcome: DeliveryState, settled: bool) {
        let mut state = self.lock();
        if self.template.resumable && (state.key.is_none() || state.turning) {
            state.decide_up_to(last, &outcome);
            return;
        }
        if state.key.is_none() {
            return;
        }
        if self.template.resumable && settled {
            let ReceiverState {
                tags, outstanding, ..
            } = &mut *state;
            let first = tags.iter().next().map(|(id, _)| id);
            if let Some(first) = first
                && (last.wrapping_sub(first) as i32) >= 0
            {
                tags.drain_range(first, last, |_, tag| outstanding.remove(tag).is_some());
            }
        }
        if settled && !state.reports.is_empty() {
            let up_to: Vec<u32> = state.reports.keys().copied().collect();
            for id in up_to
                .into_iter()
                .filter(|id| (last.wrapping_sub(*id) as i32) >= 0)
            {
                state.settled_here(id);
            }
        }
        state.work.settlements.push(Settlement {
            id: last,
            up_to: true,
            settled,
            state: Some(outcome),
        });
        self.schedule(&mut state);
    }

    pub(super) fn schedule(self: &Arc<Self>, state: &mut ReceiverState) {
        if !state.scheduled && state.key.is_some() {
            state.scheduled = true;
            state.connection.push(Command::Inbox(self.clone()));
        }
    }

    pub(crate) fn key(&self) -> Option<LinkKey> {
        self.lock().key
    }

    /// The handles let go of the link, or detach it.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(super) fn detached(&self) -> Option<LinkKey> {
        self.lock().detached
    }

    pub(super) fn is_resumable(&self) -> bool {
        self.template.resumable
    }

    /// The connection that the link belongs to now.
    pub(crate) fn connection(&self) -> Arc<ConnectionShared> {
        self.lock().connection.clone()
    }

    pub(crate) fn remote(&self) -> Option<Arc<Attach>> {
        self.lock().remote.clone()
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    // ---- the driver's side ----

    pub(crate) fn attach(&self, key: LinkKey) {
        let mut state = self.lock();
        state.key = Some(key);
        state.detached = None;
    }

    pub(crate) fn attached(&self, remote: Arc<Attach>) {
        let mut state = self.lock();
        state.remote = Some(remote);
        state.status = Status::Attached;
    }

    /// A delivery begins to arrive.
    pub(super) fn begin_stream(self: &Arc<Self>, head: Incoming) -> PartWriter {
        let (id, watched) = (head.id, is_watched(&head));
        let (writer, reader) = super::stream::channel(self.clone(), head);
        let mut state = self.lock();
        state.streams.push_back(reader);
        if watched {
            state.reports.insert(id, Report::new());
        }
        drop(state);
        self.arrived.notify_one();
        writer
    }

    pub(crate) fn deliver(&self, deliveries: &mut Vec<Incoming>) {
        {
            let mut state = self.lock();
            for delivery in deliveries.iter().filter(|delivery| is_watched(delivery)) {
                state.reports.insert(delivery.id, Report::new());
            }
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

    /// The link is detached. One that can be resumed keeps what is open, unless `for_good`.
    pub(crate) fn finish(&self, error: &Error, for_good: bool) {
        {
            let mut state = self.lock();
            let last = state.key.take();
            state.scheduled = false;
            state.work = ReceiverWork::default();
            if matches!(state.status, Status::Over(_)) {
                return;
            }
            // What was not taken is the sender's again: it was never settled.
            state.queue.retain(|delivery| delivery.settled);
            if self.template.resumable && !for_good {
                for open in state.outstanding.values_mut() {
                    open.id = None;
                }
                state.status = Status::Suspended(error.clone());
                state.detached = last.or(state.detached);
                return;
            }
            state.lose_reports(error);
            state.outstanding = HashMap::new();
            state.tags = Ring::default();
            state.status = Status::Over(error.clone());
        }
        self.arrived.notify_one();
        self.ended.notify_waiters();
    }

    /// Waits until the link is over.
    pub(crate) async fn wait_over(&self) -> Error {
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            if let Status::Over(error) = &self.lock().status {
                return error.clone();
            }
            ended.await;
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ReceiverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReceiverState {
    pub(super) fn report(&mut self, id: u32, state: Option<DeliveryState>, settled: bool) {
        self.work.settlements.push(Settlement {
            id,
            up_to: false,
            settled,
            state,
        });
        self.work.consumed += 1;
    }
}

/// Whether the sender has the last word on a delivery. Section 2.8.3.
fn is_watched(delivery: &Incoming) -> bool {
    delivery.mode == ReceiverSettleMode::Second && !delivery.settled
}
