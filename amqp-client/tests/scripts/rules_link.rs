//! Rules of links that no script shows. Sections 2.6, 2.7.3, 2.7.7.

use amqp_client::proto::{Event, LinkConfig, SessionConfig};
use amqp_client::types::messaging::{SourceArchetype, Target, TargetArchetype};
use amqp_client::types::transport::{
    Attach, DeliveryNumber, Detach, Disposition, Error, ErrorCondition, Handle, Role,
    SenderSettleMode, SequenceNo,
};

use crate::support::frames::raw_frame;
use crate::support::{Peer, attach, begin, config, first_transfer, flow, hex, message, outgoing};

fn detach(handle: u32, closed: bool) -> Detach {
    let mut detach = Detach::new(Handle(handle));
    detach.closed = closed;
    detach
}

fn client() -> (Peer, amqp_client::proto::Key) {
    Peer::client_begun(config(), SessionConfig::default())
}

/// A listener to which the peer sends on handle 0; ten credits are granted.
fn receiving(mine: Attach) -> Peer {
    let mut peer = Peer::begun(config());
    peer.send(0, mine);
    peer.attach();
    peer.flow();
    peer
}

#[test]
fn names_may_be_long_and_say_which_attaches_belong_together() {
    // tests: [LNK-01] [LNK-04] [LNK-07]
    let mut peer = Peer::begun(config());
    let name = "é".repeat(150);
    peer.send(0, attach(&name, 9, Role::Sender));
    let answer = peer.attach();
    assert_eq!(answer.name, name.as_str());
    assert_eq!((answer.role, answer.handle), (Role::Receiver, Handle(0)));
}

#[test]
fn handles_are_chosen_by_each_side_alone() {
    // tests: [LNK-06] [PRF-26] [LNK-24]
    let (mut peer, session) = client();
    let first = peer.attached(session, "A", Role::Sender, 9);
    peer.attached(session, "B", Role::Sender, 0);
    let mut grant = flow(Some(9));
    grant.link_credit = Some(1);
    peer.send(0, grant);
    // One credit, two messages.
    peer.send_message(first, 1, false);
    peer.send_message(first, 2, false);
    assert_eq!(peer.transfer_frame().0.handle, Handle(0));
    peer.quiet();
    peer.send(0, detach(0, true));
    assert_eq!(peer.detach().handle, Handle(1));
    peer.engine.detach(first, true, None);
    peer.turn();
    assert_eq!(peer.detach().handle, Handle(0));
}

#[test]
fn the_termini_are_what_their_owners_say() {
    // tests: [LNK-10] [LNK-11] [SRC-01]
    let (mut peer, session) = client();
    let mut wish = attach("A", 0, Role::Receiver);
    let Some(SourceArchetype::Source(source)) = &mut wish.source else {
        panic!("a source")
    };
    source.address = Some("wanted".into());
    peer.attach_link(session, wish);
    peer.attach();
    let mut answer = attach("A", 0, Role::Sender);
    let Some(SourceArchetype::Source(source)) = &mut answer.source else {
        panic!("a source")
    };
    source.address = Some("given".into());
    peer.send(0, answer);
    let given = peer.saw(|event| match event {
        Event::LinkAttached { attach, .. } => attach.source.clone(),
        _ => None,
    });
    assert!(matches!(
        given,
        Some(SourceArchetype::Source(source)) if source.address == Some("given".into())
    ));
}

