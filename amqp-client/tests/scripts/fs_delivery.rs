//! FS-55 to FS-60, FS-67, FS-68: tags, sizes, dispositions, settle modes, resumption. Sections 2.6.12, 2.6.13, 2.7.

use amqp_client::proto::{Event, LinkConfig, Resume, SessionConfig, Tag, Unsettled};
use amqp_client::types::messaging::{DeliveryState, Received};
use amqp_client::types::transport::{DeliveryTag, ErrorCondition, Role};

use crate::fs_link::{accepted, attached};
use crate::support::{Peer, attach, config, outgoing, script};

#[test]
fn fs_55_delivery_tag_of_33_octets() {
    // tests: [LNK-43]
    let (mut peer, writes) = attached("FS-55");
    peer.write(&writes[2]);
    peer.detached_with(&[ErrorCondition::InvalidField, ErrorCondition::DecodeError]);
    assert!(peer.app.messages.is_empty());
}

#[test]
fn fs_56_first_transfer_without_delivery_id() {
    // tests: [PRF-10]
    let (mut peer, writes) = attached("FS-56");
    peer.write(&writes[2]);
    peer.detached_with(&[
        ErrorCondition::InvalidField,
        ErrorCondition::NotAllowed,
        ErrorCondition::DecodeError,
    ]);
    assert!(peer.app.messages.is_empty());
}

#[test]
fn fs_57_message_above_max_message_size() {
    // tests: [LNK-40]
    let mut peer = Peer::listener(config());
    peer.app.max_message_size = Some(16);
    let writes = script("FS-57");
    peer.write(&writes[0]);
    peer.header(crate::support::frames::AMQP);
    peer.open();
    peer.begin();
    peer.write(&writes[1]);
    assert_eq!(peer.attach().max_message_size, Some(16));
    peer.write(&writes[2]);
    peer.detached_with(&[ErrorCondition::MessageSizeExceeded]);
    assert!(peer.app.messages.is_empty());
}

#[test]
fn fs_58_disposition_over_a_wrapping_range() {
    // tests: [PRF-20] [PRF-21]
    let session = SessionConfig {
        next_delivery_id: u32::MAX - 1,
        ..SessionConfig::default()
    };
    let (mut peer, session) = Peer::client_begun(config(), session);
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.grant(0, 10);
    for (seq, id) in [u32::MAX - 1, u32::MAX, 0, 1].into_iter().enumerate() {
        peer.send_message(link, seq as u64, false);
        let (transfer, _) = peer.transfer_frame();
        assert_eq!(transfer.delivery_id.map(|n| n.0), Some(id));
    }
    let writes = script("FS-58");
    peer.write(&writes[0]);
    let accepted = |event: &Event| {
        matches!(
            event,
            Event::Settled {
                state: Some(DeliveryState::Accepted(_)),
                ..
            }
        )
    };
    assert_eq!(peer.count(accepted), 4);
    assert_eq!(peer.engine.unsettled(session), (0, 0));
    peer.write(&writes[1]);
    peer.quiet();
    assert_eq!(peer.count(accepted), 4);
}

#[test]
fn fs_59_settle_mode_second() {
    // tests: [LNK-48]
    let mut peer = Peer::begun(config());
    let writes = script("FS-59");
    peer.write(&writes[1]);
    assert_eq!(
        peer.attach().rcv_settle_mode,
        amqp_client::types::transport::ReceiverSettleMode::Second
    );
    peer.skip_flows();
    peer.write(&writes[2]);
    peer.skip_flows();
    let disposition = peer.disposition();
    assert_eq!((disposition.first.0, disposition.settled), (0, false));
    assert!(matches!(
        disposition.state,
        Some(DeliveryState::Accepted(_))
    ));
    peer.quiet();
    peer.write(&writes[3]);
    peer.skip_flows();
    peer.quiet();
    assert_eq!(peer.app.messages, ["x"]);
}

#[test]
fn fs_60_unknown_delivery_state() {
    // tests: [PRF-25]
    let (mut peer, writes) = attached("FS-60");
    peer.write(&writes[2]);
    assert_eq!(peer.app.messages, ["x"]);
    let opaque = peer.saw(|event| match event {
        Event::Delivery { delivery, .. } => delivery.state.clone(),
        _ => None,
    });
    assert!(matches!(
        opaque.as_deref(),
        Some(DeliveryState::Other(state)) if state.descriptor == amqp_client::types::Value::Symbol("com.x:st".try_into().expect("ASCII"))
    ));
    accepted(&mut peer, &[0]);
}

/// A client whose sender is attached again with one unsettled delivery of tag 31.
fn resumes(id: &str, state: Option<DeliveryState>) -> Peer {
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let mut message = outgoing(7, false);
    message.tag = Tag::new(b"1").map(Box::new);
    let config = LinkConfig {
        resume: Some(Resume::Sender {
            unsettled: vec![Unsettled {
                message,
                state: state.clone(),
                transmitted: true,
            }],
            resend: true,
            tell: true,
        }),
        ..LinkConfig::default()
    };
    let mine = Box::new(attach("A", 0, Role::Sender));
    peer.engine
        .attach(session, mine, config)
        .expect("a handle is free");
    peer.turn();
    // tests: [LNK-15] [LNK-16] [LNK-17]
    let told = peer.attach().unsettled.expect("a map is told");
    let tag = DeliveryTag::try_from(b"1".to_vec()).expect("a short tag");
    assert_eq!(told.iter().collect::<Vec<_>>(), [(&tag, &state)]);
    for write in script(id) {
        peer.write(write);
    }
    peer
}

#[test]
fn fs_67_resume_outcome_known_at_the_target_only() {
    // tests: [RES-03] [LNK-63] [LNK-58] [LNK-65]
    let mut peer = resumes("FS-67", None);
    let (transfer, payload) = peer.transfer_frame();
    assert_eq!(
        transfer.delivery_tag.as_ref().map(|t| t.as_ref()),
        Some(&b"1"[..])
    );
    assert!(transfer.resume && !transfer.more && !transfer.aborted);
    assert!(matches!(transfer.state, Some(DeliveryState::Accepted(_))));
    assert!(payload.is_empty());
    if transfer.settled != Some(true) {
        assert!(peer.disposition().settled);
    }
    peer.quiet();
}

#[test]
fn fs_68_resume_not_resumable() {
    // tests: [RES-08]
    let mut peer = resumes(
        "FS-68",
        Some(DeliveryState::Received(Received::new(0, 500))),
    );
    let (transfer, _) = peer.transfer_frame();
    assert_eq!(
        transfer.delivery_tag.as_ref().map(|t| t.as_ref()),
        Some(&b"1"[..])
    );
    assert!(transfer.resume && transfer.aborted);
    // The message follows as a new delivery.
    let (transfer, payload) = peer.transfer_frame();
    assert!(!transfer.resume && !transfer.aborted);
    assert!(!payload.is_empty());
    peer.quiet();
}
