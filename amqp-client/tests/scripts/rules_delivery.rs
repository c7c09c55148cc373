//! Rules of deliveries and their states that no script shows. Sections 2.6.12, 2.6.14, 2.7.5, 2.7.6, 3.4.

use amqp_client::proto::Unsettled;
use amqp_client::proto::{
    Event, Key, LinkConfig, LinkKey, Outstanding, Resume, SessionConfig, Tag,
};
use amqp_client::types::Map;
use amqp_client::types::messaging::{Accepted, DeliveryState, Received, Rejected, Released};
use amqp_client::types::transport::{
    Attach, DeliveryNumber, DeliveryTag, Disposition, ErrorCondition, Handle, MessageFormat, Open,
    ReceiverSettleMode, Role, Transfer,
};

use crate::support::{Peer, attach, begin, config, first_transfer, flow, message};

/// A listener to which the peer sends on handle 0; what comes waits for the test.
fn receiving(mine: Attach) -> Peer {
    let mut peer = Peer::begun(config());
    peer.app.accepts = false;
    peer.send(0, mine);
    peer.attach();
    peer.flow();
    peer
}

/// A client with a sender of plenty of credit.
fn sending() -> (Peer, Key, LinkKey) {
    let start = SessionConfig {
        next_delivery_id: u32::MAX,
        ..SessionConfig::default()
    };
    let (mut peer, session) = Peer::client_begun(config(), start);
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.grant(0, 100);
    (peer, session, link)
}

fn report(
    role: Role,
    first: u32,
    state: impl Into<Option<DeliveryState>>,
    settled: bool,
) -> Disposition {
    let mut disposition = Disposition::new(role, DeliveryNumber(first));
    disposition.state = state.into();
    disposition.settled = settled;
    disposition
}

fn accepted() -> DeliveryState {
    Accepted::default().into()
}

fn released() -> DeliveryState {
    Released::default().into()
}

fn settled(peer: &Peer) -> Vec<(u64, Option<DeliveryState>)> {
    let events = peer.app.events.iter();
    events
        .filter_map(|event| match event {
            Event::Settled { seq, state, .. } => Some((*seq, state.clone())),
            _ => None,
        })
        .collect()
}

fn received(peer: &Peer) -> Vec<&amqp_client::proto::Incoming> {
    let events = peer.app.events.iter();
    events
        .filter_map(|event| match event {
            Event::Delivery { delivery, .. } => Some(delivery),
            _ => None,
        })
        .collect()
}

#[test]
fn settling_is_said_once_and_in_mode_first_with_the_outcome() {
    // tests: [LNK-44] [LNK-46] [LNK-47]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    peer.transfer(0, first_transfer(0, 0), &message("m"));
    let session = peer.app.links[0].session;
    peer.engine.settle(session, 0, Some(accepted()), true);
    peer.engine.settle(session, 0, Some(released()), true);
    peer.turn();
    peer.skip_flows();
    let told = peer.disposition();
    assert_eq!((told.settled, told.state), (true, Some(accepted())));
    peer.engine.settle(session, 0, Some(released()), true);
    peer.turn();
    peer.skip_flows();
    peer.quiet();
    assert_eq!(peer.engine.unsettled(session), (0, 0));
}

#[test]
fn unknown_deliveries_are_ignored() {
    // tests: [LNK-45] [PRF-21]
    let (mut peer, session, link) = sending();
    peer.send_message(link, 1, false);
    peer.transfer_frame();
    peer.send(0, report(Role::Receiver, 100, accepted(), true));
    peer.send(0, report(Role::Sender, 0, accepted(), true));
    peer.quiet();
    assert_eq!(peer.engine.unsettled(session), (1, 0));
    peer.send(0, report(Role::Receiver, u32::MAX, accepted(), true));
    peer.send(0, report(Role::Receiver, u32::MAX, released(), true));
    // tests: [LNK-46] [OUT-02]
    peer.quiet();
    assert_eq!(settled(&peer), [(1, Some(accepted()))]);
}

