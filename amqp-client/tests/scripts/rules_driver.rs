//! Rules that the handles decide and not the engine, against a scripted peer on an in-memory pipe.
//! Sections 2.6.12, 2.7.6, 3.4, 3.5.3.

use amqp_client::types::messaging::{Accepted, Outcome, Released};
use amqp_client::types::transport::{
    DeliveryNumber, Detach, Disposition, Handle, Performative, Role,
};
use amqp_client::{
    Connection, ConnectionOptions, ErrorKind, ErrorScope, Message, SendSettings, Sender,
    SenderOptions,
};

use crate::support::frames::frame;
use crate::support::wire::{Wire, source};

/// A sender whose peer's attach names this default outcome.
async fn sender(default_outcome: Option<Outcome>) -> (Connection, Sender, Wire) {
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let (sender, _) = tokio::join!(
        connection.create_sender("q"),
        wire.answer_attach(|answer| source(answer).default_outcome = default_outcome),
    );
    (connection, sender.expect("the sender is attached"), wire)
}

/// The delivery-id of the client's next transfer.
async fn sent(wire: &mut Wire) -> DeliveryNumber {
    wire.expect(|p| match p {
        Performative::Transfer(transfer) => transfer.delivery_id,
        _ => None,
    })
    .await
}

/// A receiver's report on a delivery.
fn report(id: DeliveryNumber, state: Option<Outcome>, settled: bool) -> Disposition {
    let mut disposition = Disposition::new(Role::Receiver, id);
    disposition.state = state.map(Into::into);
    disposition.settled = settled;
    disposition
}

#[tokio::test(start_paused = true)]
async fn settled_without_a_state_is_the_default_outcome() {
    // tests: [OUT-14] [SRC-23]
    let released = Outcome::from(Released::default());
    let accepted = Outcome::from(Accepted::default());
    for (default, expected) in [(Some(released.clone()), released), (None, accepted)] {
        let (_connection, sender, mut wire) = sender(default).await;
        let settle = async {
            let id = sent(&mut wire).await;
            wire.write(&frame(0, &report(id, None, true), &[])).await;
        };
        let (outcome, ()) = tokio::join!(sender.send(Message::from("m")), settle);
        assert_eq!(outcome.expect("it is settled"), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_learns_what_the_peer_says_after_the_detach() {
    // tests: [PRF-23]
    let (connection, mut wire) = Wire::connected(ConnectionOptions::new()).await;
    let options = SenderOptions::new().name("A").resumable();
    let (sender, _) = tokio::join!(
        connection.create_sender_with("q", options),
        wire.answer_attach(|_| {}),
    );
    let sender = sender.expect("the sender is attached");
    let receipt = sender.enqueue(Message::from("m")).await.expect("room");
    let id = sent(&mut wire).await;
    let (detached, ()) = tokio::join!(sender.detach(), async {
        assert!(!wire.detach().await.closed);
        wire.write(&frame(0, &Detach::new(Handle(0)), &[])).await;
    });
    detached.expect("detached in good order");
    let released = Outcome::from(Released::default());
    wire.write(&frame(0, &report(id, Some(released.clone()), true), &[]))
        .await;
    assert_eq!(receipt.await.expect("it is settled"), released);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_in_use_is_refused_and_the_link_goes_on() {
    // tests: [LNK-42]
    let (_connection, sender, mut wire) = sender(None).await;
    let tagged = |tag: &[u8]| SendSettings::default().tag(tag).expect("short enough");
    let send = async |settings| sender.enqueue_with(Message::from("m"), settings).await;
    let first = send(tagged(b"a")).await.expect("room");
    // Number 1 has made the tag 01; number 3 would make 03, which the user has taken by then.
    let second = sender.enqueue(Message::from("m")).await.expect("room");
    for used in [&b"a"[..], &[1]] {
        let error = send(tagged(used)).await.expect_err("the tag is in use");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_eq!(error.scope(), ErrorScope::Delivery);
    }
    let third = send(tagged(&[3])).await.expect("room");
    let fourth = sender.enqueue(Message::from("m")).await.expect("room");
    let mut tags = std::collections::HashSet::new();
    let mut last = DeliveryNumber(0);
    for _ in 0..4 {
        let (id, tag) = wire
            .expect(|p| match p {
                Performative::Transfer(transfer) => {
                    Some((transfer.delivery_id?, transfer.delivery_tag.clone()?))
                }
                _ => None,
            })
            .await;
        assert!(tags.insert(tag.as_ref().to_vec()), "{tag:?}");
        last = id;
    }
    let mut all = report(DeliveryNumber(0), Some(Accepted::default().into()), true);
    all.last = Some(last);
    wire.write(&frame(0, &all, &[])).await;
    for receipt in [first, second, third, fourth] {
        receipt.await.expect("accepted");
    }
    // Settled, so that the tag is free.
    let again = send(tagged(b"a")).await.expect("room");
    let id = sent(&mut wire).await;
    wire.write(&frame(0, &report(id, None, true), &[])).await;
    again.await.expect("accepted");
}
