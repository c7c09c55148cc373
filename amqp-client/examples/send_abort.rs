//! Sends messages in pieces and gives every second up halfway: the receiver forgets what it has of it.
//!
//! `cargo run --example send_abort -- --url amqp://localhost:5672 --address examples --messages 10`

use amqp_client::types::messaging::Outcome;
use amqp_client::{Container, Error, Message, SendSettings};
use clap::Parser;

/// Sends messages in pieces and gives every second up.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that the messages go to.
    #[arg(long, default_value = "examples")]
    pub address: String,
    /// How many messages are begun.
    #[arg(long, default_value_t = 10)]
    pub messages: usize,
}

/// Sends `messages`, every second to its end; answers how many were accepted.
pub async fn run(url: &str, address: &str, messages: usize) -> Result<usize, Error> {
    let connection = Container::new("send-abort").connect(url).await?;
    let sender = connection.create_sender(address).await?;
    let mut accepted = 0;
    for number in 0..messages {
        let head = Message::new().with_subject(format!("message {number}"));
        let mut stream = sender.stream(head, SendSettings::default()).await?;
        stream.write("the first half, ").await?;
        if number % 2 == 1 {
            // To drop it is to abort it.
            drop(stream);
            continue;
        }
        stream.write("the second half").await?;
        if let Outcome::Accepted(_) = stream.finish()?.await? {
            accepted += 1;
        }
    }
    sender.close().await?;
    connection.close().await?;
    Ok(accepted)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let options = Options::parse();
    let accepted = run(&options.url, &options.address, options.messages).await?;
    println!("{accepted} messages accepted");
    Ok(())
}
