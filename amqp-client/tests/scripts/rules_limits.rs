//! What a hostile or broken peer can make the engine keep. Each test is a row of `docs/limits.md`.

use amqp_client::proto::{Config, Event, SessionConfig};
use amqp_client::types::messaging::{DeliveryState, Rejected};
use amqp_client::types::transport::{
    Attach, DeliveryNumber, Detach, Disposition, End, Error, ErrorCondition, Fields, Handle, Open,
    ReceiverSettleMode, Role,
};
use amqp_client::types::{Array, Symbol, Value};

use crate::support::frames::{AMQP, frame};
use crate::support::{Peer, assert_condition, attach, begin, config, first_transfer, message};

const LIMIT: &[ErrorCondition] = &[ErrorCondition::ResourceLimitExceeded];

fn detach(handle: u32) -> Detach {
    let mut detach = Detach::new(Handle(handle));
    detach.closed = true;
    detach
}

fn attached(peer: &mut Peer, name: &str, handle: u32) {
    peer.send(0, attach(name, handle, Role::Receiver));
    peer.attach();
}

/// Attaches a link that is one too many; it is refused.
fn refused(peer: &mut Peer, name: &str, handle: u32) {
    let before = peer.app.links.len();
    peer.send(0, attach(name, handle, Role::Receiver));
    assert_eq!(peer.attach().source, None);
    let detach = peer.detach();
    assert!(detach.closed);
    assert_condition(detach.error.as_deref(), LIMIT);
    peer.quiet();
    assert_eq!(
        peer.app.links.len(),
        before,
        "the application hears nothing"
    );
}

#[test]
fn links_above_the_limit_are_refused_and_too_many_refusals_end_the_session() {
    let mut peer = Peer::begun(Config {
        max_links: 2,
        ..config()
    });
    attached(&mut peer, "A", 0);
    attached(&mut peer, "B", 1);
    refused(&mut peer, "C", 2);
    peer.send(0, detach(2));
    peer.quiet();
    // Where one goes there is room for another.
    peer.send(0, detach(1));
    peer.detach();
    attached(&mut peer, "D", 1);
    refused(&mut peer, "E", 2);
    refused(&mut peer, "F", 3);
    // Two links and two that are refused and not let go of.
    peer.send(0, attach("G", 4, Role::Receiver));
    peer.ended_with(LIMIT);
    assert!(peer.engine.counts().1 <= 4);
}

#[test]
fn links_of_all_sessions_count_together_and_own_ones_do_not() {
    let mut peer = Peer::begun(Config {
        max_links: 2,
        ..config()
    });
    peer.send(1, begin(0));
    peer.begin();
    attached(&mut peer, "A", 0);
    peer.send(1, attach("B", 0, Role::Receiver));
    peer.attach();
    refused(&mut peer, "C", 1);
    let session = peer.app.links[0].session;
    peer.attach_link(session, attach("mine", 0, Role::Sender));
    assert_eq!(peer.attach().name.as_ref(), "mine");
    peer.send(0, attach("mine", 2, Role::Receiver));
    peer.quiet();
    // The links of a session go with it.
    peer.send(1, End::default());
    peer.end();
    attached(&mut peer, "D", 3);
}

#[test]
fn attaches_may_take_so_many_octets_together() {
    let mut peer = Peer::begun(Config {
        max_link_octets: 20_000,
        ..config()
    });
    let large = |name: &str, handle| {
        let mut large = attach(name, handle, Role::Receiver);
        let mut properties = Fields::default();
        properties.insert(Symbol::from_static("x"), "x".repeat(9_000));
        large.properties = Some(properties);
        large
    };
    for round in 0..10 {
        peer.send(0, large("A", 0));
        peer.attach();
        peer.send(0, detach(0));
        peer.detach();
        assert_eq!(peer.engine.counts().1, 0, "{round}");
    }
    for handle in 0..2 {
        peer.send(0, large(&handle.to_string(), handle));
        peer.attach();
    }
    peer.send(0, large("C", 2));
    peer.ended_with(LIMIT);
}

