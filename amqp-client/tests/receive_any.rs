//! Receiving from any of several receivers.

#![allow(clippy::unwrap_used)]

use amqp_client::broker::Broker;
use amqp_client::{Container, Message, Receiver};

#[tokio::test]
async fn every_receiver_has_its_turn() {
    let broker = Broker::start().await.unwrap();
    let connection = Container::new("any").connect(&broker.url()).await.unwrap();
    let (a, b) = (
        connection.create_receiver("a").await.unwrap(),
        connection.create_receiver("b").await.unwrap(),
    );
    for address in ["a", "a", "a", "b"] {
        let sender = connection.create_sender(address).await.unwrap();
        sender.send(Message::from(address)).await.unwrap();
    }
    let mut seen = [0, 0];
    for _ in 0..4 {
        let (index, delivery) = Receiver::recv_any(&[&a, &b]).await.unwrap();
        let expected = ["a", "b"][index];
        assert_eq!(delivery.message().unwrap().body.as_str(), Some(expected));
        delivery.accept();
        seen[index] += 1;
    }
    assert_eq!(seen, [3, 1]);
    b.close().await.unwrap();
    let (index, _) = Receiver::recv_any(&[&a, &b]).await.unwrap_err();
    assert_eq!(index, 1);
}
