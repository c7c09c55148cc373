//! A partner that receives: the outgoing window, the order of deliveries, and what it settles in ranges.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use amqp_types::messaging::{Accepted, DeliveryState};
use amqp_types::transport::{
    DeliveryNumber, Disposition, Flow, Handle, Performative, Role, SequenceNo, Transfer,
    TransferNumber,
};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::super::delivery::{Outgoing, TransferKind};
use super::super::super::event::Event;
use super::super::SessionConfig;
use super::{LINKS, Rig, begin};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The application sends so many octets on a link, settled or not.
    Send(usize, usize, bool),
    /// The session writes, so many octets at once.
    Turn(usize),
    /// The partner reads so many of the frames that are on their way.
    Receive(usize),
    /// It tells its window, and the credit of a link.
    Flow(u32, usize, u32),
    /// It settles, or only tells the outcome of, so many deliveries from one on that it knows.
    Report(usize, usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let window = prop_oneof![6 => 0..20u32, 1 => Just(i32::MAX as u32)];
    let octets = prop_oneof![6 => 0..200usize, 1 => 200..3_000usize];
    let budget = prop_oneof![1 => 0..1_000usize, 3 => Just(usize::MAX)];
    prop_oneof![
        8 => (0..LINKS, octets, prop::bool::weighted(0.2)).prop_map(|(a, b, c)| Step::Send(a, b, c)),
        6 => budget.prop_map(Step::Turn),
        4 => (1..12usize).prop_map(Step::Receive),
        4 => (window, 0..LINKS, 0..30u32).prop_map(|(a, b, c)| Step::Flow(a, b, c)),
        3 => (0..20usize, 0..12usize, any::<bool>()).prop_map(|(a, b, c)| Step::Report(a, b, c)),
    ]
}

/// One link, in numbers that do not wrap.
#[derive(Default)]
struct Link {
    /// Messages that are not yet whole at the partner: seq, octets, settled.
    messages: VecDeque<(u64, usize, bool)>,
    /// Deliveries begun by the session, and the first that it has no credit for.
    begun: u64,
    limit: u64,
    /// Whether the last transfer that was written has more behind it.
    writing: bool,
    /// How many messages wait for their first transfer.
    queued: usize,
    /// Deliveries that the partner has seen begin, and what it has of the last one.
    arrived: u64,
    open: Option<usize>,
}

struct World {
    rig: Rig,
    start: u64,
    links: [Link; LINKS],
    next_seq: u64,
    in_flight: VecDeque<(Transfer, usize)>,
    sent_frames: u64,
    received_frames: u64,
    edge: u64,
    /// Deliveries that were begun by the session, and that the partner has heard of.
    begun: u64,
    known: u64,
    /// The link and the seq of every delivery that is not settled.
    unsettled: BTreeMap<u64, (usize, u64)>,
    /// Deliveries whose outcome the session has to confirm by settling.
    to_confirm: BTreeSet<u64>,
}

impl World {
    fn new(start: u64, window: u32) -> Self {
        let config = SessionConfig {
            next_outgoing_id: start as u32,
            next_delivery_id: start as u32,
            ..SessionConfig::default()
        };
        Self {
            rig: Rig::new(config, &begin(7, window), 512, Role::Sender, start as u32),
            start,
            links: Default::default(),
            next_seq: 0,
            in_flight: VecDeque::new(),
            sent_frames: 0,
            received_frames: 0,
            edge: window.into(),
            begun: 0,
            known: 0,
            unsettled: BTreeMap::new(),
            to_confirm: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send(link, octets, settled) => self.send(link, octets, settled),
            Step::Turn(budget) => self.turn(budget),
            Step::Receive(frames) => (0..frames).for_each(|_| self.receive()),
            Step::Flow(window, link, credit) => self.flow(window, link, credit),
            Step::Report(back, count, settled) => self.report(back, count, settled),
        }
        assert_eq!(self.rig.session.unsettled().0, self.unsettled.len());
    }

