//! One message from a program to itself, on a runtime that has one thread and other work to do: where
//! Proton has `helloworld_direct_tornado`. The runtime is waited in, never blocked.
//!
//! `cargo run --example helloworld_direct_runtime -- --address localhost:8888`

use amqp_client::handler::{
    DeliveryEvent, HandlerResult, MessageEvent, MessagingHandler, SenderEvent, StartEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// One message from a program to itself, on a runtime of its own.
#[derive(Debug, Parser)]
pub struct Options {
    /// Where to listen, and to connect.
    #[arg(long, default_value = "localhost:8888")]
    pub address: String,
}

struct HelloWorld {
    address: String,
    received: Vec<String>,
}

impl MessagingHandler for HelloWorld {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let acceptor = event.container().listen(&self.address)?;
        let url = format!("amqp://{}/examples", acceptor.local_addr());
        event.container().create_sender(&url)?;
        Ok(())
    }

    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        event.sender().send(Message::from("Hello World!"))?;
        event.sender().close();
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let message = event.message()?;
        self.received
            .push(message.body.as_str().unwrap_or("no text").to_owned());
        Ok(())
    }

    fn on_accepted(&mut self, event: &DeliveryEvent) -> HandlerResult {
        // Connections and the listener are closed, and the run ends.
        event.container().stop();
        Ok(())
    }
}

/// Runs the program beside another task; answers what it received, and what the task came to.
pub async fn run(
    address: String,
    other: impl Future<Output = u32>,
) -> Result<(Vec<String>, u32), Error> {
    let handler = HelloWorld {
        address,
        received: Vec::new(),
    };
    let running = Container::new("helloworld-direct").start(handler)?;
    let (program, other) = tokio::join!(running.wait(), other);
    Ok((program?.received, other))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (received, other) = run(Options::parse().address, async { 6 * 7 }).await?;
    println!("{received:?}, and {other} beside");
    Ok(())
}
