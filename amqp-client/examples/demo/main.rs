//! The demo: many messages through a broker and back, with a progress bar and a table at the end.
//!
//! Starts the embedded broker on a free loopback port, or uses the one of `--url`. Fails when a
//! message is lost or arrives twice. `cargo xtask demo` runs it.

mod report;
mod traffic;

use std::process::ExitCode;

use amqp_client::broker::Broker;
use clap::Parser;

/// Sends messages through a broker, receives them, and shows how fast that was.
#[derive(Debug, Parser)]
struct Options {
    /// The broker, as amqp://user:password@host:port; the embedded one if none is given.
    #[arg(long)]
    url: Option<String>,
    /// The node that the messages go through.
    #[arg(long, default_value = "demo")]
    address: String,
    /// How many messages.
    #[arg(long, default_value_t = 200_000)]
    messages: usize,
    /// How many octets the body of each has, at least 24.
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// How many messages are under way at once, each way.
    #[arg(long, default_value_t = 1000)]
    credit: u32,
    /// At most once: messages are sent settled.
    #[arg(long)]
    settled: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let broker = match &options.url {
        Some(_) => None,
        None => Some(Broker::start().await?),
    };
    let url = match (&options.url, &broker) {
        (Some(url), _) => url.clone(),
        (None, Some(broker)) => {
            let url = broker.url();
            println!("an embedded broker listens at {url}");
            url
        }
        (None, None) => return Err("no broker".into()),
    };
    let tally = traffic::run(&url, &options).await?;
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
    println!("{}", report::table(&tally, &options));
    match (tally.lost(), tally.doubled, tally.broken) {
        (0, 0, 0) => Ok(()),
        (lost, doubled, broken) => Err(format!(
            "{lost} messages were lost, {doubled} arrived again, {broken} were not what was sent"
        )
        .into()),
    }
}
