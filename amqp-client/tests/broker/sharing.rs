//! Receivers that share a queue: competing for messages, or looking at them.

use amqp_client::types::messaging::{DistributionMode, Source, SourceArchetype};
use amqp_client::{Connection, Message, Receiver, ReceiverOptions};

use crate::{broker, connect, never, next, put, receiver, sender, soon, text};

async fn browser(connection: &Connection) -> Receiver {
    let source = Source {
        distribution_mode: Some(DistributionMode::Copy),
        ..Source::default()
    };
    let options = ReceiverOptions::new().source(source);
    let link = connection.create_receiver_with("q", options).await;
    link.expect("the browser is attached")
}

#[tokio::test(start_paused = true)]
async fn receivers_get_messages_in_turn() {
    // tests: [MSG-24]
    let broker = broker().await;
    let (one, two) = (connect(&broker).await, connect(&broker).await);
    let links = [
        receiver(&one, "q").await,
        receiver(&two, "q").await,
        receiver(&two, "q").await,
    ];
    let sender = sender(&one, "q").await;
    let mut receipts = Vec::new();
    for number in 0..300 {
        receipts.push(
            sender
                .enqueue(Message::from(format!("{number}")))
                .await
                .unwrap(),
        );
    }
    for receipt in receipts {
        soon(receipt).await.unwrap();
    }
    let mut seen = Vec::new();
    for link in &links {
        for _ in 0..100 {
            let delivery = next(link).await;
            seen.push(text(&delivery).parse::<u32>().unwrap());
            delivery.accept();
        }
        never(link.recv()).await;
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..300).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_without_credit_gets_nothing_and_keeps_nobody_waiting() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let idle = connection
        .create_receiver_with("q", ReceiverOptions::new().manual_credit())
        .await
        .unwrap();
    let busy = receiver(&connection, "q").await;
    let sender = sender(&connection, "q").await;
    for _ in 0..10 {
        put(&sender, Message::from("hello")).await;
        next(&busy).await.accept();
    }
    never(idle.recv()).await;
    idle.set_credit(1);
    put(&sender, Message::from("one")).await;
    put(&sender, Message::from("two")).await;
    put(&sender, Message::from("three")).await;
    next(&idle).await.accept();
    never(idle.recv()).await;
}

#[tokio::test(start_paused = true)]
async fn messages_dealt_to_a_receiver_that_leaves_go_to_the_others() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let leaves = receiver(&connection, "q").await;
    let stays = receiver(&connection, "q").await;
    let sender = sender(&connection, "q").await;
    for number in 0..10 {
        put(&sender, Message::from(format!("{number}"))).await;
    }
    leaves.close().await.unwrap();
    for _ in 0..10 {
        next(&stays).await.accept();
    }
    never(stays.recv()).await;
}

#[tokio::test(start_paused = true)]
async fn a_browser_sees_messages_and_leaves_them() {
    // tests: [SRC-15] [SRC-16] [SRC-17]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    put(&sender, Message::from("one")).await;
    put(&sender, Message::from("two")).await;

    let browser = browser(&connection).await;
    let Some(SourceArchetype::Source(source)) = browser.source() else {
        panic!("the browser has a source")
    };
    assert_eq!(source.distribution_mode, Some(DistributionMode::Copy));
    for expected in ["one", "two"] {
        let delivery = next(&browser).await;
        assert_eq!(text(&delivery), expected);
        delivery.accept();
    }
    assert_eq!(broker.depth("q"), Some(2));
    // It sees what comes later, and nothing twice.
    put(&sender, Message::from("three")).await;
    assert_eq!(text(&next(&browser).await), "three");
    never(browser.recv()).await;

    let link = receiver(&connection, "q").await;
    for expected in ["one", "two", "three"] {
        let delivery = next(&link).await;
        assert_eq!(text(&delivery), expected);
        delivery.accept();
    }
    link.close().await.unwrap();
    assert_eq!(broker.depth("q"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_browser_does_not_see_what_a_receiver_holds() {
    // tests: [MSG-24]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    put(&sender, Message::from("held")).await;
    let link = receiver(&connection, "q").await;
    let held = next(&link).await;
    let browser = browser(&connection).await;
    never(browser.recv()).await;
    held.accept();
}
