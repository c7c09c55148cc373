//! FS-27 to FS-40: channels, sessions, windows, handles. Section 2.5.

use amqp_client::types::transport::{ErrorCondition, Role};

use crate::support::frames::AMQP;
use crate::support::{Peer, config, script};

/// Runs a script's first write and takes header and open.
fn opened(config: amqp_client::proto::Config, id: &str) -> (Peer, Vec<Vec<u8>>) {
    let mut peer = Peer::listener(config);
    let writes = script(id);
    peer.write(&writes[0]);
    peer.header(AMQP);
    peer.open();
    (peer, writes)
}

#[test]
fn fs_27_begin_above_channel_max() {
    // tests: [CON-16]
    let mut config = config();
    config.channel_max = 3;
    let mut peer = Peer::listener(config);
    let writes = script("FS-27");
    peer.write(&writes[0]);
    peer.header(AMQP);
    assert_eq!(peer.open().channel_max, 3);
    peer.write(&writes[1]);
    peer.closed_with(&[ErrorCondition::FramingError]);
}

#[test]
fn fs_28_attach_on_a_channel_without_session() {
    // tests: [CON-17]
    let (mut peer, writes) = opened(config(), "FS-28");
    peer.write(&writes[1]);
    peer.closed_with(&[ErrorCondition::NotAllowed, ErrorCondition::FramingError]);
}

#[test]
fn fs_29_channel_numbers_differ_per_direction() {
    // tests: [CON-14] [SES-02]
    let (mut peer, writes) = opened(config(), "FS-29");
    peer.write(&writes[1]);
    let (channel, begin) = peer.begin();
    assert_eq!((channel, begin.remote_channel), (0, Some(7)));
    peer.quiet();
}

#[test]
fn fs_30_begin_that_answers_nothing() {
    // tests: [SES-04]
    let (mut peer, writes) = opened(config(), "FS-30");
    peer.write(&writes[1]);
    peer.closed_with(&[
        ErrorCondition::InvalidField,
        ErrorCondition::PreconditionFailed,
        ErrorCondition::FramingError,
    ]);
}

#[test]
fn fs_31_end_and_begin_on_the_same_channel_in_one_write() {
    // tests: [SES-07] [SES-08]
    let (mut peer, writes) = opened(config(), "FS-31");
    assert_eq!(peer.begin().1.remote_channel, Some(0));
    peer.write(&writes[1]);
    let (ended, end) = peer.end();
    assert_eq!((ended, end.error), (0, None));
    assert_eq!(peer.begin().1.remote_channel, Some(0));
    peer.quiet();
    assert!(!peer.engine.is_finished());
}

#[test]
fn fs_32_session_window_violation() {
    // tests: [SES-24] [SES-12]
    let mut config = config();
    config.session.incoming_window = 1;
    let (mut peer, writes) = opened(config, "FS-32");
    peer.app.accepts = false;
    assert_eq!(peer.begin().1.incoming_window, 1);
    peer.write(&writes[1]);
    peer.attach();
    assert_eq!(peer.flow().link_credit, Some(10));
    peer.write(&writes[2]);
    peer.ended_with(&[ErrorCondition::WindowViolation]);
    assert_eq!(peer.app.messages, ["m0"]);
}

#[test]
fn fs_33_duplicate_begin_on_a_mapped_channel() {
    // tests: [SES-05]
    let (mut peer, writes) = opened(config(), "FS-33");
    peer.begin();
    peer.write(&writes[1]);
    peer.closed_with(&[
        ErrorCondition::IllegalState,
        ErrorCondition::NotAllowed,
        ErrorCondition::FramingError,
    ]);
}

#[test]
fn fs_34_transfer_id_and_delivery_id_wrap() {
    // tests: [SES-16] [SES-19] [LNK-28] [PRF-20]
    let (mut peer, writes) = opened(config(), "FS-34");
    peer.begin();
    peer.attach();
    let flow = peer.flow();
    assert_eq!(flow.next_incoming_id.map(|n| n.0), Some(u32::MAX - 1));
    assert_eq!(flow.delivery_count.map(|n| n.0), Some(u32::MAX - 1));
    assert_eq!(flow.link_credit, Some(10));
    peer.write(&writes[1]);
    assert_eq!(peer.app.messages, ["m0", "m1", "m2", "m3"]);
    let disposition = peer.disposition();
    assert_eq!(disposition.first.0, u32::MAX - 1);
    assert_eq!(disposition.last.map(|n| n.0), Some(1));
    assert!(disposition.settled);
    peer.skip_flows();
    peer.write(&writes[2]);
    let flow = peer.flow();
    assert_eq!(flow.next_incoming_id.map(|n| n.0), Some(2));
    assert_eq!(flow.delivery_count.map(|n| n.0), Some(2));
    assert!(!flow.echo);
    peer.quiet();
}

#[test]
fn fs_35_an_error_in_one_session_leaves_the_other_alone() {
    // tests: [SES-12] [SES-32]
    let (mut peer, writes) = opened(config(), "FS-35");
    let first = peer.begin().0;
    let second = peer.begin().0;
    assert_ne!(first, second);
    peer.write(&writes[1]);
    let (channel, end) = peer.end();
    assert_eq!(channel, first);
    let condition = end.error.map(|error| error.condition);
    assert_eq!(condition, Some(ErrorCondition::UnattachedHandle));
    let (channel, attach) = peer.attach_on();
    assert_eq!((channel, attach.role), (second, Role::Receiver));
    peer.skip_flows();
    peer.quiet();
    assert!(!peer.engine.is_finished());
}

/// A script whose last write names a handle that is not attached.
fn ends_for_its_handle(id: &str) {
    let (mut peer, writes) = opened(config(), id);
    peer.begin();
    peer.write(&writes[1]);
    peer.ended_with(&[ErrorCondition::UnattachedHandle]);
}

#[test]
fn fs_36_flow_on_an_unattached_handle() {
    // tests: [SES-32] [SES-10] [SES-11]
    ends_for_its_handle("FS-36");
}

#[test]
fn fs_37_transfer_on_an_unattached_handle() {
    // tests: [SES-32]
    ends_for_its_handle("FS-37");
}

#[test]
fn fs_38_detach_on_an_unattached_handle() {
    // tests: [SES-32]
    ends_for_its_handle("FS-38");
}

#[test]
fn fs_39_two_attaches_on_one_handle() {
    // tests: [SES-33]
    let (mut peer, writes) = opened(config(), "FS-39");
    peer.begin();
    peer.write(&writes[1]);
    peer.ended_with(&[ErrorCondition::HandleInUse]);
}

#[test]
fn fs_40_handle_above_handle_max() {
    // tests: [SES-31]
    let mut config = config();
    config.session.handle_max = 1;
    let (mut peer, writes) = opened(config, "FS-40");
    assert_eq!(peer.begin().1.handle_max.0, 1);
    peer.write(&writes[1]);
    peer.closed_with(&[ErrorCondition::FramingError]);
}
