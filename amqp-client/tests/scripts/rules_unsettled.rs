//! Rules of deliveries that outlive an attachment, and of the names that tell them apart. Sections
//! 2.6.4, 2.6.12, 2.6.13, 2.7.6.

use amqp_client::proto::{
    Event, Key, LinkConfig, LinkKey, Outstanding, Resume, SessionConfig, Tag, Unsettled,
};
use amqp_client::types::Map;
use amqp_client::types::messaging::{Accepted, DeliveryState};
use amqp_client::types::transport::{
    DeliveryNumber, DeliveryTag, Detach, Disposition, ErrorCondition, Handle, Open,
    ReceiverSettleMode, Role, Transfer,
};

use crate::support::{Peer, attach, begin, config, first_transfer, message, outgoing};

fn accepted() -> DeliveryState {
    Accepted::default().into()
}

fn settles(role: Role, first: u32, last: u32) -> Disposition {
    let mut disposition = Disposition::new(role, DeliveryNumber(first));
    disposition.last = Some(DeliveryNumber(last));
    disposition.state = Some(accepted());
    disposition.settled = true;
    disposition
}

fn detach(closed: bool) -> Detach {
    let mut detach = Detach::new(Handle(0));
    detach.closed = closed;
    detach
}

/// The engine attaches `A`, with this configuration, and the peer answers under handle 0.
fn attached(peer: &mut Peer, session: Key, role: Role, config: LinkConfig) -> LinkKey {
    let mine = Box::new(attach("A", 0, role));
    let link = peer.engine.attach(session, mine, config).expect("a handle");
    peer.turn();
    peer.attach();
    peer.skip_flows();
    let answer = match role {
        Role::Sender => Role::Receiver,
        Role::Receiver => Role::Sender,
    };
    peer.send(0, attach("A", 0, answer));
    link
}

fn keeping() -> LinkConfig {
    LinkConfig {
        keep: true,
        credit: Some(10),
        ..LinkConfig::default()
    }
}

/// A client that has sent deliveries 0 and 1 on `A`.
fn sent_two(config_of_link: LinkConfig) -> (Peer, Key, LinkKey) {
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = attached(&mut peer, session, Role::Sender, config_of_link);
    peer.grant(0, 10);
    for seq in 0..2 {
        peer.send_message(link, seq, false);
        peer.transfer_frame();
    }
    peer.forget();
    (peer, session, link)
}

/// Both sides detach.
fn detached(peer: &mut Peer, link: LinkKey, closed: bool) {
    peer.engine.detach(link, closed, None);
    peer.turn();
    peer.skip_flows();
    peer.detach();
    peer.send(0, detach(closed));
    peer.app.events.clear();
}

fn settled(peer: &Peer) -> Vec<u64> {
    let seq = |event: &Event| match event {
        Event::Settled { seq, .. } => Some(*seq),
        _ => None,
    };
    peer.app.events.iter().filter_map(seq).collect()
}

#[test]
fn a_disposition_reaches_the_deliveries_of_a_detached_link() {
    // tests: [PRF-23]
    let (mut peer, _, link) = sent_two(keeping());
    detached(&mut peer, link, false);
    peer.send(0, settles(Role::Receiver, 0, 0));
    assert_eq!(settled(&peer), [0]);
    // Also when the receiver leaves it to us to settle; but nothing is said behind the detach.
    let mut terminal = settles(Role::Receiver, 1, 1);
    terminal.settled = false;
    peer.send(0, terminal);
    assert_eq!(settled(&peer), [0, 1]);
    peer.quiet();
}

#[test]
fn closed_failed_and_forgotten_links_have_no_deliveries_left() {
    // tests: [PRF-23]
    for case in ["closed", "error", "forgotten", "not kept"] {
        let config_of_link = match case {
            "not kept" => LinkConfig::default(),
            _ => keeping(),
        };
        let (mut peer, session, link) = sent_two(config_of_link);
        if case == "error" {
            peer.engine.detach(link, false, None);
            peer.turn();
            peer.detach();
            let mut failed = detach(false);
            let condition = amqp_client::types::transport::ErrorCondition::InternalError;
            failed.error = Some(Box::new(amqp_client::types::transport::Error::new(
                condition,
            )));
            peer.send(0, failed);
        } else {
            detached(&mut peer, link, case == "closed");
        }
        if case == "forgotten" {
            peer.engine.forget(link);
        }
        assert_eq!(peer.engine.unsettled(session), (0, 0), "{case}");
        peer.send(0, settles(Role::Receiver, 0, 1));
        assert_eq!(settled(&peer), [] as [u64; 0], "{case}");
        peer.quiet();
    }
}

