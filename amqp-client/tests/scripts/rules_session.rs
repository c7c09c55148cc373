//! Rules of sessions that no script shows; the ids start near the wrap. Sections 2.5, 2.7.2, 2.7.4.

use amqp_client::proto::{Event, SessionConfig};
use amqp_client::types::messaging::{Accepted, DeliveryState};
use amqp_client::types::transport::{
    Begin, Detach, End, ErrorCondition, Handle, Open, Role, SequenceNo, Transfer, TransferNumber,
};

use crate::support::app::answer_to;
use crate::support::frames::frame;
use crate::support::{Peer, attach, begin, config, first_transfer, flow, message};

/// A session whose transfer-ids and delivery-ids wrap after two.
fn wrapping() -> SessionConfig {
    SessionConfig {
        next_outgoing_id: u32::MAX - 1,
        next_delivery_id: u32::MAX - 1,
        ..SessionConfig::default()
    }
}

#[test]
fn nothing_follows_an_end_on_its_channel() {
    // tests: [SES-06] [SES-07]
    let mut peer = Peer::begun(config());
    peer.app.accepts = false;
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.flow();
    peer.transfer(0, first_transfer(0, 0), &message("m"));
    peer.send(0, End::default());
    peer.skip_flows();
    assert!(peer.end().1.error.is_none());
    let link = peer.app.links[0];
    peer.engine.settle(link.session, 0, None, true);
    peer.engine.set_credit(link, 7);
    peer.turn();
    peer.quiet();
}

#[test]
fn crossing_ends_answer_each_other() {
    // tests: [SES-09]
    let (mut peer, session) = Peer::client_begun(config(), wrapping());
    peer.engine.end(session, None);
    peer.turn();
    peer.end();
    peer.send(0, End::default());
    peer.quiet();
    assert_eq!(peer.engine.counts(), (0, 0));
}

/// A begin right behind the end on its channel is lost by some brokers.
#[test]
fn a_channel_is_used_again_when_all_others_have_been() {
    // tests: [SES-01] [SES-09]
    let mut config = config();
    config.channel_max = 2;
    let mut peer = Peer::client_opened(config, Open::new("peer"));
    for expected in [0, 1, 2, 0, 1] {
        let session = peer.engine.begin(SessionConfig::default());
        peer.turn();
        let (channel, _) = peer.begin();
        assert_eq!(channel, expected);
        let mut answer = begin(0);
        answer.remote_channel = Some(channel);
        peer.send(0, answer);
        peer.engine.end(session.expect("a channel"), None);
        peer.turn();
        peer.end();
        peer.send(0, End::default());
        peer.quiet();
    }
    // Channels that are taken are passed over.
    let held = peer.engine.begin(SessionConfig::default());
    peer.turn();
    assert_eq!(peer.begin().0, 2);
    for expected in [0, 1] {
        peer.engine.begin(SessionConfig::default());
        peer.turn();
        assert_eq!(peer.begin().0, expected);
    }
    assert!(held.is_some());
    assert!(peer.engine.begin(SessionConfig::default()).is_none());
}

#[test]
fn what_is_in_flight_after_the_own_end_is_not_answered() {
    // tests: [SES-15] [SES-11]
    let mut peer = Peer::begun(config());
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.flow();
    let session = peer.app.links[0].session;
    peer.engine.end(session, None);
    peer.turn();
    peer.end();
    peer.transfer(0, first_transfer(0, 0), &message("m"));
    peer.send(0, attach("B", 1, Role::Sender));
    let mut echo = flow(None);
    echo.echo = true;
    peer.send(0, echo);
    peer.quiet();
    peer.send(0, flow(Some(9)));
    peer.quiet();
    peer.send(0, End::default());
    peer.quiet();
    assert_eq!(peer.engine.counts(), (0, 0));
    assert!(!peer.engine.is_finished());
}

#[test]
fn an_error_end_discards_until_the_partners_end() {
    // tests: [SES-11] [SES-12]
    let mut peer = Peer::begun(config());
    peer.send(5, begin(0));
    peer.begin();
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.flow();
    peer.send(0, flow(Some(9)));
    peer.ended_with(&[ErrorCondition::UnattachedHandle]);
    let before = peer.app.events.len();
    for id in 0..5 {
        peer.transfer(0, first_transfer(0, id), &message("m"));
    }
    peer.send(0, attach("B", 1, Role::Receiver));
    peer.grant(0, 7);
    peer.send(0, Detach::new(Handle(0)));
    peer.quiet();
    assert_eq!(peer.app.events.len(), before, "nothing of it is heard");
    peer.send(0, End::default());
    peer.quiet();
    assert!(peer.app.messages.is_empty());
    peer.send(5, attach("A", 0, Role::Sender));
    peer.attach();
    assert_eq!(peer.engine.counts(), (1, 1));
}

