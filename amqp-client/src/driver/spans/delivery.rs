//! A span for every delivery, for who follows messages one by one.
//!
//! Decides which deliveries have a span and what it says at its end. A span lasts no longer than the
//! attachment of its link; a delivery that is resumed has another one then. As long as nobody takes
//! TRACE of the target nothing is kept, and each batch pays for a comparison. Sections 2.6.12, 2.6.14.

use std::collections::{HashMap, VecDeque};

use amqp_types::messaging::{DeliveryState, Outcome};
use tracing::field::Empty;
use tracing::{Level, Span, debug, trace_span};

use super::super::receiver::Settlement;
use super::super::{Driver, LinkEntry, SenderShared};
use crate::proto::{Incoming, LinkConfig, LinkKey, Outgoing, Resume, Tag};

const DELIVERY: &str = "amqp_client::delivery";

/// The deliveries of a connection that have a span.
#[derive(Default)]
pub(in crate::driver) struct DeliverySpans(HashMap<LinkKey, OfLink>);

/// Those of one link, by the sender's number or the delivery-id.
#[derive(Default)]
struct OfLink {
    open: HashMap<u64, Span>,
    /// Those that were sent settled and not written yet, in their order.
    unwritten: VecDeque<u64>,
    /// The last one that began to arrive, on a link that is told of parts.
    arriving: Option<u64>,
}

impl Driver {
    /// Messages are about to be handed to the engine.
    pub(in crate::driver) fn trace_sent(&mut self, link: LinkKey) {
        if are_wanted()
            && let Some(entry) = self.links.get(&link)
        {
            let spans = self.delivery_spans.0.entry(link).or_default();
            for message in &self.outbox {
                spans.send(entry, message, false);
            }
        }
    }

    /// A link is attached again, with what is unsettled.
    pub(in crate::driver) fn trace_resumed(&mut self, link: LinkKey, resume: Option<&Resume>) {
        if are_wanted()
            && let Some(Resume::Sender { unsettled, .. }) = resume
            && let Some(entry) = self.links.get(&link)
        {
            let spans = self.delivery_spans.0.entry(link).or_default();
            for delivery in unsettled {
                spans.send(entry, &delivery.message, true);
            }
        }
    }

    /// So many messages that were sent settled have been written.
    pub(in crate::driver) fn trace_written(&mut self, link: LinkKey, settled: u32) {
        if settled > 0
            && let Some(spans) = self.delivery_spans.of(link)
        {
            for _ in 0..settled {
                let Some(number) = spans.unwritten.pop_front() else {
                    return;
                };
                spans.close(number, "settled");
            }
        }
    }

    /// The receiver has settled the deliveries that wait in `outcomes`.
    pub(in crate::driver) fn trace_settled(&mut self, link: LinkKey, sender: &SenderShared) {
        if !self.traces_outcomes() {
            return;
        }
        for (number, outcome) in sender.read(&self.outcomes) {
            if outcomes_are_wanted()
                && let Some(entry) = self.links.get(&link)
            {
                not_accepted(&entry.span, number, &outcome);
            }
            self.trace_end(link, number, name(&DeliveryState::from(outcome)));
        }
    }

    /// Deliveries that wait in `deliveries` have come.
    pub(in crate::driver) fn trace_received(&mut self, link: LinkKey) {
        if are_wanted()
            && let Some(entry) = self.links.get(&link)
        {
            let spans = self.delivery_spans.0.entry(link).or_default();
            for delivery in &self.deliveries {
                spans.receive(entry, delivery);
            }
        }
    }

    /// A delivery begins to arrive.
    pub(in crate::driver) fn trace_begun(&mut self, link: LinkKey, head: &Incoming) {
        if are_wanted()
            && let Some(entry) = self.links.get(&link)
        {
            let spans = self.delivery_spans.0.entry(link).or_default();
            spans.receive(entry, head);
            spans.arriving = Some(u64::from(head.id));
        }
    }

    /// The delivery that is arriving was given up.
    pub(in crate::driver) fn trace_aborted(&mut self, link: LinkKey) {
        if let Some(spans) = self.delivery_spans.of(link)
            && let Some(number) = spans.arriving.take()
        {
            spans.close(number, "aborted");
        }
    }

    /// The sender goes on with a delivery of an earlier attachment.
    pub(in crate::driver) fn trace_taken_up(&mut self, link: LinkKey, id: u32, tag: &Tag) {
        if are_wanted()
            && let Some(entry) = self.links.get(&link)
        {
            let spans = self.delivery_spans.0.entry(link).or_default();
            spans.open(entry, u64::from(id), tag, None, false, true);
        }
    }

    /// Whether anything is to be done for deliveries that are settled.
    pub(in crate::driver) fn traces_outcomes(&self) -> bool {
        outcomes_are_wanted() || !self.delivery_spans.0.is_empty()
    }

