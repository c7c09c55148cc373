//! Sends requests with calls that wait for the responses.
//!
//! `cargo run --example sync_client -- --url amqp://localhost:5672 --address examples`

use amqp_client::blocking::{BlockingConnection, SyncRequestResponse};
use amqp_client::{Error, Message};
use clap::Parser;

/// Sends requests and waits for the responses.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that the requests go to.
    #[arg(long, default_value = "examples")]
    pub address: String,
}

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
    let options = Options::parse();
    let requests = ["one sheep", "two sheep", "three sheep"];
    for response in run(&options.url, &options.address, &requests)? {
        println!("{response}");
    }
    Ok(())
}
