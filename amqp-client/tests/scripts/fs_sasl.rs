//! FS-61 to FS-66: the SASL layer. Section 5.3.

use amqp_client::proto::Event;
use amqp_client::types::security::{SaslCode, SaslFrame};

use crate::support::frames::{AMQP, SASL};
use crate::support::{Peer, script};

/// The layer is entered and the mechanisms are offered.
fn offered(peer: &mut Peer) {
    peer.header(SASL);
    match peer.sasl() {
        SaslFrame::SaslMechanisms(offer) => {
            assert_eq!(offer.sasl_server_mechanisms, ["ANONYMOUS"]);
        }
        other => panic!("mechanisms are due: {other:?}"),
    }
}

fn outcome(peer: &mut Peer) -> SaslCode {
    match peer.sasl() {
        SaslFrame::SaslOutcome(outcome) => outcome.code,
        other => panic!("an outcome is due: {other:?}"),
    }
}

/// Runs a script whose last write ends the layer.
fn dropped(id: &str) -> Peer {
    let mut peer = Peer::sasl_listener();
    let writes = script(id);
    peer.write(&writes[0]);
    offered(&mut peer);
    peer.write(&writes[1]);
    assert!(peer.engine.is_finished());
    peer
}

#[test]
fn fs_61_sasl_anonymous_and_amqp_in_one_write() {
    // tests: [SASL-01] [SASL-07] [SASL-10] [SASL-13] [SASL-14] [SASL-21] [CON-24]
    let mut peer = Peer::sasl_listener();
    peer.write(&script("FS-61")[0]);
    offered(&mut peer);
    assert_eq!(outcome(&mut peer), SaslCode::Ok);
    peer.header(AMQP);
    peer.open();
    assert_eq!(peer.begin().1.remote_channel, Some(0));
    peer.quiet();
}

#[test]
fn fs_62_sasl_outcome_failure() {
    // tests: [SASL-15] [SASL-13]
    let mut peer = Peer::sasl_client();
    peer.header(SASL);
    let writes = script("FS-62");
    peer.write(&writes[0]);
    match peer.sasl() {
        SaslFrame::SaslInit(init) => assert_eq!(init.mechanism, "PLAIN"),
        other => panic!("an init is due: {other:?}"),
    }
    peer.write(&writes[1]);
    peer.quiet();
    assert!(peer.engine.is_finished());
    let failed = peer.count(|event| matches!(event, Event::SaslFailed(_)));
    assert_eq!(failed, 1);
}

#[test]
fn fs_63_empty_sasl_frame() {
    // tests: [SASL-06]
    dropped("FS-63").quiet();
}

#[test]
fn fs_64_client_plays_sasl_server() {
    // tests: [SASL-02]
    dropped("FS-64").quiet();
}

#[test]
fn fs_65_unsupported_mechanism() {
    // tests: [SASL-09]
    let mut peer = dropped("FS-65");
    assert_eq!(outcome(&mut peer), SaslCode::Auth);
    peer.quiet();
}

#[test]
fn fs_66_amqp_frame_before_the_sasl_outcome() {
    // tests: [SASL-22] [FRM-20] [SASL-15]
    dropped("FS-66").quiet();
}
