//! Sends messages of many colours, to be selected from by `selected_recv`.
//!
//! `cargo run --example colour_send -- --url amqp://localhost:5672/examples --messages 9`

use amqp_client::handler::{
    DeliveryEvent, HandlerResult, MessagingHandler, SenderEvent, StartEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Sends messages of many colours.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer, and the node that the messages go to.
    #[arg(long, default_value = "amqp://localhost:5672/examples")]
    pub url: String,
    /// How many.
    #[arg(long, default_value_t = 9)]
    pub messages: usize,
}

const COLOURS: [&str; 3] = ["red", "green", "blue"];

struct Send {
    options: Options,
    sent: usize,
    confirmed: usize,
}

impl MessagingHandler for Send {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().create_sender(&self.options.url)?;
        Ok(())
    }

    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        while event.sender().credit() > 0 && self.sent < self.options.messages {
            let colour = COLOURS[self.sent % COLOURS.len()];
            self.sent += 1;
            // Selectors look at application properties, not at bodies.
            let message = Message::from(format!("{colour} {}", self.sent))
                .with_application_property("colour", colour);
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
}

/// Runs the program; answers how many messages were accepted.
pub fn run(options: Options) -> Result<usize, Error> {
    let program = Container::new("colour-send").run(Send {
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
