//! Futures that are dropped half way lose nothing and leave nothing behind.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use amqp_client::types::messaging::Outcome;
use amqp_client::{Message, ReceiverOptions, SenderOptions};

use crate::{broker, connect, never, next, put, receiver, sender, soon, text};

/// Polls a future once and drops it, unless it is ready.
fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_receive_loses_nothing() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let link = receiver(&connection, "q").await;
    let sender = sender(&connection, "q").await;
    for number in 0..50 {
        assert!(poll_once(link.recv()).is_none());
        put(&sender, Message::from(format!("{number}"))).await;
        let delivery = match poll_once(link.recv()) {
            Some(delivery) => delivery.unwrap(),
            None => next(&link).await,
        };
        assert_eq!(text(&delivery), format!("{number}"));
        delivery.accept();
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_is_sent_or_not_but_never_twice() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    assert!(poll_once(sender.send(Message::from("dropped"))).is_none());
    put(&sender, Message::from("kept")).await;
    // It had been enqueued: it went first.
    let link = receiver(&connection, "q").await;
    for expected in ["dropped", "kept"] {
        let delivery = next(&link).await;
        assert_eq!(text(&delivery), expected);
        delivery.accept();
    }
    never(link.recv()).await;
}

#[tokio::test(start_paused = true)]
async fn an_enqueue_that_is_dropped_while_it_waits_for_room_sends_nothing() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let options = SenderOptions::new().max_queued_messages(1);
    let sender = connection.create_sender_with("q", options).await.unwrap();
    let first = sender.enqueue(Message::from("first")).await.unwrap();
    assert!(poll_once(sender.enqueue(Message::from("dropped"))).is_none());
    assert!(matches!(soon(first).await.unwrap(), Outcome::Accepted(_)));
    put(&sender, Message::from("second")).await;
    let link = receiver(&connection, "q").await;
    for expected in ["first", "second"] {
        let delivery = next(&link).await;
        assert_eq!(text(&delivery), expected);
        delivery.accept();
    }
    never(link.recv()).await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_is_dropped_changes_nothing_for_the_message() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    for _ in 0..10 {
        drop(sender.enqueue(Message::from("hello")).await.unwrap());
    }
    sender.close().await.unwrap();
    let link = receiver(&connection, "q").await;
    for _ in 0..10 {
        next(&link).await.accept();
    }
    never(link.recv()).await;
}

#[tokio::test(start_paused = true)]
async fn an_attach_that_is_dropped_takes_no_messages_with_it() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    put(&sender(&connection, "q").await, Message::from("hello")).await;
    for _ in 0..10 {
        assert!(poll_once(connection.create_receiver("q")).is_none());
    }
    // Those that were attached for a moment have given everything back.
    assert_eq!(
        text(&next(&receiver(&connection, "q").await).await),
        "hello"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_close_closes_all_the_same() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    put(&sender(&connection, "q").await, Message::from("hello")).await;
    let options = ReceiverOptions::new().prefetch(1);
    let link = connection.create_receiver_with("q", options).await.unwrap();
    let held = next(&link).await;
    assert!(poll_once(link.close()).is_none());
    assert_eq!(
        text(&next(&receiver(&connection, "q").await).await),
        "hello"
    );
    drop(held);
    assert!(poll_once(connection.close()).is_none());
    soon(connection.closed()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn handles_that_are_dropped_close_what_they_stand_for() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    put(&sender(&connection, "q").await, Message::from("hello")).await;
    let link = receiver(&connection, "q").await;
    let held = next(&link).await;
    drop(link);
    // A delivery keeps its link.
    assert_eq!(broker.depth("q"), Some(0));
    held.accept();
    drop(connection);
    soon(broker.shutdown()).await;
}
