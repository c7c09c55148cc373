//! Rules of links that are attached again: what a refusal changes, what waits for what, and whose
//! deliveries a disposition is about. Sections 2.6.1, 2.6.4, 2.6.7, 2.6.13, 2.7.6.

use amqp_client::proto::{
    Event, Key, LinkConfig, LinkKey, Outstanding, Resume, SessionConfig, Tag, Unsettled,
};
use amqp_client::types::Map;
use amqp_client::types::messaging::{Accepted, DeliveryState};
use amqp_client::types::transport::{
    Attach, DeliveryNumber, DeliveryTag, Detach, Disposition, Handle, Performative, Role,
};

use crate::support::{Item, Peer, attach, config, first_transfer, message, outgoing};

fn accepted() -> DeliveryState {
    Accepted::default().into()
}

/// The engine attaches `name`, and the peer answers under the same handle.
fn attached(peer: &mut Peer, session: Key, name: &str, role: Role, config: LinkConfig) -> LinkKey {
    let mine = Box::new(attach(name, 0, role));
    let link = peer.engine.attach(session, mine, config).expect("a handle");
    peer.turn();
    let handle = peer.attach().handle.0;
    let answer = match role {
        Role::Sender => Role::Receiver,
        Role::Receiver => Role::Sender,
    };
    peer.send(0, attach(name, handle, answer));
    link
}

fn keeping(resume: Option<Resume>) -> LinkConfig {
    LinkConfig {
        keep: true,
        credit: Some(2),
        resume,
        ..LinkConfig::default()
    }
}

/// Deliveries 0 and 1 of a sender, which tells of them or does not.
fn sent_two(tell: bool) -> Option<Resume> {
    let unsettled = (0..2).map(|seq| Unsettled {
        message: outgoing(seq, false),
        state: None,
        transmitted: true,
    });
    Some(Resume::Sender {
        unsettled: unsettled.collect(),
        resend: false,
        tell,
    })
}

/// An attach that tells of deliveries with these tags.
fn telling(role: Role, tags: &[u8]) -> Attach {
    let mut attach = attach("A", 0, role);
    let mut map = Map::default();
    for tag in tags {
        let tag = DeliveryTag::try_from(vec![*tag]).expect("a short tag");
        map.insert(tag, None);
    }
    attach.unsettled = Some(map);
    attach
}

fn is_about_deliveries(event: &Event) -> bool {
    matches!(
        event,
        Event::Unknown { .. } | Event::Settled { .. } | Event::Resumed { .. } | Event::Sent { .. }
    )
}

#[test]
fn an_attach_that_is_refused_leaves_the_deliveries_as_they_were() {
    // tests: [LNK-08] [LNK-09] [LNK-62]
    for role in [Role::Sender, Role::Receiver] {
        let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
        let resume = match role {
            Role::Sender => sent_two(true),
            Role::Receiver => Some(Resume::Receiver(vec![Outstanding {
                tag: Tag::from_counter(0),
                state: None,
            }])),
        };
        let mine = Box::new(attach("A", 0, role));
        let link = peer.engine.attach(session, mine, keeping(resume));
        link.expect("a handle");
        peer.turn();
        peer.attach();
        let mut refusal = attach("A", 0, Role::Receiver);
        refusal.target = None;
        if role == Role::Receiver {
            refusal = attach("A", 0, Role::Sender);
            refusal.source = None;
        }
        peer.send(0, refusal);
        let mut detach = Detach::new(Handle(0));
        detach.closed = true;
        peer.send(0, detach);
        assert_eq!(peer.count(is_about_deliveries), 0, "{role:?}");
    }
}

#[test]
fn a_sender_that_told_nothing_resumes_nothing_whatever_the_receiver_has() {
    // tests: [LNK-60] [LNK-62]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let mine = Box::new(attach("A", 0, Role::Sender));
    let link = peer.engine.attach(session, mine, keeping(sent_two(false)));
    link.expect("a handle");
    peer.turn();
    assert!(peer.attach().unsettled.is_none());
    peer.send(0, telling(Role::Receiver, &[0, 1]));
    peer.grant(0, 10);
    peer.quiet();
    let unknown = |event: &Event| matches!(event, Event::Unknown { .. });
    assert_eq!(peer.count(unknown), 2, "what became of them nobody can say");
}

