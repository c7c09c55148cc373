//! Answers requests in capitals, to the address that each of them names.
//!
//! `cargo run --example server -- amqp://localhost:5672 examples`

use amqp_client::handler::{HandlerResult, MessageEvent, MessagingHandler, Sender, StartEvent};
use amqp_client::{Container, Error, Message};

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
    let mut args = std::env::args().skip(1);
    let url = args
        .next()
        .unwrap_or_else(|| "amqp://localhost:5672".to_owned());
    let address = args.next().unwrap_or_else(|| "examples".to_owned());
    Container::new("server").run(Server::new(url, address))?;
    Ok(())
}
