//! How attachments end and what of them goes on: detaches, rounds, sessions that end, lost connections.
//!
//! Decides what each end still knows of a link then, as a careful application would. Sections 2.6.4,
//! 2.6.13, 2.7.3.

use amqp_client::proto::{LinkKey, Outgoing, Outstanding, Resume, Tag, TransferKind, Unsettled};
use amqp_client::types::messaging::Received;
use amqp_client::types::transport::ReceiverSettleMode;

use crate::message::{Fate, Holds, Message, payload, seq_of};
use crate::model::Link;
use crate::world::World;

/// How many rounds in a row may be of no use.
const FRUITLESS: usize = 100;

impl World {
    /// A link is detached, in one way or another.
    pub(crate) fn detached(&mut self, at: usize, key: LinkKey, closed: bool, error: bool) {
        let number = self.ends[at].links[&key];
        let link = &mut self.links[number];
        let orderly = !error && !link.sides[at].failed;
        if link.sender == at {
            match orderly {
                true => link.check_told(),
                false => link.doubt(),
            }
        }
        // An attach that was refused leaves things as they were.
        let is_current = link.sides[at].attachment == link.attachment;
        link.dead |= closed && is_current && !(link.resumable && link.refused);
        let keeps = link.resumable && orderly && !closed && !link.dead;
        let kept = link.sides[at].kept;
        self.over(at, key);
        if !keeps {
            // Where the engine keeps them all the same they are not wanted.
            for key in kept.into_iter().chain([key]) {
                self.ends[at].engine.forget(key);
            }
            self.forget_kept(number, at);
        }
    }

    /// What is over for good at one end is not wanted at the other one either, in the end.
    pub(crate) fn forget_the_dead(&mut self) {
        for number in 0..self.links.len() {
            for at in 0..2 {
                if self.links[number].dead
                    && let Some(kept) = self.links[number].sides[at].kept
                {
                    self.ends[at].engine.forget(kept);
                    self.forget_kept(number, at);
                }
            }
        }
    }

    /// An attachment is over at one end.
    pub(crate) fn over(&mut self, at: usize, key: LinkKey) {
        let Some(number) = self.ends[at].links.remove(&key) else {
            return;
        };
        let link = &mut self.links[number];
        let side = &mut link.sides[at];
        assert_eq!(side.key.take(), Some(key));
        link.ending |= side.attachment == link.attachment;
        link.dead |= !link.resumable;
        if at == link.sender {
            // What was streamed is not kept.
            let streams = link.sent.iter_mut().filter(|message| message.stream);
            for message in streams.filter(|message| message.fate == Fate::Open) {
                message.fate = Fate::Unknown;
            }
            return;
        }
        link.inbox.clear();
        link.coming = None;
        for message in &mut link.sent {
            match message.holds {
                Holds::Inbox => message.lose(),
                Holds::Taken | Holds::Decided if !link.resumable => message.lose(),
                _ => message.id = None,
            }
        }
        if !link.resumable {
            link.held.clear();
        }
    }

    /// An engine has no deliveries of a link any more.
    pub(crate) fn forget_kept(&mut self, number: usize, at: usize) {
        let link = &mut self.links[number];
        link.sides[at].kept = None;
        for message in &mut link.sent {
            match at == link.sender {
                true => message.open = false,
                false => message.held = false,
            }
        }
    }

    /// The partner's attach has been compared with the own one.
    pub(crate) fn reconciled(&mut self, number: usize, at: usize) {
        let kept = self.links[number].sides[at].kept;
        self.forget_kept(number, at);
        self.links[number].sides[at].kept = kept;
    }

    /// As much as the two attaches told of has been sorted out: the link is attached again. [LNK-64]
    pub(crate) fn round_over(
        &mut self,
        at: usize,
        key: LinkKey,
        told: usize,
        resumes: bool,
        progress: bool,
    ) {
        let number = self.ends[at].known[&key];
        let link = &mut self.links[number];
        assert_eq!(link.owner, at, "a round of the other end");
        assert!(link.partial, "nothing was left out");
        link.tells = resumes;
        match progress || !resumes {
            true => link.fruitless = 0,
            false => {
                link.fruitless += 1;
                link.tell_from = link.tell_from.wrapping_add(told.max(1));
            }
        }
        assert!(link.fruitless <= FRUITLESS, "{}: no progress", link.name);
        link.turning = true;
        link.ending = true;
        link.sides[at].leaving = true;
        self.note(|| format!("L{number} goes into another round"), 30);
        self.ends[at].engine.detach(key, false, None);
    }

