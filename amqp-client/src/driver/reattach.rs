//! A receiver between two attachments: what is open goes on in the next one.
//!
//! Decides what the next attach tells and which outcomes wait for it. Sections 2.6.13, 2.7.3.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::Attach;

use super::command::{Command, ConnectionShared};
use super::link::Status;
use super::receiver::{ReceiverShared, ReceiverState, ReceiverWork};
use crate::error::{Error, ErrorScope};
use crate::proto::{Outstanding, Resume, Ring, Tag};

impl ReceiverShared {
    /// Moves a suspended link to a connection: what to attach it with, and what is left of it.
    pub(crate) fn resume(
        &self,
        connection: Arc<ConnectionShared>,
        tell: bool,
    ) -> Result<(Box<Attach>, Option<Resume>), Error> {
        let mut state = self.lock();
        match &state.status {
            Status::Suspended(_) => {}
            Status::Over(error) => return Err(error.clone()),
            Status::Attaching | Status::Attached | Status::Partial => {
                return Err(Error::configuration("the link is attached"));
            }
        }
        state.status = Status::Attaching;
        self.leaving.store(false, Ordering::Release);
        let former = std::mem::replace(&mut state.connection, connection);
        if !Arc::ptr_eq(&former, &state.connection)
            && let Some(detached) = state.detached.take()
        {
            former.push(Command::Forget(detached));
        }
        state.tags = Ring::default();
        state.reports = HashMap::new();
        state.turning = false;
        let outstanding = state.outstanding.iter().map(|(tag, open)| Outstanding {
            tag: *tag,
            state: open.decided.clone(),
        });
        let mut outstanding: Vec<Outstanding> = outstanding.collect();
        // The same order on both sides, as far as tags are counted up: maps that are cut short have
        // something in common then.
        outstanding.sort_unstable_by_key(|delivery| delivery.tag);
        let resume = Resume::Receiver(outstanding);
        if !tell {
            // Without a map the sender sends again what is open here.
            state.outstanding = HashMap::new();
        }
        let attach = self.template.again(state.remote.as_ref());
        Ok((Box::new(attach), tell.then_some(resume)))
    }

    /// The sender has resumed a delivery under this id, or knows nothing of it any more.
    pub(crate) fn resumed(self: &Arc<Self>, tag: &Tag, id: Option<u32>) {
        let mut state = self.lock();
        let Some(id) = id else {
            if let Some(report) = state.outstanding.remove(tag).and_then(|open| open.report) {
                report.tell(None, true);
            }
            return;
        };
        if let Some(open) = state.outstanding.get_mut(tag) {
            open.id = Some(id);
            let decided = open.decided.clone();
            let report = open.report.clone();
            state.tags.push(id, *tag);
            state.reports.extend(report.map(|report| (id, report)));
            if let Some(outcome) = decided {
                // It was decided while the attach was under way.
                state.outstanding.remove(tag);
                state.tags.remove(id);
                state.settled_here(id);
                state.report(id, Some(outcome), true);
                self.schedule(&mut state);
            }
        }
    }

    /// The link is about to be detached: what is decided from now on is told when it is attached again.
    pub(super) fn turn(&self) {
        self.lock().turning = true;
    }

    /// The link is detached, to be attached again at once.
    pub(super) fn turned(&self) {
        let mut state = self.lock();
        state.detached = state.key.take().or(state.detached);
        state.scheduled = false;
        state.work = ReceiverWork::default();
        for open in state.outstanding.values_mut() {
            open.id = None;
        }
        state.status = Status::Suspended(Error::closed_locally(ErrorScope::Link));
    }
}

impl ReceiverState {
    /// Outcomes of deliveries that are reported once the link is attached again.
    pub(super) fn decide_up_to(&mut self, last: u32, outcome: &DeliveryState) {
        let up_to = self
            .tags
            .iter()
            .take_while(|(id, _)| (last.wrapping_sub(*id) as i32) >= 0);
        for (_, tag) in up_to {
            if let Some(open) = self.outstanding.get_mut(tag) {
                open.decided.get_or_insert_with(|| outcome.clone());
            }
        }
    }
}
