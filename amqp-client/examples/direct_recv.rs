//! Listens, and receives numbered messages from whoever connects.
//!
//! `cargo run --example direct_recv -- --address localhost:8888 --messages 100`

use std::net::SocketAddr;

use amqp_client::handler::{Acceptor, HandlerResult, MessageEvent, MessagingHandler, StartEvent};
use amqp_client::{Container, Error};
use clap::Parser;

/// Listens, and receives numbered messages.
#[derive(Debug, Parser)]
pub struct Options {
    /// Where to listen.
    #[arg(long, default_value = "localhost:8888")]
    pub address: String,
    /// How many messages.
    #[arg(long, default_value_t = 100)]
    pub messages: u64,
}

struct Recv<F> {
    address: String,
    expected: u64,
    received: u64,
    acceptor: Option<Acceptor>,
    /// Told where the program listens.
    listening: F,
}

impl<F: FnMut(SocketAddr) + Send + 'static> MessagingHandler for Recv<F> {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let acceptor = event.container().listen(&self.address)?;
        (self.listening)(acceptor.local_addr());
        self.acceptor = Some(acceptor);
        Ok(())
    }

    fn on_message(&mut self, _: &MessageEvent) -> HandlerResult {
        self.received += 1;
        if self.received == self.expected
            && let Some(acceptor) = self.acceptor.take()
        {
            // The run ends when the peer has closed its connection.
            acceptor.close();
        }
        Ok(())
    }
}

/// Runs the program; answers how many messages it received.
pub fn run(
    address: String,
    expected: u64,
    listening: impl FnMut(SocketAddr) + Send + 'static,
) -> Result<u64, Error> {
    let program = Container::new("direct-recv").run(Recv {
        address,
        expected,
        received: 0,
        acceptor: None,
        listening,
    })?;
    Ok(program.received)
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let listening = |address| println!("listening on {address}");
    let received = run(options.address, options.messages, listening)?;
    println!("{received} messages received");
    Ok(())
}
