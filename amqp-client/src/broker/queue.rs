//! A queue: messages in order, and the consumers that compete for them.
//!
//! Decides who gets which message and what a message's end does to the queue. Consumers say how many
//! messages they have credit for; messages are dealt out to them in turn, one each, into mailboxes
//! that they empty. Links and their outcomes are left to the link tasks. Section 3.3. [MSG-24]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqp_types::Str;
use amqp_types::transport::{Error, ErrorCondition};
use tokio::sync::Notify;

use super::settings::Limits;
use super::stored::{ConsumerId, Stored, fault};

/// How many messages a consumer is dealt at once, whatever its credit.
const HAND: usize = 1024;

/// A node that keeps messages until somebody is done with them.
#[derive(Debug)]
pub(super) struct Queue {
    address: Str,
    limits: Limits,
    /// Whether it was made for a link and goes with it.
    temporary: bool,
    state: Mutex<State>,
    deleted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of their places.
    messages: VecDeque<Stored>,
    next_place: u64,
    /// Messages that are with consumers.
    acquired: usize,
    /// Octets of all messages, those with consumers included.
    bytes: usize,
    consumers: Vec<Consumer>,
    /// Which consumer has its turn, as an index that may be one too large.
    turn: usize,
    browsers: Vec<(ConsumerId, Arc<Notify>)>,
    deleted: bool,
}

#[derive(Debug)]
struct Consumer {
    id: ConsumerId,
    wake: Arc<Notify>,
    /// How many more messages it would take.
    demand: usize,
    mailbox: Vec<Stored>,
}

/// The queue was deleted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deleted;

impl From<Deleted> for Error {
    fn from(_: Deleted) -> Self {
        fault(ErrorCondition::ResourceDeleted, "the node was deleted")
    }
}

impl Queue {
    pub(super) fn new(address: Str, limits: Limits, temporary: bool) -> Arc<Self> {
        Arc::new(Self {
            address,
            limits,
            temporary,
            state: Mutex::default(),
            deleted: Notify::new(),
        })
    }

