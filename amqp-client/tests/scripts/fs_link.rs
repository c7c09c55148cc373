//! FS-41 to FS-54: links, credit, deliveries in pieces, detach. Section 2.6.

use amqp_client::proto::Event;
use amqp_client::types::messaging::DeliveryState;
use amqp_client::types::transport::{Detach, ErrorCondition, Handle, Role};

use crate::support::frames::AMQP;
use crate::support::{Peer, config, script};

/// Runs a script's first write: header, open and begin are answered.
fn begun(id: &str) -> (Peer, Vec<Vec<u8>>) {
    begun_with(config(), id)
}

fn begun_with(config: amqp_client::proto::Config, id: &str) -> (Peer, Vec<Vec<u8>>) {
    let mut peer = Peer::listener(config);
    let writes = script(id);
    peer.write(&writes[0]);
    peer.header(AMQP);
    peer.open();
    assert_eq!(peer.begin().1.remote_channel, Some(0));
    (peer, writes)
}

/// Goes one write further: the attach is answered and ten credits granted.
pub(crate) fn attached(id: &str) -> (Peer, Vec<Vec<u8>>) {
    let (mut peer, writes) = begun(id);
    peer.write(&writes[1]);
    assert_eq!(peer.attach().role, Role::Receiver);
    assert_eq!(peer.flow().link_credit, Some(10));
    peer.quiet();
    (peer, writes)
}

/// Settled as accepted, whatever the ranges: these ids and no others.
pub(crate) fn accepted(peer: &mut Peer, ids: &[u32]) {
    let mut left = ids.to_vec();
    peer.skip_flows();
    while !left.is_empty() {
        let disposition = peer.disposition();
        assert_eq!(disposition.role, Role::Receiver);
        assert!(disposition.settled);
        assert!(matches!(
            disposition.state,
            Some(DeliveryState::Accepted(_))
        ));
        let (first, last) = (
            disposition.first.0,
            disposition.last.unwrap_or(disposition.first).0,
        );
        assert_eq!(left.remove(0), first);
        for id in first + 1..=last {
            assert_eq!(left.remove(0), id);
        }
    }
    peer.quiet();
}

#[test]
fn fs_41_refused_link() {
    // tests: [LNK-08] [LNK-37]
    let (mut peer, writes) = begun("FS-41");
    peer.app.refused = Some("no-such-node");
    peer.write(&writes[1]);
    let attach = peer.attach();
    assert_eq!(attach.role, Role::Receiver);
    assert!(attach.target.is_none());
    let detach = peer.detach();
    assert!(detach.closed);
    assert_eq!(
        detach.error.map(|error| error.condition),
        Some(ErrorCondition::NotFound)
    );
    let mut answer = Detach::new(Handle(0));
    answer.closed = true;
    peer.send(0, answer);
    peer.quiet();
}

#[test]
fn fs_42_the_same_link_name_attached_again_on_another_handle() {
    // tests: [LNK-05]
    let (mut peer, writes) = begun("FS-42");
    peer.write(&writes[1]);
    let first = peer.attach().handle;
    peer.skip_flows();
    peer.write(&writes[2]);
    let second = peer.attach();
    assert_ne!(second.handle, first);
    assert_eq!(second.role, Role::Receiver);
    peer.skip_flows();
    let detach = peer.detach();
    assert_eq!((detach.handle, detach.closed), (first, true));
    assert_eq!(
        detach.error.map(|error| error.condition),
        Some(ErrorCondition::Stolen)
    );
    peer.quiet();
}

#[test]
fn fs_43_one_name_both_directions() {
    // tests: [LNK-02]
    let (mut peer, writes) = begun("FS-43");
    peer.write(&writes[1]);
    peer.skip_flows();
    let (one, other) = (peer.attach(), peer.attach());
    assert_eq!((one.role, other.role), (Role::Receiver, Role::Sender));
    assert_ne!(one.handle, other.handle);
    peer.quiet();
}

#[test]
fn fs_44_transfer_beyond_credit() {
    // tests: [LNK-24] [LNK-25]
    let (mut peer, writes) = begun("FS-44");
    peer.app.credit = None;
    peer.app.fixed_credit = Some(2);
    peer.write(&writes[1]);
    peer.attach();
    assert_eq!(peer.flow().link_credit, Some(2));
    peer.write(&writes[2]);
    // The documented choice: excess is handled normally, as far as the session's window reaches.
    assert_eq!(peer.app.messages, ["m0", "m1", "m2", "m3", "m4", "m5"]);
    accepted(&mut peer, &[0, 1, 2, 3, 4, 5]);
}

#[test]
fn fs_45_multi_frame_delivery() {
    // tests: [LNK-54] [PRF-13] [LNK-29]
    let (mut peer, writes) = attached("FS-45");
    peer.write(&writes[2]);
    accepted(&mut peer, &[0]);
    peer.write(&writes[3]);
    accepted(&mut peer, &[1]);
    assert_eq!(peer.app.messages, ["hello", "next"]);
}

