//! Rules of frames and connections that no script shows. Sections 2.2 to 2.4, 2.7.1.

use std::time::Duration;

use amqp_client::proto::{Connection, Event, LinkConfig, SessionConfig};
use amqp_client::types::transport::{
    Close, End, Error, ErrorCondition, Fields, Milliseconds, Open, Role,
};
use amqp_client::types::{Symbol, Value};
use bytes::BytesMut;

use crate::support::frames::{AMQP, frame, raw_frame};
use crate::support::{
    Peer, assert_condition, attach, begin, config, first_transfer, flow, hex, message, outgoing,
};

fn no_violation(peer: &Peer) {
    assert_eq!(peer.count(|event| matches!(event, Event::Violated(_))), 0);
}

#[test]
fn octets_behind_an_open_are_ignored() {
    // tests: [FRM-10]
    let mut peer = Peer::listener(config());
    peer.write(AMQP);
    peer.write(frame(0, &Open::new("peer"), &[1, 2, 3]));
    peer.header(AMQP);
    peer.open();
    peer.quiet();
    no_violation(&peer);
}

#[test]
fn no_frame_is_larger_than_the_partner_takes_and_none_needlessly_small() {
    // tests: [FRM-01] [FRM-12] [SES-16] [SES-17]
    let mut open = Open::new("peer");
    open.max_frame_size = 512;
    let mut peer = Peer::client_opened(config(), open);
    let session = peer
        .engine
        .begin(SessionConfig::default())
        .expect("a channel");
    peer.turn();
    peer.begin();
    let mut answer = begin(0);
    answer.remote_channel = Some(0);
    peer.send(0, answer);
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.grant(0, 1);
    let mut large = outgoing(1, false);
    large.payload = vec![7; 10_000].into();
    peer.largest = 0;
    peer.engine.send(link, [large]);
    peer.turn();
    let mut octets = 0;
    let mut frames = 0;
    loop {
        let (transfer, payload) = peer.transfer_frame();
        octets += payload.len();
        frames += 1;
        if !transfer.more {
            break;
        }
    }
    assert_eq!((peer.largest, octets), (512, 10_000));
    assert!(frames <= 10_000_usize.div_ceil(512 - 40), "{frames}");
    peer.quiet();
}

#[test]
fn a_frame_of_512_octets_is_always_taken() {
    // tests: [FRM-15] [FRM-13]
    let mut config = config();
    config.max_frame_size = 100;
    let mut peer = Peer::listener(config);
    peer.write(AMQP);
    let mut open = Open::new("x".repeat(480));
    open.hostname = None;
    let octets = frame(0, &open, &[0; 512][..512 - frame(0, &open, &[]).len()]);
    assert_eq!(octets.len(), 512);
    peer.write(octets);
    peer.header(AMQP);
    assert_eq!(peer.open().max_frame_size, 512);
    peer.write(raw_frame(0, 0, &[0; 505]));
    peer.closed_with(&[ErrorCondition::FramingError]);
}

#[test]
fn an_open_fits_512_octets_before_the_partner_is_known() {
    // tests: [FRM-16]
    let mut config = config();
    let mut properties = Fields::default();
    properties.insert(Symbol::from_static("long"), Value::from("x".repeat(2000)));
    config.properties = Some(properties);
    let mut client = Peer::client(config.clone(), None);
    client.header(AMQP);
    assert!(client.open().properties.is_none());
    assert!(client.largest <= 512);
    // A listener knows what the client takes.
    let mut listener = Peer::listener(config);
    listener.write(AMQP);
    listener.send(0, Open::new("peer"));
    listener.header(AMQP);
    assert!(listener.open().properties.is_some());
}

