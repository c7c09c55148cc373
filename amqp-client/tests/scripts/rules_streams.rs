//! Rules of deliveries that go and come in parts, and of those that are given up. Section 2.6.14.

use amqp_client::proto::{Event, LinkConfig, LinkKey, Load, SessionConfig, StreamEnd};
use amqp_client::types::messaging::{Accepted, DeliveryState};
use amqp_client::types::transport::{DeliveryNumber, Disposition, Performative, Role, Transfer};
use bytes::Bytes;

use crate::support::{Item, Peer, attach, config, first_transfer, message, outgoing};

/// A client that receives parts on `A` with a window of two.
fn receiving() -> (Peer, LinkKey) {
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let mine = Box::new(attach("A", 0, Role::Receiver));
    let parts = LinkConfig {
        credit: Some(2),
        streaming: true,
        ..LinkConfig::default()
    };
    let link = peer.engine.attach(session, mine, parts).expect("a handle");
    peer.turn();
    peer.attach();
    peer.send(0, attach("A", 0, Role::Sender));
    assert_eq!(peer.flow().link_credit, Some(2));
    (peer, link)
}

/// The first frame of a delivery that goes on, and the one that gives it up.
fn begun(id: u32, settled: bool) -> (Transfer, Transfer) {
    let mut first = first_transfer(0, id);
    first.settled = Some(settled);
    first.more = true;
    let mut last = first_transfer(0, id);
    last.settled = Some(settled);
    last.aborted = true;
    (first, last)
}

#[test]
fn a_streamed_delivery_that_is_given_up_is_done_with_once() {
    // tests: [LNK-30] [LNK-55]
    for settled in [true, false] {
        let (mut peer, link) = receiving();
        peer.transfer(0, first_transfer(0, 0), &message("held"));
        let (first, last) = begun(1, settled);
        peer.transfer(0, first, b"abc");
        // The application takes what came; of what came settled it is done with that.
        peer.engine.taken(
            link,
            Load {
                frames: 2,
                octets: 0,
            },
        );
        peer.engine.consumed(link, u32::from(settled));
        peer.transfer(0, last, &[]);
        // One of the two is held, so that one more may come.
        let mut granted = None;
        while let Some(item) = peer.try_next() {
            if let Item::Frame(_, Performative::Flow(flow), _) = item {
                granted = flow.link_credit.or(granted);
            }
        }
        assert_eq!(granted, Some(1), "settled: {settled}");
    }
}

#[test]
fn a_delivery_that_was_settled_while_it_was_written_is_not_settled_again_by_its_abort() {
    // tests: [OUT-06] [LNK-55]
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.grant(0, 10);
    let mut streamed = outgoing(1, false);
    streamed.payload = Bytes::new();
    streamed.stream = true;
    peer.engine.send(link, [streamed]);
    peer.engine
        .stream(link, 1, Some(Bytes::from_static(b"abc")), None);
    peer.turn();
    peer.transfer_frame();
    let mut accepts = Disposition::new(Role::Receiver, DeliveryNumber(0));
    accepts.settled = true;
    accepts.state = Some(Accepted::default().into());
    peer.send(0, accepts);
    peer.engine.stream(link, 1, None, Some(StreamEnd::Aborted));
    peer.turn();
    assert!(peer.transfer_frame().0.aborted);
    let outcomes: Vec<_> = peer
        .app
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Settled { seq, state, .. } => Some((*seq, state.clone())),
            _ => None,
        })
        .collect();
    let accepted = DeliveryState::from(Accepted::default());
    assert_eq!(outcomes, [(1, Some(accepted))]);
}