#[test]
fn a_sender_says_where_its_delivery_count_starts() {
    // tests: [LNK-13]
    let mut peer = Peer::begun(config());
    let mut silent = attach("A", 0, Role::Sender);
    silent.initial_delivery_count = None;
    peer.send(0, silent);
    peer.ended_with(&[ErrorCondition::InvalidField]);
    // A receiver's is not looked at.
    let mut peer = Peer::begun(config());
    let mut odd = attach("A", 0, Role::Receiver);
    odd.initial_delivery_count = Some(SequenceNo(77));
    peer.send(0, odd);
    let mine = peer.attach().initial_delivery_count;
    assert_eq!(mine, Some(SequenceNo(0)));
    let mut echo = flow(Some(0));
    echo.echo = true;
    peer.send(0, echo);
    assert_eq!(peer.flow().delivery_count, Some(SequenceNo(0)));
    // Nor is it where nobody has chosen one yet.
    let mut peer = Peer::begun(config());
    peer.app.answers = false;
    let mut odd = attach("A", 0, Role::Receiver);
    odd.initial_delivery_count = Some(SequenceNo(77));
    peer.send(0, odd);
    peer.send(0, detach(0, true));
    let mine = peer.attach().initial_delivery_count;
    assert_eq!(mine, Some(SequenceNo(0)));
}

#[test]
fn an_attach_that_does_not_decode_is_answered_by_its_link() {
    // tests: [LNK-16] [LNK-37] [PRF-04] [SRC-18] [TYP-41] [LNK-08]
    let fields = [
        ("snd-settle-mode 3", "a10141 43 42 5003"),
        (
            "expiry-policy foo",
            "a10141 43 42 40 40 005328 c00904 40 40 a303666f6f",
        ),
        (
            "properties with a string key",
            "a10141 43 42 404040404040404040 40 40 c10602a1016b5401",
        ),
        (
            "unsettled with a null key",
            "a10141 43 42 404040404040 40 c10302 4040",
        ),
    ];
    for (what, fields) in fields {
        let fields = hex(fields);
        let mut body = hex("005312 c0");
        let count = match what {
            "snd-settle-mode 3" => 4,
            "expiry-policy foo" => 6,
            "unsettled with a null key" => 11,
            _ => 14,
        };
        body.push(fields.len() as u8 + 1);
        body.push(count);
        body.extend(fields);
        let mut peer = Peer::begun(config());
        peer.write(raw_frame(0, 0, &body));
        let answer = peer.attach();
        assert_eq!(answer.name, "A", "{what}");
        assert_eq!((answer.role, answer.target), (Role::Receiver, None));
        peer.detached_with(&[ErrorCondition::InvalidField, ErrorCondition::DecodeError]);
        peer.send(0, detach(0, true));
        peer.quiet();
        assert_eq!(peer.engine.counts(), (1, 0), "{what}");
        assert!(peer.app.links.is_empty(), "the application hears nothing");
        // The session goes on.
        peer.send(0, attach("A", 0, Role::Sender));
        peer.attach();
    }
}

#[test]
fn a_bad_answer_closes_the_link_that_waited_for_it() {
    // tests: [LNK-37] [TYP-41]
    let (mut peer, session) = client();
    peer.attach_link(session, attach("A", 0, Role::Sender));
    peer.attach();
    peer.write(raw_frame(
        0,
        0,
        &hex("005312 c0 0a 05 a10141 43 41 40 5009"),
    ));
    peer.detached_with(&[ErrorCondition::InvalidField, ErrorCondition::DecodeError]);
    let seen = peer.count(|event| matches!(event, Event::LinkDetached { closed: true, .. }));
    assert_eq!(seen, 1);
}

#[test]
fn a_frame_without_its_handle_ends_the_session_alone() {
    // tests: [SES-10] [SES-12] [SES-27] [TYP-34] [PRF-02]
    let bodies = [
        ("flow without windows", "005313 45"),
        ("attach without handle", "005312 c0 04 01 a10141"),
        ("transfer without handle", "005314 45"),
        ("disposition without first", "005315 c0 02 01 42"),
    ];
    for (what, body) in bodies {
        let mut peer = Peer::begun(config());
        peer.write(raw_frame(0, 0, &hex(body)));
        peer.ended_with(&[ErrorCondition::InvalidField, ErrorCondition::DecodeError]);
        assert!(!peer.engine.is_finished(), "{what}");
    }
}

#[test]
fn a_begin_without_its_windows_closes_the_connection() {
    // tests: [PRF-01]
    let mut peer = Peer::opened(config());
    peer.write(raw_frame(0, 0, &hex("005311 c0 03 02 40 43")));
    peer.closed_with(&[ErrorCondition::InvalidField, ErrorCondition::DecodeError]);
}