    fn send(&mut self, link: usize, octets: usize, settled: bool) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.links[link].messages.push_back((seq, octets, settled));
        self.links[link].queued += 1;
        let message = Outgoing {
            seq,
            payload: Bytes::from(vec![0; octets]),
            settled,
            tag: None,
            message_format: 0,
            state: None,
            kind: TransferKind::New,
            stream: false,
            hold: false,
        };
        self.rig.session.send(self.rig.links[link], [message]);
    }

    fn turn(&mut self, budget: usize) {
        for (performative, payload) in self.rig.turn(budget) {
            match performative {
                Performative::Transfer(transfer) => self.written(transfer, payload.len()),
                Performative::Disposition(disposition) => self.confirmed(&disposition),
                other => panic!("nothing asks for {other:?}"),
            }
        }
        if budget == usize::MAX {
            assert!(self.to_confirm.is_empty());
            for link in self.links.iter().filter(|_| self.sent_frames < self.edge) {
                assert!(!link.writing && (link.queued == 0 || link.begun >= link.limit));
            }
        }
    }

    fn written(&mut self, transfer: Transfer, octets: usize) {
        assert!(self.sent_frames < self.edge, "a frame beyond the window");
        self.sent_frames += 1;
        let at = transfer.handle.0 as usize;
        let link = &mut self.links[at];
        if !link.writing {
            assert!(link.begun < link.limit, "a delivery beyond the credit");
            let id = self.start + self.begun;
            assert_eq!(transfer.delivery_id, Some(DeliveryNumber(id as u32)));
            let (seq, _, settled) = link.messages[link.messages.len() - link.queued];
            if !settled {
                self.unsettled.insert(id, (at, seq));
            }
            self.begun += 1;
            link.begun += 1;
            link.queued -= 1;
        }
        link.writing = transfer.more;
        self.in_flight.push_back((transfer, octets));
    }

    fn receive(&mut self) {
        let Some((transfer, octets)) = self.in_flight.pop_front() else {
            return;
        };
        self.received_frames += 1;
        let link = &mut self.links[transfer.handle.0 as usize];
        if link.open.is_none() {
            link.arrived += 1;
            self.known += 1;
        }
        let whole = link.open.take().unwrap_or(0) + octets;
        if transfer.more {
            link.open = Some(whole);
            return;
        }
        let message = link.messages.pop_front();
        assert_eq!(
            message.map(|message| message.1),
            Some(whole),
            "whole and in order"
        );
    }

    fn flow(&mut self, window: u32, at: usize, credit: u32) {
        let next = TransferNumber((self.start + self.received_frames) as u32);
        let mut flow = Flow::new(window, TransferNumber(7), i32::MAX as u32);
        flow.next_incoming_id = Some(next);
        flow.handle = Some(Handle(at as u32));
        let link = &mut self.links[at];
        flow.delivery_count = Some(SequenceNo((self.start + link.arrived) as u32));
        flow.link_credit = Some(credit);
        link.limit = link.arrived + u64::from(credit);
        self.edge = self.received_frames + u64::from(window);
        let taken = self.rig.session.on_flow(&flow, &mut self.rig.events);
        taken.expect("a flow that acknowledges what was sent");
    }

    fn report(&mut self, back: usize, count: usize, settled: bool) {
        if self.known == 0 {
            return;
        }
        let last = self.start + (self.known - 1).saturating_sub(back as u64);
        let first = last - count as u64;
        let mut disposition = Disposition::new(Role::Receiver, DeliveryNumber(first as u32));
        disposition.last = Some(DeliveryNumber(last as u32));
        disposition.settled = settled;
        disposition.state = Some(DeliveryState::from(Accepted::default()));
        self.rig.events.clear();
        let events = &mut self.rig.events;
        self.rig.session.on_disposition(disposition, 10, events);

        let ids: Vec<u64> = self
            .unsettled
            .range(first..=last)
            .map(|(id, _)| *id)
            .collect();
        let over = ids.iter().filter_map(|id| self.unsettled.remove(id));
        let over: Vec<(usize, u64)> = over.collect();
        let told = self.rig.events.drain(..).map(|event| match event {
            Event::Settled { link, seq, state } => {
                assert!(matches!(state, Some(DeliveryState::Accepted(_))));
                let at = self.rig.links.iter().position(|key| *key == link.link);
                (at.expect("a link of ours"), seq)
            }
            other => panic!("a disposition settles: {other:?}"),
        });
        assert!(told.eq(over), "each is told once, in the order of the ids");
        if !settled {
            self.to_confirm.extend(ids);
        }
    }

    fn confirmed(&mut self, disposition: &Disposition) {
        assert!(disposition.settled && disposition.role == Role::Sender);
        let wide =
            |id: DeliveryNumber| self.start + u64::from(id.0.wrapping_sub(self.start as u32));
        let first = wide(disposition.first);
        let last = disposition.last.map_or(first, wide);
        assert!(first <= last && self.unsettled.range(first..=last).next().is_none());
        self.to_confirm.retain(|id| *id < first || *id > last);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn the_outgoing_window_and_what_is_unsettled_agree_with_a_naive_partner(
        before_wrap in 0..60u32,
        window in 0..20u32,
        steps in vec(step(), 1..250),
    ) {
        // tests: [SES-17] [SES-18] [SES-20] [SES-23] [SES-25] [SES-35] [LNK-24] [LNK-48] [PRF-20] [PRF-21]
        let mut world = World::new(u64::from(u32::MAX - before_wrap), window);
        steps.into_iter().for_each(|step| world.step(step));
        // With window and credit all of it arrives, and all of it can be settled at once.
        for link in 0..LINKS {
            world.step(Step::Receive(usize::from(u16::MAX)));
            world.step(Step::Flow(i32::MAX as u32, link, 1_000));
        }
        world.step(Step::Turn(usize::MAX));
        world.step(Step::Receive(usize::from(u16::MAX)));
        prop_assert!(world.links.iter().all(|link| link.messages.is_empty()));
        world.step(Step::Report(0, 1_000_000, true));
        prop_assert!(world.unsettled.is_empty());
    }
}
