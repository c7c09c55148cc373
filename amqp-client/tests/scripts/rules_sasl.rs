//! Rules of the SASL layer that no script shows. Section 5.3.

use amqp_client::proto::Event;
use amqp_client::types::security::{
    SaslCode, SaslFrame, SaslInit, SaslMechanisms, SaslOutcome, SaslResponse,
};
use amqp_client::types::transport::{ErrorCondition, Open};
use amqp_client::types::{Binary, Symbol};

use crate::support::frames::{AMQP, SASL, frame, raw_frame, sasl_frame};
use crate::support::{Peer, assert_condition, config};

fn anonymous() -> SaslInit {
    SaslInit::new(Symbol::from_static("ANONYMOUS"))
}

/// A listener that has offered its mechanisms.
fn offered() -> Peer {
    let mut peer = Peer::sasl_listener();
    peer.write(SASL);
    peer.header(SASL);
    assert!(matches!(peer.sasl(), SaslFrame::SaslMechanisms(_)));
    peer
}

#[test]
fn a_frame_holds_exactly_one_value() {
    // tests: [SASL-05]
    let mut peer = offered();
    let mut octets = sasl_frame(&anonymous());
    octets.push(0x40);
    octets[3] += 1;
    peer.write(octets);
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn only_success_carries_data() {
    // tests: [SASL-16]
    let mut peer = offered();
    peer.engine
        .sasl_outcome(SaslCode::Auth, Some(Binary::from(b"why".to_vec())));
    peer.turn();
    match peer.sasl() {
        SaslFrame::SaslOutcome(outcome) => {
            assert_eq!(
                (outcome.code, outcome.additional_data),
                (SaslCode::Auth, None)
            );
        }
        other => panic!("an outcome is due: {other:?}"),
    }
    // A client does not look at what comes with a failure.
    let mut client = Peer::sasl_client();
    client.header(SASL);
    client.write(SASL);
    let offer = SaslMechanisms::new(vec![Symbol::from_static("PLAIN")]);
    client.write(sasl_frame(&offer));
    client.sasl();
    let mut outcome = SaslOutcome::new(SaslCode::Auth);
    outcome.additional_data = Some(Binary::from(b"why".to_vec()));
    client.write(sasl_frame(&outcome));
    assert_eq!(
        client.count(|event| matches!(event, Event::SaslAccepted(_))),
        0
    );
    assert!(client.engine.is_finished());
}

#[test]
fn the_layer_is_gone_through_once() {
    // tests: [SASL-18] [SASL-14]
    let mut peer = offered();
    peer.write(sasl_frame(&anonymous()));
    assert!(matches!(peer.sasl(), SaslFrame::SaslOutcome(_)));
    peer.write(SASL);
    // Any other header than that of AMQP is refused by naming the one that is due.
    peer.header(AMQP);
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn no_amqp_is_spoken_inside_the_layer() {
    // tests: [SASL-22] [FRM-20]
    let mut peer = offered();
    peer.write(frame(0, &Open::new("peer"), &[]));
    peer.quiet();
    assert!(peer.engine.is_finished());
    // Nor is the layer gone through in frames behind it.
    let mut peer = Peer::opened(config());
    peer.write(sasl_frame(&anonymous()));
    let close = peer.close();
    assert_condition(close.error.as_deref(), &[ErrorCondition::FramingError]);
}

#[test]
fn every_code_but_ok_ends_the_layer() {
    // tests: [SASL-13] [SASL-15]
    for code in [
        SaslCode::Auth,
        SaslCode::Sys,
        SaslCode::SysPerm,
        SaslCode::SysTemp,
    ] {
        let mut peer = offered();
        peer.app.verdict = code;
        peer.write(sasl_frame(&anonymous()));
        match peer.sasl() {
            SaslFrame::SaslOutcome(outcome) => assert_eq!(outcome.code, code),
            other => panic!("an outcome is due: {other:?}"),
        }
        peer.write(AMQP);
        peer.quiet();
        assert!(peer.engine.is_finished());
    }
}

#[test]
fn frames_of_the_layer_are_small() {
    // tests: [SASL-04]
    let mut peer = offered();
    let mut init = anonymous();
    init.initial_response = Some(Binary::from(vec![7; 20_000]));
    peer.write(sasl_frame(&init));
    peer.quiet();
    assert!(peer.engine.is_finished());
    // 512 octets are always taken.
    let mut peer = offered();
    let mut init = anonymous();
    init.initial_response = Some(Binary::from(vec![7; 450]));
    peer.write(sasl_frame(&init));
    assert!(matches!(peer.sasl(), SaslFrame::SaslOutcome(_)));
}

#[test]
fn a_response_answers_a_challenge_and_nothing_else() {
    // tests: [SASL-11] [SASL-12]
    let response = |octets: &[u8]| SaslResponse::new(Binary::from(octets.to_vec()));
    let mut peer = offered();
    peer.write(sasl_frame(&response(b"early")));
    peer.quiet();
    assert!(peer.engine.is_finished());
    // Challenges and responses take turns; either may be empty, and neither null.
    let mut peer = offered();
    peer.app.decides = false;
    peer.write(sasl_frame(&anonymous()));
    for _ in 0..2 {
        peer.engine.sasl_challenge(Binary::from(Vec::new()));
        peer.turn();
        assert!(matches!(peer.sasl(), SaslFrame::SaslChallenge(c) if c.challenge.is_empty()));
        peer.write(sasl_frame(&response(b"")));
        peer.quiet();
    }
    let heard = peer.count(|event| matches!(event, Event::SaslResponse(_)));
    assert_eq!(heard, 2);
    peer.engine.sasl_challenge(Binary::from(Vec::new()));
    peer.turn();
    peer.sasl();
    peer.write(raw_frame(1, 0, &[0, 0x53, 0x43, 0xc0, 2, 1, 0x40]));
    peer.quiet();
    assert!(peer.engine.is_finished());
}
