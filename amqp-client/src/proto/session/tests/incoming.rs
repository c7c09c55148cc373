//! A partner that sends: the incoming window in frames and octets, and the deliveries that are held.

use std::collections::{BTreeMap, VecDeque};

use amqp_types::messaging::{Accepted, DeliveryState, Released};
use amqp_types::transport::{
    DeliveryNumber, DeliveryTag, ErrorCondition, Handle, Performative, Role, Transfer,
};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::super::delivery::{Incoming, Tag};
use super::super::super::event::Event;
use super::super::SessionConfig;
use super::{LINKS, Rig, begin};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A transfer frame on a link, with so many octets, and whether more of its delivery follow.
    Frame(usize, usize, bool, bool),
    /// The application takes the oldest delivery that waits.
    Take,
    /// It settles one of those that it took, whichever.
    Settle(usize, bool),
    /// It settles all of a link up to one of those that it took.
    SettleUpTo(usize),
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..LINKS, 0..300usize, any::<bool>(), prop::bool::weighted(0.1)).prop_map(|(a, b, c, d)| Step::Frame(a, b, c, d)),
        6 => Just(Step::Take),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(a, b)| Step::Settle(a, b)),
        1 => any::<usize>().prop_map(Step::SettleUpTo),
        4 => Just(Step::Turn),
    ]
}

/// What a delivery that the partner sent has become, as far as it has been told.
type Told = BTreeMap<u64, DeliveryState>;

struct World {
    rig: Rig,
    max_frame: usize,
    window: u64,
    octets: usize,
    start: u64,
    sent_frames: u64,
    /// The first frame that may not be sent.
    edge: u64,
    next_delivery: u64,
    /// The delivery that is being sent on each link, whether it is settled, and its frames and octets.
    open: [Option<(u64, bool, u64, usize)>; LINKS],
    /// Deliveries that wait for the application, whole: frames, octets.
    waiting: VecDeque<(Incoming, usize)>,
    waiting_frames: u64,
    waiting_octets: usize,
    /// The partner's unsettled deliveries, and how it has been told to settle the others.
    unsettled: BTreeMap<u64, usize>,
    told: Told,
    /// What the application holds, and what it has settled.
    taken: Vec<(u64, usize)>,
    settled: Told,
}

impl World {
    fn new(start: u64, window: u32, octets: usize, max_frame: u32) -> Self {
        let config = SessionConfig {
            incoming_window: window,
            incoming_octets: octets,
            ..SessionConfig::default()
        };
        let rig = Rig::new(
            config,
            &begin(start, 100),
            max_frame,
            Role::Receiver,
            start as u32,
        );
        let mut world = Self {
            rig,
            max_frame: max_frame as usize,
            window: window.into(),
            octets: octets.max(max_frame as usize),
            start,
            sent_frames: 0,
            edge: 0,
            next_delivery: start,
            open: Default::default(),
            waiting: VecDeque::new(),
            waiting_frames: 0,
            waiting_octets: 0,
            unsettled: BTreeMap::new(),
            told: Told::new(),
            taken: Vec::new(),
            settled: Told::new(),
        };
        world.edge = world.allowed();
        world
    }

    /// The window that the load leaves, computed from nothing but what waits.
    fn allowed(&self) -> u64 {
        let of = |frames: u64, octets: usize| {
            let by_octets = self.octets.saturating_sub(octets) / self.max_frame;
            self.window.saturating_sub(frames).min(by_octets as u64)
        };
        let partial: usize = self.open.iter().flatten().map(|open| open.3).sum();
        let now = of(self.waiting_frames, self.waiting_octets + partial);
        match self.waiting_frames {
            0 => now.max(of(0, 0) / 4 + 1),
            _ => now,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Frame(link, size, more, settled) if self.sent_frames < self.edge => {
                self.frame(link, size, more, settled);
            }
            Step::Frame(..) => {}
            Step::Take => self.take(),
            Step::Settle(which, accept) if !self.taken.is_empty() => {
                let (id, _) = self.taken.swap_remove(which % self.taken.len());
                let state = outcome(accept);
                self.rig
                    .session
                    .settle(id as u32, Some(state.clone()), true);
                self.settled.insert(id, state);
            }
            Step::SettleUpTo(which) if !self.taken.is_empty() => {
                let (last, link) = self.taken[which % self.taken.len()];
                self.settle_up_to(last, link);
            }
            Step::Settle(..) | Step::SettleUpTo(_) => {}
            Step::Turn => self.turn(),
        }
    }

