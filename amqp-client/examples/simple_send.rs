//! Sends numbered messages, as many at once as the peer takes, and counts their outcomes.
//!
//! `cargo run --example simple_send -- --url amqp://localhost:5672 --address examples --messages 100`

use std::collections::VecDeque;

use amqp_client::types::messaging::Outcome;
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Sends numbered messages.
#[derive(Debug, Parser)]
struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    url: String,
    /// The node that the messages go to.
    #[arg(long, default_value = "examples")]
    address: String,
    /// How many.
    #[arg(long, default_value_t = 100)]
    messages: u64,
}

/// How many messages may wait for their outcomes.
const WINDOW: usize = 1000;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let options = Options::parse();
    let connection = Container::new("simple-send").connect(&options.url).await?;
    let sender = connection.create_sender(&options.address).await?;

    let (mut accepted, mut others) = (0, 0);
    let mut count = |outcome: Outcome| match outcome {
        Outcome::Accepted(_) => accepted += 1,
        other => {
            others += 1;
            eprintln!("not accepted: {other:?}");
        }
    };
    let mut receipts = VecDeque::new();
    for number in 1..=options.messages {
        let message = Message::from(format!("message {number}"))
            .with_message_id(number)
            .with_application_property("number", number);
        receipts.push_back(sender.enqueue(message).await?);
        if receipts.len() == WINDOW
            && let Some(oldest) = receipts.pop_front()
        {
            count(oldest.await?);
        }
    }
    for receipt in receipts {
        count(receipt.await?);
    }
    println!("{accepted} accepted, {others} not");
    sender.close().await?;
    connection.close().await
}
