//! How a connection ends: in good order, cut in the middle, or given up for silence.
//!
//! Decides what has to be true then: nothing accepted was lost, nothing leaked, and each message has
//! come to one end. Sections 2.4.3, 2.4.5.

use std::time::Duration;

use amqp_client::proto::StreamEnd;

use crate::attach::is_suspended;
use crate::message::{Fate, Holds, Message, injected};
use crate::model::Link;
use crate::world::World;

/// How many connections a run may have.
const LIVES: usize = 4;

impl World {
    /// Ends the connection. Answers whether there is to be another one.
    pub(crate) fn finish(&mut self) -> bool {
        if self.may_close {
            self.say_goodbye(100);
            return self.lose();
        }
        let kind = self.rng.below(match self.lives {
            0 => 5,
            _ => 10,
        });
        match kind {
            0 => {
                self.cut();
                self.lose()
            }
            1 => {
                self.close_at_once();
                self.lose()
            }
            _ => {
                self.come_to_rest();
                self.forget_the_dead();
                self.check_rest();
                self.close_everything();
                false
            }
        }
    }

    /// The wire breaks: some of what is on its way still arrives, and each end notices when it does.
    /// No panic, and whatever is asked afterwards changes nothing.
    fn cut(&mut self) {
        self.note(|| "the wire is cut".to_owned(), 22);
        for from in 0..2 {
            for _ in 0..self.rng.below(6) {
                self.deliver(from, false);
            }
        }
        self.check_counts();
        self.may_close = true;
        self.is_cut = true;
        let mut order = [0, 1];
        order.rotate_left(self.rng.below(2));
        for at in order {
            self.wire[at].cut();
            for _ in 0..self.rng.below(20) {
                self.step();
            }
        }
        for at in order {
            let engine = &mut self.ends[at].engine;
            engine.handle_eof();
            assert!(engine.is_finished());
            self.events(at);
            for _ in 0..self.rng.below(20) {
                self.step();
            }
        }
    }

    /// A close from one end or both, in the middle of everything.
    fn close_at_once(&mut self) {
        self.may_close = true;
        let closers = self.rng.range(1, 3);
        for at in 0..2 {
            if closers & (1 << at) != 0 {
                let error = self.rng.chance(30).then(injected);
                self.ends[at].engine.close(error);
            }
        }
        self.note(|| format!("{closers:02b} close"), 23);
        self.say_goodbye(100);
    }

    /// Somebody has begun to close: whatever goes on meanwhile, both are soon done.
    fn say_goodbye(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
        self.settle_wire();
        for at in 0..2 {
            // One that gave up before AMQP was spoken just hangs up.
            if self.silenced && !self.ends[at].opened && self.ends[at].engine.is_finished() {
                self.ends[1 - at].engine.handle_eof();
            }
        }
        for end in &self.ends {
            assert!(end.engine.is_finished(), "the goodbyes are said");
            assert!(end.closed || self.silenced);
        }
    }

    /// Nothing is left of the connection. Answers whether there is to be another one.
    fn lose(&mut self) -> bool {
        self.lose_connection();
        self.links.iter().for_each(Link::check_lost);
        let goes_on = self.lives + 1 < LIVES && self.rng.chance(70);
        if goes_on {
            self.connect_again();
            for link in &mut self.links {
                link.owner = self.rng.below(2);
                link.turning = false;
            }
        }
        goes_on
    }

    /// Octets move until there are none.
    fn settle_wire(&mut self) -> bool {
        let mut moved = false;
        for round in 0.. {
            assert!(round < 20_000, "octets move for ever");
            let mut more = false;
            for at in 0..2 {
                more |= self.transmit(at);
                more |= self.deliver(at, true);
            }
            if !more {
                return moved;
            }
            moved = true;
        }
        moved
    }

    /// The applications stop asking for more, and do everything that is left to do.
    fn come_to_rest(&mut self) {
        self.note(|| "it comes to rest".to_owned(), 24);
        for round in 0.. {
            assert!(round < 10_000, "there is no end to it");
            let mut busy = self.settle_wire();
            for at in 0..2 {
                while !self.ends[at].offers.is_empty() {
                    self.answer(at);
                    busy = true;
                }
            }
            for number in 0..self.links.len() {
                busy |= self.bring_back(number);
                while self.go_on(number, Some(StreamEnd::Complete)) {
                    busy = true;
                }
                busy |= self.take_from(number, usize::MAX);
                busy |= self.settle_on(number, 50);
                self.help(number);
            }
            busy |= self.settle_wire();
            if !busy {
                return;
            }
        }
    }

    /// Attaches a link again that is neither attached nor over.
    fn bring_back(&mut self, number: usize) -> bool {
        let link = &mut self.links[number];
        if !is_suspended(link) {
            return false;
        }
        if link.sides.iter().all(|side| side.key.is_none()) {
            // Nobody is about to: the one that may begin sessions does.
            link.owner = usize::from(self.quotas[0] == 0);
        }
        let owner = link.owner;
        if self.ends[owner].sessions.is_empty() {
            self.begin(owner);
        }
        self.reattach(owner);
        true
    }

