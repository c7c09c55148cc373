//! What the applications at both ends do, at random.
//!
//! Decides which verbs are called when: links in both directions, all settle modes, small and large
//! messages, drains, credit by hand, ends of everything, with and without errors. Section 2.6.

use std::time::Duration;

use amqp_client::proto::{LinkConfig, LinkKey, Load, Outgoing, Tag, TransferKind};
use amqp_client::types::messaging::{Source, Target};
use amqp_client::types::transport::{
    Attach, Handle, ReceiverSettleMode, Role, SenderSettleMode, SequenceNo,
};

use crate::model::{Link, Message, injected, outcome, payload, progress};
use crate::world::{World, session};

impl World {
    /// One step of the world: an application acts, octets move, or time passes.
    pub(crate) fn step(&mut self) {
        let at = self.rng.below(2);
        match self.rng.below(100) {
            0..=24 => drop(self.transmit(at)),
            25..=49 => drop(self.deliver(at, false)),
            50..=52 => self.begin(at),
            53..=56 => self.attach(at),
            57..=60 => self.answer(at),
            61..=72 => self.send(at),
            73..=80 => self.take(at),
            81..=88 => self.settle(at),
            89..=90 => self.steer_credit(at),
            91..=92 => self.drain(at),
            93 => self.drained(at),
            94 => self.end_something(at),
            95..=98 => {
                let time = Duration::from_millis(self.rng.range(1, 300) as u64);
                self.advance(time);
            }
            _ => {
                let time = Duration::from_millis(self.rng.range(1, 1500) as u64);
                self.wire[at].stall(self.now, time);
            }
        }
    }

    fn begin(&mut self, at: usize) {
        let handle_max = (self.max_links as u32).max(4) - 1;
        if self.ends[at].sessions.len() >= 4 || self.begun_alive(at) >= self.quotas[at] {
            return;
        }
        let config = session(&mut self.rng, handle_max);
        if let Some(key) = self.ends[at].engine.begin(config) {
            self.ends[at].sessions.push(key);
            self.ends[at].begun += 1;
            self.note(|| format!("end {at} begins {key:?}"), 1);
        }
    }

    fn attach(&mut self, at: usize) {
        if self.ends[at].sessions.is_empty() || self.links.len() >= self.max_links {
            return;
        }
        let session = self.rng.pick(&self.ends[at].sessions);
        let name = format!("L{}", self.links.len());
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
        let mut attach = Attach::new(name.as_str(), Handle(0), role);
        attach.snd_settle_mode = settle;
        attach.rcv_settle_mode = mode;
        attach.source = Some(Source::default().into());
        attach.target = Some(Target::default().into());
        attach.initial_delivery_count = self.rng.chance(80).then(|| SequenceNo(self.rng.serial()));
        let config = self.link_config();
        let manual_drain = role == Role::Sender && config.manual_drain;
        let shown = format!("end {at} attaches {name} as {role:?}: {config:?}");
        let key = self.ends[at]
            .engine
            .attach(session, Box::new(attach), config);
        let Some(key) = key else { return };
        self.note(|| shown, 2);
        let mut keys = [None; 2];
        keys[at] = Some(key);
        self.ends[at].links.insert(key, self.links.len());
        self.links.push(Link {
            name,
            sender: match role {
                Role::Sender => at,
                Role::Receiver => 1 - at,
            },
            settle,
            mode,
            manual_drain,
            keys,
            attached: [false; 2],
            over: [false; 2],
            again: [false; 2],
            ending: false,
            drain_asked: false,
            draining: false,
            sent: Vec::new(),
            transmitted: 0,
            arrived: 0,
            inbox: Default::default(),
            held: Vec::new(),
        });
    }

