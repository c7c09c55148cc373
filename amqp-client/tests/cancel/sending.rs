//! What sends: a message is sent once or not at all, whatever is dropped.

use amqp_client::types::messaging::Outcome;
use amqp_client::{Message, SendSettings, Sender, SenderOptions};

use crate::cut::{Cut, everywhere};
use crate::world::{World, everything, sends};

/// Cuts a send at every point: the text arrives once if it was accepted, and at most once otherwise.
async fn once_or_never(send: impl AsyncFn(&Sender, &Cut, Message) -> Option<Outcome>) {
    let world = World::new().await;
    let (sender, receiver) = (world.sender("q").await, world.receiver("q").await);
    let rounds = everywhere(async |cut| {
        let done = send(&sender, cut, Message::from("cut")).await;
        let arrived = everything(&sender, &receiver).await;
        match done {
            Some(Outcome::Accepted(_)) => assert_eq!(arrived, ["cut"]),
            Some(other) => panic!("{other:?}"),
            None => assert!(arrived.len() <= 1, "{arrived:?}"),
        }
        world.comes_to_rest(2).await;
    })
    .await;
    assert!(rounds > 2);
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_send_is_whole_or_not_there() {
    once_or_never(async |sender, cut, message| {
        cut.on(sender.send(message)).await.map(|r| r.expect("sent"))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_is_dropped_takes_nothing_with_it() {
    once_or_never(async |sender, cut, message| {
        let receipt = sender.enqueue(message).await.expect("enqueued");
        cut.on(receipt).await.map(|r| r.expect("an outcome"))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_state_takes_no_outcome_away() {
    once_or_never(async |sender, cut, message| {
        let mut receipt = sender.enqueue(message).await.expect("enqueued");
        cut.on(receipt.updated()).await;
        Some(receipt.await.expect("an outcome"))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn outcomes_that_are_collected_wait_for_who_asks_next() {
    once_or_never(async |sender, cut, message| {
        let settings = SendSettings::default();
        let number = sender.enqueue_collected(message, settings).await;
        let number = number.expect("enqueued");
        let mut outcomes = Vec::new();
        cut.on(sender.collect_outcomes(&mut outcomes)).await;
        if outcomes.is_empty() {
            sender.collect_outcomes(&mut outcomes).await.expect("there");
        }
        let [(found, outcome)] = &outcomes[..] else {
            panic!("{outcomes:?}");
        };
        assert_eq!(*found, number);
        Some(outcome.clone())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_room_enqueues_nothing() {
    let world = World::new().await;
    let options = SenderOptions::new().max_queued_messages(1);
    let sender = world.connection.create_sender_with("q", options).await;
    let (sender, receiver) = (sender.expect("a sender"), world.receiver("q").await);
    everywhere(async |cut| {
        // The first takes all the room there is.
        let first = sender.enqueue(Message::from("first")).await;
        let tag = SendSettings::default().tag(b"mine").expect("a tag");
        let second = cut
            .on(sender.enqueue_with(Message::from("second"), tag))
            .await;
        let expected: &[&str] = match second.is_some() {
            true => &["first", "second"],
            false => &["first"],
        };
        drop(first.expect("enqueued").await.expect("an outcome"));
        if let Some(second) = second {
            second.expect("enqueued").await.expect("an outcome");
        }
        assert_eq!(everything(&sender, &receiver).await, expected);
        world.comes_to_rest(2).await;
    })
    .await;
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_flush_or_a_flow_changes_nothing() {
    let world = World::new().await;
    let (sender, receiver) = (world.sender("q").await, world.receiver("q").await);
    everywhere(async |cut| {
        let receipt = sender
            .enqueue(Message::from("one"))
            .await
            .expect("enqueued");
        cut.on(sender.flush()).await;
        receipt.await.expect("an outcome");
        assert_eq!(everything(&sender, &receiver).await, ["one"]);
        world.comes_to_rest(2).await;
    })
    .await;
    everywhere(async |cut| {
        assert!(sender.wait_credit().await.expect("credit") > 0);
        cut.on(sender.wait_credit()).await;
        cut.on(sender.flow_changed(sender.credit(), false)).await;
        cut.on(sender.closed()).await;
        cut.on(receiver.closed()).await;
        sends(&sender, "one").await;
        assert_eq!(everything(&sender, &receiver).await, ["one"]);
        world.comes_to_rest(2).await;
    })
    .await;
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_whole_or_aborted() {
    let world = World::new().await;
    let (sender, receiver) = (world.sender("q").await, world.receiver("q").await);
    let octets = vec![7; 600_000];
    let arrived = async || {
        sends(&sender, "the end").await;
        let mut sizes = Vec::new();
        loop {
            let delivery = receiver.recv().await.expect("received");
            delivery.accept();
            let message = delivery.message().expect("a message");
            match message.body.as_str() {
                Some(_) => return sizes,
                None => sizes.push(delivery.payload().len()),
            }
        }
    };
    everywhere(async |cut| {
        let sent = cut
            .on(sender.send_from(Message::default(), &octets[..]))
            .await;
        let sizes = arrived().await;
        match sent {
            Some(outcome) => {
                outcome.expect("sent");
                assert!(sizes.len() == 1 && sizes[0] > octets.len());
            }
            // What was cut before its end is aborted, what was cut behind it goes on.
            None => assert!(sizes.iter().all(|size| *size > octets.len()), "{sizes:?}"),
        }
        world.comes_to_rest(2).await;
    })
    .await;
    everywhere(async |cut| {
        let settings = SendSettings::default();
        let stream = cut.on(sender.stream(Message::default(), settings)).await;
        drop(stream);
        assert!(arrived().await.is_empty());
        world.comes_to_rest(2).await;
    })
    .await;
    everywhere(async |cut| {
        let settings = SendSettings::default();
        let stream = sender.stream(Message::default(), settings).await;
        let mut stream = stream.expect("begun");
        let full = stream.write(vec![1; 300_000]).await;
        full.expect("written");
        let written = cut.on(stream.write(vec![2; 300_000])).await.is_some();
        let receipt = stream.finish().expect("finished");
        receipt.await.expect("an outcome");
        let [size] = arrived().await[..] else {
            panic!("one message");
        };
        assert_eq!(size > 600_000, written, "{size}");
        world.comes_to_rest(2).await;
    })
    .await;
    world.works().await;
}
