//! AMQP 1.0 client and listener on tokio.
//!
//! ```no_run
//! # async fn run() -> Result<(), amqp_client::Error> {
//! use amqp_client::{Container, Message};
//!
//! let container = Container::new("orders");
//! let connection = container.connect("amqp://user:pass@localhost:5672").await?;
//!
//! let sender = connection.create_sender("orders").await?;
//! let outcome = sender.send(Message::from("hello")).await?;
//! println!("the peer says {outcome:?}");
//!
//! let receiver = connection.create_receiver("orders").await?;
//! let delivery = receiver.recv().await?;
//! println!("{:?}", delivery.message()?);
//! delivery.accept();
//!
//! connection.close().await?;
//! # Ok(()) }
//! ```
//!
//! The layers, each of which names only those before it: `proto` (the protocol without IO),
//! [`transport`], `driver` (one task a connection), `handles` (what users hold), [`listener`], [`broker`].

pub mod broker;
mod deadlines;
mod driver;
mod error;
mod handles;
pub mod listener;
pub mod proto;
pub mod sasl;
mod secret;
pub mod transport;

pub use amqp_types as types;
pub use amqp_types::{Body, EncodedMessage, Message, Value};
pub use deadlines::Deadlines;
pub use error::{Error, ErrorKind, ErrorScope, Initiator, Redirect};
pub use handles::{
    Connection, ConnectionOptions, Container, Delivery, MessageStream, Receipt, Receiver,
    ReceiverOptions, SendSettings, Sendable, Sender, SenderOptions, Session, SessionOptions,
    StreamingDelivery,
};
pub use secret::Secret;
