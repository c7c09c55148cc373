//! AMQP 1.0 types, codec and messages.

pub mod codec;
#[rustfmt::skip]
mod generated;
#[doc = include_str!("../docs/generated-code.md")]
pub mod generated_code {}
mod message;
mod primitive;
#[cfg(feature = "proptest")]
pub mod strategy;
mod value;

pub use bytes;
pub use codec::*;
pub use generated::{DESCRIPTORS, filters, messaging, security, transactions, transport, types};
pub use message::{Body, BodyKind, EncodedMessage, InvalidMessage, Message};
pub use primitive::*;
pub use uuid;
pub use value::*;