#[test]
fn unsettled_deliveries_are_limited_whatever_the_credit() {
    // In mode second they stay until the peer confirms, and credit goes on.
    let mut config = config();
    config.session.max_unsettled = 3;
    let mut peer = Peer::begun(config);
    let mut mine = attach("A", 0, Role::Sender);
    mine.rcv_settle_mode = ReceiverSettleMode::Second;
    peer.send(0, mine);
    peer.attach();
    for id in 0..3 {
        peer.transfer(0, first_transfer(0, id), &message("m"));
    }
    let mut settled = first_transfer(0, 3);
    settled.settled = Some(true);
    peer.transfer(0, settled, &message("a settled one takes nothing"));
    assert_eq!(peer.app.messages.len(), 4);
    peer.forget();
    peer.transfer(0, first_transfer(0, 4), &message("m"));
    peer.ended_with(LIMIT);
}

#[test]
fn one_disposition_hands_out_so_many_octets_of_states() {
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.grant(0, 1000);
    for seq in 0..100 {
        peer.send_message(link, seq, false);
    }
    peer.forget();
    let mut error = Error::new(ErrorCondition::DecodeError);
    let mut info = Fields::default();
    info.insert(Symbol::from_static("x"), Value::from("x".repeat(40_000)));
    error.info = Some(info);
    error.description = Some("why".into());
    let mut all = Disposition::new(Role::Receiver, DeliveryNumber(0));
    all.last = Some(DeliveryNumber(99));
    all.settled = true;
    all.state = Some(DeliveryState::Rejected(Rejected {
        error: Some(Box::new(error)),
    }));
    peer.send(0, all);
    let mut detailed = 0;
    let mut outcomes = 0;
    for event in &peer.app.events {
        if let Event::Settled {
            state: Some(DeliveryState::Rejected(rejected)),
            ..
        } = event
        {
            let error = rejected
                .error
                .as_ref()
                .expect("the condition is never lost");
            assert_eq!(error.condition, ErrorCondition::DecodeError);
            outcomes += 1;
            detailed += usize::from(error.info.is_some());
        }
    }
    assert_eq!(outcomes, 100);
    assert!((1..=1024 * 1024 / 40_000).contains(&detailed), "{detailed}");
}

#[test]
fn what_is_owed_is_written_within_the_budget() {
    let mut config = config();
    config.write_budget = 4096;
    let mut peer = Peer::begun(config);
    peer.app.answers = false;
    let mut large = Attach::new("A", Handle(0), Role::Receiver);
    let mut properties = Fields::default();
    properties.insert(Symbol::from_static("x"), "x".repeat(1_000));
    large.properties = Some(properties);
    for handle in 0..50 {
        large.handle = Handle(handle);
        large.name = handle.to_string().into();
        peer.send(0, large.clone());
    }
    let events = std::mem::take(&mut peer.app.events);
    for event in events {
        if let Event::LinkIncoming { link, attach } = event {
            let mut answer = *attach;
            answer.role = Role::Sender;
            peer.engine.refuse_link(
                link,
                Box::new(answer),
                Box::new(Error::new(ErrorCondition::NotFound)),
            );
        }
    }
    let mut out = amqp_client::proto::WriteBuf::new();
    let mut turns = 0;
    loop {
        let more = peer.engine.poll_transmit(peer.now, &mut out);
        assert!(out.len() < 4096 + 1_500, "{}", out.len());
        out.take();
        turns += 1;
        if !more {
            break;
        }
    }
    assert!(turns >= 50 * 1_000 / 4096, "{turns}");
    for handle in 0..50 {
        peer.send(0, detach(handle));
    }
    assert_eq!(peer.engine.counts().1, 0);
}