    pub(super) fn address(&self) -> &Str {
        &self.address
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// How many messages wait for a consumer.
    pub(super) fn len(&self) -> usize {
        self.lock().messages.len()
    }

    /// Whether no message is here or with a consumer.
    pub(super) fn is_done(&self) -> bool {
        let state = self.lock();
        state.messages.is_empty() && state.acquired == 0
    }

    // ---- producers ---------------------------------------------------------------------------

    /// Appends messages up to the first that the limits forbid; answers how many. What was appended
    /// is taken out of `messages`.
    pub(super) fn put(&self, messages: &mut Vec<Stored>) -> Result<usize, Deleted> {
        let mut state = self.lock();
        if state.deleted {
            return Err(Deleted);
        }
        let mut fits = 0;
        for message in messages.iter_mut() {
            let held = state.messages.len() + state.acquired + fits;
            if held >= self.limits.messages || state.bytes + message.size() > self.limits.bytes {
                break;
            }
            state.bytes += message.size();
            message.place = state.next_place;
            state.next_place += 1;
            fits += 1;
        }
        state.messages.extend(messages.drain(..fits));
        if fits > 0 {
            state.deal(None);
            state
                .browsers
                .iter()
                .for_each(|(_, wake)| wake.notify_one());
        }
        Ok(fits)
    }

    // ---- consumers ---------------------------------------------------------------------------

    /// Adds a consumer, which is woken when there is something for it.
    pub(super) fn join(&self, id: ConsumerId, wake: Arc<Notify>) {
        let consumer = Consumer {
            id,
            wake,
            demand: 0,
            mailbox: Vec::new(),
        };
        self.lock().consumers.push(consumer);
    }

    /// Removes a consumer or a browser; what lies in its mailbox is everybody's again.
    pub(super) fn leave(&self, id: ConsumerId) {
        let mut state = self.lock();
        state.browsers.retain(|(browser, _)| *browser != id);
        if let Some(at) = state
            .consumers
            .iter()
            .position(|consumer| consumer.id == id)
        {
            let consumer = state.consumers.remove(at);
            if at < state.turn {
                state.turn -= 1;
            }
            state.acquired -= consumer.mailbox.len();
            for message in consumer.mailbox {
                state.put_back(message);
            }
            state.deal(None);
        }
    }

    /// Says how many messages a consumer has credit for now, and moves those that it is dealt to
    /// `hand`. An empty hand means that there is nothing for it: it is woken when that changes.
    pub(super) fn exchange(
        &self,
        id: ConsumerId,
        credit: usize,
        hand: &mut Vec<Stored>,
    ) -> Result<(), Deleted> {
        let mut state = self.lock();
        if state.deleted {
            return Err(Deleted);
        }
        let Some(at) = state
            .consumers
            .iter()
            .position(|consumer| consumer.id == id)
        else {
            return Ok(());
        };
        let consumer = &mut state.consumers[at];
        consumer.demand = credit.min(HAND).saturating_sub(consumer.mailbox.len());
        state.deal(Some(at));
        let consumer = &mut state.consumers[at];
        match hand.is_empty() {
            true => std::mem::swap(&mut consumer.mailbox, hand),
            false => hand.append(&mut consumer.mailbox),
        }
        Ok(())
    }

    /// Messages are done with: archived ones are gone, the others take their places again, as they
    /// were when they were released. [OUT-08]
    pub(super) fn settle(&self, archived: &[Stored], returned: impl IntoIterator<Item = Stored>) {
        let mut state = self.lock();
        if state.deleted {
            return;
        }
        state.acquired -= archived.len();
        state.bytes -= archived.iter().map(Stored::size).sum::<usize>();
        let mut back = false;
        for message in returned {
            state.acquired -= 1;
            state.put_back(message);
            back = true;
        }
        if back {
            state.deal(None);
            state
                .browsers
                .iter()
                .for_each(|(_, wake)| wake.notify_one());
        }
    }

    // ---- browsers ----------------------------------------------------------------------------

    /// Adds a browser, which is woken when messages come.
    pub(super) fn join_browser(&self, id: ConsumerId, wake: Arc<Notify>) {
        self.lock().browsers.push((id, wake));
    }

    /// Copies messages that are available from place `from` on, at most `credit`; answers the place
    /// to go on from. [SRC-15] [SRC-17]
    pub(super) fn browse(
        &self,
        from: u64,
        credit: usize,
        hand: &mut Vec<Stored>,
    ) -> Result<u64, Deleted> {
        let state = self.lock();
        if state.deleted {
            return Err(Deleted);
        }
        let start = state
            .messages
            .partition_point(|message| message.place < from);
        let end = state.messages.len().min(start + credit.min(HAND));
        hand.extend(
            state
                .messages
                .range(start..end)
                .filter(|m| !m.is_expired())
                .cloned(),
        );
        Ok(match end {
            0 => from,
            _ => from.max(state.messages[end - 1].place + 1),
        })
    }

    // ---- the end -----------------------------------------------------------------------------

    /// Deletes the queue and what is in it; everybody who uses it learns it.
    pub(super) fn delete(&self) {
        {
            let mut state = self.lock();
            state.deleted = true;
            state.messages.clear();
            state
                .consumers
                .iter()
                .for_each(|consumer| consumer.wake.notify_one());
            state
                .browsers
                .iter()
                .for_each(|(_, wake)| wake.notify_one());
        }
        self.deleted.notify_waiters();
    }

    /// Waits until the queue is deleted.
    pub(super) async fn wait_deleted(&self) {
        let deleted = self.deleted.notified();
        tokio::pin!(deleted);
        deleted.as_mut().enable();
        if !self.lock().deleted {
            deleted.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Deals messages to consumers in turn as long as there are both. The consumer at `asking` needs
    /// no wake.
    fn deal(&mut self, asking: Option<usize>) {
        let mut at = 0;
        while at < self.messages.len() && self.consumers.iter().any(|consumer| consumer.demand > 0)
        {
            if self.messages[at].is_expired() {
                // [MSG-09]
                self.bytes -= self.messages.remove(at).map_or(0, |message| message.size());
                continue;
            }
            match self.next_taker(&self.messages[at]) {
                Some(taker) => {
                    let Some(message) = self.messages.remove(at) else {
                        return;
                    };
                    self.acquired += 1;
                    let consumer = &mut self.consumers[taker];
                    if consumer.mailbox.is_empty() && asking != Some(taker) {
                        consumer.wake.notify_one();
                    }
                    consumer.demand -= 1;
                    consumer.mailbox.push(message);
                    self.turn = taker + 1;
                }
                // All who have credit refused it before: it waits, those behind it do not. [OUT-11]
                None => at += 1,
            }
        }
    }

    /// The first consumer from the turn on that has credit and did not refuse the message.
    fn next_taker(&self, message: &Stored) -> Option<usize> {
        let count = self.consumers.len();
        (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|at| {
                self.consumers[*at].demand > 0 && !message.is_refused_by(self.consumers[*at].id)
            })
    }

    /// Puts a message where it was before it was taken.
    fn put_back(&mut self, mut message: Stored) {
        message.mark_acquired();
        let at = self
            .messages
            .partition_point(|other| other.place < message.place);
        self.messages.insert(at, message);
    }
}