#[test]
fn a_range_reaches_from_first_to_last_and_over_all_links() {
    // tests: [PRF-19] [PRF-20] [PRF-22]
    let (mut peer, session, link) = sending();
    let other = peer.attached(session, "B", Role::Sender, 1);
    let mut grant = crate::support::flow(Some(1));
    grant.next_incoming_id = None;
    grant.link_credit = Some(10);
    peer.send(0, grant);
    for seq in 0..4 {
        let link = if seq % 2 == 0 { link } else { other };
        peer.send_message(link, seq, false);
        peer.transfer_frame();
    }
    peer.send(0, report(Role::Receiver, 0, released(), true));
    assert_eq!(settled(&peer), [(1, Some(released()))]);
    let mut range = report(Role::Receiver, u32::MAX, accepted(), true);
    range.last = Some(DeliveryNumber(1));
    peer.send(0, range);
    let seqs: Vec<u64> = settled(&peer).iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [1, 0, 2]);
    assert_eq!(peer.engine.unsettled(session), (1, 0));
}

#[test]
fn a_terminal_state_stays() {
    // tests: [LNK-52] [OUT-01] [OUT-02]
    let (mut peer, session, link) = sending();
    peer.send_message(link, 1, false);
    peer.transfer_frame();
    // Progress is no outcome: the delivery stays open.
    let progress = DeliveryState::from(Received::new(0, 4096));
    peer.send(0, report(Role::Receiver, u32::MAX, progress, false));
    assert_eq!(peer.engine.unsettled(session), (1, 0));
    peer.quiet();
    peer.send(0, report(Role::Receiver, u32::MAX, accepted(), false));
    // tests: [LNK-48]
    let told = peer.disposition();
    assert_eq!((told.role, told.settled), (Role::Sender, true));
    peer.send(
        0,
        report(
            Role::Receiver,
            u32::MAX,
            DeliveryState::from(Rejected::default()),
            true,
        ),
    );
    peer.quiet();
    assert_eq!(settled(&peer), [(1, Some(accepted()))]);
    // The same for what we have told in mode second.
    let mut second = attach("A", 0, Role::Sender);
    second.rcv_settle_mode = ReceiverSettleMode::Second;
    let mut peer = receiving(second);
    peer.transfer(0, first_transfer(0, 0), &message("m"));
    let session = peer.app.links[0].session;
    peer.engine.settle(session, 0, Some(accepted()), false);
    peer.engine.settle(session, 0, Some(released()), false);
    peer.turn();
    peer.skip_flows();
    let told = peer.disposition();
    assert_eq!((told.settled, told.state), (false, Some(accepted())));
    peer.quiet();
}

#[test]
fn a_state_of_the_senders_own_is_confirmed() {
    // tests: [LNK-51] [OUT-09]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    peer.transfer(0, first_transfer(0, 0), &message("m"));
    peer.send(0, report(Role::Sender, 0, released(), false));
    peer.skip_flows();
    let told = peer.disposition();
    assert_eq!((told.role, told.settled), (Role::Receiver, true));
    assert_eq!(told.state, Some(released()));
    peer.quiet();
}

#[test]
fn settled_on_any_transfer_settles() {
    // tests: [LNK-56] [LNK-54]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    let octets = message("whole");
    let mut part = first_transfer(0, 0);
    part.more = true;
    peer.transfer(0, part, &octets[..2]);
    let mut part = Transfer::new(Handle(0));
    part.more = true;
    part.settled = Some(true);
    peer.transfer(0, part, &octets[2..]);
    peer.transfer(0, Transfer::new(Handle(0)), &[]);
    assert_eq!(peer.app.messages, ["whole"]);
    assert!(received(&peer)[0].settled);
    assert_eq!(peer.engine.unsettled(peer.app.links[0].session), (0, 0));
}

#[test]
fn a_resumed_delivery_that_is_not_known_is_ignored() {
    // tests: [LNK-59] [LNK-58]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    let mut resumed = first_transfer(0, 0);
    resumed.resume = true;
    peer.transfer(0, resumed, &message("old"));
    peer.skip_flows();
    peer.quiet();
    assert!(peer.app.messages.is_empty());
    // It has used its ids, and its part of the window.
    peer.engine.set_credit(peer.app.links[0], 7);
    peer.turn();
    let told = peer.flow();
    assert_eq!(told.next_incoming_id.map(|id| id.0), Some(1));
    peer.transfer(0, first_transfer(0, 1), &message("new"));
    assert_eq!(peer.app.messages, ["new"]);
}

