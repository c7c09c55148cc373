//! One message to a broker and back.
//!
//! `cargo run --example first_message` starts the embedded broker;
//! `cargo run --example first_message -- amqp://user:password@host:5672` uses another.

use amqp_client::broker::Broker;
use amqp_client::{Container, Error, Message};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let broker = Broker::start().await?;
    let url = std::env::args().nth(1).unwrap_or_else(|| broker.url());

    let container = Container::new("first-message");
    let connection = container.connect(&url).await?;

    let sender = connection.create_sender("examples").await?;
    let outcome = sender.send(Message::from("hello, world")).await?;
    println!("sent: {outcome:?}");

    let receiver = connection.create_receiver("examples").await?;
    let delivery = receiver.recv().await?;
    let message = delivery.message()?;
    println!("received: {}", message.body.as_str().unwrap_or("no text"));
    delivery.accept();

    receiver.close().await?;
    connection.close().await
}
