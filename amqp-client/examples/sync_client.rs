//! Sends requests with calls that wait for the responses.
//!
//! `cargo run --example sync_client -- amqp://localhost:5672 examples`

use amqp_client::blocking::{BlockingConnection, SyncRequestResponse};
use amqp_client::{Error, Message};

/// Runs the program; answers the responses.
pub fn run(url: &str, address: &str, requests: &[&str]) -> Result<Vec<String>, Error> {
    let connection = BlockingConnection::connect(url)?;
    let mut client = SyncRequestResponse::new(&connection, address)?;
    let mut responses = Vec::new();
    for request in requests {
        let response = client.call(Message::from(*request))?;
        responses.push(response.body.as_str().unwrap_or("no text").to_owned());
    }
    connection.close()?;
    Ok(responses)
}

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let url = args
        .next()
        .unwrap_or_else(|| "amqp://localhost:5672".to_owned());
    let address = args.next().unwrap_or_else(|| "examples".to_owned());
    for response in run(&url, &address, &["one sheep", "two sheep", "three sheep"])? {
        println!("{response}");
    }
    Ok(())
}