    fn frame(&mut self, link: usize, size: usize, more: bool, settled: bool) {
        let mut transfer = Transfer::new(Handle(link as u32));
        transfer.more = more;
        let (id, settled, frames, octets) = self.open[link].take().unwrap_or_else(|| {
            let id = self.next_delivery;
            self.next_delivery += 1;
            transfer.delivery_id = Some(DeliveryNumber(id as u32));
            let tag = Tag::from_counter(id);
            transfer.delivery_tag = DeliveryTag::try_from(tag.as_bytes()).ok();
            transfer.settled = Some(settled);
            if !settled {
                self.unsettled.insert(id, link);
            }
            (id, settled, 0, 0)
        });
        self.sent_frames += 1;
        let payload = Bytes::from(vec![0; size]);
        let taken = self
            .rig
            .session
            .on_transfer(transfer, payload, &mut self.rig.events);
        taken.expect("a transfer within the window is taken");
        let (frames, octets) = (frames + 1, octets + size);
        if more {
            self.open[link] = Some((id, settled, frames, octets));
            return;
        }
        let Some(Event::Delivery { delivery, .. }) = self.rig.events.pop_back() else {
            panic!("the last transfer of a delivery makes it whole");
        };
        assert_eq!((delivery.id, delivery.payload.len()), (id as u32, octets));
        assert_eq!(
            (delivery.settled, u64::from(delivery.frames)),
            (settled, frames)
        );
        self.waiting_frames += frames;
        self.waiting_octets += octets;
        self.waiting.push_back((delivery, link));
    }

    fn take(&mut self) {
        let Some((delivery, link)) = self.waiting.pop_front() else {
            return;
        };
        self.waiting_frames -= u64::from(delivery.frames);
        self.waiting_octets -= delivery.payload.len();
        self.rig
            .session
            .taken(self.rig.links[link], delivery.load());
        if !delivery.settled {
            let id = self.wide(delivery.id);
            self.taken.push((id, link));
        }
    }

    fn settle_up_to(&mut self, last: u64, link: usize) {
        let key = self.rig.links[link];
        self.rig
            .session
            .settle_up_to(key, last as u32, &outcome(true), true);
        // All that came on the link counts, whether it has been taken or not.
        let ids = self.unsettled.iter().filter(|(_, of)| **of == link);
        let open: Vec<u64> = self.open.iter().flatten().map(|open| open.0).collect();
        let ids: Vec<u64> = ids.map(|(id, _)| *id).collect();
        for id in ids {
            if id <= last && !open.contains(&id) && !self.settled.contains_key(&id) {
                self.settled.insert(id, outcome(true));
            }
        }
        self.taken.retain(|(id, of)| *of != link || *id > last);
        self.waiting.iter_mut().for_each(|(delivery, of)| {
            let id = self.start + u64::from(delivery.id.wrapping_sub(self.start as u32));
            delivery.settled |= *of == link && id <= last;
        });
    }

