//! Listens, and sends numbered messages to who connects and receives.
//!
//! `cargo run --example direct_send -- --address localhost:8888 --messages 100`

use std::net::SocketAddr;

use amqp_client::handler::{
    Acceptor, DeliveryEvent, HandlerResult, MessagingHandler, SenderEvent, StartEvent,
};
use amqp_client::{Container, Error, Message};
use clap::Parser;

/// Listens, and sends numbered messages.
#[derive(Debug, Parser)]
pub struct Options {
    /// Where to listen.
    #[arg(long, default_value = "localhost:8888")]
    pub address: String,
    /// How many messages.
    #[arg(long, default_value_t = 100)]
    pub messages: u64,
}

struct Send<F> {
    address: String,
    total: u64,
    sent: u64,
    confirmed: u64,
    acceptor: Option<Acceptor>,
    /// Told where the program listens.
    listening: F,
}

impl<F: FnMut(SocketAddr) + std::marker::Send + 'static> MessagingHandler for Send<F> {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let acceptor = event.container().listen(&self.address)?;
        (self.listening)(acceptor.local_addr());
        self.acceptor = Some(acceptor);
        Ok(())
    }

    fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
        while event.sender().credit() > 0 && self.sent < self.total {
            self.sent += 1;
            let message = Message::from(format!("message {}", self.sent));
            event.sender().send(message.with_message_id(self.sent))?;
        }
        Ok(())
    }

    fn on_accepted(&mut self, event: &DeliveryEvent) -> HandlerResult {
        self.confirmed += 1;
        if self.confirmed == self.total {
            event.connection().close();
            if let Some(acceptor) = self.acceptor.take() {
                acceptor.close();
            }
        }
        Ok(())
    }
}

/// Runs the program; answers how many messages were confirmed.
pub fn run(
    address: String,
    total: u64,
    listening: impl FnMut(SocketAddr) + std::marker::Send + 'static,
) -> Result<u64, Error> {
    let program = Container::new("direct-send").run(Send {
        address,
        total,
        sent: 0,
        confirmed: 0,
        acceptor: None,
        listening,
    })?;
    Ok(program.confirmed)
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let listening = |address| println!("listening on {address}");
    let confirmed = run(options.address, options.messages, listening)?;
    println!("{confirmed} messages confirmed");
    Ok(())
}