#[test]
fn frames_may_follow_an_own_begin_at_once() {
    // tests: [SES-13] [SES-28] [PRF-07]
    let mut peer = Peer::client_opened(config(), Open::new("peer"));
    let session = peer.engine.begin(wrapping()).expect("a channel");
    let link = peer.attach_link_quietly(session, attach("A", 0, Role::Receiver));
    peer.engine.set_credit(link, 3);
    peer.turn();
    let begin_frame = peer.begin().1;
    assert_eq!(begin_frame.remote_channel, None);
    assert_eq!(begin_frame.next_outgoing_id.0, u32::MAX - 1);
    peer.attach();
    // Credit waits for the answer, which may be a refusal.
    peer.quiet();
    // Frames other than a begin can not come on a channel that has none.
    peer.send(0, attach("A", 0, Role::Sender));
    peer.closed_with(&[ErrorCondition::NotAllowed]);
}

#[test]
fn credit_goes_out_behind_the_answer_unless_that_is_a_refusal() {
    // tests: [LNK-09] [PRF-07] [SES-28]
    for refused in [false, true] {
        let (mut peer, session) = Peer::client_begun(config(), wrapping());
        let link = peer.attach_link_quietly(session, attach("A", 0, Role::Receiver));
        peer.engine.set_credit(link, 3);
        peer.turn();
        peer.attach();
        peer.quiet();
        let mut answer = attach("A", 0, Role::Sender);
        answer.initial_delivery_count = Some(SequenceNo(7));
        if refused {
            answer.source = None;
            peer.send(0, answer);
            peer.quiet();
            continue;
        }
        peer.send(0, answer);
        let flow = peer.flow();
        assert_eq!(flow.link_credit, Some(3));
        assert_eq!(flow.delivery_count, Some(SequenceNo(7)));
        assert!(flow.next_incoming_id.is_some());
    }
}

#[test]
fn what_was_settled_before_an_end_is_told_before_it() {
    // tests: [LNK-44]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = peer.attached(session, "A", Role::Receiver, 0);
    peer.app.accepts = false;
    peer.engine.set_credit(link, 10);
    peer.turn();
    peer.flow();
    for id in 0..3 {
        peer.transfer(0, first_transfer(0, id), &message("m"));
    }
    for id in 0..2 {
        let accepted = DeliveryState::Accepted(Accepted::default());
        peer.engine.settle(session, id, Some(accepted), true);
    }
    peer.engine.end(session, None);
    peer.turn();
    let told = peer.disposition();
    assert_eq!((told.first.0, told.last.map(|last| last.0)), (0, Some(1)));
    assert!(peer.end().1.error.is_none());
    peer.quiet();
}

/// Artemis marks what it sends while it reads an end as settled, and sends it again to the next link.
#[test]
fn what_comes_behind_the_own_end_does_not_reach_the_application() {
    // tests: [SES-15]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = peer.attached(session, "A", Role::Receiver, 0);
    peer.engine.set_credit(link, 10);
    peer.turn();
    peer.flow();
    peer.engine.end(session, None);
    peer.turn();
    peer.end();
    let mut late = first_transfer(0, 0);
    late.settled = Some(true);
    peer.transfer(0, late, &message("late"));
    peer.send(0, End::default());
    peer.quiet();
    assert!(peer.app.messages.is_empty());
    assert_eq!(peer.engine.counts(), (0, 0));
}

