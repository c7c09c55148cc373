//! Sends a message every so often, for a while: a task for each message, and one for the end.
//!
//! `cargo run --example scheduled_send -- --url amqp://localhost:5672/examples --interval 100 --time 1000`

use std::time::Duration;

use amqp_client::handler::{
    DeliveryEvent, HandlerResult, MessagingHandler, Sender, SenderEvent, StartEvent, Task,
    TimerEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Sends messages by the clock.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer, and the node that the messages go to.
    #[arg(long, default_value = "amqp://localhost:5672/examples")]
    pub url: String,
    /// The time between two messages, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    pub interval: u64,
    /// When to end, in milliseconds.
    #[arg(long, default_value_t = 5000)]
    pub time: u64,
}

struct Send {
    options: Options,
    sender: Option<Sender>,
    end: Option<Task>,
    /// A message is due that no credit was there for.
    due: bool,
    accepted: u64,
}

impl Send {
    fn send(&mut self, sender: &Sender) -> HandlerResult {
        if self.due && sender.credit() > 0 {
            self.due = false;
            sender.send(Message::from("on time"))?;
        }
        Ok(())
    }
}

impl MessagingHandler for Send {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let container = event.container();
        self.sender = Some(container.create_sender(&self.options.url)?);
        self.end = Some(container.schedule(Duration::from_millis(self.options.time)));
        container.schedule(Duration::from_millis(self.options.interval));
        Ok(())
    }

    fn on_timer_task(&mut self, event: &TimerEvent) -> HandlerResult {
        if self.end.as_ref() == Some(event.task()) {
            // Tasks that are still scheduled are cancelled.
            event.container().stop();
            return Ok(());
        }
        event
            .container()
            .schedule(Duration::from_millis(self.options.interval));
        self.due = true;
        let sender = self.sender.clone().ok_or("not started")?;
        self.send(&sender)
    }

    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        self.send(event.sender())
    }

    fn on_accepted(&mut self, _: &DeliveryEvent) -> HandlerResult {
        self.accepted += 1;
        Ok(())
    }
}

/// Runs the program; answers how many messages were accepted.
pub fn run(options: Options) -> Result<u64, Error> {
    let program = Container::new("scheduled-send").run(Send {
        options,
        sender: None,
        end: None,
        due: false,
        accepted: 0,
    })?;
    Ok(program.accepted)
}

fn main() -> Result<(), Error> {
    println!("{} messages accepted", run(Options::parse())?);
    Ok(())
}