#[test]
fn a_resumed_delivery_does_not_count_against_the_credit_twice() {
    // tests: [LNK-26] [LNK-59]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    peer.app.accepts = false;
    let open = Outstanding {
        tag: Tag::from_counter(0),
        state: None,
    };
    let mine = Box::new(attach("A", 0, Role::Receiver));
    let resume = keeping(Some(Resume::Receiver(vec![open])));
    peer.engine.attach(session, mine, resume).expect("a handle");
    peer.turn();
    peer.attach();
    peer.send(0, telling(Role::Sender, &[0]));
    let mut resumed = first_transfer(0, 0);
    resumed.delivery_tag = DeliveryTag::try_from(vec![0]).ok();
    resumed.resume = true;
    peer.transfer(0, resumed, &message("m"));
    for id in 1..3 {
        peer.transfer(0, first_transfer(0, id), &message("m"));
    }
    peer.skip_flows();
    // The window is two, and two new deliveries are held.
    peer.engine.settle(session, 0, Some(accepted()), true);
    peer.turn();
    assert_eq!(peer.disposition().first.0, 0);
    peer.quiet();
}

#[test]
fn an_attach_waits_for_the_detach_of_its_predecessor_and_for_nothing_else() {
    // tests: [LNK-01] [PRF-23]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = attached(&mut peer, session, "A", Role::Sender, keeping(None));
    peer.grant(0, 10);
    for seq in 0..2 {
        peer.send_message(link, seq, false);
        peer.transfer_frame();
    }
    // The application attaches again as soon as it hears of the detach, before that is answered.
    peer.send_quietly(0, Detach::new(Handle(0)));
    let again = Box::new(attach("A", 0, Role::Sender));
    let again = peer.engine.attach(session, again, keeping(sent_two(true)));
    again.expect("a handle");
    peer.turn();
    peer.detach();
    assert_eq!(peer.attach().unsettled.map(|map| map.len()), Some(2));
    assert_eq!(peer.engine.unsettled(session), (2, 0));
    peer.send(0, telling(Role::Receiver, &[]));
    assert_eq!(peer.engine.unsettled(session), (0, 0), "none stays behind");
}

#[test]
fn deliveries_that_are_forgotten_before_the_detach_is_written_do_not_stay() {
    // tests: [PRF-23]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = attached(&mut peer, session, "A", Role::Sender, keeping(None));
    peer.grant(0, 10);
    peer.send_message(link, 0, false);
    peer.transfer_frame();
    peer.send_quietly(0, Detach::new(Handle(0)));
    peer.engine.forget(link);
    peer.turn();
    peer.detach();
    assert_eq!(peer.engine.unsettled(session), (0, 0));
}

#[test]
fn a_range_of_the_sender_covers_no_delivery_that_went_with_its_link() {
    // tests: [PRF-20]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let first = attached(&mut peer, session, "A", Role::Sender, keeping(None));
    let other = attached(&mut peer, session, "B", Role::Sender, keeping(None));
    for handle in 0..2 {
        let mut grant = crate::support::flow(Some(handle));
        grant.link_credit = Some(10);
        peer.send(0, grant);
    }
    for (link, seq) in [(first, 0), (other, 0), (first, 1)] {
        peer.send_message(link, seq, false);
        peer.transfer_frame();
    }
    // The second of the three is the peer's still, and this end has forgotten it.
    peer.engine.detach(other, false, None);
    peer.turn();
    peer.detach();
    peer.send(0, Detach::new(Handle(1)));
    peer.engine.forget(other);
    for id in [0, 2] {
        let mut told = Disposition::new(Role::Receiver, DeliveryNumber(id));
        told.state = Some(accepted());
        peer.send_quietly(0, told);
    }
    peer.turn();
    let mut settled = Vec::new();
    while let Some(item) = peer.try_next() {
        if let Item::Frame(_, Performative::Disposition(said), _) = item {
            settled.push((said.first.0, said.last.map_or(said.first.0, |last| last.0)));
        }
    }
    assert_eq!(settled, [(0, 0), (2, 2)]);
}
