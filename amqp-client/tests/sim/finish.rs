//! How a run ends: in good order, cut in the middle, or in silence.
//!
//! Decides what has to be true then: nothing accepted was lost, nothing leaked. Sections 2.4.3, 2.4.5.

use std::time::Duration;

use crate::model::{Link, injected};
use crate::world::World;

impl World {
    pub(crate) fn finish(&mut self) {
        match self.rng.below(10) {
            0 => self.cut(),
            1 => self.close_at_once(),
            _ => {
                self.come_to_rest();
                self.check_rest();
                self.close_everything();
            }
        }
    }

    /// The wire breaks: no panic, and whatever is asked afterwards changes nothing.
    fn cut(&mut self) {
        self.may_close = true;
        for at in 0..2 {
            let engine = &mut self.ends[at].engine;
            engine.handle_eof();
            assert!(engine.is_finished());
            self.events(at);
        }
        for _ in 0..50 {
            self.step();
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
        for _ in 0..100 {
            self.step();
        }
        self.settle_wire();
        for end in &self.ends {
            assert!(end.engine.is_finished(), "the goodbyes are said");
            assert!(end.closed);
        }
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

    /// Whatever a link needs from its applications to get rid of all that was sent.
    fn help(&mut self, number: usize) {
        let link = &self.links[number];
        let (sender, receiver) = (link.sender, link.receiver());
        if !link.is_live() {
            return;
        }
        if let (Some(key), true, true) = (link.keys[sender], link.manual_drain, link.drain_asked) {
            self.ends[sender].engine.drained(key);
            self.events(sender);
        }
        let link = &self.links[number];
        if let (Some(key), false) = (link.keys[receiver], link.draining)
            && link.arrived < link.sent.len()
        {
            // Credit by hand ran out, perhaps.
            self.ends[receiver].engine.set_auto_credit(key, 10);
            self.events(receiver);
        }
    }

    fn check_rest(&self) {
        for link in &self.links {
            if link.is_live() {
                link.check_complete();
            } else if link.keys[0].is_some() && link.keys[1].is_some() {
                assert!(
                    link.over[0] && link.over[1],
                    "{} is over at one end",
                    link.name
                );
            }
        }
        let again = |link: &Link| link.again != [false; 2];
        assert!(!self.links.iter().any(again), "never closed [LNK-22]");
        for (at, end) in self.ends.iter().enumerate() {
            assert!(end.once_more.is_empty(), "never detached");
            for session in &end.sessions {
                assert_eq!(end.engine.unsettled(*session), (0, 0), "end {at}");
            }
            assert_eq!(
                end.engine.counts(),
                (end.sessions.len(), end.links.len()),
                "end {at}: sessions and links"
            );
        }
        assert_eq!(self.ends[0].engine.counts(), self.ends[1].engine.counts());
    }

    /// Link by link, session by session, and the connection last: nothing stays behind.
    fn close_everything(&mut self) {
        for number in 0..self.links.len() {
            let link = &mut self.links[number];
            let at = self.rng.below(2);
            if let (true, Some(key)) = (link.is_live(), link.keys[at]) {
                link.ending = true;
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
