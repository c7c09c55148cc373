//! What the application asks of a link that it sends on.
//!
//! Decides what waits to be sent and when a drain is over. Making transfers of it is left to
//! `transfer_out`. Sections 2.6.7, 2.6.14.

use std::collections::VecDeque;

use bytes::Bytes;

use super::super::arena::Key;
use super::super::delivery::{Outgoing, Sent, StreamEnd};
use super::super::event::Event;
use super::super::link::{Link, Local};
use super::Session;

impl Session {
    /// Queues messages on a sending link.
    pub(crate) fn send(&mut self, key: Key, messages: impl IntoIterator<Item = Outgoing>) {
        if let Some(sender) = self.links.get_mut(key).and_then(Link::sender) {
            if sender.queue.is_empty() {
                sender.queue.extend(messages);
                return self.make_ready(key);
            }
            for message in messages {
                // One that waited through an attachment may be older than what was handed over again.
                let in_order = |last: &Outgoing| last.seq < message.seq;
                match sender.queue.back().is_none_or(in_order) {
                    true => sender.queue.push_back(message),
                    false => {
                        let at = sender.queue.partition_point(in_order);
                        sender.queue.insert(at, message);
                    }
                }
            }
            self.make_ready(key);
        }
    }

    /// A part of a message that is streamed, or its end.
    pub(crate) fn stream(
        &mut self,
        key: Key,
        seq: u64,
        part: Option<Bytes>,
        end: Option<StreamEnd>,
    ) {
        let Some(sender) = self.links.get_mut(key).and_then(Link::sender) else {
            return;
        };
        let begun = sender
            .progress
            .as_ref()
            .is_some_and(|p| p.message.seq == seq);
        if !begun
            && sender
                .queue
                .binary_search_by_key(&seq, |message| message.seq)
                .is_err()
        {
            return;
        }
        let stream = sender.streams.entry(seq).or_default();
        if stream.end.is_none() {
            stream.parts.extend(part.filter(|part| !part.is_empty()));
            stream.end = end;
            if end == Some(StreamEnd::Aborted) {
                stream.parts.clear();
            }
        }
        self.make_ready(key);
    }

    /// The application has nothing more to send: a drain that waits for that is done once what is
    /// queued has been written. [LNK-31]
    pub(crate) fn drained(&mut self, key: Key, events: &mut VecDeque<Event>) {
        if let Some(link) = self.links.get_mut(key)
            && let Some(sender) = link.sender()
            && sender.credit.draining()
        {
            sender.nothing_more = true;
            self.finish_drain(key, events);
        }
    }

    /// Gives the rest of the credit back and answers, when a drain has come to that.
    pub(super) fn finish_drain(&mut self, key: Key, events: &mut VecDeque<Event>) {
        let name = self.name(key);
        if let Some(link) = self.links.get_mut(key)
            && link.may_finish_drain()
            && let Some(sender) = link.sender()
        {
            // Also when the last message used the last credit: the partner waits for an answer.
            sender.credit.drained();
            sender.nothing_more = false;
            sender.drain_answered = true;
            link.flow_owed = true;
            events.push_back(Event::Credit {
                link: name,
                credit: 0,
                drain: true,
            });
            self.owe(key);
        }
    }

    /// The application settles a message whose outcome the partner has told without settling, and that
    /// was held for that. Does nothing before. [LNK-48]
    pub(crate) fn settle_sent(&mut self, key: Key, seq: u64, events: &mut VecDeque<Event>) {
        let link = self.name(key);
        let Some(end) = self.links.get_mut(key) else {
            return;
        };
        // Nothing is said of a link behind its detach. [LNK-38]
        let detached = matches!(end.local, Local::Detached { .. });
        let in_round = end.round.is_some();
        let Some(id) = end.sender().and_then(|end| end.outcomes.remove(&seq)) else {
            return;
        };
        let ours = |sent: &Sent| sent.link == key && sent.message.seq == seq;
        let Some(sent) = self.sent.remove_if(id, ours) else {
            return;
        };
        let state = sent.remote;
        if !detached {
            self.sent_dispositions.push(id, true, state.clone());
        }
        if in_round {
            self.settle_in_round(key);
        }
        events.push_back(Event::Settled { link, seq, state });
    }

    /// Owes the partner the link's flow state.
    pub(super) fn answer_flow(&mut self, key: Key) {
        if let Some(link) = self.links.get_mut(key) {
            link.flow_owed = true;
            self.owe(key);
        }
    }

    /// Takes a message back that has not been handed to the transport. Answers whether it was there.
    pub(crate) fn withdraw(&mut self, key: Key, seq: u64) -> bool {
        let Some(sender) = self.links.get_mut(key).and_then(Link::sender) else {
            return false;
        };
        let before = sender.queue.len();
        if let Ok(at) = sender
            .queue
            .binary_search_by_key(&seq, |message| message.seq)
        {
            sender.queue.remove(at);
        }
        sender.queue.len() < before
    }
}
