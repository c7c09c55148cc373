//! What becomes of a message with each outcome, and without one.

use amqp_client::broker::Broker;
use amqp_client::types::messaging::{
    DeliveryAnnotations, Header, Modified, Outcome, Released, Source,
};
use amqp_client::types::transport::{Error, ErrorCondition, Fields};
use amqp_client::types::{AnnotationKey, Symbol};
use amqp_client::{Connection, Delivery, Message, ReceiverOptions, Value};

use crate::{broker, connect, never, next, put, receiver, sender, start, text};

fn header(delivery: &Delivery) -> Header {
    let encoded = delivery.encoded().expect("the sections are found");
    encoded
        .header()
        .expect("the header decodes")
        .unwrap_or_default()
}

/// A broker with one message in a queue.
async fn one_message() -> (Broker, Connection) {
    let broker = broker().await;
    let connection = connect(&broker).await;
    put(&sender(&connection, "q").await, Message::from("hello")).await;
    (broker, connection)
}

fn failed() -> Modified {
    Modified {
        delivery_failed: Some(true),
        ..Modified::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_message_is_gone() {
    // tests: [OUT-06]
    let (broker, connection) = one_message().await;
    let link = receiver(&connection, "q").await;
    next(&link).await.accept();
    link.close().await.unwrap();
    let link = receiver(&connection, "q").await;
    never(link.recv()).await;
    assert_eq!(broker.depth("q"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_rejected_message_is_gone() {
    // tests: [OUT-07]
    let (broker, connection) = one_message().await;
    let link = receiver(&connection, "q").await;
    next(&link).await.reject(None);
    never(link.recv()).await;
    link.close().await.unwrap();
    assert_eq!(broker.depth("q"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_rejected_message_becomes_a_dead_letter_with_its_error() {
    // tests: [OUT-07] [MSG-11]
    let broker = start(Broker::builder().dead_letters("dead")).await;
    let connection = connect(&broker).await;
    put(&sender(&connection, "q").await, Message::from("hello")).await;
    let link = receiver(&connection, "q").await;
    let mut error = Error::new(ErrorCondition::PreconditionFailed);
    error.description = Some("not today".into());
    next(&link).await.reject(error.clone());

    let dead = next(&receiver(&connection, "dead").await).await;
    assert_eq!(text(&dead), "hello");
    assert_eq!(header(&dead).delivery_count, 1);
    let annotations: DeliveryAnnotations = dead
        .encoded()
        .unwrap()
        .delivery_annotations()
        .unwrap()
        .unwrap();
    let found = annotations
        .get(&AnnotationKey::from(Symbol::from_static("rejected")))
        .unwrap();
    let found = Error::try_from(found.as_described().unwrap()).unwrap();
    assert_eq!(found, error);
}

#[tokio::test(start_paused = true)]
async fn a_released_message_comes_again_as_it_was() {
    // tests: [OUT-08] [MSG-10] [MSG-11] [MSG-24]
    let (_broker, connection) = one_message().await;
    let link = receiver(&connection, "q").await;
    let first = next(&link).await;
    assert!(header(&first).first_acquirer);
    assert_eq!(header(&first).delivery_count, 0);
    first.release();
    let second = next(&link).await;
    assert_eq!(text(&second), "hello");
    assert!(!header(&second).first_acquirer);
    assert_eq!(header(&second).delivery_count, 0);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_dropped_is_released() {
    let (_broker, connection) = one_message().await;
    let link = receiver(&connection, "q").await;
    drop(next(&link).await);
    assert_eq!(text(&next(&link).await), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_released_message_takes_its_old_place() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    for text in ["one", "two", "three"] {
        put(&sender, Message::from(text)).await;
    }
    let link = connection
        .create_receiver_with("q", ReceiverOptions::new().prefetch(1))
        .await
        .unwrap();
    next(&link).await.release();
    for expected in ["one", "two", "three"] {
        let delivery = next(&link).await;
        assert_eq!(text(&delivery), expected);
        delivery.accept();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_delivery_is_counted() {
    // tests: [OUT-10] [MSG-11]
    let (_broker, connection) = one_message().await;
    let link = receiver(&connection, "q").await;
    next(&link).await.modify(failed());
    next(&link).await.modify(Modified::default());
    next(&link).await.modify(failed());
    let delivery = next(&link).await;
    assert_eq!(header(&delivery).delivery_count, 2);
    delivery.accept();
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_come_back_to_whom_it_is_undeliverable() {
    // tests: [OUT-11]
    let (_broker, connection) = one_message().await;
    let here = receiver(&connection, "q").await;
    next(&here).await.modify(Modified {
        undeliverable_here: Some(true),
        ..Modified::default()
    });
    never(here.recv()).await;
    let there = receiver(&connection, "q").await;
    assert_eq!(text(&next(&there).await), "hello");
    // Others still come here.
    put(&sender(&connection, "q").await, Message::from("another")).await;
}

#[tokio::test(start_paused = true)]
async fn annotations_are_changed_for_the_next_attempt() {
    // tests: [OUT-12]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let message = Message::from("hello")
        .with_message_annotation(Symbol::from_static("x-opt-a"), 1u32)
        .with_message_annotation(Symbol::from_static("x-opt-c"), 3u32);
    put(&sender(&connection, "q").await, message).await;
    let link = receiver(&connection, "q").await;
    let mut changes = Fields::default();
    changes.insert(Symbol::from_static("x-opt-a"), 2u32);
    changes.insert(Symbol::from_static("x-opt-b"), 1u32);
    next(&link).await.modify(Modified {
        message_annotations: Some(changes),
        ..Modified::default()
    });
    let delivery = next(&link).await;
    let annotations = delivery.message().unwrap().message_annotations.unwrap();
    for (key, value) in [("x-opt-a", 2u32), ("x-opt-b", 1), ("x-opt-c", 3)] {
        let key = AnnotationKey::from(Symbol::from_static(key));
        assert_eq!(annotations.get(&key), Some(&Value::from(value)));
    }
    assert_eq!(text(&delivery), "hello");
}

#[tokio::test(start_paused = true)]
async fn outcomes_count_in_any_order() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    for text in ["one", "two", "three", "four"] {
        put(&sender, Message::from(text)).await;
    }
    let link = receiver(&connection, "q").await;
    let first = next(&link).await;
    let second = next(&link).await;
    let third = next(&link).await;
    let fourth = next(&link).await;
    // The first is held for as long as it takes.
    third.release();
    let third = next(&link).await;
    assert_eq!(text(&third), "three");
    fourth.accept();
    second.modify(failed());
    let second = next(&link).await;
    assert_eq!(
        (text(&second).as_str(), header(&second).delivery_count),
        ("two", 1)
    );
    for delivery in [first, second, third] {
        delivery.accept();
    }
    link.close().await.unwrap();
    assert_eq!(broker.depth("q"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn unsettled_messages_go_back_when_their_link_is_closed() {
    let (broker, connection) = one_message().await;
    let link = receiver(&connection, "q").await;
    let held = next(&link).await;
    assert_eq!(broker.depth("q"), Some(0));
    link.close().await.unwrap();
    let other = receiver(&connection, "q").await;
    let delivery = next(&other).await;
    assert_eq!(text(&delivery), "hello");
    assert!(!header(&delivery).first_acquirer);
    // Too late: the link is gone.
    held.accept();
    delivery.accept();
    other.close().await.unwrap();
    assert_eq!(broker.depth("q"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn unsettled_messages_go_back_when_their_connection_is_lost() {
    let (broker, connection) = one_message().await;
    // A pipe in between that can be torn.
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut far = broker.connect_stream();
    let mut near = theirs;
    let pump = tokio::spawn(async move {
        // Ends with either side.
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    let doomed = amqp_client::Container::new("doomed")
        .connect_stream(ours, amqp_client::ConnectionOptions::new())
        .await
        .unwrap();
    let link = receiver(&doomed, "q").await;
    let _held = next(&link).await;
    pump.abort();
    assert!(doomed.closed().await.is_err());

    let delivery = next(&receiver(&connection, "q").await).await;
    assert_eq!(text(&delivery), "hello");
}

#[tokio::test(start_paused = true)]
async fn the_default_outcome_counts_when_a_link_is_closed() {
    // tests: [MSG-25] [SRC-22]
    let (_broker, connection) = one_message().await;
    let source = Source {
        default_outcome: Some(failed().into()),
        ..Source::default()
    };
    let options = ReceiverOptions::new().source(source);
    let link = connection.create_receiver_with("q", options).await.unwrap();
    let _held = next(&link).await;
    link.close().await.unwrap();
    let delivery = next(&receiver(&connection, "q").await).await;
    assert_eq!(header(&delivery).delivery_count, 1);
    assert_ne!(Outcome::from(failed()), Outcome::from(Released {}));
}