#[test]
fn what_does_not_fit_is_not_sent() {
    // tests: [FRM-19]
    let mut open = Open::new("peer");
    open.max_frame_size = 512;
    let mut peer = Peer::client_opened(config(), open);
    let session = peer
        .engine
        .begin(SessionConfig::default())
        .expect("a channel");
    peer.turn();
    peer.begin();
    let mut answer = begin(0);
    answer.remote_channel = Some(0);
    peer.send(0, answer);
    peer.attach_link(session, attach(&"n".repeat(600), 0, Role::Sender));
    peer.quiet();
    let error = peer.saw(|event| match event {
        Event::LinkDetached { error, .. } => error.clone(),
        _ => None,
    });
    let condition = error.map(|error| error.condition);
    assert_eq!(condition, Some(ErrorCondition::FrameSizeTooSmall));
    // The reason of an error is shortened rather than kept back.
    let mut error = Error::new(ErrorCondition::InternalError);
    error.description = Some("é".repeat(400).into());
    peer.engine.close(Some(Box::new(error)));
    peer.turn();
    let close = peer.close();
    let told = close.error.and_then(|error| error.description);
    assert_eq!(told.map(|text| text.len()), Some(200));
}

#[test]
fn a_client_speaks_first() {
    // tests: [CON-01] [CON-02] [CON-23]
    let mut peer = Peer::client(config(), None);
    peer.header(AMQP);
    peer.open();
    peer.quiet();
}

#[test]
fn a_header_is_due_before_any_frame() {
    // tests: [CON-10] [CON-50] [CON-52] [CON-09]
    let mut listener = Peer::listener(config());
    listener.write(frame(0, &Open::new("peer"), &[]));
    listener.header(AMQP);
    listener.quiet();
    assert!(listener.engine.is_finished());
    let mut client = Peer::client(config(), None);
    client.header(AMQP);
    client.open();
    client.write(frame(0, &Open::new("peer"), &[]));
    client.quiet();
    assert!(client.engine.is_finished());
    // A frame of the SASL layer has no meaning behind the AMQP header.
    let mut peer = Peer::opened(config());
    peer.write(raw_frame(1, 0, &[]));
    peer.closed_with(&[ErrorCondition::FramingError]);
}

#[test]
fn a_client_that_is_offered_another_layer_gives_up() {
    // tests: [CON-09] [SASL-15]
    let mut client = Peer::client(config(), None);
    client.header(AMQP);
    client.open();
    client.write(crate::support::frames::SASL);
    client.quiet();
    assert!(client.engine.is_finished());
    assert_eq!(client.count(|event| matches!(event, Event::Violated(_))), 1);
}

#[test]
fn no_channel_above_the_partners_channel_max_is_used() {
    // tests: [CON-15] [CON-18]
    let mut open = Open::new("peer");
    open.channel_max = 0;
    let mut peer = Peer::client_opened(config(), open);
    assert!(peer.engine.begin(SessionConfig::default()).is_some());
    assert!(peer.engine.begin(SessionConfig::default()).is_none());
    // What was begun before the limit was known, and lies above it, is over.
    let mut peer = Peer::client(config(), None);
    let mut begun = || peer.engine.begin(SessionConfig::default());
    let (first, _) = (begun().expect("a channel"), begun().expect("a channel"));
    peer.turn();
    peer.header(AMQP);
    peer.open();
    assert_eq!(peer.begin().0, 0);
    peer.quiet();
    let mut open = Open::new("peer");
    open.channel_max = 0;
    peer.write(AMQP);
    peer.send(0, open);
    peer.quiet();
    assert_eq!(peer.engine.counts().0, 1);
    // The one channel that there is can be had again and again.
    let mut session = first;
    for _ in 0..3 {
        let mut answer = begin(0);
        answer.remote_channel = Some(0);
        peer.send(0, answer);
        peer.engine.end(session, None);
        peer.turn();
        peer.end();
        peer.send(0, End::default());
        let next = peer.engine.begin(SessionConfig::default());
        session = next.expect("a channel");
        peer.turn();
        assert_eq!(peer.begin().0, 0);
    }
}

#[test]
fn absent_limits_are_no_limits() {
    // tests: [CON-19] [CON-35] [TYP-38]
    let mut config = config();
    config.idle_time_out = None;
    config.channel_max = u16::MAX;
    let mut open = Open::new("peer");
    open.idle_time_out = Some(Milliseconds(0));
    let mut peer = Peer::client_opened(config, open);
    assert_eq!(peer.engine.poll_timeout(), None);
    for channel in 0..300 {
        peer.engine
            .begin(SessionConfig::default())
            .expect("a channel");
        peer.turn();
        // tests: [SES-01] [SES-03]
        let (found, begin) = peer.begin();
        assert_eq!((found, begin.remote_channel), (channel, None));
    }
}

