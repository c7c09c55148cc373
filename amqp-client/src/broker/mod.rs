//! A small broker in memory, to be a peer in tests and demonstrations.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), amqp_client::Error> {
//! use amqp_client::broker::Broker;
//! use amqp_client::{Container, Message};
//!
//! let broker = Broker::start().await?;
//! let connection = Container::new("test").connect(&broker.url()).await?;
//!
//! connection.create_sender("orders").await?.send(Message::from("hello")).await?;
//! let delivery = connection.create_receiver("orders").await?.recv().await?;
//! assert_eq!(delivery.message()?.body.as_str(), Some("hello"));
//! delivery.accept();
//!
//! connection.close().await?;
//! broker.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! # What it does
//! - A queue is made of every address that is attached to. Receivers compete for its messages and get
//!   them in turn; receivers in distribution mode copy look at them without taking them.
//! - Dynamic nodes, with every lifetime policy of the standard.
//! - Every outcome: accepted and rejected messages are gone (rejected ones may go to a dead-letter
//!   queue), released and modified ones take their old place in the queue again. Messages that are
//!   unsettled when a link or a connection is lost do the same. Headers tell the delivery count and
//!   the first acquirer; the rest of a message is passed on octet for octet.
//! - Both settle modes of either side, drain, the anonymous terminus (`ANONYMOUS-RELAY`).
//! - SASL ANONYMOUS or PLAIN, TLS, WebSocket and every other way in that a listener has.
//! - Limits for queues, times to live.
//!
//! # What it does not
//! Nothing outlives it: it keeps no durable terminus and says so when it is asked for one. It knows no
//! filters, so it names none in its answers, no transactions and no topics.
//!
//! It is built on the public API of [`listener`](crate::listener) alone. Decides what a broker is to
//! whoever starts one; the modules below it do the work.

mod browse;
mod builder;
mod egress;
mod ingress;
mod nodes;
mod outlet;
mod queue;
mod serve;
mod settings;
mod stored;
mod terminus;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::DuplexStream;
use tokio::sync::watch;

pub use builder::Builder;

use crate::error::Error;
use crate::handles::Container;
use crate::listener::{Access, Listener};
use builder::Parts;
use nodes::Nodes;
use serve::Stopping;

/// What an in-memory stream buffers each way, in octets.
const PIPE: usize = 256 * 1024;

/// A broker that runs in this process until it is shut down or dropped.
#[derive(Debug)]
pub struct Broker {
    container: Container,
    access: Access,
    address: SocketAddr,
    scheme: &'static str,
    nodes: Arc<Nodes>,
    /// Tells all tasks to stop; they are gone when nobody listens any more.
    stop: watch::Sender<()>,
}

impl Broker {
    /// Starts a broker on a free loopback port; anybody may connect.
    ///
    /// # Errors
    /// I/O when no port can be bound.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// A broker with options.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The URL to connect to, without credentials: `amqp://127.0.0.1:` and the port, `amqps` where TLS
    /// is demanded.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A stream in memory whose other end the broker serves, for
    /// [`Container::connect_stream`].
    pub fn connect_stream(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (container, access) = (self.container.clone(), self.access.clone());
        let (nodes, stopping) = (self.nodes.clone(), self.stop.subscribe());
        tokio::spawn(async move {
            match container.accept_stream(theirs, &access).await {
                Ok(connection) => serve::connection(connection, nodes, stopping).await,
                Err(error) => {
                    tracing::info!(target: "amqp_client::broker", %error, "a connection was not opened")
                }
            }
        });
        ours
    }

    /// How many messages wait in a queue, those not counted that are with a receiver; `None` when
    /// there is no such queue.
    pub fn depth(&self, address: &str) -> Option<usize> {
        self.nodes.find(address).map(|queue| queue.len())
    }

    /// Stops listening, closes every connection with `amqp:connection:forced` and waits until all of
    /// them are gone. Messages are lost.
    ///
    /// # Cancel safety
    /// The broker is shut down even when the future is dropped.
    pub async fn shutdown(self) {
        // Nobody may be connected: then nobody hears it.
        let _ = self.stop.send(());
        self.stop.closed().await;
    }
}

impl Builder {
    /// Starts the broker.
    ///
    /// # Errors
    /// I/O when the address can not be bound.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start(self) -> Result<Broker, Error> {
        let Parts {
            container,
            address,
            layers,
            access,
            settings,
        } = self.into_parts();
        let scheme = layers.scheme();
        let listener = container
            .listen_with(address, access.clone(), layers)
            .await?;
        let nodes = Nodes::new(Arc::new(settings));
        let (stop, stopping) = watch::channel(());
        let broker = Broker {
            address: listener.local_addr(),
            scheme,
            container,
            access,
            nodes: nodes.clone(),
            stop,
        };
        tokio::spawn(accept(listener, nodes, stopping));
        Ok(broker)
    }
}

/// Accepts connections until the broker stops.
async fn accept(listener: Listener, nodes: Arc<Nodes>, mut stopping: Stopping) {
    loop {
        tokio::select! {
            connection = listener.accept() => match connection {
                Ok(connection) => {
                    tokio::spawn(serve::connection(connection, nodes.clone(), stopping.clone()));
                }
                Err(_) => return,
            },
            _ = stopping.changed() => return,
        }
    }
}
