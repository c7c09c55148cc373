//! What the engine's events do to the handles.
//!
//! Decides who hears of what. Runs of events for one link are handed over together. How sessions and
//! links come and go is left to `endpoints`.

use std::sync::Arc;

use amqp_types::Value;
use amqp_types::transport;

use super::commands::answer;
use super::{
    Driver, LinkShared, Notice, Opened, ReceiverShared, SaslStep, SenderShared, SessionEntry,
    SessionShared, spans,
};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{Event, LinkKey, StreamEnd};

impl Driver {
    /// Tells whoever listens in.
    pub(super) fn notice(&self, notice: impl FnOnce() -> Notice) {
        if let Some(tap) = &self.tap {
            tap.tell(notice());
        }
    }

    /// A sender that is attached, or detached and not closed. [PRF-23]
    fn sender(&self, link: LinkKey) -> Option<&Arc<SenderShared>> {
        match self.shared_of(link)? {
            LinkShared::Sender(sender) => Some(sender),
            LinkShared::Receiver(_) => None,
        }
    }

    /// The same of a receiver.
    fn receiver(&self, link: LinkKey) -> Option<&Arc<ReceiverShared>> {
        match self.shared_of(link)? {
            LinkShared::Receiver(receiver) => Some(receiver),
            LinkShared::Sender(_) => None,
        }
    }

    fn shared_of(&self, link: LinkKey) -> Option<&LinkShared> {
        let attached = self.links.get(&link).map(|entry| &entry.shared);
        attached.or_else(|| self.suspended.get(&link))
    }

    // ---- events ------------------------------------------------------------------------------

    /// Hands what happened to whoever it concerns; runs of one link's events go together.
    pub(super) fn dispatch(&mut self) {
        let mut next = self.engine.poll_event();
        while let Some(event) = next.take() {
            match event {
                Event::Delivery { link, delivery } => {
                    self.deliveries.push(delivery);
                    while let Some(event) = self.engine.poll_event() {
                        match event {
                            Event::Delivery {
                                link: same,
                                delivery,
                            } if same == link => {
                                self.deliveries.push(delivery);
                            }
                            other => {
                                next = Some(other);
                                break;
                            }
                        }
                    }
                    self.trace_received(link);
                    self.meter.messages_in += self.deliveries.len() as u64;
                    if let Some(receiver) = self.receiver(link).cloned() {
                        let count = self.deliveries.len();
                        receiver.deliver(&mut self.deliveries);
                        self.notice(|| Notice::Deliveries {
                            link: receiver.clone(),
                            count,
                        });
                    }
                    self.deliveries.clear();
                }
                Event::Settled { link, seq, state } => {
                    self.outcomes.push((seq, state));
                    while let Some(event) = self.engine.poll_event() {
                        match event {
                            Event::Settled {
                                link: same,
                                seq,
                                state,
                            } if same == link => {
                                self.outcomes.push((seq, state));
                            }
                            other => {
                                next = Some(other);
                                break;
                            }
                        }
                    }
                    if let Some(sender) = self.sender(link).cloned() {
                        self.trace_settled(link, &sender);
                        self.count_outcomes(&sender);
                        let outcomes = self.tap.as_ref().map(|_| sender.read(&self.outcomes));
                        sender.settled(&mut self.outcomes);
                        if let Some(outcomes) = outcomes {
                            self.notice(|| Notice::Settled {
                                link: sender.clone(),
                                outcomes,
                            });
                        }
                    }
                    self.outcomes.clear();
                }
                other => self.handle_event(other),
            }
            if next.is_none() {
                next = self.engine.poll_event();
            }
        }
        self.answer_watches();
    }

    /// Tells who began to watch a delivery after it was settled; behind the events, which say more.
    fn answer_watches(&mut self) {
        for (receiver, link, id) in self.watches.drain(..) {
            if receiver.key() == Some(link) && !self.engine.holds(link.session, id) {
                receiver.sender_settled(id, None);
            }
        }
    }

