//! One thread sends, others receive, on one connection. Handles may be cloned and used anywhere; there
//! is no lock and no work queue to be minded.
//!
//! `cargo run --example multithreaded_client -- --url amqp://localhost:5672 --messages 100 --threads 3`

use std::sync::atomic::{AtomicUsize, Ordering};

use amqp_client::blocking::{BlockingConnection, BlockingReceiver};
use amqp_client::{Error, Message};
use clap::Parser;

/// Sends and receives from several threads.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that is sent to and received from.
    #[arg(long, default_value = "examples")]
    pub address: String,
    /// How many messages.
    #[arg(long, default_value_t = 100)]
    pub messages: usize,
    /// How many threads receive.
    #[arg(long, default_value_t = 3)]
    pub threads: usize,
}

/// Receives until so many messages have come to all threads together.
fn receive(receiver: &BlockingReceiver, left: &AtomicUsize) -> Result<usize, Error> {
    let mut received = 0;
    // Each takes a ticket before it waits: nobody waits for a message that another has got.
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
        .is_ok()
    {
        receiver.receive()?.accept();
        received += 1;
    }
    Ok(received)
}

/// Runs the program; answers how many messages each thread received.
pub fn run(options: &Options) -> Result<Vec<usize>, Error> {
    let connection = BlockingConnection::connect(&options.url)?;
    let sender = connection.create_sender(&options.address)?;
    // One link for all: its messages go to whoever asks first.
    let receiver = connection.create_receiver(&options.address)?;
    let left = AtomicUsize::new(options.messages);
    let counts = std::thread::scope(|scope| {
        let receivers: Vec<_> = (0..options.threads)
            .map(|_| scope.spawn(|| receive(&receiver, &left)))
            .collect();
        for number in 1..=options.messages {
            sender.send(Message::from(format!("message {number}")))?;
        }
        let counts = receivers.into_iter().map(|thread| match thread.join() {
            Ok(count) => count,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        counts.collect::<Result<Vec<_>, _>>()
    })?;
    connection.close()?;
    Ok(counts)
}

fn main() -> Result<(), Error> {
    println!("received by each thread: {:?}", run(&Options::parse())?);
    Ok(())
}
