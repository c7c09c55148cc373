//! Queues that are full, messages that are too large, too late or too dear.

use std::time::Duration;

use amqp_client::broker::Broker;
use amqp_client::types::messaging::Outcome;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{ErrorKind, Message, ReceiverOptions, Sender, SenderOptions};

use crate::{broker, connect, never, next, put, receiver, sender, soon, start, text};

async fn rejection(sender: &Sender, message: Message) -> ErrorCondition {
    match soon(sender.send(message)).await.expect("it is settled") {
        Outcome::Rejected(rejected) => rejected.error.expect("an error says why").condition,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_rejects() {
    let builders = [
        Broker::builder().max_queue_messages(3),
        Broker::builder().max_queue_bytes(4 * 128),
    ];
    for builder in builders {
        let broker = start(builder).await;
        let connection = connect(&broker).await;
        let sender = sender(&connection, "q").await;
        for _ in 0..3 {
            put(&sender, Message::from("hello")).await;
        }
        let condition = rejection(&sender, Message::from("one too many")).await;
        assert_eq!(condition, ErrorCondition::ResourceLimitExceeded);
        // A message that a receiver holds still counts; one that is done with does not.
        let link = receiver(&connection, "q").await;
        let held = next(&link).await;
        let condition = rejection(&sender, Message::from("one too many")).await;
        assert_eq!(condition, ErrorCondition::ResourceLimitExceeded);
        held.accept();
        link.close().await.unwrap();
        put(&sender, Message::from("there is room")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_settled_message_for_a_full_queue_closes_the_link() {
    let broker = start(Broker::builder().max_queue_messages(1)).await;
    let connection = connect(&broker).await;
    let options = SenderOptions::new().at_most_once();
    let sender = connection.create_sender_with("q", options).await.unwrap();
    sender.send(Message::from("one")).await.unwrap();
    sender.send(Message::from("two")).await.unwrap();
    let error = soon(sender.closed()).await;
    assert_eq!(
        error.condition(),
        Some(&ErrorCondition::ResourceLimitExceeded)
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_for_the_broker_is_not_sent() {
    // tests: [LNK-41]
    let broker = start(Broker::builder().max_message_size(1000)).await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    let error = sender.send(Message::from(vec![0; 2000])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    put(&sender, Message::from("small")).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_for_a_receiver_waits_for_another() {
    // tests: [LNK-41]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    let options = ReceiverOptions::new().max_message_size(1000);
    let small = connection.create_receiver_with("q", options).await.unwrap();
    put(&sender, Message::from("large ".repeat(1000))).await;
    put(&sender, Message::from("small")).await;
    let delivery = next(&small).await;
    assert_eq!(text(&delivery), "small");
    delivery.accept();
    never(small.recv()).await;
    let any = receiver(&connection, "q").await;
    assert_eq!(text(&next(&any).await).len(), 6000);
}

#[tokio::test(start_paused = true)]
async fn a_broker_may_refuse_what_it_can_not_keep() {
    // tests: [MSG-07]
    let durable = || Message::from("hello").with_durable(true);
    let broker = start(Broker::builder().refuse_durable()).await;
    let connection = connect(&broker).await;
    let link = sender(&connection, "q").await;
    assert_eq!(
        rejection(&link, durable()).await,
        ErrorCondition::PreconditionFailed
    );

    let broker = crate::broker().await;
    let connection = connect(&broker).await;
    put(&sender(&connection, "q").await, durable()).await;
    let message = next(&receiver(&connection, "q").await)
        .await
        .message()
        .unwrap();
    assert!(message.header.unwrap().durable);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_not_delivered_after_its_time() {
    // tests: [MSG-09]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    let for_a_second = |text: &str| Message::from(text).with_ttl(Duration::from_secs(1));
    put(&sender, for_a_second("late")).await;
    tokio::time::advance(Duration::from_millis(1100)).await;
    put(&sender, for_a_second("in time")).await;
    tokio::time::advance(Duration::from_millis(400)).await;
    let delivery = next(&receiver(&connection, "q").await).await;
    assert_eq!(text(&delivery), "in time");
    // What is left of its time.
    let left = delivery.message().unwrap().header.unwrap().ttl.unwrap().0;
    assert!((500..=600).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn a_sender_has_so_many_messages_under_way() {
    for (builder, messages) in [(Broker::builder(), 1000), (Broker::builder().credit(7), 7)] {
        let broker = start(builder).await;
        let connection = connect(&broker).await;
        let sender = sender(&connection, "q").await;
        assert_eq!(
            soon(sender.wait_credit()).await.expect("attached"),
            messages
        );
        broker.shutdown().await;
    }
}
