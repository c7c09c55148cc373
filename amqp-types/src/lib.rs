//! AMQP 1.0 types, codec and messages: what can be said, and how it is written.
//!
//! Decides how the types of the standard (parts 1 to 5) look in Rust and as octets.
//! Leaves connections, sessions and links to the crate `amqp-client`. There is no IO
//! and no unsafe code here.
//!
//! # Values
//!
//! [`Value`] holds any value without loss. Rust's own types convert to and from it, and
//! [`value!`] writes literals. Text and octets ([`Str`], [`Symbol`], [`Binary`]) are
//! cheap clones of a shared buffer.
//!
//! ```
//! use amqp_types::{Decode, Encode, Value, value};
//!
//! let order = value!({ "number": 7u32, "lines": [["tea", 2], ["cake", 1]], :"state": null });
//! let octets = order.to_bytes();
//! assert_eq!(Value::from_bytes(&octets)?, order);
//! assert_eq!(u32::try_from(order.as_map().unwrap().get("number").unwrap().clone()), Ok(7));
//! # Ok::<(), amqp_types::DecodeError>(())
//! ```
//!
//! # Messages
//!
//! [`Message`] is a message to compose or to take apart; [`EncodedMessage`] is one that
//! was received: it knows where its sections are, reads each when it is asked for, and
//! goes on octet for octet.
//!
//! ```
//! use amqp_types::{EncodedMessage, Message};
//!
//! let message = Message::from("hello")
//!     .with_subject("greeting")
//!     .with_application_property("colour", "red");
//! let received = EncodedMessage::from(message);
//! assert_eq!(received.body()?.as_str(), Some("hello"));
//! let colour = received.application_properties()?.and_then(|p| p.get("colour").cloned());
//! assert_eq!(colour.unwrap().as_str(), Some("red"));
//! # Ok::<(), amqp_types::DecodeError>(())
//! ```
//!
//! # The types of the standard
//!
//! [`transport`], [`messaging`], [`transactions`], [`security`] and [`filters`] are
//! generated from the standard's XML: structs with public fields, enums of what may
//! stand in one place. [`generated_code`] shows XML beside the Rust that it becomes.
//! The common ones are also here at the root.
//!
//! ```
//! use amqp_types::transport::{Handle, Performative, Transfer};
//! use amqp_types::{Accepted, Decode, DeliveryState, Encode};
//!
//! let mut transfer = Transfer::new(Handle(0));
//! transfer.state = Some(DeliveryState::from(Accepted {}));
//! let octets = transfer.to_bytes();
//! assert_eq!(&octets[..], b"\0\x53\x14\xc0\x0c\x08\x43\x40\x40\x40\x40\x40\x40\0\x53\x24\x45");
//! assert_eq!(Performative::from_bytes(&octets), Ok(Performative::Transfer(transfer)));
//! ```
//!
//! # Reading what a peer sends
//!
//! Every input is a value or a [`DecodeError`] that says what is wrong, where, and in
//! which field. Reading is strict, as the standard is, and bounded: depth, counts and
//! sizes are checked before memory is taken for them ([`Limits`]), which is at most 64
//! octets for each octet of input and a small constant. Frames that carry messages
//! take none. Writing takes one pass and picks the smallest encoding.
//!
//! What was read holds views of the buffer it was read from. Keep a small part for
//! long, and it keeps all of the buffer: `to_compact` cuts it loose.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `serde`: values in other formats, and `to_value` and `from_value` for message
//!   bodies that are Rust types.
//! - `chrono`, `time`: conversions of those crates' points in time.
//! - `proptest`: strategies of every type, to test one's own code with.

#![forbid(unsafe_code)]

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
pub use uuid;

pub use codec::{
    Decode, DecodeCondition, DecodeError, DecodeErrorKind, Decoder, DescribedType, Descriptor,
    Encode, FieldDecoder, FieldEncoder, InvalidChoice, Limits, TooLong, TypeDescriptor, compact,
};
#[cfg(feature = "serde")]
pub use codec::{SerdeError, from_value, to_value};
pub use generated::messaging::{
    Accepted, AddressString, AmqpSequence, AmqpValue, Annotations, ApplicationProperties, Data,
    DeliveryAnnotations, DeliveryState, DistributionMode, FilterSet, Footer, Header,
    LifetimePolicy, MessageAnnotations, MessageId, Modified, Outcome, Properties, Received,
    Rejected, Released, Source, Target, TerminusDurability, TerminusExpiryPolicy,
};
pub use generated::transport::{
    DeliveryNumber, DeliveryTag, ErrorCondition, Fields, Milliseconds, ReceiverSettleMode, Role,
    Seconds, SenderSettleMode, SequenceNo,
};
pub use generated::{DESCRIPTORS, filters, messaging, security, transactions, transport, types};
pub use message::{Body, BodyKind, EncodedMessage, InvalidMessage, Message};
pub use primitive::*;
pub use value::*;
