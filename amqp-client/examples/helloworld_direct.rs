//! One message from a program to itself, without a broker.
//!
//! `cargo run --example helloworld_direct -- --address localhost:8888`

use amqp_client::handler::{
    Acceptor, HandlerResult, MessageEvent, MessagingHandler, SenderEvent, StartEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// One message from a program to itself.
#[derive(Debug, Parser)]
pub struct Options {
    /// Where to listen, and to connect.
    #[arg(long, default_value = "localhost:8888")]
    pub address: String,
}

struct HelloWorld {
    address: String,
    acceptor: Option<Acceptor>,
    received: Vec<String>,
}

impl MessagingHandler for HelloWorld {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let acceptor = event.container().listen(&self.address)?;
        let url = format!("amqp://{}/examples", acceptor.local_addr());
        self.acceptor = Some(acceptor);
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

    fn on_accepted(&mut self, event: &amqp_client::handler::DeliveryEvent) -> HandlerResult {
        event.connection().close();
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.close();
        }
        Ok(())
    }
}

/// Runs the program; answers what it received.
pub fn run(address: String) -> Result<Vec<String>, Error> {
    let program = Container::new("helloworld-direct").run(HelloWorld {
        address,
        acceptor: None,
        received: Vec::new(),
    })?;
    Ok(program.received)
}

fn main() -> Result<(), Error> {
    for text in run(Options::parse().address)? {
        println!("{text}");
    }
    Ok(())
}
