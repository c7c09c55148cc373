//! A server in a few lines, on the framework in `abstract_server`: it adds numbers up.
//!
//! `cargo run --example proton_server -- --url amqp://localhost:5672 --address examples`

#[path = "abstract_server/mod.rs"]
mod abstract_server;

use amqp_client::Error;
use clap::Parser;

pub use abstract_server::{Server, Service};

/// Adds up the numbers of requests.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that the requests come from.
    #[arg(long, default_value = "examples")]
    pub address: String,
}

/// Adds up the numbers of a request.
pub struct Adds;

impl Service for Adds {
    fn answer(&mut self, request: &str) -> Result<String, String> {
        let numbers: Result<Vec<i64>, _> = request.split_whitespace().map(str::parse).collect();
        match numbers {
            Ok(numbers) => Ok(numbers.iter().sum::<i64>().to_string()),
            Err(error) => Err(format!("no numbers: {error}")),
        }
    }
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    Server::new(options.url, options.address, Adds).run()
}