#[test]
fn a_closing_detach_that_crosses_ours_is_answered_by_attaching_and_closing() {
    // tests: [LNK-22]
    let (mut peer, session) = client();
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.engine.detach(link, false, None);
    peer.turn();
    assert!(!peer.detach().closed);
    peer.send(0, detach(0, true));
    let again = peer.attach();
    assert_eq!((again.name.as_ref(), again.role), ("A", Role::Sender));
    let closing = peer.detach();
    assert_eq!((closing.handle, closing.closed), (again.handle, true));
    // Both frames are answered; only then is the handle free.
    peer.send(0, attach("A", 0, Role::Receiver));
    peer.send(0, detach(0, true));
    peer.quiet();
    assert_eq!(peer.engine.counts(), (1, 0));
}

#[test]
fn a_handle_is_free_once_both_sides_have_detached() {
    // tests: [LNK-23] [LNK-20] [LNK-04]
    let (mut peer, session) = client();
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.engine.detach(link, true, None);
    peer.turn();
    assert!(peer.detach().closed);
    // The partner has not detached: neither handle is free.
    peer.attach_link(session, attach("B", 0, Role::Sender));
    assert_eq!(peer.attach().handle, Handle(1));
    peer.send(0, detach(0, true));
    peer.quiet();
    peer.attach_link(session, attach("C", 0, Role::Sender));
    assert_eq!(peer.attach().handle, Handle(0));
    peer.send(0, attach("C", 0, Role::Receiver));
    peer.quiet();
    // What comes on a handle after its detach has no link to go to.
    peer.send(0, flow(Some(1)));
    peer.ended_with(&[ErrorCondition::UnattachedHandle]);
}

#[test]
fn a_link_is_stolen_across_sessions() {
    // tests: [LNK-05]
    let mut peer = Peer::begun(config());
    peer.send(5, begin(0));
    peer.begin();
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.flow();
    // The same name in the other direction is another link.
    peer.send(5, attach("A", 1, Role::Receiver));
    peer.attach();
    peer.quiet();
    peer.send(5, attach("A", 0, Role::Sender));
    let mut closed = None;
    let mut answered = false;
    for _ in 0..2 {
        match peer.next() {
            crate::support::frames::Item::Frame(0, performative, _) => closed = Some(performative),
            crate::support::frames::Item::Frame(..) => answered = true,
            other => panic!("{other:?}"),
        }
    }
    assert!(answered);
    let Some(amqp_client::types::transport::Performative::Detach(detached)) = closed else {
        panic!("the first attachment is told: {closed:?}")
    };
    let condition = detached.error.map(|error| error.condition);
    assert_eq!(
        (detached.closed, condition),
        (true, Some(ErrorCondition::Stolen))
    );
}

#[test]
fn a_link_starts_without_credit() {
    // tests: [LNK-36] [LNK-24] [PRF-06]
    let (mut peer, session) = client();
    let mut mine = attach("A", 0, Role::Sender);
    mine.initial_delivery_count = Some(SequenceNo(u32::MAX));
    peer.attach_link(session, mine);
    let mine = peer.attach();
    assert_eq!(mine.initial_delivery_count, Some(SequenceNo(u32::MAX)));
    peer.send(0, attach("A", 0, Role::Receiver));
    let link = peer
        .saw(|event| match event {
            Event::LinkAttached { link, .. } => Some(*link),
            _ => None,
        })
        .expect("it is attached");
    for seq in 0..3 {
        peer.send_message(link, seq, true);
    }
    peer.quiet();
    peer.grant(u32::MAX, 2);
    peer.transfer_frame();
    peer.transfer_frame();
    peer.quiet();
    let mut echo = flow(Some(0));
    echo.next_incoming_id = None;
    echo.echo = true;
    peer.send(0, echo);
    let told = peer.flow();
    assert_eq!(told.delivery_count, Some(SequenceNo(1)));
    assert_eq!((told.link_credit, told.available), (Some(0), Some(1)));
}

