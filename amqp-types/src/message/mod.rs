//! Messages (section 3.2).
//!
//! Decides how the sections of a message are composed, found and kept: [`Message`] to
//! compose and to take apart, [`EncodedMessage`] for what was received. Leaves the
//! sections' own contents to the generated code.

mod body;
mod build;
mod check;
mod convert;
mod encoded;
mod format;
mod message_codec;
mod sections;
#[cfg(feature = "proptest")]
mod strategy;

pub use body::Body;
pub use check::InvalidMessage;
pub use encoded::{BodyKind, EncodedMessage};

use crate::generated::messaging::{
    ApplicationProperties, DeliveryAnnotations, Footer, Header, MessageAnnotations, Properties,
};

/// A message, section by section (section 3.2).
///
/// ```
/// use amqp_types::{Body, Decode, Encode, Message};
///
/// let message = Message::from("hello")
///     .with_subject("greeting")
///     .with_application_property("colour", "red")
///     .with_durable(true);
/// let read = Message::from_bytes(&message.to_bytes())?;
/// assert_eq!(read, message);
/// assert_eq!(read.body, Body::from("hello"));
/// # Ok::<(), amqp_types::DecodeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What concerns the delivery: durability, priority, time to live (section 3.2.1).
    pub header: Option<Header>,
    /// For the next hop alone (section 3.2.2).
    pub delivery_annotations: Option<DeliveryAnnotations>,
    /// For every hop (section 3.2.3).
    pub message_annotations: Option<MessageAnnotations>,
    /// The standard's properties (section 3.2.4).
    pub properties: Option<Properties>,
    /// The application's properties (section 3.2.5).
    pub application_properties: Option<ApplicationProperties>,
    /// What the message is about (sections 3.2.6 to 3.2.8).
    pub body: Body,
    /// What can only be known when the body was seen, such as a checksum (section
    /// 3.2.9).
    pub footer: Option<Footer>,
}