#[test]
fn the_window_of_the_partner_is_kept_to() {
    // tests: [SES-16] [SES-17] [SES-18] [SES-21] [SES-22] [SES-23] [SES-25] [SES-27]
    let mut peer = Peer::client_opened(config(), Open::new("peer"));
    let session = peer.engine.begin(wrapping()).expect("a channel");
    peer.turn();
    peer.begin();
    let mut answer = Begin::new(TransferNumber(7), 2, 100);
    answer.remote_channel = Some(0);
    peer.send(0, answer);
    let link = peer.attached(session, "A", Role::Sender, 0);
    let grant = |next_incoming_id: Option<u32>, window: u32| {
        let mut grant = flow(Some(0));
        grant.next_outgoing_id = TransferNumber(7);
        grant.next_incoming_id = next_incoming_id.map(TransferNumber);
        grant.incoming_window = window;
        grant.delivery_count = Some(SequenceNo(0));
        grant.link_credit = Some(100);
        grant
    };
    peer.send(0, grant(None, 2));
    for seq in 0..6 {
        peer.send_message(link, seq, true);
    }
    peer.transfer_frame();
    peer.transfer_frame();
    peer.quiet();
    // Two of the window of three are still under way, counted over the wrap.
    peer.send(0, grant(Some(u32::MAX - 1), 3));
    peer.transfer_frame();
    peer.quiet();
    // Without next-incoming-id the initial id counts: three were sent, of five.
    peer.send(0, grant(None, 5));
    peer.transfer_frame();
    peer.transfer_frame();
    peer.quiet();
    // A window of nothing that crosses five transfers is no window, not a large one.
    peer.send(0, grant(Some(u32::MAX - 1), 0));
    peer.quiet();
    // Other frames go out all the same, and tell the ids as they are.
    let mut echo = grant(Some(3), 0);
    echo.echo = true;
    peer.send(0, echo);
    let told = peer.flow();
    assert_eq!(told.next_outgoing_id.0, 3);
    assert_eq!(told.next_incoming_id.map(|n| n.0), Some(7));
    peer.quiet();
    peer.send(0, grant(Some(3), 1));
    peer.transfer_frame();
    peer.quiet();
}

#[test]
fn transfers_that_were_never_sent_can_not_be_acknowledged() {
    // tests: [SES-29]
    let (mut peer, _) = Peer::client_begun(config(), wrapping());
    let mut ahead = flow(None);
    ahead.next_incoming_id = Some(TransferNumber(u32::MAX));
    peer.send(0, ahead);
    peer.ended_with(&[ErrorCondition::WindowViolation]);
}

#[test]
fn a_flow_tells_where_the_partner_stands() {
    // tests: [SES-19] [SES-20]
    let mut peer = Peer::begun(config());
    let mut told = flow(None);
    told.next_outgoing_id = TransferNumber(10);
    told.echo = true;
    peer.send(0, told);
    assert_eq!(peer.flow().next_incoming_id.map(|n| n.0), Some(10));
    peer.quiet();
}

#[test]
fn the_window_is_opened_again_before_it_starves_the_partner() {
    // tests: [SES-26] [SES-24]
    let mut config = config();
    config.session.incoming_window = 8;
    let mut peer = Peer::begun(config);
    peer.app.credit = Some(1000);
    peer.send(0, attach("A", 0, Role::Sender));
    for id in 0..80 {
        peer.transfer(0, first_transfer(0, id), &message("m"));
    }
    assert_eq!(peer.app.messages.len(), 80);
    assert!(
        peer.saw(|event| matches!(event, Event::SessionEnded { .. }).then_some(()))
            .is_none()
    );
}

/// Qpid Broker-J counts its window at the first transfer of a delivery only.
#[test]
fn a_delivery_that_began_within_the_window_may_end_beyond_it() {
    // tests: [SES-24] [SES-26]
    let mut config = config();
    config.session.incoming_window = 3;
    config.session.incoming_octets = 8 * config.max_frame_size as usize;
    let whole = message("0123456789");
    let (head, tail) = whole.split_at(4);
    let part = |more: bool| {
        let mut part = Transfer::new(Handle(0));
        part.more = more;
        part
    };
    // A delivery of one link has begun when those of another one fill the window.
    let full = || {
        let mut peer = Peer::begun(config.clone());
        peer.app.accepts = false;
        peer.app.credit = Some(1000);
        for (handle, name) in (0..).zip(["A", "B"]) {
            peer.send(0, attach(name, handle, Role::Sender));
            peer.attach();
            peer.flow();
        }
        let mut first = first_transfer(0, 0);
        first.more = true;
        peer.transfer(0, first, head);
        for id in 1..4 {
            peer.transfer(0, first_transfer(1, id), &whole);
        }
        for _ in 0..7 {
            peer.transfer(0, part(true), &[]);
        }
        assert_eq!(peer.app.messages.len(), 3);
        peer
    };
    let mut peer = full();
    peer.transfer(0, part(false), tail);
    assert_eq!(peer.app.messages, ["0123456789"; 4]);
    // Another one may not begin.
    peer.transfer(0, first_transfer(0, 4), &whole);
    peer.ended_with(&[ErrorCondition::WindowViolation]);
    // And it may not go on for ever: as many frames more as the octets of the window stand for.
    let mut peer = full();
    peer.transfer(0, part(true), &[]);
    peer.transfer(0, part(false), tail);
    peer.ended_with(&[ErrorCondition::WindowViolation]);
    assert_eq!(peer.app.messages.len(), 3);
}

