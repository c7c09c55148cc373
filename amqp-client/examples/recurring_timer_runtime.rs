//! A handler on a runtime that the program has already, and other tasks of it beside: where Proton has
//! `recurring_timer_tornado`.
//!
//! `cargo run --example recurring_timer_runtime -- --times 5`

use std::time::Duration;

use amqp_client::handler::{HandlerResult, MessagingHandler, StartEvent, TimerEvent};
use amqp_client::{Container, Error};
use clap::Parser;
use tokio::sync::mpsc;

/// Is called back again and again, on a runtime.
#[derive(Debug, Parser)]
pub struct Options {
    /// How often.
    #[arg(long, default_value_t = 5)]
    pub times: u32,
}

struct Recurring {
    period: Duration,
    ticks: mpsc::UnboundedSender<u32>,
    count: u32,
}

impl MessagingHandler for Recurring {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().schedule(self.period);
        Ok(())
    }

    fn on_timer_task(&mut self, event: &TimerEvent) -> HandlerResult {
        self.count += 1;
        self.ticks.send(self.count)?;
        event.container().schedule(self.period);
        Ok(())
    }
}

/// Ticks until the program has heard enough; answers how often the handler was called.
pub async fn run(period: Duration, times: u32) -> Result<u32, Error> {
    let (ticks, mut heard) = mpsc::unbounded_channel();
    let handler = Recurring {
        period,
        ticks,
        count: 0,
    };
    // Connections and timers are tasks of this runtime; callbacks have a thread of their own.
    let running = Container::new("recurring-timer").start(handler)?;
    while let Some(tick) = heard.recv().await {
        if tick == times {
            break;
        }
    }
    running.container().stop();
    Ok(running.wait().await?.count)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let ticks = run(Duration::from_secs(1), Options::parse().times).await?;
    println!("{ticks} ticks");
    Ok(())
}
