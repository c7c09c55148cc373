//! What a subscriber of `tracing` sees: spans that nest, end when their thing ends, and say how; events at
//! their levels; nothing for a message unless it is asked for.

#![allow(clippy::unwrap_used)]

mod deliveries;
mod events;
mod nesting;
mod recorder;

use amqp_client::listener::Access;
use amqp_client::{Connection, ConnectionOptions, Container};

/// A client and a listener that are connected to each other.
async fn pair() -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    (client.unwrap(), listener.unwrap())
}
