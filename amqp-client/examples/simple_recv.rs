//! Receives numbered messages and prints them; one that came before is left out.
//!
//! `cargo run --example simple_recv -- --url amqp://localhost:5672/examples --messages 100`

use amqp_client::handler::{HandlerResult, MessageEvent, MessagingHandler, StartEvent};
use amqp_client::types::MessageId;
use amqp_client::{Container, Error};
use clap::Parser;

/// Receives messages and prints them.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer, and the node that the messages come from.
    #[arg(long, default_value = "amqp://localhost:5672/examples")]
    pub url: String,
    /// How many; 0 goes on until the connection ends.
    #[arg(long, default_value_t = 100)]
    pub messages: usize,
}

struct Recv {
    options: Options,
    last: u64,
    received: Vec<String>,
}

impl MessagingHandler for Recv {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().create_receiver(&self.options.url)?;
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        let id = message
            .properties
            .and_then(|properties| properties.message_id);
        if let Some(MessageId::Ulong(id)) = id {
            if id <= self.last {
                // Sent twice, because the sender never heard that it had arrived. When this returns
                // the message is accepted.
                return Ok(());
            }
            self.last = id;
        }
        self.received
            .push(message.body.as_str().unwrap_or("no text").to_owned());
        if self.received.len() == self.options.messages {
            event.receiver().close();
            event.connection().close();
        }
        Ok(())
    }
}

/// Runs the program; answers what it received.
pub fn run(options: Options) -> Result<Vec<String>, Error> {
    let program = Container::new("simple-recv").run(Recv {
        options,
        last: 0,
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