    pub(super) fn handle_event(&mut self, event: Event) {
        match event {
            Event::Sent {
                link,
                count,
                settled,
                settled_bytes,
            } => {
                self.trace_written(link, settled);
                self.meter.messages_out += u64::from(count);
                if let Some(sender) = self.sender(link) {
                    sender.transmitted(count, settled, settled_bytes);
                    self.notice(|| Notice::Sent(sender.clone()));
                }
            }
            Event::Credit {
                link,
                credit,
                drain,
            } => {
                if drain
                    && let Some(entry) = self.links.get(&link)
                    && let LinkShared::Sender(sender) = &entry.shared
                    && !sender.is_draining()
                {
                    spans::drain_asked(&entry.span, credit);
                }
                if let Some(sender) = self.sender(link) {
                    sender.set_credit(credit, drain);
                    self.notice(|| Notice::Flow {
                        link: sender.clone(),
                        credit,
                        drain,
                    });
                }
            }
            Event::Delivery { link, delivery } => {
                if let Some(receiver) = self.receiver(link) {
                    receiver.deliver(&mut vec![delivery]);
                }
            }
            Event::Settled { link, seq, state } => {
                if let Some(sender) = self.sender(link).cloned() {
                    self.outcomes.push((seq, state));
                    self.trace_settled(link, &sender);
                    sender.settled(&mut self.outcomes);
                }
            }
            Event::Updated { link, seq, state } => {
                if let Some(sender) = self.sender(link).cloned() {
                    if sender.updated(seq, state.clone()) {
                        // Where it is an outcome, nobody else would.
                        self.engine.settle_sent(link, seq);
                    }
                    self.notice(|| Notice::Updated {
                        link: sender,
                        seq,
                        state,
                    });
                }
            }
            Event::DeliverySettled {
                link,
                id,
                tag,
                state,
            } => {
                self.trace_sender_settled(link, id);
                if let Some(receiver) = self.receiver(link) {
                    receiver.sender_settled(id, state.clone());
                    let link = receiver.clone();
                    let settled = true;
                    self.notice(|| Notice::Told {
                        link,
                        tag,
                        state,
                        settled,
                    });
                }
            }
            Event::DeliveryUpdated {
                link,
                id,
                tag,
                state,
            } => {
                if let Some(receiver) = self.receiver(link) {
                    receiver.sender_told(id, state.clone());
                    let link = receiver.clone();
                    self.notice(|| Notice::Told {
                        link,
                        tag,
                        state: Some(state),
                        settled: false,
                    });
                }
            }
            Event::Aborted { link } => {
                if let Some(receiver) = self.receiver(link) {
                    self.notice(|| Notice::Aborted(receiver.clone()));
                }
            }
            Event::StreamWritten { link, seq, octets } => {
                if let Some(sender) = self.sender(link) {
                    sender.stream_written(seq, octets);
                }
            }
            Event::Part {
                link,
                first,
                payload,
                end,
            } => {
                if let Some(head) = &first {
                    self.trace_begun(link, head);
                }
                match end {
                    Some(StreamEnd::Aborted) => self.trace_aborted(link),
                    Some(StreamEnd::Complete) => self.meter.messages_in += 1,
                    None => {}
                }
                if let Some(entry) = self.links.get_mut(&link)
                    && let LinkShared::Receiver(receiver) = &entry.shared
                {
                    if let Some(head) = first {
                        entry.stream = Some(receiver.begin_stream(*head));
                    }
                    if let Some(stream) = &entry.stream {
                        stream.part(payload, end);
                    }
                    if end.is_some() {
                        entry.stream = None;
                    }
                }
            }
            Event::Unknown { link, seq } => {
                self.trace_end(link, seq, "unknown");
                if let Some(sender) = self.sender(link) {
                    sender.unknown(seq);
                }
            }
            Event::Partial { link } => {
                if let Some(sender) = self.sender(link) {
                    sender.hold();
                }
            }
            Event::Absent { link, seq } => {
                if let Some(sender) = self.sender(link) {
                    sender.absent(seq);
                }
            }
            Event::RoundOver {
                link,
                told,
                resumes,
                progress,
            } => self.round_over(link, told, resumes, progress),
            Event::Resumed { link, tag, id } => {
                if let Some(id) = id {
                    self.trace_taken_up(link, id, &tag);
                }
                if let Some(receiver) = self.receiver(link) {
                    receiver.resumed(&tag, id);
                }
            }
            Event::Drained { link } => {
                if let Some(entry) = self.links.get_mut(&link) {
                    spans::drained(&entry.span);
                    for reply in entry.drained.drain(..) {
                        let _ = reply.send(Ok(()));
                    }
                    if let LinkShared::Receiver(receiver) = &entry.shared {
                        let receiver = receiver.clone();
                        self.notice(|| Notice::Drained(receiver));
                    }
                }
            }
            Event::LinkAttached { link, attach } => self.link_attached(link, attach),
            Event::LinkIncoming { link, attach } => self.link_offered(link, attach),
            Event::LinkDetached {
                link,
                closed,
                error,
                by_peer,
            } => {
                self.link_detached(link, closed, error, by_peer);
            }
            Event::SessionBegun {
                session,
                incoming,
                begin,
            } => {
                if incoming {
                    let shared = SessionShared::new(self.shared.clone());
                    shared.begun(begin);
                    shared.set_key(session);
                    self.notice(|| Notice::SessionBegun {
                        session: shared.clone(),
                        by_peer: true,
                    });
                    let span = spans::session(&self.span, self.engine.channel(session), true);
                    spans::begun(&span);
                    let mut entry = SessionEntry {
                        shared,
                        span,
                        open: false,
                        begun: None,
                        ended: Vec::new(),
                    };
                    self.meter.begun(&mut entry);
                    self.sessions.insert(session, entry);
                } else if let Some(entry) = self.sessions.get_mut(&session) {
                    spans::begun(&entry.span);
                    self.meter.begun(entry);
                    entry.shared.begun(begin);
                    answer(entry.begun.take(), Ok(()));
                    let session = entry.shared.clone();
                    self.notice(|| Notice::SessionBegun {
                        session,
                        by_peer: false,
                    });
                }
            }
            Event::SessionEnded {
                session,
                error,
                by_peer,
            } => self.session_ended(session, error, by_peer),
            Event::Opened(open) => {
                if let Some(opened) = self.opened.take() {
                    // A refusal comes as an open with a close behind it: `opened` is kept for that.
                    if is_refusal(&open) {
                        self.opened = Some(opened);
                    } else {
                        spans::opened(&self.span, &open);
                        self.meter.opened(&open.container_id);
                        // Nothing is left to be done by who authenticates.
                        self.sasl = None;
                        self.notice(|| Notice::Opened(open.clone()));
                        let identity = self.identity.clone();
                        let _ = opened.send(Ok(Opened { open, identity }));
                    }
                }
            }
            Event::Closed(error) => {
                self.notice(|| Notice::Closed(error.clone()));
                if let Some(error) = error {
                    self.set_failure_reason(Error::amqp_error(
                        ErrorKind::ConnectionClosed,
                        ErrorScope::Connection,
                        Initiator::Remote,
                        "the peer closed the connection",
                        Some(*error),
                    ));
                } else if self.give_up.is_none() {
                    self.set_failure_reason(Error::new(
                        ErrorKind::ConnectionClosed,
                        ErrorScope::Connection,
                        Initiator::Remote,
                        "the peer closed the connection",
                    ));
                }
            }
            Event::Violated(violation) => {
                spans::violated(&self.span, &violation);
                let deadline = tokio::time::Instant::now().into_std() + self.close_deadline;
                self.give_up.get_or_insert(deadline);
                self.set_failure_reason(Error::violation(&violation));
            }
            Event::SaslFailed(failure) => {
                let error = Error::sasl(&failure);
                self.set_failure_reason(error);
            }
            Event::SaslOffer(offered) => self.sasl_step(SaslStep::Offer(offered)),
            Event::SaslChallenge(challenge) => self.sasl_step(SaslStep::Challenge(challenge)),
            Event::SaslAccepted(data) => self.sasl_step(SaslStep::Accepted(data)),
            Event::SaslInit {
                mechanism,
                initial_response,
                hostname,
            } => self.sasl_step(SaslStep::Init {
                mechanism,
                initial_response,
                hostname,
            }),
            Event::SaslResponse(response) => self.sasl_step(SaslStep::Response(response)),
        }
    }

    /// Remembers why the connection ends; the end itself comes when the goodbyes are written.
    pub(super) fn set_failure_reason(&mut self, error: Error) {
        if self.reason.is_none() {
            self.reason = Some(error);
        }
    }
}

/// Whether an open announces that its close is coming: a max-frame-size that nobody can use, or the
/// property by which brokers say so.
fn is_refusal(open: &transport::Open) -> bool {
    const FAILED: &str = "amqp:connection-establishment-failed";
    // As a boolean or, with Artemis and Broker-J, as a symbol.
    let announced = |properties: &transport::Fields| {
        properties
            .iter()
            .any(|(key, value)| key.as_str() == FAILED && *value != Value::Bool(false))
    };
    open.max_frame_size < transport::MIN_MAX_FRAME_SIZE
        || open.properties.as_ref().is_some_and(announced)
}