    fn link_config(&mut self) -> LinkConfig {
        LinkConfig {
            credit: match self.rng.chance(70) {
                true => Some(self.rng.pick(&[1, 2, 3, 10, 100])),
                false => None,
            },
            manual_drain: self.rng.chance(20),
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
        let link = &mut self.links[number];
        let engine = &mut self.ends[at].engine;
        if self.rng.chance(10) && !self.may_close {
            link.ending = true;
            engine.refuse_link(key, Box::new(attach), injected());
            self.note(|| format!("end {at} refuses {key:?}"), 3);
        } else {
            link.attached[at] = true;
            let config = self.link_config();
            let link = &mut self.links[number];
            link.manual_drain |= role == Role::Sender && config.manual_drain;
            let engine = &mut self.ends[at].engine;
            let shown = format!("end {at} accepts {key:?} {config:?}");
            engine.accept_link(key, Box::new(attach), config);
            self.note(|| shown, 4);
        }
        self.events(at);
    }

    /// A link of this end in the role, if there is one that is not over here.
    fn some_link(&mut self, at: usize, sends: bool) -> Option<(usize, LinkKey)> {
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

    fn send(&mut self, at: usize) {
        let Some((number, key)) = self.some_link(at, true) else {
            return;
        };
        let link = &mut self.links[number];
        if link.ending || link.sent.len() > 200 {
            return;
        }
        let mut messages = Vec::new();
        for _ in 0..self.rng.range(1, 8) {
            let seq = link.sent.len();
            let len = match self.rng.below(20) {
                0 => self.rng.range(500, 9000),
                1 => self.rng.range(440, 520),
                2 => 0,
                _ => self.rng.below(60),
            };
            let settled = match link.settle {
                SenderSettleMode::Settled => true,
                SenderSettleMode::Unsettled => false,
                SenderSettleMode::Mixed => self.rng.chance(50),
            };
            let own = self.rng.chance(10).then(|| {
                let mut octets = vec![9; self.rng.range(9, 32)];
                octets[..8].copy_from_slice(&(seq as u64).to_be_bytes());
                Tag::new(&octets).expect("at most 32 octets")
            });
            link.sent.push(Message {
                len,
                settled,
                tag: own.unwrap_or_else(|| Tag::from_counter(seq as u64)),
                id: None,
                outcome: None,
                confirmed: false,
                released: false,
            });
            messages.push(Outgoing {
                seq: seq as u64,
                payload: payload(number, seq, len),
                settled,
                tag: own.map(Box::new),
                message_format: seq as u32 % 3,
                state: None,
                kind: TransferKind::New,
                stream: false,
                hold: false,
            });
        }
        self.note(
            || format!("end {at} sends {} on L{number}", messages.len()),
            5,
        );
        self.ends[at].engine.send(key, messages);
    }

    /// The application takes deliveries off its queue.
    fn take(&mut self, at: usize) {
        let count = self.rng.range(1, 20);
        let number = self.rng.below(self.links.len().max(1));
        if self.links.get(number).is_some_and(|l| l.receiver() == at) {
            self.take_from(number, count);
        }
    }

    pub(crate) fn take_from(&mut self, number: usize, count: usize) -> bool {
        let link = &mut self.links[number];
        let at = link.receiver();
        let Some(key) = link.keys[at] else {
            return false;
        };
        let (mut load, mut consumed, mut taken) = (Load::default(), 0, false);
        for _ in 0..count {
            let Some(delivery) = link.inbox.pop_front() else {
                break;
            };
            taken = true;
            load.frames += delivery.frames;
            load.octets += delivery.payload.len();
            match delivery.settled {
                true => consumed += 1,
                false => link
                    .held
                    .push((link.arrived - link.inbox.len() - 1, delivery.id)),
            }
        }
        let engine = &mut self.ends[at].engine;
        engine.taken(key, load);
        engine.consumed(key, consumed);
        self.events(at);
        taken
    }

    fn settle(&mut self, at: usize) {
        let number = self.rng.below(self.links.len().max(1));
        if self.links.get(number).is_some_and(|l| l.receiver() == at) {
            let count = self.rng.range(1, 10);
            self.settle_on(number, count);
        }
    }

    /// The application decides on deliveries, in any order.
    pub(crate) fn settle_on(&mut self, number: usize, count: usize) -> bool {
        let mut any = false;
        let all_accepted = self.rng.chance(50);
        for _ in 0..count {
            let link = &mut self.links[number];
            let at = link.receiver();
            let (Some(key), false) = (link.keys[at], link.held.is_empty()) else {
                break;
            };
            let which = match all_accepted {
                true => 0,
                false => self.rng.below(link.held.len()),
            };
            if !all_accepted && self.rng.chance(10) {
                let (_, id) = link.held[which];
                let engine = &mut self.ends[at].engine;
                engine.settle(key.session, id, Some(progress(&mut self.rng)), false);
                continue;
            }
            let (seq, id) = link.held.remove(which);
            let state = match all_accepted {
                true => amqp_client::types::messaging::Accepted::default().into(),
                false => outcome(&mut self.rng),
            };
            let first = link.mode == ReceiverSettleMode::First;
            if self.ends[at].monitor.speaks_of(&link.name) {
                link.sent[seq].outcome = Some(state.clone());
            } // Otherwise nobody may hear of it: the detach or the end is written. [LNK-38]
            let engine = &mut self.ends[at].engine;
            engine.settle(key.session, id, Some(state), first);
            any = true;
            self.note(|| format!("L{number} settles {seq}"), seq as u64);
        }
        any
    }

    fn steer_credit(&mut self, at: usize) {
        let Some((number, key)) = self.some_link(at, false) else {
            return;
        };
        let credit = self.rng.pick(&[0, 1, 2, 5, 50]);
        let by_hand = self.rng.chance(70);
        self.note(
            || format!("end {at} L{number} credit {credit} by hand {by_hand}"),
            6,
        );
        let engine = &mut self.ends[at].engine;
        match by_hand {
            true => engine.set_credit(key, credit),
            false => engine.set_auto_credit(key, credit.max(1)),
        }
        self.events(at);
    }

    fn drain(&mut self, at: usize) {
        if let Some((number, key)) = self.some_link(at, false) {
            self.links[number].draining = true;
            self.note(|| format!("end {at} drains L{number}"), 7);
            self.ends[at].engine.drain(key);
            self.events(at);
        }
    }

    fn drained(&mut self, at: usize) {
        if let Some((number, key)) = self.some_link(at, true)
            && self.links[number].manual_drain
        {
            self.ends[at].engine.drained(key);
        }
    }

    fn end_something(&mut self, at: usize) {
        let error = self.rng.chance(30).then(injected);
        let sends = self.rng.chance(50);
        if self.rng.chance(15) && !self.ends[at].sessions.is_empty() {
            let session = self.rng.pick(&self.ends[at].sessions);
            for (link, number) in &self.ends[at].links {
                self.links[*number].ending |= link.session == session;
            }
            self.note(|| format!("end {at} ends {session:?} {error:?}"), 8);
            self.ends[at].sessions.retain(|known| *known != session);
            self.ends[at].engine.end(session, error);
        } else if self.rng.chance(60)
            && let Some((number, key)) = self.some_link(at, sends)
        {
            self.links[number].ending = true;
            self.note(|| format!("end {at} detaches L{number} {error:?}"), 9);
            let closed = error.is_some() || self.rng.chance(70);
            self.ends[at].engine.detach(key, closed, error);
        }
        self.events(at);
    }
}
