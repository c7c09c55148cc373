//! Sends messages in pieces and gives every second up halfway: the receiver forgets what it has of it.
//!
//! `cargo run --example send_abort -- amqp://localhost:5672 examples 10`

use amqp_client::types::messaging::Outcome;
use amqp_client::{Container, Error, Message, SendSettings};

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
    let mut args = std::env::args().skip(1);
    let mut next = |default: &str| args.next().unwrap_or_else(|| default.to_owned());
    let (url, address) = (next("amqp://localhost:5672"), next("examples"));
    let messages = args.next().and_then(|n| n.parse().ok()).unwrap_or(10);
    println!("{} messages accepted", run(&url, &address, messages).await?);
    Ok(())
}