    /// The application has decided on deliveries that came.
    pub(in crate::driver) fn trace_settlement(&mut self, link: LinkKey, settlement: &Settlement) {
        let number = u64::from(settlement.id);
        if outcomes_are_wanted()
            && let Some(state) = &settlement.state
            && let Ok(outcome) = Outcome::try_from(state.clone())
            && let Some(entry) = self.links.get(&link)
        {
            not_accepted(&entry.span, number, &outcome);
        }
        let Some(spans) = self.delivery_spans.of(link) else {
            return;
        };
        let outcome = settlement.state.as_ref().map_or("settled", name);
        let mut decided = vec![number];
        if settlement.up_to {
            let is_before = |id: &u64| settlement.id.wrapping_sub(*id as u32) as i32 >= 0;
            decided = spans.open.keys().copied().filter(is_before).collect();
        }
        for number in decided {
            match settlement.settled {
                true => spans.close(number, outcome),
                // The sender has the last word.
                false => spans.note(number, outcome),
            }
        }
    }

    /// A delivery is over, with an outcome unless the application's was noted before.
    pub(in crate::driver) fn trace_end(&mut self, link: LinkKey, number: u64, outcome: &str) {
        if let Some(spans) = self.delivery_spans.of(link) {
            spans.close(number, outcome);
        }
    }

    /// The sender of a delivery has settled it: what the application said of it stands.
    pub(in crate::driver) fn trace_sender_settled(&mut self, link: LinkKey, id: u32) {
        if let Some(spans) = self.delivery_spans.of(link) {
            spans.open.remove(&u64::from(id));
        }
    }

    /// The link is detached, and nothing more is heard of what is open.
    pub(in crate::driver) fn trace_detached(&mut self, link: LinkKey) {
        if !self.delivery_spans.0.is_empty()
            && let Some(spans) = self.delivery_spans.0.remove(&link)
        {
            spans.abandon();
        }
    }

    /// The connection is over.
    pub(in crate::driver) fn trace_over(&mut self) {
        for (_, spans) in self.delivery_spans.0.drain() {
            spans.abandon();
        }
    }
}

impl DeliverySpans {
    fn of(&mut self, link: LinkKey) -> Option<&mut OfLink> {
        match self.0.is_empty() {
            true => None,
            false => self.0.get_mut(&link),
        }
    }
}

impl OfLink {
    fn send(&mut self, link: &LinkEntry, message: &Outgoing, resumed: bool) {
        let own = message.tag.as_deref().copied();
        let tag = own.unwrap_or_else(|| Tag::from_counter(message.seq));
        // How long a message is that comes in parts is not known yet.
        let octets = (!message.stream).then_some(message.payload.len());
        self.open(link, message.seq, &tag, octets, message.settled, resumed);
        if message.settled {
            self.unwritten.push_back(message.seq);
        }
    }

    fn receive(&mut self, link: &LinkEntry, delivery: &Incoming) {
        let (id, octets) = (u64::from(delivery.id), delivery.payload.len());
        let octets = (octets > 0).then_some(octets);
        self.open(link, id, &delivery.tag, octets, delivery.settled, false);
        if delivery.settled {
            self.close(id, "settled");
        }
    }

    fn open(
        &mut self,
        link: &LinkEntry,
        number: u64,
        tag: &Tag,
        octets: Option<usize>,
        settled: bool,
        resumed: bool,
    ) {
        let span = trace_span!(
            target: DELIVERY,
            parent: link.span.id(),
            "delivery",
            number,
            ?tag,
            octets,
            settled,
            resumed,
            outcome = Empty,
        );
        self.open.insert(number, span);
    }

    fn note(&mut self, number: u64, outcome: &str) {
        if let Some(span) = self.open.get(&number) {
            span.record("outcome", outcome);
        }
    }

    fn close(&mut self, number: u64, outcome: &str) {
        self.note(number, outcome);
        self.open.remove(&number);
    }

    /// Nothing more is heard of what is open.
    fn abandon(self) {
        for span in self.open.into_values() {
            span.record("outcome", "unsettled");
        }
    }
}

/// What a link is attached again with, where its deliveries have spans.
pub(in crate::driver) fn resumed(config: &LinkConfig) -> Option<Resume> {
    config.resume.as_ref().filter(|_| are_wanted()).cloned()
}

fn are_wanted() -> bool {
    tracing::span_enabled!(target: DELIVERY, Level::TRACE)
}

/// Whether somebody wants to know of messages that are not accepted.
fn outcomes_are_wanted() -> bool {
    tracing::event_enabled!(target: DELIVERY, Level::DEBUG)
}

fn not_accepted(link: &Span, number: u64, outcome: &Outcome) {
    let reason = match outcome {
        Outcome::Accepted(_) => return,
        Outcome::Rejected(rejected) => rejected.error.as_ref(),
        _ => None,
    };
    debug!(
        target: DELIVERY,
        parent: link,
        number,
        outcome = name(&DeliveryState::from(outcome.clone())),
        condition = reason.map(|error| error.condition.as_str()),
        "message not accepted",
    );
}

/// What a state is called in fields and in metrics.
fn name(state: &DeliveryState) -> &'static str {
    match state {
        DeliveryState::Received(_) => "received",
        DeliveryState::Accepted(_) => "accepted",
        DeliveryState::Rejected(_) => "rejected",
        DeliveryState::Released(_) => "released",
        DeliveryState::Modified(_) => "modified",
        DeliveryState::Declared(_) => "declared",
        DeliveryState::TransactionalState(_) => "transactional",
        DeliveryState::Other(_) => "other",
    }
}