#[test]
fn what_an_incomplete_map_does_not_name_stays_open() {
    // tests: [LNK-64] [LNK-62]
    for incomplete in [false, true] {
        let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
        let tag = Tag::new(b"1").expect("a short tag");
        let link = LinkConfig {
            resume: Some(Resume::Receiver(vec![Outstanding { tag, state: None }])),
            ..LinkConfig::default()
        };
        let mine = Box::new(attach("A", 0, Role::Receiver));
        peer.engine.attach(session, mine, link).expect("a handle");
        peer.turn();
        assert!(peer.attach().unsettled.is_some());
        let mut answer = attach("A", 0, Role::Sender);
        answer.unsettled = Some(Default::default());
        answer.incomplete_unsettled = incomplete;
        peer.send(0, answer);
        let over = peer.count(|event| matches!(event, Event::Resumed { id: None, .. }));
        assert_eq!(over, usize::from(!incomplete));
    }
}

#[test]
fn the_first_transfer_names_the_delivery() {
    // tests: [PRF-10] [PRF-11] [PRF-12] [PRF-30]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    // An absent format is the standard's; another is handed on as it is.
    let mut plain = first_transfer(0, 0);
    plain.message_format = None;
    peer.transfer(0, plain, &message("m"));
    let mut foreign = first_transfer(0, 1);
    foreign.message_format = Some(MessageFormat(0x100));
    peer.transfer(0, foreign, &[1, 2, 3]);
    let formats: Vec<u32> = received(&peer).iter().map(|d| d.message_format).collect();
    assert_eq!(formats, [0, 0x100]);
    assert_eq!(received(&peer)[1].payload, [1, 2, 3][..]);
    let mut nameless = first_transfer(0, 2);
    nameless.delivery_tag = None;
    peer.transfer(0, nameless, &message("m"));
    peer.detached_with(&[ErrorCondition::InvalidField]);
    // What we send names everything, and says it once.
    let (mut peer, _, link) = sending();
    peer.send_message(link, 5, false);
    let (transfer, _) = peer.transfer_frame();
    assert_eq!(transfer.delivery_id, Some(DeliveryNumber(u32::MAX)));
    assert_eq!(transfer.message_format, Some(MessageFormat(0)));
    assert!(transfer.delivery_tag.is_some());
}

#[test]
fn a_continuation_may_not_contradict_the_first_transfer() {
    // tests: [PRF-13]
    type Change = fn(&mut Transfer);
    let changes: [Change; 3] = [
        |t| t.delivery_id = Some(DeliveryNumber(9)),
        |t| t.delivery_tag = first_transfer(0, 9).delivery_tag,
        |t| t.message_format = Some(MessageFormat(1)),
    ];
    for change in changes {
        let mut peer = receiving(attach("A", 0, Role::Sender));
        let mut part = first_transfer(0, 0);
        part.more = true;
        peer.transfer(0, part.clone(), &[]);
        // The same once more is legal.
        peer.transfer(0, part.clone(), &[]);
        peer.skip_flows();
        peer.quiet();
        change(&mut part);
        peer.transfer(0, part, &[]);
        peer.detached_with(&[ErrorCondition::InvalidField, ErrorCondition::NotAllowed]);
    }
}

