//! What the engines hold, beside what they may and have to.
//!
//! Decides the bounds: octets that wait for the application, octets that are written in one turn,
//! unsettled deliveries. Sections 2.5.6, 2.6.12.

use amqp_client::proto::Key;

use crate::message::Holds;
use crate::model::Item;
use crate::world::World;

/// What a disposition, a flow, a detach or a begin has at most in a run.
const SMALL_FRAME: usize = 200;

impl World {
    /// The most octets that an end may write in one turn: what its budget says, the frame that reached
    /// it, and one small frame for each thing that can have something owed.
    pub(crate) fn most_written(&self, at: usize) -> usize {
        let end = &self.ends[at];
        let owed = |message: &&crate::message::Message| {
            message.reached && (message.is_open() || message.holds != Holds::Nothing)
        };
        let links = self.links.iter();
        let deliveries: usize = links
            .map(|link| link.sent.iter().filter(owed).count())
            .sum();
        let things = deliveries + 4 * self.links.len() + 4 * end.configs.len() + 8;
        let frame = self.ends[1 - at].config.max_frame_size as usize;
        end.config.write_budget + frame + SMALL_FRAME * things
    }

    /// What waits at an end is not more than it has allowed, and what it says of it is so.
    pub(crate) fn check_bounds(&self, at: usize) {
        let end = &self.ends[at];
        if end.engine.counts() != (end.sessions.len(), end.links.len()) {
            // What is on its way out still weighs something.
            return;
        }
        let mut waiting = 0;
        let mut most = 0;
        let frame = end.config.max_frame_size as usize;
        for (session, config) in &end.configs {
            let octets = config.incoming_octets.max(frame);
            let frames = (octets / frame).min(config.incoming_window as usize);
            // What is parts only does not keep the window shut for ever.
            most += octets + (frames / 4 + 1) * frame;
            let unsettled = end.engine.unsettled(*session).1;
            assert!(
                unsettled <= config.max_unsettled,
                "{unsettled} are unsettled"
            );
        }
        for number in end.links.values() {
            let link = &self.links[*number];
            if link.sender == at {
                continue;
            }
            // A message that has begun is taken to its end, one a link.
            let next = link.last_arrived.map_or(0, |last| last + 1);
            let next = link.sent.get(next..).unwrap_or_default();
            let mut largest = next.iter().map(|message| message.written).max();
            for item in &link.inbox {
                let octets = match item {
                    Item::Whole { delivery, .. } => delivery.payload.len(),
                    Item::Part { octets, .. } => *octets,
                };
                waiting += octets;
                largest = largest.max(Some(octets));
            }
            most += largest.unwrap_or(0);
        }
        let held = end.engine.tally().received_octets;
        assert!(held <= most, "end {at} holds {held} octets, {most} allowed");
        assert!(
            held >= waiting || self.may_close,
            "end {at} knows of {held} octets, {waiting} wait"
        );
    }

    /// Both engines have exactly the deliveries that are unsettled, where no link is on its way out.
    pub(crate) fn check_counts(&self) {
        for (at, end) in self.ends.iter().enumerate() {
            if end.engine.counts().1 != end.links.len() {
                continue;
            }
            for session in &end.sessions {
                let (sent, held) = self.unsettled(at, *session);
                assert_eq!(end.engine.unsettled(*session), (sent, held), "end {at}");
            }
        }
    }

    fn unsettled(&self, at: usize, session: Key) -> (usize, usize) {
        let (mut sent, mut held) = (0, 0);
        for link in &self.links {
            let kept = link.sides[at].kept;
            if kept.is_none_or(|key| key.session != session) {
                continue;
            }
            let messages = link.sent.iter();
            match at == link.sender {
                true => sent += messages.filter(|message| message.open).count(),
                false => held += messages.filter(|message| message.held).count(),
            }
        }
        (sent, held)
    }
}