    /// Whatever a link needs from its applications to get rid of all that was sent.
    fn help(&mut self, number: usize) {
        let link = &self.links[number];
        let (sender, receiver) = (link.sender, link.receiver());
        if !link.is_live() {
            return;
        }
        let (by_hand, asked) = (link.manual_drain, link.drain_asked);
        if let (Some(key), true, true) = (self.key_of(number, sender), by_hand, asked) {
            self.ends[sender].engine.drained(key);
            self.events(sender);
        }
        let link = &mut self.links[number];
        if let (Some(key), false) = (link.sides[receiver].key, link.draining)
            && link.wants_credit()
        {
            // Credit by hand ran out, perhaps.
            link.auto = None;
            self.ends[receiver].engine.set_auto_credit(key, 10);
            self.events(receiver);
        }
    }

    fn check_rest(&self) {
        for link in &self.links {
            if link.is_live() {
                link.check_complete();
            } else {
                let over = link.sides.iter().all(|side| side.key.is_none());
                assert!(over, "{} is over at one end", link.name);
                assert!(!is_suspended(link), "{} is not attached again", link.name);
            }
        }
        self.check_counts();
        for link in &self.links {
            let again = link.again != [false; 2];
            assert!(!again, "{} is never closed [LNK-22]", link.name);
        }
        for (at, end) in self.ends.iter().enumerate() {
            assert!(end.once_more.is_empty(), "never detached");
            assert_eq!(
                end.engine.counts(),
                (end.sessions.len(), end.links.len()),
                "end {at}: sessions and links"
            );
            let tally = end.engine.tally();
            assert_eq!(tally.unsettled_sent, 0, "end {at}: {tally:?}");
            assert_eq!(tally.unsettled_received, 0, "end {at}: {tally:?}");
            assert_eq!(tally.queued + tally.queued_octets, 0, "end {at}: {tally:?}");
            assert_eq!(tally.received_octets, 0, "end {at}: {tally:?}");
        }
        assert_eq!(self.ends[0].engine.counts(), self.ends[1].engine.counts());
    }

    /// Link by link, session by session, and the connection last: nothing stays behind.
    fn close_everything(&mut self) {
        for number in 0..self.links.len() {
            let at = self.rng.below(2);
            let link = &mut self.links[number];
            if let (true, Some(key)) = (link.is_live(), link.sides[at].key) {
                link.ending = true;
                link.dead = true;
                link.sides[at].leaving = true;
                self.ends[at].engine.detach(key, true, None);
            }
        }
        self.settle_wire();
        for end in &self.ends {
            assert_eq!(end.engine.counts().1, 0, "links that stay behind");
        }
        for at in 0..2 {
            for session in self.ends[at].sessions.clone() {
                self.ends[at].engine.end(session, None);
            }
        }
        self.settle_wire();
        self.may_close = true;
        for end in &mut self.ends {
            assert_eq!(end.engine.counts(), (0, 0), "sessions that stay behind");
        }
        self.ends[0].engine.close(None);
        self.advance(Duration::from_millis(5));
        self.settle_wire();
        for end in &self.ends {
            assert!(end.engine.is_finished() && end.closed);
            assert_eq!(end.engine.poll_timeout(), None);
        }
        assert!(self.wire[0].is_empty() && self.wire[1].is_empty());
    }
}

impl Link {
    /// Whether there is something that credit would help on its way.
    fn wants_credit(&self) -> bool {
        let waits = |message: &Message| match message.settled {
            true => message.came == 0 && message.fate == Fate::Open,
            false => message.is_open() || message.holds != Holds::Nothing,
        };
        self.partial || self.sent.iter().any(waits)
    }

    /// Everything that was sent has come, and all of it is settled at both ends.
    pub(crate) fn check_complete(&self) {
        let name = &self.name;
        assert!(self.inbox.is_empty() && self.held.is_empty());
        assert!(!self.draining, "{name}: a drain never ended");
        assert!(!self.partial, "{name}: never sorted out");
        for (seq, message) in self.sent.iter().enumerate() {
            assert_eq!(message.holds, Holds::Nothing, "{name}: {seq} is held");
            if message.settled && message.fate != Fate::Aborted {
                // What was sent settled may have been lost with an attachment. [LNK-49]
                assert!(self.attachment > 1 || message.came == 1, "{name}: {seq}");
                continue;
            }
            assert_ne!(message.fate, Fate::Open, "{name}: {seq} is open");
        }
        if self.attachment == 1 {
            let sent = self.sent.len();
            assert_eq!(self.transmitted, sent, "{name}: not all was written");
        }
    }

    /// The connection is lost: every message has come to one end at its sender, and nothing was made up.
    fn check_lost(&self) {
        let name = &self.name;
        assert!(self.inbox.is_empty() && self.coming.is_none());
        for (seq, message) in self.sent.iter().enumerate() {
            assert!(
                message.came == 0 || message.reached,
                "{name}: {seq} came and was never written"
            );
            match message.fate {
                Fate::Known => assert!(
                    message.reached && !message.decisions.is_empty(),
                    "{name}: the outcome of {seq} is made up"
                ),
                Fate::Aborted => assert_eq!(message.end, Some(StreamEnd::Aborted)),
                // Written or not, its sender still has it, or has said that it will never know.
                Fate::Open | Fate::Unknown => {}
            }
            assert!(
                message.holds == Holds::Nothing || self.resumable,
                "{name}: {seq} is held for ever"
            );
        }
    }
}
