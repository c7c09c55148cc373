//! Looks through a queue and leaves its messages where they are.
//!
//! `cargo run --example queue_browser -- --url amqp://localhost:5672 --address examples`

use amqp_client::handler::{
    HandlerOptions, HandlerResult, LinkEvent, MessageEvent, MessagingHandler, ReceiverEvent,
    StartEvent,
};
use amqp_client::link_option::Copy;
use amqp_client::{Container, Error, ReceiverOptions};
use clap::Parser;

/// Looks through a queue.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// The queue.
    #[arg(long, default_value = "examples")]
    pub address: String,
}

struct Browser {
    url: String,
    address: String,
    seen: Vec<String>,
}

impl MessagingHandler for Browser {
    fn options(&self) -> HandlerOptions {
        HandlerOptions {
            prefetch: 0,
            ..HandlerOptions::default()
        }
    }

    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let options = ReceiverOptions::new().manual_credit().with(Copy);
        event
            .container()
            .connect(&self.url)?
            .create_receiver_with(&self.address, options)?;
        Ok(())
    }

    fn on_link_opened(&mut self, event: &LinkEvent) -> HandlerResult {
        if let Some(receiver) = event.receiver() {
            receiver.add_credit(1000);
            receiver.drain();
        }
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        self.seen
            .push(message.body.as_str().unwrap_or("no text").to_owned());
        Ok(())
    }

    fn on_drain_finish(&mut self, event: &ReceiverEvent) -> HandlerResult {
        event.connection().close();
        Ok(())
    }
}

/// Runs the program; answers what it saw.
pub fn run(url: String, address: String) -> Result<Vec<String>, Error> {
    let program = Container::new("queue-browser").run(Browser {
        url,
        address,
        seen: Vec::new(),
    })?;
    Ok(program.seen)
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    for text in run(options.url, options.address)? {
        println!("{text}");
    }
    Ok(())
}
