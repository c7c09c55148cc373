//! Receives messages and prints them.
//!
//! `cargo run --example simple_recv -- --url amqp://localhost:5672 --address examples --messages 100`

use amqp_client::{Container, Error, ReceiverOptions};
use clap::Parser;

/// Receives messages and prints them.
#[derive(Debug, Parser)]
struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    url: String,
    /// The node that the messages come from.
    #[arg(long, default_value = "examples")]
    address: String,
    /// How many; 0 goes on until the connection ends.
    #[arg(long, default_value_t = 0)]
    messages: u64,
    /// How many are fetched ahead.
    #[arg(long, default_value_t = 100)]
    prefetch: u32,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let options = Options::parse();
    let connection = Container::new("simple-recv").connect(&options.url).await?;
    let link = ReceiverOptions::new().prefetch(options.prefetch);
    let receiver = connection
        .create_receiver_with(&options.address, link)
        .await?;

    let mut received = 0;
    while options.messages == 0 || received < options.messages {
        let delivery = receiver.recv().await?;
        match delivery.message() {
            Ok(message) => {
                println!("{:?}", message.body);
                delivery.accept();
            }
            Err(error) => {
                eprintln!("not a message: {error}");
                delivery.reject(error.amqp().cloned());
            }
        }
        received += 1;
    }
    receiver.close().await?;
    connection.close().await
}
