//! Sends a message every so often, like `scheduled_send`; here each task has a handler of its own, so
//! that nobody has to ask which task it was.
//!
//! `cargo run --example scheduled_send_03 -- amqp://localhost:5672/examples 5`

use std::time::Duration;

use amqp_client::handler::{
    DeliveryEvent, HandlerResult, MessagingHandler, Sender, StartEvent, TimerEvent,
};
use amqp_client::{Container, Error, Message};

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
    let mut args = std::env::args().skip(1);
    let url = args.next();
    let url = url.unwrap_or_else(|| "amqp://localhost:5672/examples".to_owned());
    let messages = args.next().and_then(|n| n.parse().ok()).unwrap_or(5);
    println!(
        "{} messages accepted",
        run(url, Duration::from_secs(1), messages)?
    );
    Ok(())
}
