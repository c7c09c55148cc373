//! Threads that send and receive, where the slow hold up the fast: a sender with room for a few
//! messages only makes its thread wait, a receiver that fetches a few ahead makes the peer wait.
//!
//! `cargo run --example multithreaded_client_flow_control -- --url amqp://localhost:5672 --address examples --messages 100`

use std::sync::Arc;

use amqp_client::blocking::{BlockingConnection, BlockingSender};
use amqp_client::{Error, Message, ReceiverOptions, SenderOptions};
use clap::Parser;

/// Sends and receives in threads that wait for each other.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that the messages go through.
    #[arg(long, default_value = "examples")]
    pub address: String,
    /// How many messages of each sender.
    #[arg(long, default_value_t = 100)]
    pub messages: usize,
}

/// How many messages may be under way in either direction.
const WINDOW: u32 = 5;

fn send(sender: &BlockingSender, thread: usize, messages: usize) -> Result<(), Error> {
    for number in 1..=messages {
        // Waits for its outcome, so that this thread never has more than one under way.
        sender.send(Message::from(format!("message {number} of {thread}")))?;
    }
    Ok(())
}

/// Sends `messages` from each of two threads while two others receive; answers how many came.
pub fn run(url: &str, address: &str, messages: usize) -> Result<usize, Error> {
    let connection = BlockingConnection::connect(url)?;
    let room = SenderOptions::new().max_queued_messages(WINDOW as usize);
    let sender = Arc::new(connection.create_sender_with(address, room)?);
    let threads: Vec<_> = (0..2)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || send(&sender, thread, messages))
        })
        .collect();
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            let ahead = ReceiverOptions::new().prefetch(WINDOW);
            connection.create_receiver_with(address, ahead)
        })
        .collect::<Result<_, _>>()?;
    // Any of several receivers: messages of a queue come to whichever has credit.
    let mut received = 0;
    while received < 2 * messages {
        for receiver in &receivers {
            if let Some(delivery) = receiver.handle().try_recv()? {
                delivery.accept();
                received += 1;
            }
        }
        std::thread::yield_now();
    }
    for thread in threads {
        match thread.join() {
            Ok(sent) => sent?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    connection.close()?;
    Ok(received)
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let received = run(&options.url, &options.address, options.messages)?;
    println!("{received} messages received");
    Ok(())
}
