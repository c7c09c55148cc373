//! What the applications hear of their engines.
//!
//! Decides whether an event may come when it comes, and what it changes in what is known of a link.
//! Sections 2.4 to 2.6.

use amqp_client::proto::{Event, Key, LinkKey};
use amqp_client::types::security::{SaslCode, SaslInit};
use amqp_client::types::transport::{Attach, Error, ErrorCondition, Role};

use crate::message::{Fate, injected};
use crate::tap::number_of;
use crate::world::World;

impl World {
    /// Lets an end's applications hear everything that there is to hear. Answers whether the engine
    /// has given the partner up.
    pub(crate) fn events(&mut self, at: usize) -> bool {
        let mut violated = false;
        while let Some(event) = self.ends[at].engine.poll_event() {
            if self.trace {
                eprintln!("  end {at}: {event:?}");
            }
            violated |= matches!(event, Event::Violated(_));
            self.event(at, event);
        }
        violated
    }

    fn event(&mut self, at: usize, event: Event) {
        match event {
            Event::SaslInit { .. } => self.ends[at].engine.sasl_outcome(SaslCode::Ok, None),
            Event::SaslResponse(_) => panic!("a response to no challenge"),
            Event::SaslOffer(offer) => {
                let init = SaslInit::new(offer[0].clone());
                self.ends[at].engine.sasl_init(init);
            }
            Event::SaslAccepted(_) => self.ends[at].engine.sasl_accept(),
            Event::Opened(_) => {
                // [CON-36]
                let limit = self.ends[1 - at].config.idle_time_out;
                let end = &mut self.ends[at];
                end.watch.allowed = limit.map(|limit| limit / 2);
                end.opened = true;
                // [CON-15]
                assert_eq!(end.denied, end.begun.saturating_sub(self.channels));
            }
            Event::Closed(error) => {
                assert!(self.may_close, "closed for no reason");
                self.expected(error.as_deref());
                self.ends[at].closed = true;
            }
            Event::Violated(violation) => {
                // [CON-38]
                let due = self.ends[at].watch.silence();
                assert!(
                    due.is_some_and(|due| due <= self.now),
                    "end {at} finds fault: {violation}"
                );
                assert_eq!(violation.condition, ErrorCondition::ResourceLimitExceeded);
                self.silenced = true;
                self.may_close = true;
            }
            Event::SessionBegun { session, .. } => {
                let end = &mut self.ends[at];
                let ours = end.config.session.clone();
                end.configs.entry(session).or_insert(ours);
                if !end.sessions.contains(&session) {
                    end.sessions.push(session);
                }
            }
            Event::SessionEnded {
                session,
                error,
                by_peer,
            } => {
                match (self.ends[at].opened, &error) {
                    (true, error) => self.expected(error.as_deref()),
                    // It was asked for before the open and is above the channel-max: `Opened` counts.
                    (false, Some(error)) => {
                        assert_eq!(error.condition, ErrorCondition::NotAllowed);
                        self.ends[at].denied += 1;
                    }
                    (false, None) => panic!("no session ends before the open but for this"),
                }
                self.session_over(at, session, by_peer && error.is_none());
            }
            Event::LinkIncoming { link, attach } => self.link_incoming(at, link, attach),
            Event::LinkAttached { link, attach } => {
                let number = number_of(&attach.name);
                match self.ends[at].links.get(&link).copied() {
                    Some(known) => {
                        assert_eq!(known, number);
                        self.links[known].sides[1 - at].attached = true;
                        let refused = match attach.role {
                            Role::Sender => attach.source.is_none(),
                            Role::Receiver => attach.target.is_none(),
                        };
                        if !refused {
                            self.reconciled(known, at);
                        }
                    }
                    None => {
                        // The answer to an attach that was only to close the link. [LNK-22]
                        let again = std::mem::take(&mut self.links[number].again[at]);
                        assert!(again, "{} is attached for no reason", attach.name);
                        self.ends[at].once_more.push(link);
                    }
                }
            }
            Event::LinkDetached {
                link,
                closed,
                error,
                by_peer,
            } => {
                let end = &mut self.ends[at];
                end.offers.retain(|(offered, _)| *offered != link);
                if let Some(known) = self.ends[at].links.get(&link).copied() {
                    let stolen = |error: &Error| error.condition == ErrorCondition::Stolen;
                    if !(self.links[known].ending && error.as_deref().is_some_and(stolen)) {
                        self.expected(error.as_deref());
                    }
                    // A close crossed our detach, which is written and was none. [LNK-22]
                    let kept = self.ends[at].monitor.has_kept(&self.links[known].name);
                    let kept = kept && self.links[known].sides[at].written;
                    let again = closed && !by_peer && kept;
                    self.links[known].again[at] = again;
                    self.detached(at, link, closed, error.is_some());
                    self.links[known].dead |= again;
                } else {
                    self.expected(error.as_deref());
                    let end = &mut self.ends[at];
                    let before = end.once_more.len();
                    end.once_more.retain(|once| *once != link);
                    assert_eq!(end.once_more.len() + 1, before, "detached twice");
                }
            }
            event => self.link_event(at, event),
        }
    }

