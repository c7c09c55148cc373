//! A server in a few lines, on the framework in `abstract_server`: it adds numbers up.
//!
//! `cargo run --example proton_server -- amqp://localhost:5672 examples`

#[path = "abstract_server/mod.rs"]
mod abstract_server;

use amqp_client::Error;

pub use abstract_server::{Server, Service};

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
    let mut args = std::env::args().skip(1);
    let url = args.next();
    let url = url.unwrap_or_else(|| "amqp://localhost:5672".to_owned());
    let address = args.next().unwrap_or_else(|| "examples".to_owned());
    Server::new(url, address, Adds).run()
}
