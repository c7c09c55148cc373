//! Sends numbered messages, as many at once as the peer takes, and counts the acknowledgements.
//!
//! `cargo run --example simple_send -- --url amqp://localhost:5672/examples --messages 100`

use amqp_client::handler::{
    DeliveryEvent, HandlerResult, MessagingHandler, SenderEvent, StartEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Sends numbered messages.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer, and the node that the messages go to.
    #[arg(long, default_value = "amqp://localhost:5672/examples")]
    pub url: String,
    /// How many.
    #[arg(long, default_value_t = 100)]
    pub messages: u64,
}

struct Send {
    options: Options,
    sent: u64,
    confirmed: u64,
}

impl MessagingHandler for Send {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().create_sender(&self.options.url)?;
        Ok(())
    }

    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        // Without credit messages would pile up here; with it they are on their way at once.
        while event.sender().credit() > 0 && self.sent < self.options.messages {
            self.sent += 1;
            let message = Message::from(format!("message {}", self.sent))
                .with_message_id(self.sent)
                .with_application_property("sequence", self.sent);
            event.sender().send(message)?;
        }
        Ok(())
    }

    fn on_accepted(&mut self, event: &DeliveryEvent) -> HandlerResult {
        self.confirmed += 1;
        if self.confirmed == self.options.messages {
            event.connection().close();
        }
        Ok(())
    }

    fn on_rejected(&mut self, event: &DeliveryEvent) -> HandlerResult {
        // An error ends the connection, and with it this program.
        Err(format!("rejected: {:?}", event.condition()).into())
    }
}

/// Runs the program; answers how many messages were accepted.
pub fn run(options: Options) -> Result<u64, Error> {
    let program = Container::new("simple-send").run(Send {
        options,
        sent: 0,
        confirmed: 0,
    })?;
    Ok(program.confirmed)
}

fn main() -> Result<(), Error> {
    println!("{} messages accepted", run(Options::parse())?);
    Ok(())
}
