//! One message to a broker and back, as a handler.
//!
//! `cargo run --example helloworld -- --url amqp://localhost:5672`

use amqp_client::handler::{
    HandlerResult, MessageEvent, MessagingHandler, SenderEvent, StartEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// One message to a broker and back.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
}

struct HelloWorld {
    url: String,
    received: Vec<String>,
}

impl MessagingHandler for HelloWorld {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let connection = event.container().connect(&self.url)?;
        connection.create_receiver("helloworld")?;
        connection.create_sender("helloworld")?;
        Ok(())
    }

    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        event.sender().send(Message::from("Hello World!"))?;
        event.sender().close();
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        self.received
            .push(message.body.as_str().unwrap_or("no text").to_owned());
        event.connection().close();
        Ok(())
    }
}

/// Runs the program; answers what it received.
pub fn run(url: String) -> Result<Vec<String>, Error> {
    let received = Vec::new();
    let program = Container::new("helloworld").run(HelloWorld { url, received })?;
    Ok(program.received)
}

fn main() -> Result<(), Error> {
    for text in run(Options::parse().url)? {
        println!("{text}");
    }
    Ok(())
}
