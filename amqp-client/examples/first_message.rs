//! One message to a broker and back.
//!
//! `cargo run --example first_message` starts the embedded broker;
//! `cargo run --example first_message -- --url amqp://user:password@host:5672` uses another.

use amqp_client::broker::Broker;
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// One message to a broker and back.
#[derive(Debug, Parser)]
pub struct Options {
    /// The broker; the embedded one if none is given.
    #[arg(long)]
    pub url: Option<String>,
}

/// Sends a message and receives it; answers its text.
pub async fn run(url: &str) -> Result<String, Error> {
    let container = Container::new("first-message");
    let connection = container.connect(url).await?;

    let sender = connection.create_sender("examples").await?;
    let outcome = sender.send(Message::from("hello, world")).await?;
    println!("sent: {outcome:?}");

    let receiver = connection.create_receiver("examples").await?;
    let delivery = receiver.recv().await?;
    let message = delivery.message()?;
    delivery.accept();

    receiver.close().await?;
    connection.close().await?;
    Ok(message.body.as_str().unwrap_or("no text").to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let broker = Broker::start().await?;
    let url = Options::parse().url.unwrap_or_else(|| broker.url());
    println!("received: {}", run(&url).await?);
    Ok(())
}
