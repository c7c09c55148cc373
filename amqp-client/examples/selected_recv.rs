//! Receives only the messages that a selector names, in the syntax of JMS. It is the peer that selects:
//! a broker that can not is an error, since it would send everything.
//!
//! `cargo run --example selected_recv -- --url amqp://localhost:5672/examples --selector "colour = 'green'"`

use amqp_client::handler::{
    HandlerResult, LinkEvent, MessageEvent, MessagingHandler, ReceiverEvent, StartEvent,
};
use amqp_client::link_option::Selector;
use amqp_client::transport::Address;
use amqp_client::{Container, Error, ReceiverOptions};
use clap::Parser;

/// Receives the messages that a selector names.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer, and the node that the messages come from.
    #[arg(long, default_value = "amqp://localhost:5672/examples")]
    pub url: String,
    /// Which messages.
    #[arg(long, default_value = "colour = 'green'")]
    pub selector: String,
}

struct Recv {
    options: Options,
    received: Vec<String>,
}

impl MessagingHandler for Recv {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let address: Address = self.options.url.parse()?;
        let options = ReceiverOptions::new()
            .manual_credit()
            .with(Selector::new(self.options.selector.clone()));
        event
            .container()
            .connect(&self.options.url)?
            .create_receiver_with(address.node().unwrap_or_default(), options)?;
        Ok(())
    }

    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        if let Some(receiver) = event.receiver() {
            // As many as there are: a drain ends when the peer has no more.
            receiver.add_credit(1000);
            receiver.drain();
        }
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        self.received
            .push(message.body.as_str().unwrap_or("no text").to_owned());
        Ok(())
    }

    fn on_drain_finish(&mut self, event: &ReceiverEvent) -> HandlerResult {
        event.connection().close();
        Ok(())
    }
}

/// Runs the program; answers what it received.
pub fn run(options: Options) -> Result<Vec<String>, Error> {
    let program = Container::new("selected-recv").run(Recv {
        options,
        received: Vec::new(),
    })?;
    Ok(program.received)
}

fn main() -> Result<(), Error> {
    for text in run(Options::parse())? {
        println!("{text}");
    }
    Ok(())
}