#[test]
fn what_is_in_flight_when_credit_is_taken_back_is_delivered() {
    // tests: [LNK-34] [LNK-25]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    let link = peer.app.links[0];
    peer.engine.set_credit(link, 0);
    peer.turn();
    assert_eq!(peer.flow().link_credit, Some(0));
    peer.transfer(0, first_transfer(0, 0), &message("one"));
    peer.transfer(0, first_transfer(0, 1), &message("two"));
    assert_eq!(peer.app.messages, ["one", "two"]);
}

#[test]
fn nothing_reaches_the_application_after_an_error_detach() {
    // tests: [LNK-38] [SES-34] [LNK-37]
    let mut peer = receiving(attach("A", 0, Role::Sender));
    let mut bad = first_transfer(0, 0);
    bad.delivery_tag = None;
    peer.transfer(0, bad, &message("bad"));
    peer.detached_with(&[ErrorCondition::InvalidField]);
    peer.transfer(0, first_transfer(0, 1), &message("late"));
    peer.send(0, flow(Some(0)));
    peer.skip_flows();
    peer.quiet();
    assert!(peer.app.messages.is_empty());
    peer.send(0, detach(0, true));
    peer.quiet();
    assert_eq!(peer.engine.counts(), (1, 0));
    // Not by delivery-id either, whichever side sent.
    let (mut peer, session) = client();
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.grant(0, 10);
    peer.send_message(link, 1, false);
    peer.transfer_frame();
    let error = Error::new(ErrorCondition::InternalError);
    peer.engine.detach(link, true, Some(Box::new(error)));
    peer.turn();
    peer.detach();
    peer.forget();
    let mut late = Disposition::new(Role::Receiver, DeliveryNumber(0));
    late.settled = true;
    peer.send(0, late);
    peer.quiet();
    assert!(peer.app.events.is_empty());
    peer.send(0, detach(0, true));
    assert_eq!(peer.engine.unsettled(session), (0, 0));
}

#[test]
fn a_link_without_terminus_carries_nothing() {
    // tests: [PRF-03] [LNK-09]
    let (mut peer, session) = client();
    let link = peer.attach_link(session, attach("A", 0, Role::Sender));
    peer.attach();
    let mut refused = attach("A", 0, Role::Receiver);
    refused.target = None;
    peer.send(0, refused);
    let mut grant = flow(Some(0));
    grant.link_credit = Some(10);
    peer.send(0, grant);
    peer.send_message(link, 1, false);
    peer.quiet();
    peer.send(0, detach(0, true));
    peer.detach();
    peer.quiet();
    // The other way round: a source that will never produce anything gets no credit.
    let wanted = Box::new(attach("B", 0, Role::Receiver));
    let credit = LinkConfig {
        credit: Some(10),
        ..LinkConfig::default()
    };
    peer.engine
        .attach(session, wanted, credit)
        .expect("a handle");
    peer.turn();
    peer.attach();
    peer.skip_flows();
    let mut refused = attach("B", 0, Role::Sender);
    refused.source = None;
    peer.send(0, refused);
    peer.quiet();
}

#[test]
fn the_flow_of_a_session_says_nothing_of_links() {
    // tests: [PRF-05] [PRF-09] [SES-37]
    let mut peer = Peer::begun(config());
    let mut odd = flow(None);
    // What does not belong there is ignored.
    odd.link_credit = Some(5);
    odd.echo = true;
    peer.send(0, odd);
    let told = peer.flow();
    assert_eq!((told.handle, told.delivery_count), (None, None));
    assert_eq!((told.link_credit, told.available), (None, None));
    assert!(!told.drain);
    peer.quiet();
}

