//! The embedded broker as a program, to run other examples against: queues in memory, made when they
//! are first used.
//!
//! `cargo run --example broker -- --address 127.0.0.1:5672`

use std::net::SocketAddr;

use amqp_client::Error;
use amqp_client::broker::Broker;
use clap::Parser;

/// A small broker.
#[derive(Debug, Parser)]
pub struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:5672")]
    pub address: SocketAddr,
    /// How many messages a queue may hold.
    #[arg(long, default_value_t = 1_000_000)]
    pub queue: usize,
    /// Where rejected messages go; by default they are dropped.
    #[arg(long)]
    pub dead_letters: Option<String>,
}

/// Starts the broker.
pub async fn start(options: Options) -> Result<Broker, Error> {
    let mut builder = Broker::builder()
        .address(options.address)
        .max_queue_messages(options.queue);
    if let Some(address) = options.dead_letters {
        builder = builder.dead_letters(address);
    }
    builder.start().await
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let broker = start(Options::parse()).await?;
    println!("listening on {}", broker.url());
    // Until the process is ended.
    std::future::pending().await
}
