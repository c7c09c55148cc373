//! What the engine's events do to the handles.
//!
//! Decides who hears of what. Runs of events for one link are handed over together.

use std::sync::Arc;

use amqp_types::Value;
use amqp_types::transport::{self, Attach, Role};

use super::commands::answer;
use super::{
    Driver, LinkEntry, LinkShared, Notice, Offer, Opened, SaslStep, SessionEntry, SessionShared,
};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{Event, Key, LinkKey};

impl Driver {
    /// Tells whoever listens in.
    pub(super) fn notice(&self, notice: impl FnOnce() -> Notice) {
        if let Some(tap) = &self.tap {
            tap.0(notice());
        }
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
                    if let Some(LinkShared::Receiver(receiver)) =
                        self.links.get(&link).map(|l| &l.shared)
                    {
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
                    if let Some(LinkShared::Sender(sender)) =
                        self.links.get(&link).map(|l| &l.shared)
                    {
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
    }

    pub(super) fn handle_event(&mut self, event: Event) {
        match event {
            Event::Sent {
                link,
                count,
                settled,
                settled_bytes,
            } => {
                if let Some(LinkShared::Sender(sender)) = self.links.get(&link).map(|l| &l.shared) {
                    sender.transmitted(count, settled, settled_bytes);
                    self.notice(|| Notice::Sent(sender.clone()));
                }
            }
            Event::Credit {
                link,
                credit,
                drain,
            } => {
                if let Some(LinkShared::Sender(sender)) = self.links.get(&link).map(|l| &l.shared) {
                    sender.set_credit(credit, drain);
                    self.notice(|| Notice::Flow(sender.clone()));
                }
            }
            Event::Delivery { link, delivery } => {
                if let Some(LinkShared::Receiver(receiver)) =
                    self.links.get(&link).map(|l| &l.shared)
                {
                    receiver.deliver(&mut vec![delivery]);
                }
            }
            Event::Settled { link, seq, state } => {
                if let Some(LinkShared::Sender(sender)) = self.links.get(&link).map(|l| &l.shared) {
                    sender.settled(&mut vec![(seq, state)]);
                }
            }
            // A state that is not final changes nothing for those who wait for the outcome, and a
            // delivery that its sender settled is settled: later reports on it are ignored.
            Event::Updated { link, seq, state } => {
                if let Some(LinkShared::Sender(sender)) = self.links.get(&link).map(|l| &l.shared) {
                    let link = sender.clone();
                    self.notice(|| Notice::Updated { link, seq, state });
                }
            }
            Event::DeliverySettled { link, id, state } => {
                if let Some(LinkShared::Receiver(receiver)) =
                    self.links.get(&link).map(|l| &l.shared)
                {
                    receiver.sender_settled(id);
                    let link = receiver.clone();
                    self.notice(|| Notice::DeliverySettled { link, state });
                }
            }
            Event::Aborted { link } => {
                if let Some(LinkShared::Receiver(receiver)) =
                    self.links.get(&link).map(|l| &l.shared)
                {
                    self.notice(|| Notice::Aborted(receiver.clone()));
                }
            }
            Event::StreamWritten { link, seq, octets } => {
                if let Some(LinkShared::Sender(sender)) = self.links.get(&link).map(|l| &l.shared) {
                    sender.stream_written(seq, octets);
                }
            }
            Event::Part {
                link,
                first,
                payload,
                end,
            } => {
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
                if let Some(LinkShared::Sender(sender)) = self.links.get(&link).map(|l| &l.shared) {
                    sender.unknown(seq);
                }
            }
            Event::Resumed { link, tag, id } => {
                if let Some(LinkShared::Receiver(receiver)) =
                    self.links.get(&link).map(|l| &l.shared)
                {
                    receiver.resumed(&tag, id);
                }
            }
            Event::Drained { link } => {
                if let Some(entry) = self.links.get_mut(&link) {
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
            Event::SessionBegun { session, incoming } => {
                if incoming {
                    let shared = SessionShared::new(self.shared.clone());
                    shared.set_key(session);
                    self.notice(|| Notice::SessionBegun {
                        session: shared.clone(),
                        by_peer: true,
                    });
                    let entry = SessionEntry {
                        shared,
                        begun: None,
                        ended: Vec::new(),
                    };
                    self.sessions.insert(session, entry);
                } else if let Some(entry) = self.sessions.get_mut(&session) {
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
                tracing::warn!(%violation, "the peer broke the protocol");
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

    fn link_attached(&mut self, link: LinkKey, attach: Box<Attach>) {
        let Some(entry) = self.links.get_mut(&link) else {
            // Nobody knows the link any more.
            self.engine.detach(link, true, None);
            return;
        };
        let refused = match attach.role {
            Role::Receiver => attach.target.is_none(),
            Role::Sender => attach.source.is_none(),
        };
        if refused {
            // The reason comes in the detach that follows. [LNK-09]
            return;
        }
        entry.shared.attached(Arc::new((*attach).clone()));
        let shared = entry.shared.clone();
        if let Some(reply) = entry.attached.take()
            && reply.send(Ok(attach)).is_err()
        {
            // Whoever asked has given up.
            self.engine.detach(link, true, None);
        }
        self.notice(|| Notice::LinkAttached(shared));
    }

    fn link_offered(&mut self, link: LinkKey, attach: Box<Attach>) {
        let session = self
            .sessions
            .get(&link.session)
            .map(|entry| entry.shared.clone());
        let (true, Some(session)) = (self.offers.is_some() || self.tap.is_some(), session) else {
            let mirror = Box::new(mirror(&attach));
            let error = transport::Error::new(transport::ErrorCondition::NotAllowed);
            self.engine.refuse_link(link, mirror, Box::new(error));
            return;
        };
        // A placeholder until the application answers: the link has to be known for its detach.
        let shared = LinkShared::Receiver(super::ReceiverShared::new(
            self.shared.clone(),
            super::Template {
                attach: mirror(&attach),
                resumable: false,
            },
            0,
        ));
        let entry = LinkEntry {
            shared,
            attached: None,
            detached: Vec::new(),
            closing: false,
            stream: None,
            drained: Vec::new(),
        };
        self.links.insert(link, entry);
        let offer = Offer::Link {
            link,
            session,
            attach,
        };
        match &self.tap {
            Some(tap) => tap.0(Notice::LinkOffered(offer)),
            None => drop(self.offers.as_ref().map(|offers| offers.send(offer))),
        }
    }

    fn link_detached(
        &mut self,
        link: LinkKey,
        closed: bool,
        error: Option<Box<transport::Error>>,
        by_peer: bool,
    ) {
        let Some(entry) = self.links.remove(&link) else {
            return;
        };
        let local = !by_peer && error.is_none();
        let reason = if local {
            Error::closed_locally(ErrorScope::Link)
        } else {
            let what = if closed {
                "the link was closed"
            } else {
                "the link was detached"
            };
            let initiator = if by_peer || entry.attached.is_some() {
                Initiator::Remote
            } else {
                Initiator::Library
            };
            let error = error.map(|error| *error);
            Error::amqp_error(
                ErrorKind::LinkDetached,
                ErrorScope::Link,
                initiator,
                what,
                error,
            )
        };
        // What is left of a link is kept when only the link is gone, not its terminus; an attach
        // that was refused leaves things as they were.
        let for_good = (closed || entry.closing) && entry.attached.is_none();
        entry.shared.finish(&reason, for_good);
        self.notice(|| Notice::LinkDetached {
            link: entry.shared.clone(),
            closed,
            error: reason.clone(),
            by_peer,
        });
        if let Some(reply) = entry.attached {
            let _ = reply.send(Err(reason.clone()));
        }
        for reply in entry.drained {
            let _ = reply.send(Err(reason.clone()));
        }
        for reply in entry.detached {
            let result = if reason.condition().is_some() {
                Err(reason.clone())
            } else {
                Ok(())
            };
            let _ = reply.send(result);
        }
    }

    fn session_ended(&mut self, session: Key, error: Option<Box<transport::Error>>, by_peer: bool) {
        let Some(entry) = self.sessions.remove(&session) else {
            return;
        };
        let reason = match (error, by_peer) {
            (None, false) => Error::closed_locally(ErrorScope::Session),
            (error, by_peer) => {
                let initiator = if by_peer {
                    Initiator::Remote
                } else {
                    Initiator::Library
                };
                Error::amqp_error(
                    ErrorKind::SessionEnded,
                    ErrorScope::Session,
                    initiator,
                    "the session was ended",
                    error.map(|error| *error),
                )
            }
        };
        entry.shared.finish(reason.clone());
        self.notice(|| Notice::SessionEnded {
            session: entry.shared.clone(),
            error: reason.clone(),
            by_peer,
        });
        answer(entry.begun, Err(reason.clone()));
        for reply in entry.ended {
            let result = if reason.condition().is_some() {
                Err(reason.clone())
            } else {
                Ok(())
            };
            let _ = reply.send(result);
        }
        let gone: Vec<LinkKey> = self
            .links
            .keys()
            .filter(|link| link.session == session)
            .copied()
            .collect();
        for link in gone {
            if let Some(entry) = self.links.remove(&link) {
                entry.shared.finish(&reason, false);
                if let Some(reply) = entry.attached {
                    let _ = reply.send(Err(reason.clone()));
                }
            }
        }
    }
}

/// Whether an open announces that its close is coming: a max-frame-size that nobody can use, or the
/// property by which brokers say so.
fn is_refusal(open: &transport::Open) -> bool {
    const FAILED: &str = "amqp:connection-establishment-failed";
    let announced = |properties: &transport::Fields| {
        properties
            .iter()
            .any(|(key, value)| key.as_str() == FAILED && *value == Value::Bool(true))
    };
    open.max_frame_size < transport::MIN_MAX_FRAME_SIZE
        || open.properties.as_ref().is_some_and(announced)
}

/// Our attach for a link that the peer attached, agreeing with everything.
pub(crate) fn mirror(attach: &Attach) -> Attach {
    let role = match attach.role {
        Role::Sender => Role::Receiver,
        Role::Receiver => Role::Sender,
    };
    let mut mine = Attach::new(attach.name.clone(), attach.handle, role);
    mine.snd_settle_mode = attach.snd_settle_mode;
    mine.rcv_settle_mode = attach.rcv_settle_mode;
    mine.source = attach.source.clone();
    mine.target = attach.target.clone();
    mine
}