#[test]
fn a_receiver_learns_that_a_delivery_of_a_detached_link_is_settled() {
    // tests: [PRF-23]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    peer.app.accepts = false;
    let link = attached(&mut peer, session, Role::Receiver, keeping());
    for id in 0..2 {
        peer.transfer(0, first_transfer(0, id), &message("m"));
    }
    detached(&mut peer, link, false);
    assert_eq!(peer.engine.unsettled(session), (0, 2));
    peer.send(0, settles(Role::Sender, 0, 1));
    let settled = |event: &Event| match event {
        Event::DeliverySettled { link: of, id, .. } => Some((*of, *id)),
        _ => None,
    };
    let settled: Vec<_> = peer.app.events.iter().filter_map(settled).collect();
    assert_eq!(settled, [(link, 0), (link, 1)]);
    assert_eq!(peer.engine.unsettled(session), (0, 0));
}

#[test]
fn what_is_settled_while_the_link_is_attached_again_is_not_sent_again() {
    // tests: [PRF-23] [LNK-58]
    let (mut peer, session, link) = sent_two(keeping());
    detached(&mut peer, link, false);
    let unsettled = (0..2).map(|seq| Unsettled {
        message: outgoing(seq, false),
        state: None,
        transmitted: true,
    });
    let resumed = LinkConfig {
        resume: Some(Resume::Sender {
            unsettled: unsettled.collect(),
            resend: true,
            tell: true,
        }),
        ..keeping()
    };
    let mine = Box::new(attach("A", 0, Role::Sender));
    let again = peer
        .engine
        .attach(session, mine, resumed)
        .expect("a handle");
    peer.turn();
    assert_eq!(peer.attach().unsettled.expect("a map").len(), 2);
    // This was on its way when the attach was.
    peer.send(0, settles(Role::Receiver, 0, 0));
    let known = |event: &Event| match event {
        Event::Settled { link, seq, .. } => Some((*link, *seq)),
        _ => None,
    };
    assert_eq!(peer.saw(known), Some((again, 0)));
    // The peer knows neither any more: one it has settled, the other never came.
    let mut answer = attach("A", 0, Role::Receiver);
    answer.unsettled = Some(Default::default());
    peer.send(0, answer);
    peer.grant(0, 10);
    let (transfer, payload) = peer.transfer_frame();
    assert_eq!((transfer.resume, &payload[..]), (false, &message("m1")[..]));
    peer.quiet();
    assert_eq!(peer.engine.unsettled(session), (1, 0));
}

/// A listener to which the peer sends on handle 0 in this mode; what comes waits for the test.
fn receiving(mode: ReceiverSettleMode) -> Peer {
    let mut peer = Peer::begun(config());
    peer.app.accepts = false;
    let mut mine = attach("A", 0, Role::Sender);
    mine.rcv_settle_mode = mode;
    peer.send(0, mine);
    peer.attach();
    peer.flow();
    peer
}

fn tagged(id: u32, tag: u8) -> Transfer {
    let mut transfer = first_transfer(0, id);
    transfer.delivery_tag = DeliveryTag::try_from(vec![tag]).ok();
    transfer
}

#[test]
fn a_tag_that_is_in_use_ends_the_link_and_nothing_else() {
    // tests: [LNK-42]
    for second in [5, 7, 9] {
        let mut peer = receiving(ReceiverSettleMode::First);
        for (id, tag) in [(0, 5), (1, 9), (2, 7)] {
            peer.transfer(0, tagged(id, tag), &message("m"));
        }
        peer.quiet();
        peer.transfer(0, tagged(3, second), &message("again"));
        peer.detached_with(&[ErrorCondition::InvalidField]);
        assert_eq!(peer.app.messages.len(), 3);
    }
}

