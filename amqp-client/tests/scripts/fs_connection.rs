//! FS-01 to FS-26: headers, frames, open and close. Sections 2.2 to 2.4.

use std::time::Duration;

use amqp_client::types::transport::{ErrorCondition, Role};

use crate::support::frames::{AMQP, SASL};
use crate::support::{Peer, config, script};

/// Runs a script whose last write is illegal: header and open come first, then the close.
fn closes(id: &str, conditions: &[ErrorCondition]) -> Peer {
    let mut peer = Peer::listener(config());
    for write in script(id) {
        peer.write(write);
    }
    peer.header(AMQP);
    peer.open();
    peer.closed_with(conditions);
    peer
}

#[test]
fn fs_01_plain_open_and_close() {
    // tests: [CON-01] [CON-03] [CON-04] [CON-12] [CON-25] [CON-27]
    let mut peer = Peer::listener(config());
    let [header, open, close] = &script("FS-01")[..] else {
        panic!("three writes")
    };
    peer.write(header);
    peer.header(AMQP);
    peer.quiet();
    peer.write(open);
    assert_eq!(peer.open().container_id, "iut");
    peer.quiet();
    peer.write(close);
    assert!(peer.close().error.is_none());
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn fs_02_unsupported_version() {
    // tests: [CON-05] [CON-06] [CON-09]
    let mut peer = Peer::listener(config());
    peer.write(&script("FS-02")[0]);
    peer.header(AMQP);
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn fs_03_not_amqp() {
    // tests: [CON-07]
    let mut peer = Peer::listener(config());
    peer.write(&script("FS-03")[0]);
    peer.header(AMQP);
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn fs_04_raw_amqp_header_at_a_sasl_only_server() {
    // tests: [CON-08] [SASL-01] [SASL-15]
    let mut peer = Peer::sasl_listener();
    peer.write(&script("FS-04")[0]);
    peer.header(SASL);
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn fs_05_header_and_open_in_single_octets() {
    // tests: [CON-11] [FRM-18]
    let mut peer = Peer::listener(config());
    for octet in &script("FS-05")[0] {
        peer.write([*octet]);
    }
    peer.header(AMQP);
    peer.open();
    peer.quiet();
}

#[test]
fn fs_06_frame_smaller_than_its_header() {
    // tests: [FRM-02]
    closes("FS-06", &[ErrorCondition::FramingError]);
    for size in 0..8 {
        let mut peer = Peer::opened(config());
        peer.write([0, 0, 0, size, 2, 0, 0, 0]);
        peer.closed_with(&[ErrorCondition::FramingError]);
    }
}

#[test]
fn fs_07_data_offset_below_2() {
    // tests: [FRM-03]
    closes("FS-07", &[ErrorCondition::FramingError]);
}

#[test]
fn fs_08_data_offset_beyond_the_size() {
    // tests: [FRM-04]
    closes("FS-08", &[ErrorCondition::FramingError]);
}

#[test]
fn fs_09_unknown_frame_type() {
    // tests: [FRM-05]
    closes("FS-09", &[ErrorCondition::FramingError]);
}

#[test]
fn fs_10_oversized_frame() {
    // tests: [FRM-13] [FRM-14]
    let mut config = config();
    config.max_frame_size = 1024;
    let mut peer = Peer::listener(config);
    let writes = script("FS-10");
    peer.write(&writes[0]);
    peer.header(AMQP);
    assert_eq!(peer.open().max_frame_size, 1024);
    peer.write(&writes[1]);
    peer.closed_with(&[ErrorCondition::FramingError]);
}

#[test]
fn fs_11_extended_header_is_ignored() {
    // tests: [FRM-06]
    let mut peer = Peer::listener(config());
    peer.write(&script("FS-11")[0]);
    peer.header(AMQP);
    peer.open();
    peer.quiet();
}

#[test]
fn fs_12_empty_frame_as_heartbeat() {
    // tests: [FRM-11] [CON-39]
    let mut peer = Peer::listener(config());
    let writes = script("FS-12");
    peer.write(&writes[0]);
    peer.header(AMQP);
    peer.open();
    peer.write(&writes[1]);
    peer.write(&writes[2]);
    peer.quiet();
    peer.write(&writes[3]);
    assert_eq!(peer.begin().1.remote_channel, Some(0));
    peer.quiet();
}

#[test]
fn fs_13_empty_frame_on_a_channel_without_session() {
    // tests: [CON-40]
    let mut peer = Peer::listener(config());
    let writes = script("FS-13");
    peer.write(&writes[0]);
    peer.header(AMQP);
    peer.open();
    peer.write(&writes[1]);
    peer.quiet();
    peer.write(&writes[2]);
    assert_eq!(peer.begin().1.remote_channel, Some(0));
    peer.quiet();
}

#[test]
fn fs_14_body_is_not_a_performative() {
    // tests: [FRM-09]
    let allowed = [ErrorCondition::DecodeError, ErrorCondition::NotAllowed];
    closes("FS-14", &allowed);
    let mut peer = Peer::opened(config());
    peer.write(crate::support::frames::raw_frame(0, 0, &[0x40]));
    peer.closed_with(&allowed);
}

#[test]
fn fs_15_performative_truncated_by_the_frame_end() {
    // tests: [TYP-45] [FRM-09]
    closes("FS-15", &[ErrorCondition::DecodeError]);
}

#[test]
fn fs_16_open_without_container_id() {
    // tests: [CON-20] [TYP-34]
    closes(
        "FS-16",
        &[ErrorCondition::DecodeError, ErrorCondition::InvalidField],
    );
}

#[test]
fn fs_17_begin_before_open() {
    // tests: [CON-12] [CON-53]
    let allowed = [
        ErrorCondition::NotAllowed,
        ErrorCondition::IllegalState,
        ErrorCondition::FramingError,
    ];
    closes("FS-17", &allowed);
}

#[test]
fn fs_18_second_open() {
    // tests: [CON-13]
    closes(
        "FS-18",
        &[ErrorCondition::IllegalState, ErrorCondition::NotAllowed],
    );
}

#[test]
fn fs_19_open_on_channel_1() {
    // tests: [CON-12]
    closes("FS-19", &[ErrorCondition::FramingError]);
}

#[test]
fn fs_20_max_frame_size_below_512() {
    // tests: [FRM-17]
    closes(
        "FS-20",
        &[ErrorCondition::FramingError, ErrorCondition::InvalidField],
    );
}

#[test]
fn fs_21_pipelined_open_begin_attach_flow() {
    // tests: [CON-23] [CON-24] [SES-13] [SES-22] [SES-28]
    let mut peer = Peer::listener(config());
    peer.write(&script("FS-21")[0]);
    peer.header(AMQP);
    peer.open();
    assert_eq!(peer.begin().1.remote_channel, Some(0));
    let attach = peer.attach();
    assert_eq!(attach.role, Role::Sender);
    assert!(attach.initial_delivery_count.is_some());
    peer.skip_flows();
    peer.quiet();
    assert!(!peer.engine.is_finished());
}

#[test]
fn fs_22_pipelined_transfer_without_credit() {
    // tests: [CON-23] [LNK-24] [LNK-25] [SES-18] [SES-24]
    let mut peer = Peer::listener(config());
    peer.write(&script("FS-22")[0]);
    peer.header(AMQP);
    peer.open();
    assert_eq!(peer.begin().1.remote_channel, Some(0));
    assert_eq!(peer.attach().role, Role::Receiver);
    peer.skip_flows();
    if peer.app.messages == ["hi"] {
        // It was sent settled: nothing is said about it.
        peer.quiet();
    } else {
        assert!(peer.app.messages.is_empty());
        peer.detached_with(&[ErrorCondition::TransferLimitExceeded]);
    }
    assert!(!peer.engine.is_finished());
}

#[test]
fn fs_23_pipelined_open_and_close() {
    // tests: [CON-55] [CON-28]
    let mut peer = Peer::listener(config());
    peer.write(&script("FS-23")[0]);
    peer.header(AMQP);
    peer.open();
    assert!(peer.close().error.is_none());
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn fs_24_frames_after_close() {
    // tests: [FRM-21] [CON-60]
    let mut peer = Peer::listener(config());
    let writes = script("FS-24");
    peer.write(&writes[0]);
    peer.header(AMQP);
    peer.open();
    peer.write(&writes[1]);
    assert!(peer.close().error.is_none());
    peer.quiet();
    assert!(peer.engine.is_finished());
}

#[test]
fn fs_25_silent_peer_exceeds_the_idle_threshold() {
    // tests: [CON-36] [CON-38]
    let mut config = config();
    config.idle_time_out = Some(Duration::from_secs(4));
    let mut peer = Peer::listener(config);
    peer.write(&script("FS-25")[0]);
    peer.header(AMQP);
    assert_eq!(peer.open().idle_time_out.map(|t| t.0), Some(2000));
    peer.wait(Duration::from_millis(3999));
    peer.quiet();
    peer.wait(Duration::from_millis(1));
    peer.closed_with(&[
        ErrorCondition::ResourceLimitExceeded,
        ErrorCondition::ConnectionForced,
    ]);
}

#[test]
fn fs_26_peer_asks_for_heartbeats() {
    // tests: [CON-37] [CON-41]
    let mut peer = Peer::listener(config());
    peer.write(&script("FS-26")[0]);
    peer.header(AMQP);
    peer.open();
    for _ in 0..6 {
        let due = peer.engine.poll_timeout().expect("a heartbeat is due");
        let after = due - peer.now;
        assert!(after <= Duration::from_millis(400), "{after:?}");
        peer.wait(after);
        peer.heartbeat();
        peer.quiet();
    }
}
