//! Answers requests in capitals, to the address that each of them names.
//!
//! `cargo run --example server -- --url amqp://localhost:5672 --address examples`

use amqp_client::handler::{HandlerResult, MessageEvent, MessagingHandler, Sender, StartEvent};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Answers requests in capitals.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The node that the requests come from.
    #[arg(long, default_value = "examples")]
    pub address: String,
}

/// The server; it runs until its container is stopped.
#[derive(Debug)]
pub struct Server {
    url: String,
    address: String,
    replies: Option<Sender>,
}

impl Server {
    /// A server of the node at `address`.
    pub fn new(url: String, address: String) -> Self {
        Self {
            url,
            address,
            replies: None,
        }
    }
}

impl MessagingHandler for Server {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let connection = event.container().connect(&self.url)?;
        connection.create_receiver(&self.address)?;
        // Each reply says where it goes.
        self.replies = Some(connection.create_sender("")?);
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let request = event.message()?;
        let text = request.body.as_str().unwrap_or_default().to_uppercase();
        let properties = request.properties.ok_or("a request without properties")?;
        let to = properties.reply_to.ok_or("a request without reply-to")?;
        let mut reply = Message::from(text).with_to(to);
        if let Some(id) = properties.correlation_id {
            reply = reply.with_correlation_id(id);
        }
        self.replies.as_ref().ok_or("not started")?.send(reply)?;
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    Container::new("server").run(Server::new(options.url, options.address))?;
    Ok(())
}
