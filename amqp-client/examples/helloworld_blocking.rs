//! One message to a broker and back, with calls that wait.
//!
//! `cargo run --example helloworld_blocking -- --url amqp://localhost:5672`

use amqp_client::blocking::BlockingConnection;
use amqp_client::{Error, Message};
use clap::Parser;

/// One message to a broker and back.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
}

/// Runs the program; answers what it received.
pub fn run(url: &str) -> Result<String, Error> {
    let connection = BlockingConnection::connect(url)?;
    let receiver = connection.create_receiver("helloworld_blocking")?;
    let sender = connection.create_sender("helloworld_blocking")?;
    sender.send(Message::from("Hello World!"))?;
    let delivery = receiver.receive()?;
    let message = delivery.message()?;
    delivery.accept();
    connection.close()?;
    Ok(message.body.as_str().unwrap_or("no text").to_owned())
}

fn main() -> Result<(), Error> {
    println!("{}", run(&Options::parse().url)?);
    Ok(())
}