#[test]
fn a_tag_is_free_as_soon_as_its_delivery_is_settled() {
    // tests: [LNK-42]
    for mode in [ReceiverSettleMode::First, ReceiverSettleMode::Second] {
        let mut peer = receiving(mode);
        let session = peer.app.links[0].session;
        for (id, tag) in [(0, 8), (1, 2), (2, 2), (3, 8), (4, 2)] {
            peer.transfer(0, tagged(id, tag), &message("m"));
            let first = mode == ReceiverSettleMode::First;
            if id > 0 {
                peer.engine.settle(session, id, Some(accepted()), first);
                peer.turn();
                if !first {
                    peer.send(0, settles(Role::Sender, id, id));
                }
            }
            if id == 2 {
                peer.engine.settle(session, 0, Some(accepted()), true);
                peer.turn();
            }
        }
        assert_eq!((peer.app.messages.len(), peer.engine.counts().1), (5, 1));
    }
}

#[test]
fn a_delivery_that_comes_settled_takes_no_tag_from_anybody() {
    // tests: [LNK-42]
    let mut peer = receiving(ReceiverSettleMode::First);
    for (id, settled) in [(0, false), (1, true), (2, true)] {
        let mut transfer = tagged(id, 4);
        transfer.settled = Some(settled);
        peer.transfer(0, transfer, &message("m"));
    }
    assert_eq!((peer.app.messages.len(), peer.engine.counts().1), (3, 1));
}

/// A client whose peer takes frames of 512 octets, with a link that has many deliveries unsettled.
fn narrow() -> (Peer, Key) {
    let mut open = Open::new("peer");
    open.max_frame_size = 512;
    let mut peer = Peer::client_opened(config(), open);
    let session = peer
        .engine
        .begin(SessionConfig::default())
        .expect("a channel");
    peer.turn();
    let (channel, _) = peer.begin();
    let mut answer = begin(0);
    answer.remote_channel = Some(channel);
    peer.send(0, answer);
    (peer, session)
}

fn map(tags: impl IntoIterator<Item = u64>) -> Map<DeliveryTag, Option<DeliveryState>> {
    let tag = |n| DeliveryTag::try_from(Tag::from_counter(n).as_bytes().to_vec()).ok();
    let pairs = tags.into_iter().filter_map(tag).map(|tag| (tag, None));
    Map::from_pairs(pairs.collect()).expect("tags are unique")
}

#[test]
fn a_sender_that_can_not_tell_all_says_so_and_sends_nothing_new() {
    // tests: [LNK-64] [LNK-60]
    let (mut peer, session) = narrow();
    let unsettled = (0..200).map(|seq| Unsettled {
        message: outgoing(seq, false),
        state: None,
        transmitted: true,
    });
    let resumed = LinkConfig {
        resume: Some(Resume::Sender {
            unsettled: unsettled.collect(),
            resend: true,
            tell: true,
        }),
        ..keeping()
    };
    let mine = Box::new(attach("A", 0, Role::Sender));
    let link = peer
        .engine
        .attach(session, mine, resumed)
        .expect("a handle");
    peer.engine.send(link, [outgoing(200, false)]);
    peer.turn();
    assert!(peer.largest <= 512);
    let told = peer.attach();
    assert!(told.incomplete_unsettled);
    let told = told.unsettled.expect("a map").len();
    assert!((10..200).contains(&told), "{told}");
    // The peer has two of them, of which one was told; it has all of its own map in the attach.
    let mut answer = attach("A", 0, Role::Receiver);
    answer.unsettled = Some(map([0, 199]));
    peer.send(0, answer);
    peer.grant(0, 1000);
    for seq in [0, 199] {
        let (transfer, payload) = peer.transfer_frame();
        assert!(transfer.resume);
        assert_eq!(payload[..], message(&format!("m{seq}"))[..]);
    }
    peer.quiet();
    let absent = peer.count(|event| matches!(event, Event::Absent { .. }));
    assert_eq!(absent, 198, "those have to be sent anew");
    let over = |event: &Event| matches!(event, Event::RoundOver { progress: true, .. });
    assert_eq!(peer.count(over), 1, "the rest fits into an attach");
}