#[test]
fn a_transfer_may_ask_for_mode_first_and_not_for_second_on_a_link_of_first() {
    // tests: [PRF-15] [PRF-16]
    let mut second = attach("A", 0, Role::Sender);
    second.rcv_settle_mode = ReceiverSettleMode::Second;
    let mut peer = receiving(second);
    peer.transfer(0, first_transfer(0, 0), &message("m"));
    let mut first = first_transfer(0, 1);
    first.rcv_settle_mode = Some(ReceiverSettleMode::First);
    peer.transfer(0, first, &message("m"));
    let modes: Vec<_> = received(&peer).iter().map(|d| d.mode).collect();
    assert_eq!(
        modes,
        [ReceiverSettleMode::Second, ReceiverSettleMode::First]
    );
    let mut peer = receiving(attach("A", 0, Role::Sender));
    let mut pre_settled = first_transfer(0, 0);
    pre_settled.rcv_settle_mode = Some(ReceiverSettleMode::Second);
    pre_settled.settled = Some(true);
    peer.transfer(0, pre_settled, &message("m"));
    assert_eq!(peer.app.messages, ["m"]);
    let mut asking = first_transfer(0, 1);
    asking.rcv_settle_mode = Some(ReceiverSettleMode::Second);
    peer.transfer(0, asking, &message("m"));
    peer.detached_with(&[ErrorCondition::InvalidField]);
}

#[test]
fn a_state_beside_a_transfer_is_handed_on_and_is_no_offset() {
    // tests: [PRF-17] [OUT-04] [OUT-05]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    let mut stated = first_transfer(0, 0);
    stated.state = Some(Received::new(0, 3).into());
    peer.transfer(0, stated, &message("whole"));
    assert_eq!(peer.app.messages, ["whole"]);
    assert_eq!(
        received(&peer)[0].state.as_deref(),
        Some(&DeliveryState::from(Received::new(0, 3)))
    );
    // The engine itself says `received` on no transfer but a resumed one.
    let (mut peer, _, link) = sending();
    peer.send_message(link, 1, false);
    assert_eq!(peer.transfer_frame().0.state, None);
}

#[test]
fn an_outcome_before_the_last_transfer_does_not_cut_the_delivery_short() {
    // tests: [OUT-06] [PRF-24]
    let mut open = amqp_client::types::transport::Open::new("peer");
    open.max_frame_size = 512;
    let mut peer = Peer::client_opened(config(), open);
    let session = peer
        .engine
        .begin(SessionConfig::default())
        .expect("a channel");
    peer.turn();
    peer.begin();
    let mut answer = amqp_client::types::transport::Begin::new(
        amqp_client::types::transport::TransferNumber(0),
        2,
        2048,
    );
    answer.remote_channel = Some(0);
    peer.send(0, answer);
    let link = peer.attached(session, "A", Role::Sender, 0);
    let mut grant = crate::support::flow(Some(0));
    grant.incoming_window = 2;
    grant.link_credit = Some(1);
    peer.send(0, grant.clone());
    let mut large = crate::support::outgoing(1, false);
    large.payload = vec![7; 1200].into();
    peer.engine.send(link, [large]);
    peer.turn();
    let mut octets = peer.transfer_frame().1.len() + peer.transfer_frame().1.len();
    peer.quiet();
    peer.send(0, report(Role::Receiver, 0, accepted(), true));
    assert_eq!(settled(&peer), [(1, Some(accepted()))]);
    grant.link_credit = None;
    grant.next_incoming_id = Some(amqp_client::types::transport::TransferNumber(2));
    peer.send(0, grant);
    let (last, payload) = peer.transfer_frame();
    octets += payload.len();
    assert!(!last.more);
    assert_eq!(octets, 1200);
    peer.quiet();
}

/// A client whose sender is attached again with these deliveries, after the peer's answer.
fn resumed(unsettled: Vec<Unsettled>, told: &[(&[u8], Option<DeliveryState>)]) -> Peer {
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = LinkConfig {
        resume: Some(Resume::Sender {
            unsettled,
            resend: true,
            tell: true,
        }),
        ..LinkConfig::default()
    };
    let mine = Box::new(attach("A", 0, Role::Sender));
    peer.engine.attach(session, mine, link).expect("a handle");
    peer.turn();
    peer.attach();
    let mut answer = attach("A", 0, Role::Receiver);
    let mut map = Map::default();
    for (tag, state) in told {
        let tag = DeliveryTag::try_from(tag.to_vec()).expect("a short tag");
        map.insert(tag, state.clone());
    }
    answer.unsettled = Some(map);
    peer.send(0, answer);
    peer.grant(0, 10);
    peer
}

