//! A broker and a connection to it, and what has to be true of them after a future was dropped.
//!
//! Decides that nothing has leaked and that everything still works.

use std::time::Duration;

use amqp_client::broker::Broker;
use amqp_client::types::messaging::Outcome;
use amqp_client::{
    Connection, ConnectionOptions, ConnectionStats, Container, Message, Receiver, ReceiverOptions,
    Sender,
};

/// A client and a broker in one process, without a socket.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) connection: Connection,
}

impl World {
    pub(crate) async fn new() -> Self {
        let broker = Broker::start().await.expect("a broker");
        let connection = Self::connect(&broker).await;
        Self { broker, connection }
    }

    async fn connect(broker: &Broker) -> Connection {
        Container::new("cancel")
            .connect_stream(broker.connect_stream(), ConnectionOptions::new())
            .await
            .expect("it opens")
    }

    /// A new connection in place of one that was closed.
    pub(crate) async fn reconnect(&mut self) {
        self.connection = Self::connect(&self.broker).await;
    }

    pub(crate) async fn sender(&self, address: &str) -> Sender {
        self.connection
            .create_sender(address)
            .await
            .expect("a sender")
    }

    pub(crate) async fn receiver(&self, address: &str) -> Receiver {
        self.connection
            .create_receiver(address)
            .await
            .expect("a receiver")
    }

    /// A receiver to which nothing comes by itself.
    pub(crate) async fn idle_receiver(&self, address: &str) -> Receiver {
        let options = ReceiverOptions::new().manual_credit();
        self.connection
            .create_receiver_with(address, options)
            .await
            .expect("a receiver")
    }

    /// Waits until the connection holds one session, so many links, and nothing else: nothing leaked.
    pub(crate) async fn comes_to_rest(&self, links: usize) {
        let mut last = ConnectionStats::default();
        for _ in 0..1_000 {
            last = self.connection.stats().await.expect("the connection works");
            let at_rest = last.sessions == 1
                && last.links == links
                && last.detached_links == 0
                && last.unsettled_sent == 0
                && last.unsettled_received == 0
                && (last.queued, last.queued_octets) == (0, 0)
                && last.received_octets == 0
                && last.waiting_calls == 0;
            if at_rest {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("something is left: {last:?}");
    }

    /// The session and the connection still do everything: a message goes there and back.
    pub(crate) async fn works(&self) {
        let (sender, receiver) = (self.sender("probe").await, self.receiver("probe").await);
        sends(&sender, "probe").await;
        assert_eq!(text(&receiver).await, "probe");
        sender.close().await.expect("closed");
        receiver.close().await.expect("closed");
    }
}

/// Sends a text that has to be accepted.
pub(crate) async fn sends(sender: &Sender, body: &str) {
    let outcome = sender.send(Message::from(body)).await.expect("sent");
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
}

/// Receives a text and accepts it.
pub(crate) async fn text(receiver: &Receiver) -> String {
    let delivery = tokio::time::timeout(Duration::from_secs(10), receiver.recv())
        .await
        .expect("a message is there")
        .expect("received");
    delivery.accept();
    let message = delivery.message().expect("a message");
    message.body.as_str().expect("a text").to_owned()
}

/// Everything in a queue up to a text that is sent now.
pub(crate) async fn everything(sender: &Sender, receiver: &Receiver) -> Vec<String> {
    sends(sender, "the end").await;
    let mut texts = Vec::new();
    loop {
        match text(receiver).await {
            end if end == "the end" => return texts,
            other => texts.push(other),
        }
    }
}