#[test]
fn no_handle_above_the_partners_handle_max_is_used() {
    // tests: [SES-30]
    let mut peer = Peer::client_opened(config(), Open::new("peer"));
    let session = peer
        .engine
        .begin(SessionConfig::default())
        .expect("a channel");
    // Attached before the limit is known: the second waits, and is given up then.
    peer.attach_link_quietly(session, attach("A", 0, Role::Sender));
    peer.attach_link_quietly(session, attach("B", 0, Role::Sender));
    peer.turn();
    peer.begin();
    assert_eq!(peer.attach().handle.0, 0);
    peer.quiet();
    let mut answer = begin(0);
    answer.remote_channel = Some(0);
    answer.handle_max = Handle(0);
    peer.send(0, answer);
    peer.quiet();
    assert_eq!(
        peer.count(|event| matches!(event, Event::LinkDetached { .. })),
        1
    );
    let third = Box::new(attach("C", 0, Role::Sender));
    assert!(
        peer.engine
            .attach(session, third, Default::default())
            .is_none()
    );
}

#[test]
fn delivery_ids_come_from_one_sequence_for_all_links() {
    // tests: [SES-35] [LNK-53]
    let (mut peer, session) = Peer::client_begun(config(), wrapping());
    let links = [
        peer.attached(session, "A", Role::Sender, 0),
        peer.attached(session, "B", Role::Sender, 1),
    ];
    for handle in [0, 1] {
        let mut grant = flow(Some(handle));
        grant.next_incoming_id = None;
        grant.link_credit = Some(10);
        peer.send(0, grant);
    }
    for (n, id) in [u32::MAX - 1, u32::MAX, 0, 1].into_iter().enumerate() {
        peer.send_message(links[n % 2], n as u64, false);
        let (transfer, _) = peer.transfer_frame();
        assert_eq!(transfer.delivery_id.map(|n| n.0), Some(id));
        assert_eq!(transfer.handle.0, n as u32 % 2);
    }
}

#[test]
fn a_gap_in_the_delivery_ids_ends_the_session() {
    // tests: [SES-36]
    let mut peer = Peer::begun(config());
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.transfer(0, first_transfer(0, u32::MAX), &message("one"));
    peer.transfer(0, first_transfer(0, 0), &message("two"));
    peer.skip_flows();
    peer.disposition();
    peer.disposition();
    peer.transfer(0, first_transfer(0, 2), &message("three"));
    peer.ended_with(&[ErrorCondition::InvalidField, ErrorCondition::NotAllowed]);
    assert_eq!(peer.app.messages, ["one", "two"]);
}

#[test]
fn the_answer_to_a_begin_may_come_on_any_channel() {
    // tests: [CON-14] [SES-02]
    let mut peer = Peer::client_opened(config(), Open::new("peer"));
    let session = peer
        .engine
        .begin(SessionConfig::default())
        .expect("a channel");
    peer.turn();
    peer.begin();
    let mut answer = begin(0);
    answer.remote_channel = Some(0);
    peer.send(7, answer);
    peer.attach_link(session, attach("A", 0, Role::Receiver));
    assert_eq!(peer.attach_on().0, 0);
    peer.send(7, attach("A", 3, Role::Sender));
    assert_eq!(
        peer.count(|event| matches!(event, Event::LinkAttached { .. })),
        1
    );
}

#[test]
fn a_begin_that_crosses_the_own_close_is_followed_by_no_flow_that_does_not_know_it() {
    // tests: [SES-28] [CON-61]
    let mut peer = Peer::client_opened(config(), Open::new("peer"));
    let begun = peer.engine.begin(SessionConfig::default());
    let session = begun.expect("a channel is free");
    peer.turn();
    let (channel, _) = peer.begin();
    let link = peer.attach_link(session, attach("A", 0, Role::Receiver));
    let mine = peer.attach();
    peer.engine.set_credit(link, 5);
    peer.engine.close(None);
    let mut answers = begin(0);
    answers.remote_channel = Some(channel);
    let mut octets = frame(0, &answers, &[]).to_vec();
    let mut answer = answer_to(&mine);
    answer.initial_delivery_count = Some(SequenceNo(0));
    octets.extend_from_slice(&frame(0, &answer, &[]));
    let mut echo = flow(None);
    echo.echo = true;
    octets.extend_from_slice(&frame(0, &echo, &[]));
    peer.write(octets);
    peer.close();
    peer.quiet();
}