    fn link_event(&mut self, at: usize, event: Event) {
        match event {
            Event::Credit {
                link,
                drain,
                credit,
            } => {
                if let Some(known) = self.ends[at].links.get(&link)
                    && self.links[*known].is_current(at)
                {
                    let link = &mut self.links[*known];
                    link.drain_asked = drain;
                    if let Some(window) = link.auto {
                        let most = window as usize + link.finished;
                        assert!(
                            credit as usize + link.begun <= most,
                            "{}: {credit} beside {} of {most}",
                            link.name,
                            link.begun
                        );
                    }
                }
            }
            Event::Sent { link, count, .. } => {
                let known = self.ends[at].known[&link];
                let link = &mut self.links[known];
                link.transmitted += count as usize;
                assert!(link.attachment > 1 || link.transmitted <= link.sent.len());
            }
            Event::StreamWritten { link, seq, octets } => {
                let known = self.ends[at].known[&link];
                let message = &self.links[known].sent[seq as usize];
                assert!(message.stream && octets <= message.len);
            }
            Event::Settled { link, seq, state } => {
                let known = self.ends[at].known[&link];
                self.links[known].settled(seq, state);
            }
            Event::Updated { link, seq, .. } => {
                let known = self.ends[at].known[&link];
                assert_eq!(self.links[known].sent[seq as usize].fate, Fate::Open);
            }
            Event::Delivery { link, delivery } => {
                let known = self.ends[at].links[&link];
                assert!(!self.links[known].streaming, "parts were asked for");
                self.links[known].arrive(known, delivery);
            }
            Event::Aborted { link } => {
                let known = self.ends[at].links[&link];
                assert!(!self.links[known].streaming, "parts were asked for");
                self.links[known].aborted();
            }
            Event::Part {
                link,
                first,
                payload: octets,
                end,
            } => {
                let known = self.ends[at].links[&link];
                self.links[known].part(known, first, &octets, end);
            }
            Event::DeliverySettled { link, id, .. } => {
                let known = self.ends[at].known[&link];
                self.links[known].released(id);
            }
            Event::Drained { link } => {
                if let Some(known) = self.ends[at].links.get(&link)
                    && self.links[*known].is_current(at)
                {
                    self.links[*known].draining = false;
                }
            }
            Event::Unknown { link, seq } => {
                let known = self.ends[at].known[&link];
                self.links[known].unknown(seq as usize);
            }
            Event::Partial { link } => {
                let known = self.ends[at].known[&link];
                assert!(self.links[known].attachment > 1, "nothing is left out yet");
                self.links[known].partial = true;
            }
            Event::Absent { link, seq } => {
                let known = self.ends[at].known[&link];
                let message = &mut self.links[known].sent[seq as usize];
                assert!(message.is_open() && message.reached);
                message.absent = true;
            }
            Event::RoundOver {
                link,
                told,
                resumes,
                progress,
            } => self.round_over(at, link, told, resumes, progress),
            Event::Resumed { link, tag, id } => self.resumed(at, link, &tag, id),
            event => panic!("not expected here: {event:?}"),
        }
    }

    fn link_incoming(&mut self, at: usize, key: LinkKey, attach: Box<Attach>) {
        let number = number_of(&attach.name);
        let link = &mut self.links[number];
        assert_eq!(attach.role == Role::Sender, link.sender != at, "the role");
        let side = &mut link.sides[at];
        if side.attachment == link.attachment {
            // Attached once more, only to be closed: a detach crossed our close. [LNK-22]
            assert!(side.key.is_none() && link.again[1 - at], "offered twice");
            self.ends[at].once_more.push(key);
            return;
        }
        assert_eq!(link.owner, 1 - at, "a link that nobody attaches");
        if let Some(former) = side.key {
            // The other end is through with the session before this one has heard of it.
            assert!(side.leaving, "a link is offered before it is over");
            assert!(!self.ends[at].sessions.contains(&former.session));
            link.doubt();
            self.over(at, former);
            self.forget_kept(number, at);
        }
        let link = &mut self.links[number];
        let side = &mut link.sides[at];
        side.key = Some(key);
        side.last = Some(key);
        side.attachment = link.attachment;
        side.attached = false;
        side.written = false;
        side.leaving = false;
        side.failed = false;
        self.ends[at].links.insert(key, number);
        self.ends[at].known.insert(key, number);
        self.ends[at].offers.push((key, attach));
    }

    fn session_over(&mut self, at: usize, session: Key, orderly: bool) {
        let end = &mut self.ends[at];
        end.sessions.retain(|known| *known != session);
        end.offers.retain(|(link, _)| link.session != session);
        end.once_more.retain(|link| link.session != session);
        for link in &mut self.links {
            let last = link.sides[at].last;
            link.again[at] &= last.is_none_or(|key| key.session != session);
        }
        let gone: Vec<LinkKey> = end.links.keys().copied().collect();
        for key in gone.into_iter().filter(|link| link.session == session) {
            let number = self.ends[at].links[&key];
            let link = &mut self.links[number];
            if link.sender == at {
                match orderly && !link.sides[at].failed {
                    true => link.check_told(),
                    false => link.doubt(),
                }
            }
            self.over(at, key);
            self.forget_kept(number, at);
        }
        for number in 0..self.links.len() {
            let kept = self.links[number].sides[at].kept;
            if kept.is_some_and(|key| key.session == session) {
                self.forget_kept(number, at);
            }
        }
    }

    /// An error that nobody made is a fault.
    fn expected(&self, error: Option<&Error>) {
        let Some(error) = error else { return };
        let scarce = |end: &crate::world::End| {
            let configs = end.configs.values();
            configs
                .chain([&end.config.session])
                .any(|config| config.max_unsettled < 100)
        };
        let limits = self.silenced || self.ends.iter().any(scarce);
        let expected = error.condition == injected().condition
            || (limits && error.condition == ErrorCondition::ResourceLimitExceeded);
        assert!(expected, "{error:?}");
    }
}
