//! Is called back again and again, by a task that schedules itself.
//!
//! `cargo run --example recurring_timer -- --times 5`

use std::time::Duration;

use amqp_client::handler::{HandlerResult, MessagingHandler, StartEvent, TimerEvent};
use amqp_client::{Container, Error};
use clap::Parser;

/// Is called back again and again.
#[derive(Debug, Parser)]
pub struct Options {
    /// How often.
    #[arg(long, default_value_t = 5)]
    pub times: u32,
}

struct Recurring {
    period: Duration,
    left: u32,
    ticks: u32,
}

impl MessagingHandler for Recurring {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().schedule(self.period);
        Ok(())
    }

    fn on_timer_task(&mut self, event: &TimerEvent) -> HandlerResult {
        self.ticks += 1;
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            event.container().schedule(self.period);
        }
        Ok(())
    }
}

/// Runs the program; answers how often it was called back.
pub fn run(period: Duration, times: u32) -> Result<u32, Error> {
    let program = Container::new("recurring-timer").run(Recurring {
        period,
        left: times,
        ticks: 0,
    })?;
    Ok(program.ticks)
}

fn main() -> Result<(), Error> {
    let ticks = run(Duration::from_secs(1), Options::parse().times)?;
    println!("{ticks} ticks");
    Ok(())
}
