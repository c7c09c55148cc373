//! A server whose answers belong to the traces of the requests, and prints its spans.
//!
//! `cargo run --features opentelemetry --example tracing_server -- amqp://localhost:5672 examples`

use amqp_client::{ConnectionOptions, Container, Error};

#[allow(dead_code, unreachable_pub)]
#[path = "server.rs"]
pub mod server;
#[allow(dead_code, unreachable_pub)]
mod tracing_common;

/// The container of the server, which traces messages: the server itself is that of the example `server`.
pub fn container() -> Container {
    Container::with_options("tracing-server", ConnectionOptions::new().trace_messages())
}

fn main() -> Result<(), Error> {
    let _spans = tracing_common::Printer::install();
    let mut args = std::env::args().skip(1);
    let url = args
        .next()
        .unwrap_or_else(|| "amqp://localhost:5672".to_owned());
    let address = args.next().unwrap_or_else(|| "examples".to_owned());
    container().run(server::Server::new(url, address))?;
    Ok(())
}