    fn turn(&mut self) {
        for (performative, _) in self.rig.turn(usize::MAX) {
            match performative {
                Performative::Flow(flow) => {
                    let next = flow.next_incoming_id.expect("both have begun");
                    assert_eq!(next.0, (self.start + self.sent_frames) as u32);
                    let edge = self.sent_frames + u64::from(flow.incoming_window);
                    assert_eq!(edge, self.edge.max(self.sent_frames + self.allowed()));
                    self.edge = edge;
                }
                Performative::Disposition(disposition) => {
                    let first = self.wide(disposition.first.0);
                    let last = disposition.last.map_or(first, |last| self.wide(last.0));
                    assert!(first <= last && disposition.settled);
                    let state = disposition.state.expect("an outcome");
                    while let Some((id, _)) = self.unsettled.range(first..=last).next() {
                        let id = *id;
                        self.unsettled.remove(&id);
                        self.told.insert(id, state.clone());
                    }
                }
                other => panic!("nothing asks for {other:?}"),
            }
        }
        assert_eq!(
            self.told, self.settled,
            "settled is what the application settled, and nothing else"
        );
        let (left, whole) = (
            self.edge - self.sent_frames,
            self.window.min((self.octets / self.max_frame) as u64),
        );
        let starved = left <= whole / 2 && self.allowed() > left + whole / 4;
        assert!(
            !starved,
            "{left} of {whole} are left, and {} could be",
            self.allowed()
        );
    }

    fn wide(&self, id: u32) -> u64 {
        self.start + u64::from(id.wrapping_sub(self.start as u32))
    }
}

fn outcome(accept: bool) -> DeliveryState {
    match accept {
        true => Accepted::default().into(),
        false => Released::default().into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn the_incoming_window_and_what_is_held_agree_with_a_naive_partner(
        before_wrap in 0..60u32,
        window in 1..40u32,
        octets in 300..20_000usize,
        steps in vec(step(), 1..250),
    ) {
        // tests: [SES-17] [SES-19] [SES-24] [SES-26] [SES-27] [LNK-53] [PRF-20] [PRF-21]
        let mut world = World::new(u64::from(u32::MAX - before_wrap), window, octets, 512);
        steps.into_iter().for_each(|step| world.step(step));
        world.step(Step::Turn);
        // Once the application has taken and settled everything, the partner can go on.
        while !world.waiting.is_empty() {
            world.step(Step::Take);
        }
        while !world.taken.is_empty() {
            world.step(Step::Settle(0, true));
        }
        world.step(Step::Turn);
        prop_assert!(world.sent_frames < world.edge, "a window is open");
        let held = world.rig.session.unsettled().1;
        let open: Vec<u64> = world.open.iter().flatten().map(|open| open.0).collect();
        prop_assert_eq!(held, 0);
        prop_assert!(world.unsettled.keys().all(|id| open.contains(id)), "only what is not whole is open");
        // One delivery beyond the window ends the session.
        while world.sent_frames < world.edge {
            world.frame(0, 0, false, false);
        }
        let beyond = world.rig.session.on_transfer(Transfer::new(Handle(0)), Bytes::new(), &mut world.rig.events);
        let violation = beyond.expect_err("it is beyond the window");
        prop_assert_eq!(violation.condition, ErrorCondition::WindowViolation);
    }
}

#[test]
fn an_outcome_is_not_told_of_deliveries_that_went_with_a_detached_link() {
    // tests: [PRF-20] [LNK-38]
    let mut world = World::new(u64::from(u32::MAX - 2), 100, 100_000, 512);
    for (link, more) in [(0, false), (1, false), (1, true), (0, false)] {
        world.frame(link, 10, more, false);
    }
    // The second link goes and may come back: its partner keeps what is open. One more is on its way.
    world.rig.session.detach(world.rig.links[1], false, None);
    world.rig.session.forget_deliveries(world.rig.links[1]);
    let last = Transfer::new(Handle(1));
    let dropped = world
        .rig
        .session
        .on_transfer(last, Bytes::new(), &mut world.rig.events);
    dropped.expect("what was on its way is dropped");
    for id in [world.start, world.start + 3] {
        world
            .rig
            .session
            .settle(id as u32, Some(outcome(true)), true);
    }
    let mut ranges = Vec::new();
    for (performative, _) in world.rig.turn(usize::MAX) {
        if let Performative::Disposition(told) = performative {
            ranges.push((told.first.0, told.last));
        }
    }
    assert_eq!(ranges, [(u32::MAX - 2, None), (0, None)]);
}
