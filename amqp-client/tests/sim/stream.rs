//! Messages that are handed over in parts, and those that come so.
//!
//! Decides how parts have to fit together: what came is the beginning of what was sent, and a delivery
//! that was given up never looks whole. Section 2.6.14.

use amqp_client::proto::{Incoming, StreamEnd};
use bytes::Bytes;

use crate::message::{Fate, Holds, payload};
use crate::model::{Item, Link};
use crate::world::World;

impl World {
    /// The application goes on with a message that it hands over in parts.
    pub(crate) fn stream(&mut self, at: usize) {
        let open = |link: &Link| link.sender == at && link.sides[at].key.is_some();
        let numbers = (0..self.links.len()).filter(|number| open(&self.links[*number]));
        let numbers: Vec<usize> = numbers.collect();
        if numbers.is_empty() {
            return;
        }
        let number = self.rng.pick(&numbers);
        let abort = self.rng.chance(12);
        let finish = abort || self.rng.chance(25);
        let end = finish.then_some(match abort {
            true => StreamEnd::Aborted,
            false => StreamEnd::Complete,
        });
        self.go_on(number, end);
    }

    /// Hands over a part of the first message of a link that has not ended, or its end, or both.
    pub(crate) fn go_on(&mut self, number: usize, end: Option<StreamEnd>) -> bool {
        let octets = match self.rng.below(6) {
            0 => self.rng.range(400, 3000),
            1 => 0,
            _ => self.rng.below(100),
        };
        let link = &mut self.links[number];
        let Some(key) = link.sides[link.sender].key else {
            return false;
        };
        let open = link.sent.iter().position(|message| {
            message.stream && message.end.is_none() && message.fate != Fate::Unknown
        });
        let Some(seq) = open else {
            return false;
        };
        let message = &mut link.sent[seq];
        let before = message.len;
        message.len += octets;
        message.end = end;
        let part = payload(number, seq, message.len).slice(before..);
        let part = (octets > 0).then_some(part);
        self.note(|| format!("L{number} {seq}: {octets} more, {end:?}"), 40);
        let engine = &mut self.ends[self.links[number].sender].engine;
        engine.stream(key, seq as u64, part, end);
        true
    }
}

impl Link {
    /// A part of a delivery came.
    pub(crate) fn part(
        &mut self,
        number: usize,
        first: Option<Box<Incoming>>,
        octets: &Bytes,
        end: Option<StreamEnd>,
    ) {
        assert!(self.streaming, "{}: nobody wants parts", self.name);
        let begins = first.is_some();
        if let Some(head) = first {
            assert!(self.coming.is_none(), "deliveries interleave");
            let seq = crate::message::seq_of(&head.tag);
            self.next(seq, head.settled, head.message_format);
            let message = &mut self.sent[seq];
            message.id = Some(head.id);
            message.held = !head.settled;
            message.holds = Holds::Inbox;
            message.done = false;
            self.coming = Some(seq);
        }
        let name = &self.name;
        let seq = self.coming.expect("a part of a delivery");
        let message = &mut self.sent[seq];
        let from = message.parts;
        message.parts += octets.len();
        assert!(
            message.parts <= message.written,
            "{name}: {seq} has more than was written"
        );
        let whole = payload(number, seq, message.parts);
        assert_eq!(*octets, whole.slice(from..), "{name}: a part of {seq}");
        match end {
            None => {}
            Some(StreamEnd::Complete) => {
                assert!(message.whole, "{name}: {seq} looks whole");
                assert_eq!(message.parts, message.len, "{name}: {seq} is cut short");
            }
            Some(StreamEnd::Aborted) => {
                assert_eq!(message.end, Some(StreamEnd::Aborted), "{name}: {seq}");
                // The engine is done with it, unless the application is already.
                message.held = false;
                if !message.settled {
                    self.finish(seq);
                }
            }
        }
        if end.is_some() {
            self.coming = None;
        }
        self.inbox.push_back(Item::Part {
            seq,
            octets: octets.len(),
            first: begins,
            end,
        });
    }

    /// The application took a part; answers whether it is done with a delivery that came settled.
    pub(crate) fn take_part(&mut self, seq: usize, first: bool, end: Option<StreamEnd>) -> bool {
        let message = &mut self.sent[seq];
        message.done |= end.is_some();
        let settled = message.settled;
        if first {
            match settled {
                true => message.holds = Holds::Nothing,
                false => {
                    message.holds = Holds::Taken;
                    self.held.push(seq);
                }
            }
        }
        if end == Some(StreamEnd::Aborted) {
            self.sent[seq].holds = Holds::Nothing;
            self.held.retain(|held| *held != seq);
        }
        first && settled
    }
}
