//! What can be sent, and what one message is sent with.
//!
//! Decides how a message becomes octets and where it may differ from its link. Sections 2.6.12, 2.7.5.

use amqp_types::{Encode, EncodedMessage, Message};
use bytes::BytesMut;

use crate::driver::SendOptions;
use crate::error::Error;
use crate::proto::Tag;

/// How one message is sent, where that differs from its link.
#[derive(Clone, Debug, Default)]
pub struct SendSettings {
    tag: Option<Box<Tag>>,
    settled: Option<bool>,
    message_format: u32,
}

impl SendSettings {
    /// A delivery-tag of the user's own: at most 32 octets. While another delivery of the link with
    /// this tag is unsettled, enqueuing is a Configuration error, and the link goes on. Tags that the
    /// library makes never clash with it. Section 2.6.12. [LNK-42]
    ///
    /// # Errors
    /// Configuration when the tag is too long.
    pub fn tag(mut self, tag: &[u8]) -> Result<Self, Error> {
        let tag = Tag::new(tag)
            .ok_or_else(|| Error::configuration("a delivery-tag has at most 32 octets"))?;
        self.tag = Some(Box::new(tag));
        Ok(self)
    }

    /// Whether the message is sent settled, on a link of mode mixed. Section 2.7.5.
    pub fn settled(mut self, settled: bool) -> Self {
        self.settled = Some(settled);
        self
    }

    /// The message-format; 0 is the standard's. Section 2.8.11.
    pub fn message_format(mut self, format: u32) -> Self {
        self.message_format = format;
        self
    }

    pub(super) fn options(self, settled: bool) -> SendOptions {
        SendOptions {
            settled: self.settled.unwrap_or(settled),
            collect: false,
            hold: false,
            stream: false,
            message_format: self.message_format,
            tag: self.tag,
            state: None,
        }
    }
}

/// What can be sent: a composed message, or one that was received and is forwarded as it is.
pub trait Sendable {
    /// Appends the encoded message.
    fn encode_message(&self, out: &mut BytesMut);
}

impl Sendable for Message {
    fn encode_message(&self, out: &mut BytesMut) {
        self.encode(out);
    }
}

impl Sendable for EncodedMessage {
    fn encode_message(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.bytes());
    }
}

impl<T: Sendable + ?Sized> Sendable for &T {
    fn encode_message(&self, out: &mut BytesMut) {
        (**self).encode_message(out);
    }
}

/// A message as the codec wants it.
pub(super) struct Encodable<'a, M>(pub(super) &'a M);

impl<M: Sendable> Encode for Encodable<'_, M> {
    fn encode(&self, out: &mut BytesMut) {
        self.0.encode_message(out);
    }
}
