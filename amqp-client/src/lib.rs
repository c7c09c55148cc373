//! AMQP 1.0 client and listener on tokio.
//!
#![doc = include_str!("../docs/overview.md")]
//!
//! # The crate from within
//!
//! The layers, each of which names only those before it: `proto` (the protocol without IO),
//! [`transport`], `driver` (one task a connection), `handles` (what users hold), [`listener`], [`broker`],
//! [`handler`], [`blocking`].

mod backoff;
pub mod blocking;
pub mod broker;
#[cfg(feature = "config")]
pub mod config;
mod deadlines;
mod driver;
mod error;
mod frames;
pub mod guide;
pub mod handler;
mod handles;
pub mod listener;
pub mod metrics;
pub mod proto;
pub mod sasl;
mod secret;
#[cfg(feature = "opentelemetry")]
pub mod telemetry;
pub mod transport;

pub use amqp_types as types;
pub use amqp_types::{Body, EncodedMessage, Message, Value};
pub use backoff::Backoff;
pub use deadlines::Deadlines;
pub use driver::ConnectionStats;
pub use error::{Error, ErrorKind, ErrorScope, Initiator, Redirect};
pub use handles::link_option;
pub use handles::{
    Connection, ConnectionOptions, Container, Deliveries, Delivery, MessageSink, MessageStream,
    Receipt, Receiver, ReceiverOptions, SendSettings, Sendable, Sender, SenderOptions, Session,
    SessionOptions, SinkError, StreamingDelivery,
};
pub use secret::Secret;

/// The example of the repository's README is tested with the others.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