    /// A delivery of an earlier attachment is under way again, or known to be over.
    pub(crate) fn resumed(&mut self, at: usize, key: LinkKey, tag: &Tag, id: Option<u32>) {
        let number = self.ends[at].known[&key];
        let seq = seq_of(tag);
        let link = &mut self.links[number];
        let voids = !link.tells || link.marks;
        let message = &mut link.sent[seq];
        let held = matches!(message.holds, Holds::Taken | Holds::Decided);
        assert!(held, "{}: {seq} is resumed and not held", link.name);
        let Some(id) = id else {
            // The sender knows what became of it, has lost it, or sends it anew.
            assert!(
                message.fate != Fate::Open || voids,
                "{}: {seq} is given up",
                link.name
            );
            message.excused |= message.fate == Fate::Open;
            message.lose();
            message.held = false;
            link.held.retain(|held| *held != seq);
            return;
        };
        message.id = Some(id);
        message.held = true;
        if message.holds == Holds::Decided {
            // It was decided while the attaches were under way.
            let settled = link.mode == ReceiverSettleMode::First || self.rng.chance(50);
            let state = message.decisions.last().cloned();
            message.told = true;
            if settled {
                message.holds = Holds::Nothing;
                message.held = false;
            }
            self.ends[at].engine.settle(key.session, id, state, settled);
        }
    }

    /// What an end remembers of a link that it attaches again; sometimes it has lost that.
    pub(crate) fn remembers(&mut self, number: usize, at: usize) -> Option<Resume> {
        let loses = self.rng.chance(8);
        let (resend, empty) = (self.rng.chance(50), self.rng.chance(50));
        let link = &mut self.links[number];
        let is_sender = at == link.sender;
        if loses {
            link.lose_map(is_sender);
            self.note(|| format!("end {at} has lost all of L{number}"), 31);
        }
        let link = &mut self.links[number];
        let tell = !is_sender || link.tells;
        link.sides[at].told = tell && !(loses && empty);
        if loses && empty {
            return None;
        }
        Some(match is_sender {
            true => Resume::Sender {
                unsettled: link.unsettled(number),
                resend,
                tell,
            },
            false => Resume::Receiver(link.outstanding()),
        })
    }

    /// Nothing is left of the connection: what each end knows from now on is what it knew.
    pub(crate) fn lose_connection(&mut self) {
        for at in 0..2 {
            let keys: Vec<LinkKey> = self.ends[at].links.keys().copied().collect();
            keys.into_iter().for_each(|key| self.over(at, key));
            self.ends[at].offers.clear();
            self.ends[at].sessions.clear();
            (0..self.links.len()).for_each(|number| self.forget_kept(number, at));
        }
        for link in &mut self.links {
            link.again = [false; 2];
            link.doubt();
        }
    }
}

impl Link {
    /// The sender's end is over without a last word: what was decided may come again.
    pub(crate) fn doubt(&mut self) {
        for message in self.sent.iter_mut().filter(|message| message.is_in_doubt()) {
            message.may_repeat = true;
            message.excused = true;
        }
    }

    fn lose_map(&mut self, is_sender: bool) {
        if is_sender {
            for message in self.sent.iter_mut().filter(|message| message.is_open()) {
                message.fate = Fate::Unknown;
            }
            return;
        }
        for message in &mut self.sent {
            if message.holds != Holds::Nothing {
                message.lose();
                message.excused = true;
            }
        }
        self.held.clear();
    }

    fn unsettled(&self, number: usize) -> Vec<Unsettled> {
        let open = self.sent.iter().enumerate();
        open.filter(|(_, message)| message.is_open() && !message.stream)
            .map(|(seq, message)| Unsettled {
                state: (self.marks && message.reached && !message.absent)
                    .then(|| Received::new(0, message.written as u64).into()),
                transmitted: message.reached && !message.absent,
                message: outgoing(number, seq, message),
            })
            .collect()
    }

    fn outstanding(&self) -> Vec<Outstanding> {
        let held = self.sent.iter();
        let mut held: Vec<Outstanding> = held
            .filter(|message| matches!(message.holds, Holds::Taken | Holds::Decided))
            .map(|message| Outstanding {
                tag: message.tag,
                state: match message.holds {
                    Holds::Decided => message.decisions.last().cloned(),
                    _ => None,
                },
            })
            .collect();
        held.sort_unstable_by_key(|delivery| delivery.tag);
        held
    }
}

/// A message as it is handed to an engine.
pub(crate) fn outgoing(number: usize, seq: usize, message: &Message) -> Outgoing {
    let is_own = message.tag != Tag::from_counter(seq as u64);
    Outgoing {
        seq: seq as u64,
        payload: match message.stream {
            true => bytes::Bytes::new(),
            false => payload(number, seq, message.len),
        },
        settled: message.settled,
        tag: is_own.then(|| Box::new(message.tag)),
        message_format: seq as u32 % 3,
        state: None,
        kind: TransferKind::New,
        stream: message.stream,
        hold: false,
    }
}
