//! Drain: what is there comes, and the rest of the credit goes back.

use amqp_client::types::messaging::{DistributionMode, Source};
use amqp_client::{Connection, Message, Receiver, ReceiverOptions};

use crate::{broker, connect, never, next, put, sender, soon, text};

async fn by_hand(connection: &Connection, source: Source) -> Receiver {
    let options = ReceiverOptions::new().source(source).manual_credit();
    let link = connection.create_receiver_with("q", options).await;
    link.expect("the receiver is attached")
}

#[tokio::test(start_paused = true)]
async fn a_drain_of_an_empty_queue_gives_the_credit_back() {
    // tests: [LNK-31] [LNK-32]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let link = by_hand(&connection, Source::default()).await;
    link.set_credit(10);
    soon(link.drain()).await.unwrap();
    assert!(link.try_recv().unwrap().is_none());
    // There is no credit left, so this one waits.
    put(&sender(&connection, "q").await, Message::from("later")).await;
    never(link.recv()).await;
    assert_eq!(broker.depth("q"), Some(1));
    link.set_credit(1);
    assert_eq!(text(&next(&link).await), "later");
}

#[tokio::test(start_paused = true)]
async fn a_drain_brings_what_is_there() {
    // tests: [LNK-31]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    for _ in 0..3 {
        put(&sender, Message::from("hello")).await;
    }
    let link = by_hand(&connection, Source::default()).await;
    // Credit and drain go out in one frame.
    link.set_credit(10);
    soon(link.drain()).await.unwrap();
    for _ in 0..3 {
        link.try_recv()
            .unwrap()
            .expect("it came before the drain's end")
            .accept();
    }
    assert!(link.try_recv().unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_when_the_last_credit_is_used() {
    // tests: [LNK-31]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    for _ in 0..3 {
        put(&sender, Message::from("hello")).await;
    }
    let link = by_hand(&connection, Source::default()).await;
    for left in [2, 1, 0] {
        link.set_credit(1);
        soon(link.drain()).await.unwrap();
        link.try_recv()
            .unwrap()
            .expect("it came before the drain's end")
            .accept();
        assert_eq!(broker.depth("q"), Some(left));
    }
    link.set_credit(1);
    soon(link.drain()).await.unwrap();
    assert!(link.try_recv().unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_browser_drains_too() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    for _ in 0..3 {
        put(&sender, Message::from("hello")).await;
    }
    let source = Source {
        distribution_mode: Some(DistributionMode::Copy),
        ..Source::default()
    };
    let link = by_hand(&connection, source).await;
    link.set_credit(10);
    soon(link.drain()).await.unwrap();
    let mut seen = 0;
    while let Some(delivery) = link.try_recv().unwrap() {
        delivery.accept();
        seen += 1;
    }
    assert_eq!(seen, 3);
    assert_eq!(broker.depth("q"), Some(3));
}