fn unsettled(tag: &[u8], payload: Vec<u8>, state: Option<DeliveryState>) -> Unsettled {
    let mut message = crate::support::outgoing(1, false);
    message.tag = Tag::new(tag).map(Box::new);
    message.payload = payload.into();
    Unsettled {
        message,
        state,
        transmitted: true,
    }
}

#[test]
fn only_what_is_in_the_own_map_is_resumed() {
    // tests: [LNK-60] [LNK-62] [LNK-63]
    let known = unsettled(b"1", message("m"), None);
    let mut peer = resumed(vec![known], &[(b"1", None), (b"9", Some(accepted()))]);
    let (transfer, _) = peer.transfer_frame();
    assert_eq!(
        transfer.delivery_tag.map(|tag| tag.to_vec()),
        Some(b"1".to_vec())
    );
    assert!(transfer.resume);
    peer.quiet();
}

#[test]
fn a_mark_counts_sections_and_octets_of_the_encoded_message() {
    // tests: [RES-17] [RES-07] [RES-02]
    // Three data sections, each of which holds octets that look like the start of another.
    let mut payload = Vec::new();
    let mut starts = Vec::new();
    for _ in 0..3 {
        starts.push(payload.len());
        payload.extend_from_slice(&[0, 0x53, 0x75, 0xa0, 6, 0, 0x53, 0x75, 0, 0x53, 0x75]);
    }
    for (mark, at) in [
        (Received::new(1, 0), starts[1]),
        (Received::new(0, 11), starts[1]),
        (Received::new(1, 6), starts[1] + 6),
        (Received::new(2, 3), starts[2] + 3),
    ] {
        let source = DeliveryState::from(Received::new(0, 0));
        let known = unsettled(b"1", payload.clone(), Some(source));
        let told = DeliveryState::from(mark);
        let mut peer = resumed(vec![known], &[(b"1", Some(told.clone()))]);
        let (transfer, sent) = peer.transfer_frame();
        assert!(transfer.resume && !transfer.aborted);
        assert_eq!(transfer.state, Some(told));
        assert_eq!(sent, payload[at..]);
    }
}

#[test]
fn a_delivery_of_which_the_source_has_an_outcome_is_told_once() {
    // tests: [RES-11] [RES-12] [RES-13] [RES-14] [RES-15] [LNK-63]
    let received = || DeliveryState::from(Received::new(1, 0));
    // What the target says of it; whether it is told settled, or given up.
    for (target, settled, aborted) in [
        (Some(accepted()), true, false),
        (Some(released()), false, false),
        (Some(received()), false, true),
        (None, false, true),
    ] {
        let known = unsettled(b"1", message("m"), Some(accepted()));
        let mut peer = resumed(vec![known], &[(b"1", target)]);
        let (transfer, payload) = peer.transfer_frame();
        assert!(transfer.resume && !transfer.more && payload.is_empty());
        assert_eq!(transfer.settled == Some(true), settled);
        assert_eq!(transfer.aborted, aborted);
        assert_eq!(transfer.state, (!aborted).then(accepted));
        peer.quiet();
    }
    let known = unsettled(b"1", message("m"), Some(accepted()));
    resumed(vec![known], &[]).quiet();
}

#[test]
fn an_aborted_delivery_leaves_room_for_another() {
    // tests: [LNK-30] [LNK-55]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    for id in 0..5 {
        peer.quiet();
        peer.transfer(0, first_transfer_of_two(id), b"half");
        let mut aborted = Transfer::new(Handle(0));
        aborted.aborted = true;
        peer.transfer(0, aborted, &[]);
    }
    // Half of the ten credits is used, and nothing is held for it.
    let told = peer.flow();
    assert_eq!(told.delivery_count.map(|count| count.0), Some(5));
    assert_eq!(told.link_credit, Some(10));
    assert!(peer.app.messages.is_empty());
}

fn first_transfer_of_two(id: u32) -> Transfer {
    let mut first = first_transfer(0, id);
    first.more = true;
    first
}

