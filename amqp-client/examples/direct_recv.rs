//! Listens, and receives numbered messages from whoever connects.
//!
//! `cargo run --example direct_recv -- localhost:8888 100`

use std::net::SocketAddr;

use amqp_client::handler::{Acceptor, HandlerResult, MessageEvent, MessagingHandler, StartEvent};
use amqp_client::{Container, Error};

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
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "localhost:8888".to_owned());
    let expected = args.next().and_then(|n| n.parse().ok()).unwrap_or(100);
    let received = run(address, expected, |address| {
        println!("listening on {address}")
    })?;
    println!("{received} messages received");
    Ok(())
}
