//! The client against the embedded broker, over in-memory pipes and TCP.
//!
//! Tests over pipes run on a paused clock: whoever waits for nothing fails at once, by a deadline.

mod access;
mod delivery;
mod drain;
mod dropped;
mod limits;
mod nodes;
mod outcomes;
mod relay;
mod sharing;
mod stress;
mod termini;

use std::future::Future;
use std::time::Duration;

use amqp_client::broker::{Broker, Builder};
use amqp_client::types::messaging::Outcome;
use amqp_client::{Connection, ConnectionOptions, Container, Delivery, Message, Receiver, Sender};

/// A broker with default rules.
async fn broker() -> Broker {
    start(Broker::builder()).await
}

async fn start(builder: Builder) -> Broker {
    builder.start().await.expect("the broker starts")
}

/// A connection through a pipe in memory.
async fn connect(broker: &Broker) -> Connection {
    connect_with(broker, ConnectionOptions::new()).await
}

async fn connect_with(broker: &Broker, options: ConnectionOptions) -> Connection {
    Container::new("client")
        .connect_stream(broker.connect_stream(), options)
        .await
        .expect("the connection opens")
}

async fn sender(connection: &Connection, address: &str) -> Sender {
    let sender = connection.create_sender(address).await;
    sender.expect("the sender is attached")
}

async fn receiver(connection: &Connection, address: &str) -> Receiver {
    let receiver = connection.create_receiver(address).await;
    receiver.expect("the receiver is attached")
}

/// Waits for something that has to come.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let deadline = Duration::from_secs(60);
    let result = tokio::time::timeout(deadline, future).await;
    result.expect("it comes soon")
}

/// Makes sure that something does not come: everybody else is idle before the time passes.
async fn never<T>(future: impl Future<Output = T>) {
    let result = tokio::time::timeout(Duration::from_millis(100), future).await;
    assert!(result.is_err(), "nothing should have come");
}

async fn next(receiver: &Receiver) -> Delivery {
    soon(receiver.recv()).await.expect("a delivery comes")
}

/// Sends a message and makes sure that the broker took it.
async fn put(sender: &Sender, message: Message) {
    let outcome = soon(sender.send(message)).await.expect("it is settled");
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
}

/// The text of a delivery.
fn text(delivery: &Delivery) -> String {
    let message = delivery.message().expect("the message decodes");
    message.body.as_str().expect("the body is text").to_owned()
}