#[test]
fn a_sender_takes_nothing_from_what_an_incomplete_map_does_not_name() {
    // tests: [LNK-64]
    let (mut peer, session) = narrow();
    let unsettled = (0..3).map(|seq| Unsettled {
        message: outgoing(seq, false),
        state: None,
        transmitted: seq < 2,
    });
    let resumed = LinkConfig {
        resume: Some(Resume::Sender {
            unsettled: unsettled.collect(),
            resend: true,
            tell: true,
        }),
        ..keeping()
    };
    let mine = Box::new(attach("A", 0, Role::Sender));
    peer.engine
        .attach(session, mine, resumed)
        .expect("a handle");
    peer.turn();
    assert!(!peer.attach().incomplete_unsettled);
    let mut answer = attach("A", 0, Role::Receiver);
    answer.unsettled = Some(map([1]));
    answer.incomplete_unsettled = true;
    peer.send(0, answer);
    peer.grant(0, 10);
    let (transfer, payload) = peer.transfer_frame();
    assert_eq!((transfer.resume, &payload[..]), (true, &message("m1")[..]));
    peer.quiet();
    assert_eq!(peer.count(|event| matches!(event, Event::Absent { .. })), 0);
    let over = |event: &Event| matches!(event, Event::RoundOver { .. });
    assert_eq!(peer.count(over), 0);
    peer.send(0, settles(Role::Receiver, 0, 0));
    assert_eq!(peer.count(over), 1, "all that was told is settled");
}

#[test]
fn a_receiver_that_can_not_tell_all_takes_nothing_new() {
    // tests: [LNK-64]
    let (mut peer, session) = narrow();
    let outstanding = (0..200).map(|seq| Outstanding {
        tag: Tag::from_counter(seq),
        state: None,
    });
    let resumed = LinkConfig {
        resume: Some(Resume::Receiver(outstanding.collect())),
        ..keeping()
    };
    let mine = Box::new(attach("A", 0, Role::Receiver));
    peer.engine
        .attach(session, mine, resumed)
        .expect("a handle");
    peer.turn();
    assert!(peer.attach().incomplete_unsettled);
    let mut answer = attach("A", 0, Role::Sender);
    answer.unsettled = Some(map([0]));
    peer.send(0, answer);
    let settled = |event: &Event| matches!(event, Event::Resumed { id: None, .. });
    assert_eq!(peer.count(settled), 199, "the sender knows one alone");
    peer.forget();
    let mut resumed = tagged(0, 0);
    resumed.resume = true;
    peer.transfer(0, resumed, &message("m0"));
    peer.skip_flows();
    peer.quiet();
    peer.transfer(0, tagged(1, 201), &message("new"));
    peer.detached_with(&[ErrorCondition::IllegalState]);
}

#[test]
fn a_link_that_is_attached_again_and_resumes_nothing_has_no_deliveries_of_before() {
    // tests: [PRF-23] [LNK-58]
    let (mut peer, session, link) = sent_two(keeping());
    detached(&mut peer, link, false);
    assert_eq!(peer.engine.unsettled(session), (2, 0));
    attached(&mut peer, session, Role::Sender, keeping());
    assert_eq!(peer.engine.unsettled(session), (0, 0));
    peer.send(0, settles(Role::Receiver, 0, 1));
    assert_eq!(settled(&peer), [] as [u64; 0]);
}

#[test]
fn a_name_is_attached_again_when_both_sides_have_let_go_of_it() {
    // tests: [LNK-01]
    let (mut peer, session, link) = sent_two(keeping());
    peer.engine.detach(link, false, None);
    let again = Box::new(attach("A", 0, Role::Sender));
    let again = peer.engine.attach(session, again, keeping());
    peer.turn();
    peer.detach();
    peer.quiet();
    peer.send(0, detach(false));
    assert_eq!(peer.attach().name, "A");
    peer.quiet();
    assert_ne!(again, Some(link));
}
