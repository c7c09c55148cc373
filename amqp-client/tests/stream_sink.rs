//! Receivers as streams, senders as sinks.

#![allow(clippy::unwrap_used)]

use amqp_client::broker::Broker;
use amqp_client::listener::Access;
use amqp_client::types::messaging::Outcome;
use amqp_client::{Connection, Container, Message, ReceiverOptions, SinkError};
use futures_util::stream::FusedStream;
use futures_util::{FutureExt, SinkExt, Stream, StreamExt, TryStreamExt, stream};

async fn broker() -> (Broker, Connection) {
    let broker = Broker::start().await.unwrap();
    let connection = Container::new("flows")
        .connect(&broker.url())
        .await
        .unwrap();
    (broker, connection)
}

fn messages(count: usize) -> impl Iterator<Item = Message> {
    (0..count).map(|n| Message::from(format!("{n}")))
}

#[tokio::test]
async fn what_goes_into_a_sink_comes_out_of_a_stream_in_order() {
    let (_broker, connection) = broker().await;
    let mut sink = connection.create_sender("q").await.unwrap().into_sink();
    // Many times the room of the sender and the credit of the peer.
    let mut input = stream::iter(messages(3000)).map(Ok);
    sink.send_all(&mut input).await.unwrap();
    sink.close().await.unwrap();
    sink.close().await.unwrap();
    assert!(sink.sender().error().is_some());

    let receiver = connection.create_receiver("q").await.unwrap();
    let bodies: Vec<_> = receiver
        .into_stream()
        .take(3000)
        .and_then(|delivery| async move {
            let body = delivery.message().unwrap().body.as_str().map(str::to_owned);
            delivery.accept();
            Ok(body.unwrap())
        })
        .try_collect()
        .await
        .unwrap();
    assert_eq!(bodies.len(), 3000);
    assert!(
        bodies
            .iter()
            .enumerate()
            .all(|(n, body)| *body == n.to_string())
    );
}

#[tokio::test]
async fn a_stream_ends_with_one_error_and_is_over() {
    let (_broker, connection) = broker().await;
    let receiver = connection.create_receiver("q").await.unwrap();
    let mut deliveries = receiver.clone().into_stream();
    assert_eq!(deliveries.size_hint(), (0, None));
    receiver.close().await.unwrap();
    assert!(!deliveries.is_terminated());
    deliveries.next().await.unwrap().unwrap_err();
    assert!(deliveries.is_terminated());
    assert_eq!(deliveries.size_hint(), (0, Some(0)));
    assert!(deliveries.next().await.is_none());
    assert!(deliveries.next().await.is_none());
}

#[tokio::test]
async fn dropping_next_loses_no_delivery() {
    let (_broker, connection) = broker().await;
    let sender = connection.create_sender("q").await.unwrap();
    let mut deliveries = connection.create_receiver("q").await.unwrap().into_stream();
    for n in 0..50 {
        // The wait is begun and dropped before the message is there, and again after.
        assert!(deliveries.next().now_or_never().is_none());
        sender.send(Message::from(format!("{n}"))).await.unwrap();
        let delivery = loop {
            tokio::select! {
                biased;
                () = tokio::task::yield_now() => {}
                delivery = deliveries.next() => break delivery.unwrap().unwrap(),
            }
            if let Some(delivery) = deliveries.next().now_or_never() {
                break delivery.unwrap().unwrap();
            }
        };
        assert_eq!(
            delivery.message().unwrap().body.as_str(),
            Some(n.to_string().as_str())
        );
        delivery.accept();
    }
}

#[tokio::test]
async fn a_refused_message_is_told_once_and_the_sink_goes_on() {
    let container = Container::new("judge");
    let access = Access::anyone();
    let listener = container.listen("127.0.0.1:0", access).await.unwrap();
    let url = format!("amqp://{}", listener.local_addr());
    let judge = tokio::spawn(async move {
        let connection = listener.accept().await.unwrap();
        let link = connection.next_link().await.unwrap();
        let receiver = link.accept_receiver(ReceiverOptions::new()).unwrap();
        while let Ok(delivery) = receiver.recv().await {
            let refused = delivery.message().unwrap().body.as_str() == Some("1");
            match refused {
                true => delivery.reject(None),
                false => delivery.accept(),
            };
        }
    });
    let connection = Container::new("flows").connect(&url).await.unwrap();
    let mut sink = connection.create_sender("q").await.unwrap().into_sink();
    for message in messages(3) {
        sink.feed(message).await.unwrap();
    }
    match sink.flush().await.unwrap_err() {
        SinkError::Refused {
            number: 1,
            outcome: Outcome::Rejected(_),
        } => {}
        other => panic!("{other}"),
    }
    sink.flush().await.unwrap();
    sink.send(Message::from("3")).await.unwrap();
    connection.close().await.unwrap();
    match sink.send(Message::from("4")).await.unwrap_err() {
        SinkError::Failed(_) => {}
        other => panic!("{other}"),
    }
    judge.await.unwrap();
}
