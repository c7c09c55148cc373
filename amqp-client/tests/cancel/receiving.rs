//! What receives: no delivery is lost when a future is dropped.

use amqp_client::types::messaging::Outcome;
use amqp_client::{Receiver, ReceiverOptions};

use crate::cut::everywhere;
use crate::world::{World, everything, sends, text};

#[tokio::test(start_paused = true)]
async fn a_delivery_is_received_by_the_next_call() {
    let world = World::new().await;
    let (sender, receiver) = (world.sender("q").await, world.receiver("q").await);
    let other = world.receiver("other").await;
    everywhere(async |cut| {
        let sent = sender.enqueue(amqp_client::Message::from("one")).await;
        let received = cut.on(receiver.recv()).await;
        let early = received.is_some();
        if let Some(delivery) = received {
            delivery.expect("received").accept();
        }
        sent.expect("enqueued").await.expect("an outcome");
        let left = everything(&sender, &receiver).await;
        assert_eq!(left, if early { vec![] } else { vec!["one"] });
        world.comes_to_rest(3).await;
    })
    .await;
    everywhere(async |cut| {
        let sent = sender.enqueue(amqp_client::Message::from("one")).await;
        let received = cut.on(Receiver::recv_any(&[&other, &receiver])).await;
        let early = received.is_some();
        if let Some(received) = received {
            received.expect("received").1.accept();
        }
        sent.expect("enqueued").await.expect("an outcome");
        let left = everything(&sender, &receiver).await;
        assert_eq!(left, if early { vec![] } else { vec!["one"] });
        world.comes_to_rest(3).await;
    })
    .await;
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_dropped_comes_again() {
    let world = World::new().await;
    let (sender, receiver) = (world.sender("q").await, world.receiver("q").await);
    everywhere(async |cut| {
        sends(&sender, "one").await;
        // The delivery goes where its future goes.
        cut.on(async { drop(receiver.recv().await) }).await;
        assert_eq!(everything(&sender, &receiver).await, ["one"]);
        world.comes_to_rest(2).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_on() {
    let world = World::new().await;
    let (sender, receiver) = (world.sender("q").await, world.idle_receiver("q").await);
    everywhere(async |cut| {
        sends(&sender, "one").await;
        receiver.set_credit(10);
        cut.on(receiver.drain()).await;
        receiver.drain().await.expect("drained");
        assert_eq!(text(&receiver).await, "one");
        assert!(receiver.try_recv().expect("no error").is_none());
        world.comes_to_rest(2).await;
    })
    .await;
    // The mode is usable afterwards.
    sends(&sender, "two").await;
    receiver.set_credit(1);
    assert_eq!(text(&receiver).await, "two");
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_nobody_waits_for_is_one() {
    let world = World::new().await;
    let sender = world.sender("q").await;
    let options = ReceiverOptions::new().settle_second();
    let receiver = world.connection.create_receiver_with("q", options).await;
    let receiver = receiver.expect("a receiver");
    everywhere(async |cut| {
        sends(&sender, "one").await;
        let delivery = receiver.recv().await.expect("received");
        delivery.settle(Outcome::Accepted(Default::default()));
        cut.on(delivery.settled()).await;
        delivery.settled().await.expect("settled");
        world.comes_to_rest(2).await;
        assert_eq!(world.broker.depth("q"), Some(0));
    })
    .await;
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_read_of_a_stream_is_not_read_again() {
    let world = World::new().await;
    let sender = world.sender("q").await;
    let options = ReceiverOptions::new().streaming();
    let receiver = world.connection.create_receiver_with("q", options).await;
    let receiver = receiver.expect("a receiver");
    let octets: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    let message = || amqp_client::Message::from(octets.clone()).with_subject("a stream");
    everywhere(async |cut| {
        let receipt = sender.enqueue(message()).await.expect("enqueued");
        let stream = cut.on(receiver.recv_stream()).await;
        let mut stream = match stream {
            Some(stream) => stream.expect("received"),
            None => receiver.recv_stream().await.expect("received"),
        };
        assert_eq!(stream.read_all(1_000_000).await.expect("read"), octets);
        stream.delivery().accept();
        receipt.await.expect("an outcome");
        world.comes_to_rest(2).await;
    })
    .await;
    everywhere(async |cut| {
        let receipt = sender.enqueue(message()).await.expect("enqueued");
        let mut stream = receiver.recv_stream().await.expect("received");
        let mut body = Vec::new();
        cut.on(stream.head()).await;
        assert!(stream.head().await.expect("a head").properties.is_some());
        if let Some(piece) = cut.on(stream.next()).await {
            body.extend(piece.expect("read").expect("there is some"));
        }
        body.extend(stream.read_all(1_000_000).await.expect("read"));
        assert_eq!(body, octets);
        stream.delivery().accept();
        receipt.await.expect("an outcome");
        world.comes_to_rest(2).await;
    })
    .await;
    everywhere(async |cut| {
        let receipt = sender.enqueue(message()).await.expect("enqueued");
        let mut stream = receiver.recv_stream().await.expect("received");
        // What was gathered goes with the future; the delivery does not.
        cut.on(stream.read_all(1_000_000)).await;
        while stream.next().await.expect("read").is_some() {}
        stream.delivery().accept();
        receipt.await.expect("an outcome");
        world.comes_to_rest(2).await;
    })
    .await;
    world.works().await;
}