#[test]
fn fs_46_aborted_delivery() {
    // tests: [LNK-55] [LNK-30]
    let (mut peer, writes) = attached("FS-46");
    peer.write(&writes[2]);
    peer.skip_flows();
    peer.quiet();
    peer.write(&writes[3]);
    accepted(&mut peer, &[1]);
    assert_eq!(peer.app.messages, ["next"]);
}

#[test]
fn fs_47_two_deliveries_interleaved_on_one_link() {
    // tests: [LNK-53] [PRF-13]
    let (mut peer, writes) = attached("FS-47");
    peer.write(&writes[2]);
    peer.detached_with(&[ErrorCondition::InvalidField, ErrorCondition::NotAllowed]);
    assert!(peer.app.messages.is_empty());
}

#[test]
fn fs_48_deliveries_interleaved_over_two_links() {
    // tests: [LNK-53]
    let (mut peer, writes) = begun("FS-48");
    peer.write(&writes[1]);
    peer.skip_flows();
    peer.attach();
    peer.attach();
    peer.write(&writes[2]);
    assert_eq!(peer.app.messages, ["next", "hello"]);
    accepted(&mut peer, &[0, 1]);
}

#[test]
fn fs_49_detach_during_a_multi_frame_transfer() {
    // tests: [LNK-57] [LNK-20]
    let (mut peer, writes) = attached("FS-49");
    peer.write(&writes[2]);
    peer.skip_flows();
    let detach = peer.detach();
    assert!(detach.closed && detach.error.is_none());
    peer.quiet();
    assert!(peer.app.messages.is_empty());
}

#[test]
fn fs_50_connection_close_during_a_multi_frame_transfer() {
    // tests: [LNK-57] [CON-34]
    let (mut peer, writes) = attached("FS-50");
    peer.write(&writes[2]);
    assert!(peer.close().error.is_none());
    peer.quiet();
    assert!(peer.app.messages.is_empty());
    assert!(peer.engine.is_finished());
}

/// A script in which the engine sends: its attach is taken.
fn sends(id: &str, initial: u32) -> (Peer, Vec<Vec<u8>>) {
    let (mut peer, writes) = begun(id);
    peer.app.initial_delivery_count = initial;
    peer.write(&writes[1]);
    let attach = peer.attach();
    assert_eq!(attach.role, Role::Sender);
    assert_eq!(attach.initial_delivery_count.map(|n| n.0), Some(initial));
    peer.quiet();
    (peer, writes)
}

#[test]
fn fs_51_drain_with_nothing_to_send() {
    // tests: [LNK-31] [LNK-32]
    let (mut peer, writes) = sends("FS-51", 0);
    peer.write(&writes[2]);
    let flow = peer.flow();
    assert_eq!(flow.handle, Some(Handle(0)));
    assert_eq!(flow.delivery_count.map(|n| n.0), Some(5));
    assert_eq!((flow.link_credit, flow.drain), (Some(0), true));
    peer.quiet();
}

#[test]
fn fs_52_echo_requests() {
    // tests: [LNK-35] [SES-37]
    let (mut peer, writes) = sends("FS-52", 0);
    peer.write(&writes[2]);
    let flow = peer.flow();
    assert_eq!(flow.handle, Some(Handle(0)));
    assert_eq!(flow.delivery_count.map(|n| n.0), Some(0));
    assert_eq!((flow.link_credit, flow.echo), (Some(5), false));
    peer.quiet();
    peer.write(&writes[3]);
    let flow = peer.flow();
    assert_eq!((flow.handle, flow.echo), (None, false));
    peer.quiet();
}

#[test]
fn fs_53_detach_with_error() {
    // tests: [LNK-20] [PRF-28]
    let (mut peer, writes) = attached("FS-53");
    peer.write(&writes[2]);
    let detach = peer.detach();
    assert!(detach.closed && detach.error.is_none());
    peer.quiet();
    let error = peer.saw(|event| match event {
        Event::LinkDetached { error, .. } => error.clone(),
        _ => None,
    });
    let error = error.expect("the application sees the error");
    assert_eq!(error.condition.as_str(), "com.example:odd");
    assert_eq!(error.description.as_deref(), Some("why"));
}

#[test]
fn fs_54_non_closing_detach_then_reattach() {
    // tests: [LNK-19] [LNK-21] [LNK-17]
    let (mut peer, writes) = attached("FS-54");
    peer.write(&writes[2]);
    assert!(!peer.detach().closed);
    peer.quiet();
    peer.write(&writes[3]);
    let attach = peer.attach();
    assert_eq!(attach.role, Role::Receiver);
    assert!(attach.unsettled.is_none(), "a link that is attached again");
    assert_eq!(peer.flow().link_credit, Some(10));
    peer.quiet();
}
