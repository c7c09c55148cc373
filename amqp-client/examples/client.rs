//! Sends requests, one after another, and prints the responses, which come to a dynamic node.
//!
//! `cargo run --example client -- --url amqp://localhost:5672 --address examples`

use std::collections::VecDeque;

use amqp_client::handler::{
    HandlerResult, LinkEvent, MessageEvent, MessagingHandler, Receiver, Sender, StartEvent,
};
use amqp_client::link_option::DynamicNodeProperties;
use amqp_client::types::messaging::AddressString;
use amqp_client::{Container, Error, Message, ReceiverOptions};
use clap::Parser;

/// Sends requests and prints the responses.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that the requests go to.
    #[arg(long, default_value = "examples")]
    pub address: String,
}

struct Client {
    url: String,
    address: String,
    requests: VecDeque<String>,
    responses: Vec<String>,
    links: Option<(Sender, Receiver)>,
}

impl Client {
    fn next_request(&self) -> HandlerResult {
        let (sender, receiver) = self.links.as_ref().ok_or("not started")?;
        let reply_to = receiver
            .address()
            .ok_or("the dynamic node has no address")?;
        let text = self.requests.front().ok_or("nothing to ask")?;
        let request = Message::from(text.clone()).with_reply_to(AddressString(reply_to));
        sender.send(request)?;
        Ok(())
    }
}

impl MessagingHandler for Client {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let connection = event.container().connect(&self.url)?;
        let sender = connection.create_sender(&self.address)?;
        let dynamic = ReceiverOptions::new().with(DynamicNodeProperties::default());
        let receiver = connection.create_receiver_with("", dynamic)?;
        self.links = Some((sender, receiver));
        Ok(())
    }

    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        match event.receiver() {
            Some(_) => self.next_request(),
            None => Ok(()),
        }
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let response = event.message()?;
        self.requests.pop_front();
        self.responses
            .push(response.body.as_str().unwrap_or("no text").to_owned());
        if self.requests.is_empty() {
            event.connection().close();
            return Ok(());
        }
        self.next_request()
    }
}

/// Runs the program; answers the responses.
pub fn run(url: String, address: String, requests: &[&str]) -> Result<Vec<String>, Error> {
    let program = Container::new("client").run(Client {
        url,
        address,
        requests: requests.iter().map(|text| (*text).to_owned()).collect(),
        responses: Vec::new(),
        links: None,
    })?;
    Ok(program.responses)
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let requests = ["one sheep", "two sheep", "three sheep"];
    for response in run(options.url, options.address, &requests)? {
        println!("{response}");
    }
    Ok(())
}