#[test]
fn a_message_of_just_the_largest_size_is_taken() {
    // tests: [LNK-40]
    for streaming in [false, true] {
        let mut peer = Peer::begun(config());
        peer.app.answers = false;
        peer.send(0, attach("A", 0, Role::Sender));
        let (link, mut answer) = match peer.app.events.last() {
            Some(Event::LinkIncoming { link, attach }) => {
                (*link, crate::support::app::answer_to(attach))
            }
            other => panic!("{other:?}"),
        };
        answer.max_message_size = Some(16);
        let config = LinkConfig {
            credit: Some(10),
            streaming,
            ..LinkConfig::default()
        };
        peer.engine.accept_link(link, Box::new(answer), config);
        peer.turn();
        peer.forget();
        peer.transfer(0, first_transfer_of_two(0), &[0; 8]);
        peer.transfer(0, Transfer::new(Handle(0)), &[0; 8]);
        peer.skip_flows();
        if !streaming {
            peer.disposition();
        }
        peer.quiet();
        peer.transfer(0, first_transfer_of_two(1), &[0; 16]);
        peer.quiet();
        peer.transfer(0, Transfer::new(Handle(0)), &[0; 1]);
        peer.detached_with(&[ErrorCondition::MessageSizeExceeded]);
    }
}

#[test]
fn a_delivery_that_is_settled_without_a_state_keeps_the_last_one() {
    // tests: [LNK-45] [OUT-06]
    let (mut peer, _, link) = sending();
    peer.send_message(link, 7, false);
    let (transfer, _) = peer.transfer_frame();
    let id = transfer.delivery_id.expect("a first transfer").0;
    let mark = DeliveryState::from(Received::new(0, 3));
    peer.send(0, report(Role::Receiver, id, mark.clone(), false));
    assert_eq!(settled(&peer), []);
    peer.send(0, report(Role::Receiver, id, None, true));
    assert_eq!(settled(&peer), [(7, Some(mark))]);
    peer.quiet();
}

#[test]
fn a_delivery_of_many_frames_uses_one_credit_and_says_what_it_is_once() {
    // tests: [LNK-29] [PRF-13] [LNK-24]
    // What comes.
    let mut peer = receiving(attach("A", 0, Role::Sender));
    peer.transfer(0, first_transfer_of_two(0), b"one, ");
    for _ in 0..3 {
        let mut more = Transfer::new(Handle(0));
        more.more = true;
        peer.transfer(0, more, b"more, ");
    }
    peer.transfer(0, Transfer::new(Handle(0)), b"last");
    assert_eq!(
        received(&peer)[0].payload,
        &b"one, more, more, more, last"[..]
    );
    peer.engine.add_credit(peer.app.links[0], 10);
    peer.turn();
    let told = peer.flow();
    assert_eq!(told.delivery_count.map(|count| count.0), Some(1));
    assert_eq!(told.link_credit, Some(19), "ten less one, and ten more");
    assert_eq!(told.next_incoming_id.map(|id| id.0), Some(5));
    // What goes: one credit, and a message of three frames of 512 octets.
    let mut open = Open::new("peer");
    open.max_frame_size = 512;
    let mut peer = Peer::client_opened(config(), open);
    let session = peer.engine.begin(SessionConfig::default());
    let session = session.expect("a channel is free");
    peer.turn();
    peer.begin();
    let mut answer = begin(0);
    answer.remote_channel = Some(0);
    peer.send(0, answer);
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.grant(0, 1);
    let mut large = crate::support::outgoing(0, false);
    large.payload = vec![7; 1200].into();
    peer.engine.send(link, [large]);
    peer.turn();
    let mut frames = 0;
    loop {
        let (transfer, _) = peer.transfer_frame();
        assert_eq!(transfer.delivery_id.is_some(), frames == 0);
        assert_eq!(transfer.delivery_tag.is_some(), frames == 0);
        assert_eq!(transfer.message_format.is_some(), frames == 0);
        frames += 1;
        if !transfer.more {
            break;
        }
    }
    assert_eq!(frames, 3);
    let mut echo = flow(Some(0));
    echo.echo = true;
    peer.send(0, echo);
    let told = peer.flow();
    assert_eq!(told.delivery_count.map(|count| count.0), Some(1));
    assert_eq!(told.link_credit, Some(0));
}
