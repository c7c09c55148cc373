//! How links come and go: sessions, attaches, answers, detaches, and attaching again.
//!
//! Decides with which modes, credit and memory a link is attached, and who ends what. Sections 2.5.1,
//! 2.6.1 to 2.6.6.

use amqp_client::proto::{LinkConfig, LinkKey};
use amqp_client::types::messaging::{Source, Target};
use amqp_client::types::transport::{
    Attach, Handle, ReceiverSettleMode, Role, SenderSettleMode, SequenceNo,
};

use crate::message::injected;
use crate::model::{Link, Side};
use crate::world::{World, session};

impl World {
    pub(crate) fn begin(&mut self, at: usize) {
        if self.ends[at].sessions.len() >= 4 || self.begun_alive(at) >= self.quotas[at] {
            return;
        }
        let handle_max = self.handle_max;
        let config = session(&mut self.rng, handle_max);
        let end = &mut self.ends[at];
        if let Some(key) = end.engine.begin(config.clone()) {
            end.sessions.push(key);
            end.begun += 1;
            end.configs.insert(key, config);
            self.note(|| format!("end {at} begins {key:?}"), 1);
        }
    }

    /// A link that never was.
    pub(crate) fn attach(&mut self, at: usize) {
        if self.ends[at].sessions.is_empty() || self.links.len() >= self.max_links() {
            return;
        }
        let role = self.rng.pick(&[Role::Sender, Role::Receiver]);
        let settle = self.rng.pick(&[
            SenderSettleMode::Unsettled,
            SenderSettleMode::Settled,
            SenderSettleMode::Mixed,
        ]);
        let mode = match self.rng.chance(25) {
            true => ReceiverSettleMode::Second,
            false => ReceiverSettleMode::First,
        };
        let streaming = self.rng.chance(25);
        let link = Link {
            name: format!("L{}", self.links.len()),
            sender: match role {
                Role::Sender => at,
                Role::Receiver => 1 - at,
            },
            owner: at,
            settle,
            mode,
            resumable: !streaming && self.rng.chance(60),
            streaming,
            manual_drain: false,
            sides: [Side::default(), Side::default()],
            attachment: 0,
            ending: true,
            dead: false,
            refused: false,
            again: [false; 2],
            drain_asked: false,
            draining: false,
            partial: false,
            turning: false,
            fruitless: 0,
            tell_from: 0,
            tells: true,
            marks: self.rng.chance(10),
            sent: Vec::new(),
            transmitted: 0,
            last_written: None,
            last_arrived: None,
            coming: None,
            inbox: Default::default(),
            held: Vec::new(),
            auto: None,
            begun: 0,
            finished: 0,
        };
        self.links.push(link);
        self.attach_link(at, self.links.len() - 1);
    }

    /// A link that was detached, or lost with a session or connection.
    pub(crate) fn reattach(&mut self, at: usize) {
        let waits = |link: &Link| link.owner == at && is_suspended(link);
        let numbers = (0..self.links.len()).filter(|number| waits(&self.links[*number]));
        let numbers: Vec<usize> = numbers.collect();
        if numbers.is_empty() || self.ends[at].sessions.is_empty() {
            return;
        }
        let number = self.rng.pick(&numbers);
        if !self.links[number].turning {
            self.links[number].tells = self.rng.chance(93);
        }
        self.attach_link(at, number);
    }

    /// Attaches a link in one of the sessions: mostly in that of the last time.
    fn attach_link(&mut self, at: usize, number: usize) {
        let kept = self.links[number].sides[at].kept;
        let sessions = &self.ends[at].sessions;
        let same = kept.filter(|key| sessions.contains(&key.session));
        let same = same.filter(|_| self.rng.chance(80)).map(|key| key.session);
        let session = same.unwrap_or_else(|| self.rng.pick(&self.ends[at].sessions));
        let link = &self.links[number];
        let last = link.sides[at].last.map(|key| key.session);
        if last.is_some_and(|last| last != session) && self.ends[at].monitor.speaks_of(&link.name) {
            // In another session the attach might overtake the detach.
            return;
        }
        let is_first = self.links[number].attachment == 0;
        let resume = match is_first {
            true => None,
            false => self.remembers(number, at),
        };
        if let Some(kept) = kept
            && (kept.session != session || resume.is_none())
        {
            if kept.session != session {
                self.ends[at].engine.forget(kept);
            }
            self.forget_kept(number, at);
        }
        let link = &self.links[number];
        let role = match link.sender == at {
            true => Role::Sender,
            false => Role::Receiver,
        };
        let mut attach = Attach::new(link.name.as_str(), Handle(0), role);
        attach.snd_settle_mode = link.settle;
        attach.rcv_settle_mode = link.mode;
        attach.source = Some(Source::default().into());
        attach.target = Some(Target::default().into());
        attach.initial_delivery_count = self.rng.chance(80).then(|| SequenceNo(self.rng.serial()));
        let mut config = self.link_config(number, at);
        config.resume = resume;
        config.tell_from = self.links[number].tell_from;
        let (manual, auto) = (config.manual_drain, config.credit);
        let shown = format!("end {at} attaches L{number} as {role:?}: {config:?}");
        let end = &mut self.ends[at];
        let Some(key) = end.engine.attach(session, Box::new(attach), config) else {
            // No handle is free before an earlier link is gone.
            return;
        };
        self.note(|| shown, 2);
        let end = &mut self.ends[at];
        end.links.insert(key, number);
        end.known.insert(key, number);
        let link = &mut self.links[number];
        link.begin_attachment();
        link.manual_drain = role == Role::Sender && manual;
        link.auto = auto.filter(|_| role == Role::Receiver);
        let told = link.sides[at].told;
        link.sides[at] = Side {
            key: Some(key),
            last: Some(key),
            attachment: link.attachment,
            attached: true,
            kept: Some(key),
            told,
            ..Side::default()
        };
        link.sides[1 - at].attached = false;
    }

