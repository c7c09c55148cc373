//! Sends a message every so often, like `scheduled_send`; here each task has a handler of its own, so
//! that nobody has to ask which task it was.
//!
//! `cargo run --example scheduled_send_03 -- --url amqp://localhost:5672/examples --messages 5`

use std::time::Duration;

use amqp_client::handler::{
    DeliveryEvent, HandlerResult, MessagingHandler, Sender, StartEvent, TimerEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Sends a message every second.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer, and the node that the messages go to.
    #[arg(long, default_value = "amqp://localhost:5672/examples")]
    pub url: String,
    /// How many messages.
    #[arg(long, default_value_t = 5)]
    pub messages: u32,
}

/// Sends one message when it is due, and schedules the next.
struct Tick {
    sender: Sender,
    interval: Duration,
    left: u32,
}

impl MessagingHandler for Tick {
    fn on_timer_task(&mut self, event: &TimerEvent) -> HandlerResult {
        self.sender.send(Message::from("on time"))?;
        match self.left.checked_sub(1) {
            None | Some(0) => {
                // Once everything is settled; `on_link_closed` of the main handler tells.
                self.sender.close();
            }
            Some(left) => {
                let next = Self {
                    sender: self.sender.clone(),
                    interval: self.interval,
                    left,
                };
                event.container().schedule_handled(self.interval, next);
            }
        }
        Ok(())
    }
}

struct Send {
    url: String,
    interval: Duration,
    messages: u32,
    accepted: u32,
}

impl MessagingHandler for Send {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let first = Tick {
            sender: event.container().create_sender(&self.url)?,
            interval: self.interval,
            left: self.messages,
        };
        event.container().schedule_handled(self.interval, first);
        Ok(())
    }

    fn on_accepted(&mut self, event: &DeliveryEvent) -> HandlerResult {
        self.accepted += 1;
        if self.accepted == self.messages {
            event.connection().close();
        }
        Ok(())
    }
}

/// Runs the program; answers how many messages were accepted.
pub fn run(url: String, interval: Duration, messages: u32) -> Result<u32, Error> {
    let program = Container::new("scheduled-send").run(Send {
        url,
        interval,
        messages,
        accepted: 0,
    })?;
    Ok(program.accepted)
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let accepted = run(options.url, Duration::from_secs(1), options.messages)?;
    println!("{accepted} messages accepted");
    Ok(())
}