#[test]
fn only_what_surely_fits_is_sent_before_the_partners_open() {
    // tests: [CON-54] [CON-57] [CON-23]
    let mut peer = Peer::client(config(), None);
    for _ in 0..2 {
        peer.engine
            .begin(SessionConfig::default())
            .expect("a channel");
    }
    peer.turn();
    peer.header(AMQP);
    peer.open();
    assert_eq!(peer.begin().0, 0);
    peer.quiet();
    peer.write(AMQP);
    peer.send(0, Open::new("peer"));
    assert_eq!(peer.begin().0, 1);
    peer.quiet();
}

#[test]
fn the_partners_first_frame_is_an_open() {
    // tests: [CON-53] [CON-57] [CON-12]
    let mut peer = Peer::client(config(), None);
    peer.header(AMQP);
    peer.open();
    peer.write(AMQP);
    peer.send(0, begin(0));
    peer.closed_with(&[ErrorCondition::NotAllowed]);
}

#[test]
fn an_open_comes_before_what_answers_pipelined_frames() {
    // tests: [CON-51] [CON-56] [SES-14]
    let mut peer = Peer::listener(config());
    let mut all = AMQP.to_vec();
    all.extend(frame(0, &Open::new("peer"), &[]));
    all.extend(frame(0, &begin(0), &[]));
    all.extend(frame(0, &attach("A", 0, Role::Sender), &[]));
    peer.write(all);
    peer.header(AMQP);
    peer.open();
    peer.begin();
    peer.attach();
    peer.flow();
    peer.quiet();
}