    fn link_config(&mut self, number: usize, at: usize) -> LinkConfig {
        let link = &self.links[number];
        LinkConfig {
            credit: match self.rng.chance(70) {
                true if self.hoards => Some(100),
                true => Some(self.rng.pick(&[1, 2, 3, 10, 100])),
                false => None,
            },
            manual_drain: self.rng.chance(20),
            streaming: link.streaming && at == link.receiver(),
            keep: link.resumable,
            ..LinkConfig::default()
        }
    }

    /// Answers a link that the other end attached.
    pub(crate) fn answer(&mut self, at: usize) {
        if self.ends[at].offers.is_empty() {
            return;
        }
        let offer = self.rng.below(self.ends[at].offers.len());
        let (key, theirs) = self.ends[at].offers.swap_remove(offer);
        let number = self.ends[at].links[&key];
        if !self.links[number].is_current(at) {
            // The other end has given it up already, with its session.
            return;
        }
        let role = match theirs.role {
            Role::Sender => Role::Receiver,
            Role::Receiver => Role::Sender,
        };
        let mut attach = Attach::new(theirs.name.clone(), Handle(0), role);
        attach.snd_settle_mode = theirs.snd_settle_mode;
        attach.rcv_settle_mode = theirs.rcv_settle_mode;
        attach.source = theirs.source;
        attach.target = theirs.target;
        if role == Role::Sender && self.rng.chance(80) {
            attach.initial_delivery_count = Some(SequenceNo(self.rng.serial()));
        }
        let kept = self.links[number].sides[at].kept;
        if self.rng.chance(10) && !self.may_close {
            let link = &mut self.links[number];
            link.ending = true;
            link.refused = true;
            link.dead |= !link.resumable;
            link.sides[at].leaving = true;
            link.sides[at].failed = true;
            if let Some(kept) = kept {
                self.ends[at].engine.forget(kept);
            }
            self.forget_kept(number, at);
            self.note(|| format!("end {at} refuses {key:?}"), 3);
            let engine = &mut self.ends[at].engine;
            engine.refuse_link(key, Box::new(attach), injected());
        } else {
            let is_first = self.links[number].attachment == 1;
            let mut config = self.link_config(number, at);
            if !is_first {
                config.resume = self.remembers(number, at);
            }
            if let Some(kept) = kept
                && kept.session != key.session
            {
                self.ends[at].engine.forget(kept);
            }
            let link = &mut self.links[number];
            link.sides[at].attached = true;
            link.sides[at].kept = Some(key);
            link.manual_drain |= role == Role::Sender && config.manual_drain;
            if role == Role::Receiver {
                link.auto = config.credit;
            }
            let shown = format!("end {at} accepts {key:?} {config:?}");
            self.reconciled(number, at);
            let engine = &mut self.ends[at].engine;
            engine.accept_link(key, Box::new(attach), config);
            self.note(|| shown, 4);
        }
        self.events(at);
    }

    /// A link of this end in the role, if there is one that is not over here.
    pub(crate) fn some_link(&mut self, at: usize, sends: bool) -> Option<(usize, LinkKey)> {
        let end = &self.ends[at];
        let links: Vec<(usize, LinkKey)> = end
            .links
            .iter()
            .filter(|(key, _)| end.offers.iter().all(|(offered, _)| offered != *key))
            .map(|(key, number)| (*number, *key))
            .filter(|(number, _)| (self.links[*number].sender == at) == sends)
            .collect();
        (!links.is_empty()).then(|| self.rng.pick(&links))
    }

    pub(crate) fn end_something(&mut self, at: usize) {
        let error = self.rng.chance(30).then(injected);
        let sends = self.rng.chance(50);
        if self.rng.chance(15) && !self.ends[at].sessions.is_empty() {
            let session = self.rng.pick(&self.ends[at].sessions);
            for (key, number) in &self.ends[at].links {
                if key.session == session {
                    self.links[*number].leave(at, error.is_some());
                }
            }
            self.note(|| format!("end {at} ends {session:?} {error:?}"), 8);
            self.ends[at].sessions.retain(|known| *known != session);
            self.ends[at].engine.end(session, error);
        } else if self.rng.chance(60)
            && let Some((number, key)) = self.some_link(at, sends)
        {
            let keeps = self.links[number].resumable && self.rng.chance(80);
            let closed = error.is_some() || !(keeps || self.rng.chance(30));
            self.note(|| format!("end {at} detaches L{number} {error:?}"), 9);
            let link = &mut self.links[number];
            link.leave(at, error.is_some());
            link.dead |= closed && link.sides[at].attachment == link.attachment;
            self.ends[at].engine.detach(key, closed, error);
        }
        self.events(at);
    }
}

impl Link {
    /// An end begins to end its attachment.
    fn leave(&mut self, at: usize, error: bool) {
        let side = &mut self.sides[at];
        side.leaving = true;
        side.failed |= error;
        self.ending |= side.attachment == self.attachment;
    }
}

/// Whether the owner may attach a link again.
pub(crate) fn is_suspended(link: &Link) -> bool {
    link.resumable && !link.dead && link.attachment > 0 && link.is_suspended()
}