#[test]
fn a_receiver_tells_its_wish_and_the_last_known_count() {
    // tests: [PRF-07] [PRF-09] [LNK-28]
    let mut mine = attach("A", 0, Role::Sender);
    mine.initial_delivery_count = Some(SequenceNo(u32::MAX));
    let mut peer = receiving(mine);
    peer.transfer(0, first_transfer(0, 0), &message("one"));
    let link = peer.app.links[0];
    peer.skip_flows();
    peer.disposition();
    peer.engine.drain(link);
    peer.turn();
    let told = peer.flow();
    assert_eq!(told.delivery_count, Some(SequenceNo(0)));
    assert_eq!((told.available, told.drain), (None, true));
    // A sender does not look at what a receiver says of `available`.
    let (mut peer, session) = client();
    peer.attached(session, "A", Role::Sender, 0);
    let mut odd = flow(Some(0));
    odd.available = Some(99);
    odd.echo = true;
    peer.send(0, odd);
    assert_eq!(peer.flow().available, Some(0));
}

#[test]
fn the_senders_settle_mode_is_held_to() {
    // tests: [LNK-49] [LNK-50]
    for (mode, settled) in [
        (SenderSettleMode::Settled, false),
        (SenderSettleMode::Unsettled, true),
    ] {
        let mut mine = attach("A", 0, Role::Sender);
        mine.snd_settle_mode = mode;
        let mut peer = receiving(mine);
        let mut fitting = first_transfer(0, 0);
        fitting.settled = Some(!settled);
        peer.transfer(0, fitting, &message("one"));
        peer.skip_flows();
        if settled {
            peer.disposition();
        }
        assert_eq!(peer.app.messages, ["one"]);
        let mut aborted = first_transfer(0, 1);
        aborted.settled = Some(settled);
        aborted.aborted = true;
        peer.transfer(0, aborted, &[]);
        peer.skip_flows();
        peer.quiet();
        let mut unfitting = first_transfer(0, 2);
        unfitting.settled = Some(settled);
        peer.transfer(0, unfitting, &message("two"));
        peer.detached_with(&[ErrorCondition::InvalidField]);
        assert_eq!(peer.app.messages, ["one"]);
    }
}

#[test]
fn a_size_of_nothing_is_no_limit() {
    // tests: [LNK-39]
    let mut peer = Peer::begun(config());
    peer.app.max_message_size = Some(0);
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.flow();
    let mut part = first_transfer(0, 0);
    for _ in 0..20 {
        part.more = true;
        peer.transfer(0, part, &[7; 60_000]);
        part = amqp_client::types::transport::Transfer::new(Handle(0));
    }
    peer.transfer(0, part, &[]);
    assert_eq!(peer.app.messages.len(), 1);
    // The same for what we send.
    let (mut peer, session) = client();
    peer.attach_link(session, attach("A", 0, Role::Sender));
    peer.attach();
    let mut answer = attach("A", 0, Role::Receiver);
    answer.max_message_size = Some(0);
    answer.target = Some(TargetArchetype::Target(Target::default()));
    peer.send(0, answer);
    peer.grant(0, 1);
    let link = peer
        .saw(|event| match event {
            Event::LinkAttached { link, .. } => Some(*link),
            _ => None,
        })
        .expect("it is attached");
    peer.engine.send(link, [outgoing(1, true)]);
    peer.turn();
    peer.transfer_frame();
}

#[test]
fn a_drain_gives_back_what_is_left_behind_the_messages_that_wait() {
    // tests: [LNK-31] [LNK-24] [PRF-09]
    let (mut peer, session) = client();
    let link = peer.attached(session, "A", Role::Sender, 0);
    for seq in 0..3 {
        peer.send_message(link, seq, false);
    }
    peer.quiet();
    for (count, credit, sent) in [(0, 2, 2), (2, 5, 1)] {
        let mut drain = flow(Some(0));
        drain.delivery_count = Some(SequenceNo(count));
        drain.link_credit = Some(credit);
        drain.drain = true;
        peer.send(0, drain);
        for _ in 0..sent {
            peer.transfer_frame();
        }
        let told = peer.flow();
        assert_eq!(told.delivery_count, Some(SequenceNo(count + credit)));
        assert_eq!((told.link_credit, told.drain), (Some(0), true));
        peer.quiet();
    }
}