#[test]
fn values_are_nested_so_deep_and_the_link_answers_for_deeper_ones() {
    for (depth, fits) in [(20, true), (40, false)] {
        let mut peer = Peer::begun(config());
        let mut nested = Value::from(1u32);
        for _ in 0..depth {
            nested = Value::List(vec![nested].into());
        }
        let mut deep = attach("A", 0, Role::Receiver);
        let mut properties = Fields::default();
        properties.insert(Symbol::from_static("x"), nested);
        deep.properties = Some(properties);
        peer.send(0, deep);
        peer.attach();
        if fits {
            peer.quiet();
        } else {
            peer.detached_with(&[ErrorCondition::DecodeError, ErrorCondition::InvalidField]);
        }
    }
}

#[test]
fn arrays_hold_so_many_elements_without_octets() {
    for (count, fits) in [(65_536, true), (65_537, false)] {
        let mut peer = Peer::begun(config());
        let array = Array::repeat(Value::Bool(true), count).expect("one kind");
        let mut many = attach("A", 0, Role::Receiver);
        let mut properties = Fields::default();
        properties.insert(Symbol::from_static("x"), Value::Array(Box::new(array)));
        many.properties = Some(properties);
        peer.send(0, many);
        peer.attach();
        if fits {
            peer.quiet();
        } else {
            peer.detached_with(&[ErrorCondition::DecodeError]);
        }
    }
}

#[test]
fn a_partner_has_so_many_channels_and_handles() {
    let mut peer = Peer::opened(config());
    for channel in 0..256 {
        peer.send(channel, begin(0));
        assert_eq!(peer.begin().1.handle_max, Handle(4095));
    }
    peer.send(255, attach("A", 4095, Role::Receiver));
    peer.attach();
    peer.quiet();
    peer.send(256, begin(0));
    peer.closed_with(&[ErrorCondition::FramingError]);
}

#[test]
fn a_partner_that_begins_while_all_channels_are_taken_loses_the_connection() {
    let mut config = config();
    config.channel_max = 0;
    let mut peer = Peer::opened(config);
    // Ours is on its way, so that none is left to answer the partner's on.
    peer.engine
        .begin(SessionConfig::default())
        .expect("the first");
    peer.turn();
    peer.begin();
    peer.send(0, begin(0));
    peer.closed_with(&[ErrorCondition::ResourceLimitExceeded]);
}

#[test]
fn an_open_is_a_frame_like_any_other() {
    for (octets, fits) in [(65_536, true), (65_537, false)] {
        let mut peer = Peer::listener(config());
        peer.write(AMQP);
        peer.header(AMQP);
        let mut open = Open::new("peer");
        let padded = |open: &Open| frame(0, open, &[]).len();
        open.hostname = Some("x".repeat(300).into());
        let room = octets - padded(&open);
        open.hostname = Some("x".repeat(300 + room).into());
        assert_eq!(padded(&open), octets);
        peer.send(0, open);
        peer.open();
        match fits {
            true => peer.quiet(),
            false => {
                let close = peer.close();
                assert_condition(close.error.as_deref(), &[ErrorCondition::FramingError]);
                assert!(
                    peer.saw(|event| matches!(event, Event::Opened(_)).then_some(()))
                        .is_none()
                );
            }
        }
    }
}

#[test]
fn a_partner_that_attaches_while_all_handles_are_taken_loses_the_session() {
    let narrow = SessionConfig {
        handle_max: 0,
        ..SessionConfig::default()
    };
    let (mut peer, session) = Peer::client_begun(config(), narrow);
    peer.attach_link(session, attach("ours", 0, Role::Sender));
    peer.attach();
    peer.send(0, attach("theirs", 0, Role::Sender));
    peer.ended_with(LIMIT);
}

#[test]
fn large_frames_that_nobody_takes_close_the_window() {
    let mut config = config();
    config.session.incoming_octets = 2 * 65_536;
    let mut peer = Peer::opened(config);
    peer.app.accepts = false;
    peer.send(0, begin(0));
    assert_eq!(peer.begin().1.incoming_window, 2);
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.flow();
    for id in 0..2 {
        peer.transfer(0, first_transfer(0, id), &[0; 60_000]);
    }
    peer.quiet();
    peer.transfer(0, first_transfer(0, 2), b"small");
    peer.ended_with(&[ErrorCondition::WindowViolation]);
}
