//! What the applications at both ends do, at random.
//!
//! Decides which verbs are called when: small and large messages, whole and in parts, outcomes, credit
//! by hand, drains. How links come and go is in `attach`. Sections 2.6.7, 2.6.12, 2.6.14.

use std::time::Duration;

use amqp_client::proto::{LinkKey, Load};
use amqp_client::types::messaging::Accepted;
use amqp_client::types::transport::{ReceiverSettleMode, SenderSettleMode};

use crate::life::outgoing;
use crate::message::{Holds, Message, outcome, own_tag, progress};
use crate::model::Item;
use crate::world::World;

impl World {
    /// One step of the world: an application acts, octets move, or time passes.
    pub(crate) fn step(&mut self) {
        let at = self.rng.below(2);
        match self.rng.below(108) {
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
            99 => {
                let most = match self.rng.chance(3) {
                    true => 20_000,
                    false => 1500,
                };
                let time = Duration::from_millis(self.rng.range(1, most) as u64);
                self.wire[at].stall(self.now, time);
            }
            100 => self.reattach(at),
            _ => self.stream(at),
        }
    }

    fn send(&mut self, at: usize) {
        let numbers = (0..self.links.len()).filter(|number| {
            let link = &self.links[*number];
            let idle = link.ending && !link.resumable;
            link.sender == at && !link.dead && !idle && link.sent.len() <= 200
        });
        let numbers: Vec<usize> = numbers.collect();
        if numbers.is_empty() {
            return;
        }
        let number = self.rng.pick(&numbers);
        let link = &self.links[number];
        let side = &link.sides[at];
        let key = side.key.filter(|_| side.attached && !side.leaving);
        if key.is_none() && (!link.resumable || link.attachment == 1) {
            return;
        }
        let mut messages = Vec::new();
        for _ in 0..self.rng.range(1, 8) {
            let link = &mut self.links[number];
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
            if key.is_none() && settled {
                // What nobody keeps is not sent while the link is detached.
                break;
            }
            // Maps of long tags soon do not fit into an attach.
            let owns = if self.hoards { 80 } else { 10 };
            let own = self.rng.chance(owns).then(|| own_tag(&mut self.rng, seq));
            let mut message = Message::new(seq, len, settled, own);
            let streams = if link.streaming { 40 } else { 6 };
            if key.is_some() && self.rng.chance(streams) {
                message.stream = true;
                message.len = 0;
            }
            messages.push(outgoing(number, seq, &message));
            link.sent.push(message);
        }
        self.note(
            || format!("end {at} sends {} on L{number}", messages.len()),
            5,
        );
        if let Some(key) = key {
            self.ends[at].engine.send(key, messages);
        }
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
        let Some(key) = link.sides[at].key else {
            return false;
        };
        let (mut load, mut consumed, mut taken) = (Load::default(), 0, false);
        for _ in 0..count {
            let Some(item) = link.inbox.pop_front() else {
                break;
            };
            taken = true;
            let seq = match item {
                Item::Part {
                    seq,
                    octets,
                    first,
                    end,
                } => {
                    load.frames += 1;
                    load.octets += octets;
                    if !link.take_part(seq, first, end) {
                        continue;
                    }
                    seq
                }
                Item::Whole { seq, delivery } => {
                    load.frames += delivery.frames;
                    load.octets += delivery.payload.len();
                    if !delivery.settled {
                        link.sent[seq].holds = Holds::Taken;
                        link.held.push(seq);
                        continue;
                    }
                    link.sent[seq].holds = Holds::Nothing;
                    seq
                }
            };
            consumed += 1;
            link.finish(seq);
        }
        let engine = &mut self.ends[at].engine;
        engine.taken(key, load);
        engine.consumed(key, consumed);
        self.events(at);
        taken
    }

    fn settle(&mut self, at: usize) {
        if self.hoards && self.rng.chance(90) {
            return;
        }
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
            if link.held.is_empty() {
                break;
            }
            let at = link.receiver();
            let key = link.may_settle();
            let which = match all_accepted {
                true => 0,
                false => self.rng.below(link.held.len()),
            };
            let seq = link.held[which];
            let message = &link.sent[seq];
            let id = message.id.filter(|_| message.held);
            if !message.done && !self.rng.chance(10) {
                // Parts of it are still to come.
                continue;
            }
            if !all_accepted && self.rng.chance(10) {
                if let (Some(key), Some(id)) = (key, id) {
                    let engine = &mut self.ends[at].engine;
                    engine.settle(key.session, id, Some(progress(&mut self.rng)), false);
                    link.finish(seq);
                }
                continue;
            }
            link.held.remove(which);
            let state = match all_accepted {
                true => Accepted::default().into(),
                false => outcome(&mut self.rng),
            };
            let first = link.mode == ReceiverSettleMode::First;
            // Nobody may hear of it when the detach or the end is written. [LNK-38]
            let told = self.ends[at].monitor.speaks_of(&link.name);
            link.decide(seq, state.clone(), told && key.is_some() && id.is_some());
            let engine = &mut self.ends[at].engine;
            if let (Some(key), Some(id)) = (key, id) {
                engine.settle(key.session, id, Some(state), first);
                link.finish(seq);
            }
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
        self.links[number].auto = None;
        let engine = &mut self.ends[at].engine;
        match by_hand {
            true => engine.set_credit(key, credit),
            false => engine.set_auto_credit(key, credit.max(1)),
        }
        self.events(at);
    }

    fn drain(&mut self, at: usize) {
        if let Some((number, key)) = self.some_link(at, false) {
            let link = &mut self.links[number];
            link.draining |= link.is_current(at);
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

    /// The key under which an end has a link, where it is attached there.
    pub(crate) fn key_of(&self, number: usize, at: usize) -> Option<LinkKey> {
        self.links[number].sides[at].key
    }
}
