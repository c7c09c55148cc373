//! What the sender of a delivery says of it after it has come.
//!
//! Decides how its reports reach whoever holds the delivery. In settle mode second every unsettled
//! delivery has a [`Report`], since its sender has the last word; in mode first one is made when
//! somebody asks. Sections 2.6.12, 2.7.6, 2.8.3.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqp_types::messaging::DeliveryState;
use tokio::sync::Notify;

use super::command::Command;
use super::link::Status;
use super::receiver::{ReceiverShared, ReceiverState};
use crate::error::{Error, ErrorScope};
use crate::proto::Tag;

/// The reports on one delivery.
#[derive(Debug, Default)]
pub(crate) struct Report {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The last state that the sender has told.
    told: Option<DeliveryState>,
    /// Whether the delivery is settled, or why that will not be known.
    end: Option<Result<(), Error>>,
}

impl Report {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The last state that the sender has told.
    pub(crate) fn told(&self) -> Option<DeliveryState> {
        self.lock().told.clone()
    }

    /// Waits until the delivery is settled on both sides. Cancel safe.
    pub(crate) async fn settled(&self) -> Result<Option<DeliveryState>, Error> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.lock();
                if let Some(end) = &state.end {
                    return end.clone().map(|()| state.told.clone());
                }
            }
            changed.await;
        }
    }

    /// The sender tells a state, and settles the delivery or leaves it open.
    pub(super) fn tell(&self, told: Option<DeliveryState>, settled: bool) {
        {
            let mut state = self.lock();
            state.told = told.or(state.told.take());
            if settled {
                state.end.get_or_insert(Ok(()));
            }
        }
        self.changed.notify_waiters();
    }

    /// Nothing will be told any more.
    pub(super) fn lose(&self, error: &Error) {
        self.lock().end.get_or_insert_with(|| Err(error.clone()));
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReceiverShared {
    /// Who is told what the sender says of a delivery, from now on if nobody was before.
    pub(crate) fn report(self: &Arc<Self>, id: u32, tag: &Tag) -> Arc<Report> {
        let mut state = self.lock();
        let fresh = Report::new();
        let id = match self.template.resumable {
            true => match state.outstanding.get_mut(tag) {
                Some(open) => {
                    if let Some(known) = &open.report {
                        return known.clone();
                    }
                    open.report = Some(fresh.clone());
                    open.id
                }
                None => {
                    // It is kept until it is settled.
                    fresh.tell(None, true);
                    return fresh;
                }
            },
            false => Some(id),
        };
        if let Some(id) = id
            && let Some(known) = state.reports.get(&id)
        {
            return known.clone();
        }
        match (id, state.key) {
            (Some(id), Some(link)) => {
                state.reports.insert(id, fresh.clone());
                // It may have been settled before.
                let receiver = self.clone();
                state.connection.push(Command::Watch { receiver, link, id });
            }
            _ if !self.template.resumable => match &state.status {
                Status::Over(error) => fresh.lose(error),
                _ => fresh.lose(&Error::closed_locally(ErrorScope::Link)),
            },
            _ => {}
        }
        fresh
    }

    /// Who is told already.
    pub(crate) fn known_report(&self, id: u32) -> Option<Arc<Report>> {
        self.lock().reports.get(&id).cloned()
    }

    /// The sender has settled a delivery.
    pub(super) fn sender_settled(&self, id: u32, told: Option<DeliveryState>) {
        let mut state = self.lock();
        if let Some(tag) = state.tags.remove(id) {
            state.outstanding.remove(&tag);
        }
        if let Some(report) = state.reports.remove(&id) {
            report.tell(told, true);
        }
    }

    /// The sender tells a state that settles nothing.
    pub(super) fn sender_told(&self, id: u32, told: DeliveryState) {
        if let Some(report) = self.lock().reports.get(&id) {
            report.tell(Some(told), false);
        }
    }
}

impl ReceiverState {
    /// A delivery is settled by this side: nothing more is said of it.
    pub(super) fn settled_here(&mut self, id: u32) {
        if !self.reports.is_empty()
            && let Some(report) = self.reports.remove(&id)
        {
            report.tell(None, true);
        }
    }

    /// The link is over: what is open stays so.
    pub(super) fn lose_reports(&mut self, error: &Error) {
        let open = self.outstanding.values_mut();
        let kept = open.filter_map(|open| open.report.take());
        for report in kept.chain(self.reports.drain().map(|(_, report)| report)) {
            report.lose(error);
        }
    }
}