#[test]
fn a_close_on_any_channel_is_taken() {
    // tests: [CON-27] [CON-29]
    let mut peer = Peer::opened(config());
    peer.send(3, Close::default());
    assert!(peer.close().error.is_none());
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn crossing_closes_answer_each_other() {
    // tests: [CON-31] [CON-61]
    let mut peer = Peer::opened(config());
    peer.engine.close(None);
    peer.turn();
    peer.close();
    assert!(!peer.engine.is_finished());
    peer.send(0, Close::default());
    peer.quiet();
    assert!(peer.engine.is_finished());
    no_violation(&peer);
}

#[test]
fn a_close_before_the_partner_speaks_is_no_error() {
    // tests: [CON-55] [CON-58]
    let mut peer = Peer::client(config(), None);
    peer.engine.close(None);
    peer.turn();
    peer.header(AMQP);
    peer.open();
    peer.close();
    peer.quiet();
    peer.write(AMQP);
    assert!(!peer.engine.is_finished());
    peer.send(0, Open::new("peer"));
    peer.quiet();
    assert!(!peer.engine.is_finished());
    peer.send(0, Close::default());
    peer.quiet();
    assert!(peer.engine.is_finished());
    no_violation(&peer);
}

#[test]
fn everything_is_discarded_after_an_error_close() {
    // tests: [CON-32] [CON-61] [CON-33]
    let mut peer = Peer::begun(config());
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.flow();
    // One read: the mistake, and what the peer sent before it knew.
    let mut all = frame(0, &Open::new("peer"), &[]);
    all.extend(frame(0, &first_transfer(0, 0), &message("late")));
    all.extend(frame(9, &flow(None), &[]));
    all.extend(raw_frame(0, 0, &[0x40]));
    peer.write(all);
    assert!(peer.close().error.is_some());
    peer.quiet();
    peer.transfer(0, first_transfer(0, 0), &message("later"));
    peer.quiet();
    assert!(peer.app.messages.is_empty());
    assert!(!peer.engine.is_finished());
    peer.send(0, Close::default());
    assert!(peer.engine.is_finished());
}

#[test]
fn nothing_is_sent_after_the_own_close_not_even_heartbeats() {
    // tests: [CON-42] [CON-61] [CON-25]
    let mut open = Open::new("peer");
    open.idle_time_out = Some(Milliseconds(1000));
    let mut peer = Peer::client_opened(config(), open);
    peer.engine.close(None);
    peer.turn();
    peer.close();
    for _ in 0..4 {
        peer.wait(Duration::from_millis(600));
        peer.quiet();
    }
    // Nor before the own open.
    let mut listener = Peer::listener(config());
    listener.wait(Duration::from_secs(30));
    listener.quiet();
}

#[test]
fn any_frame_restarts_the_timer() {
    // tests: [CON-39]
    let mut config = config();
    config.idle_time_out = Some(Duration::from_secs(10));
    let mut peer = Peer::opened(config);
    for _ in 0..5 {
        peer.wait(Duration::from_secs(9));
        peer.write(raw_frame(0, 0, &[]));
    }
    peer.quiet();
    no_violation(&peer);
    // Half a frame does not.
    let frame = raw_frame(0, 0, &[]);
    peer.wait(Duration::from_secs(9));
    peer.write(&frame[..frame.len() / 2]);
    peer.wait(Duration::from_secs(1));
    let close = peer.close();
    assert_condition(
        close.error.as_deref(),
        &[ErrorCondition::ResourceLimitExceeded],
    );
}

#[test]
fn heartbeats_come_only_when_nothing_else_was_sent() {
    // tests: [CON-37] [CON-41]
    let mut open = Open::new("peer");
    open.idle_time_out = Some(Milliseconds(1000));
    let mut peer = Peer::client_opened(config(), open);
    peer.wait(Duration::from_millis(400));
    peer.engine.begin(SessionConfig::default());
    peer.turn();
    peer.begin();
    peer.wait(Duration::from_millis(400));
    peer.quiet();
    peer.wait(Duration::from_millis(100));
    peer.heartbeat();
    peer.quiet();
}

#[test]
fn a_required_capability_that_is_not_offered_ends_the_connection() {
    // tests: [CON-46]
    let capability = Symbol::from_static("ANONYMOUS-RELAY");
    let required = || {
        let mut config = config();
        config.required_capabilities = vec![Symbol::from_static("ANONYMOUS-RELAY")];
        config
    };
    let mut peer = Peer::client_opened(required(), Open::new("peer"));
    peer.closed_with(&[ErrorCondition::NotImplemented]);
    let mut open = Open::new("peer");
    open.offered_capabilities = vec![capability.clone()];
    let mut peer = Peer::client_opened(required(), open);
    peer.quiet();
    no_violation(&peer);
    let mut peer = Peer::client(required(), None);
    peer.header(AMQP);
    assert_eq!(peer.open().desired_capabilities, [capability]);
}

#[test]
fn the_keys_of_properties_are_symbols() {
    // tests: [CON-48] [CON-20]
    let mut peer = Peer::listener(config());
    peer.write(AMQP);
    peer.write(raw_frame(
        0,
        0,
        &hex("005310 c0140a a10170 4040404040404040 c10602a1016b5401"),
    ));
    peer.header(AMQP);
    peer.open();
    peer.closed_with(&[ErrorCondition::InvalidField, ErrorCondition::DecodeError]);
}

#[test]
fn traffic_flows_both_ways_on_one_session() {
    // tests: [CON-59] [CON-14] [LNK-06]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let sender = peer.attached(session, "out", Role::Sender, 4);
    let incoming = LinkConfig {
        credit: Some(10),
        ..LinkConfig::default()
    };
    let wanted = Box::new(attach("in", 0, Role::Receiver));
    peer.engine
        .attach(session, wanted, incoming)
        .expect("a handle");
    peer.turn();
    peer.attach();
    peer.quiet();
    peer.send(0, attach("in", 2, Role::Sender));
    assert_eq!(peer.flow().link_credit, Some(10));
    let mut grant = flow(Some(4));
    grant.link_credit = Some(5);
    peer.send(0, grant);
    for n in 0..3 {
        peer.send_message(sender, u64::from(n), true);
        assert_eq!(peer.transfer_frame().0.handle.0, 0);
        peer.transfer(0, first_transfer(2, n), &message("in"));
        peer.disposition();
    }
    peer.skip_flows();
    peer.quiet();
    assert_eq!(peer.app.messages, ["in", "in", "in"]);
}

#[test]
fn descriptions_are_in_the_locale_that_everybody_has() {
    // tests: [CON-45]
    let mut open = Open::new("peer");
    let locale = |tag| amqp_client::types::transport::IetfLanguageTag(Symbol::from_static(tag));
    open.incoming_locales = vec![locale("de"), locale("en-US")];
    let mut peer = Peer::listener(config());
    peer.write(AMQP);
    peer.send(0, open.clone());
    peer.header(AMQP);
    // No other locale than en-US is offered.
    assert!(peer.open().outgoing_locales.is_empty());
    peer.send(0, open);
    let told = peer.close().error.and_then(|error| error.description);
    assert_eq!(told.as_deref(), Some("a second open (section 2.4.1)"));
}

#[test]
fn what_the_partner_offers_stays_off_unless_it_was_asked_for() {
    // tests: [CON-47]
    let mut open = Open::new("peer");
    open.offered_capabilities = vec![Symbol::from_static("x-odd")];
    let mut odd = Peer::client_opened(config(), open);
    let mut plain = Peer::client_opened(config(), Open::new("peer"));
    for peer in [&mut odd, &mut plain] {
        peer.engine
            .begin(SessionConfig::default())
            .expect("a channel");
        peer.turn();
        let begin = peer.begin().1;
        assert!(begin.desired_capabilities.is_empty() && begin.properties.is_none());
        peer.quiet();
    }
}

#[test]
fn what_is_owed_after_the_own_close_is_not_written() {
    // tests: [CON-25] [CON-61]
    let mut peer = Peer::begun(config());
    peer.send(0, attach("A", 0, Role::Sender));
    peer.attach();
    peer.flow();
    peer.engine.close(None);
    peer.turn();
    peer.close();
    // Of all this a disposition, flows and a detach would be owed.
    peer.transfer(0, first_transfer(0, 0), &message("in flight"));
    let mut echo = flow(None);
    echo.echo = true;
    peer.send(0, echo);
    let link = peer.app.links[0];
    peer.engine.set_credit(link, 50);
    peer.engine.detach(link, true, None);
    peer.engine.end(link.session, None);
    peer.turn();
    peer.quiet();
    peer.send(0, Close::default());
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn what_is_kept_of_an_open_and_an_attach_keeps_no_read_buffer() {
    let now = std::time::Instant::now();
    let mut engine = Connection::listener(now, config(), None, false);
    let mut octets = BytesMut::from(&AMQP[..]);
    octets.extend_from_slice(&frame(0, &Open::new("a container"), &[]));
    octets.extend_from_slice(&frame(0, &begin(0), &[]));
    octets.extend_from_slice(&frame(0, &attach("a link", 0, Role::Sender), &[]));
    let buffer = octets.as_ptr_range();
    engine
        .handle_input(now, &mut octets)
        .expect("nothing is wrong");
    let mut kept = Vec::new();
    while let Some(event) = engine.poll_event() {
        match event {
            Event::Opened(open) => kept.push(open.container_id),
            Event::LinkIncoming { attach, .. } => kept.push(attach.name),
            _ => {}
        }
    }
    assert_eq!(kept, ["a container", "a link"]);
    assert!(!kept.iter().any(|text| buffer.contains(&text.as_ptr())));
}

#[test]
fn a_frame_is_judged_by_its_head_before_its_body_comes() {
    // tests: [FRM-13] [FRM-14]
    for (size, fits) in [(65_536u32, true), (65_537, false), (u32::MAX, false)] {
        let mut peer = Peer::opened(config());
        let mut head = [0, 0, 0, 0, 2, 0, 0, 0];
        head[..4].copy_from_slice(&size.to_be_bytes());
        peer.write(head);
        match fits {
            true => peer.quiet(),
            false => {
                let close = peer.close();
                assert_condition(close.error.as_deref(), &[ErrorCondition::FramingError]);
            }
        }
    }
}
