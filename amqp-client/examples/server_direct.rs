//! Answers requests in capitals, without a broker: clients connect to this program, and receive on a
//! dynamic node that it makes for them.
//!
//! `cargo run --example server_direct -- --address localhost:8888`

use std::collections::HashMap;
use std::net::SocketAddr;

use amqp_client::handler::{
    HandlerResult, LinkEvent, LinkOpeningEvent, MessageEvent, MessagingHandler, Sender, StartEvent,
};
use amqp_client::types::Str;
use amqp_client::types::messaging::SourceArchetype;
use amqp_client::types::transport::Role;
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Answers requests in capitals, without a broker.
#[derive(Debug, Parser)]
pub struct Options {
    /// Where to listen.
    #[arg(long, default_value = "localhost:8888")]
    pub address: String,
}

/// The server; it runs until its container is stopped.
pub struct Server<F> {
    address: String,
    nodes: u64,
    /// The links on which clients wait for answers, by the addresses that they were told.
    replies: HashMap<Str, Sender>,
    /// Told where the program listens.
    listening: F,
}

impl<F: FnMut(SocketAddr)> Server<F> {
    /// A server that listens on `address`.
    pub fn new(address: String, listening: F) -> Self {
        Self {
            address,
            nodes: 0,
            replies: HashMap::new(),
            listening,
        }
    }
}

impl<F: FnMut(SocketAddr) + Send + 'static> MessagingHandler for Server<F> {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let acceptor = event.container().listen(&self.address)?;
        (self.listening)(acceptor.local_addr());
        Ok(())
    }

    fn on_link_opening(&mut self, event: &LinkOpeningEvent) -> HandlerResult {
        // A client that receives asks for a node of its own: our answer names it.
        if event.attach().role == Role::Receiver {
            self.nodes += 1;
            let address = format!("reply-{}", self.nodes);
            event.answer(|attach| {
                if let Some(SourceArchetype::Source(source)) = &mut attach.source {
                    source.address = Some(address.into());
                }
            });
        }
        Ok(())
    }

    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        if let Some(sender) = event.sender() {
            let address = format!("reply-{}", self.nodes);
            self.replies.insert(Str::from(address), sender.clone());
        }
        Ok(())
    }

    fn on_link_closed(&mut self, event: &LinkEvent) -> HandlerResult {
        self.replies
            .retain(|_, sender| Some(&*sender) != event.sender());
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let request = event.message()?;
        let properties = request.properties.ok_or("a request without properties")?;
        let reply_to = properties.reply_to.ok_or("a request without reply-to")?;
        let text = request.body.as_str().unwrap_or_default().to_uppercase();
        let mut reply = Message::from(text);
        if let Some(id) = properties.correlation_id {
            reply = reply.with_correlation_id(id);
        }
        if let Some(sender) = self.replies.get(reply_to.as_str()) {
            sender.send(reply)?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let listening = |address| println!("listening on {address}");
    let server = Server::new(Options::parse().address, listening);
    Container::new("server").run(server)?;
    Ok(())
}
