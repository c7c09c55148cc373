//! Options of connections: defaults of the container, and others for one connection.
//!
//! `cargo run --example connection_options -- --url amqp://localhost:5672`

use std::time::Duration;

use amqp_client::handler::{ConnectionEvent, HandlerResult, MessagingHandler, StartEvent};
use amqp_client::types::{Fields, Symbol};
use amqp_client::{ConnectionOptions, Container, Error, SessionOptions};
use clap::Parser;

/// Connects twice, with options of its own each time.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
}

struct Connects {
    url: String,
    opened: Vec<u32>,
}

impl MessagingHandler for Connects {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        // As the container says.
        event.container().connect(&self.url)?;
        // As is said here: nothing of the container's options is left.
        let options = ConnectionOptions::new()
            .max_frame_size(2048)
            .session(SessionOptions::new().incoming_window(100));
        event.container().connect_with(&self.url, options)?;
        Ok(())
    }

    fn on_connection_opened(&mut self, event: &ConnectionEvent) -> HandlerResult {
        let peers = event.connection().remote().ok_or("no open")?;
        // What the peer takes; what we take is what we asked for.
        self.opened.push(peers.max_frame_size);
        event.connection().close();
        Ok(())
    }
}

/// Runs the program; answers the largest frames that the peer takes on each connection.
pub fn run(url: String) -> Result<Vec<u32>, Error> {
    let mut properties = Fields::default();
    properties.insert(Symbol::from_static("product"), "connection_options");
    let defaults = ConnectionOptions::new()
        .max_frame_size(64 * 1024)
        .channel_max(10)
        .idle_time_out(Some(Duration::from_secs(30)))
        .properties(properties)
        .desired_capabilities([Symbol::from_static("ANONYMOUS-RELAY")]);
    let container = Container::with_options("connection-options", defaults);
    let program = container.run(Connects {
        url,
        opened: Vec::new(),
    })?;
    Ok(program.opened)
}

fn main() -> Result<(), Error> {
    for octets in run(Options::parse().url)? {
        println!("the peer takes frames of {octets} octets");
    }
    Ok(())
}
