//! What a message that is sent may not be.
//!
//! Decides which rules a sender can break while every section by itself is right.

use super::{Body, Message};
use std::fmt;

/// A message that its sender may not send (section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// A content encoding, but a body that is not data (section 3.2.4).
    ContentEncodingWithoutData,
    /// The content encoding `identity`, which means none (section 3.2.4).
    IdentityContentEncoding,
}

impl fmt::Display for InvalidMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContentEncodingWithoutData => "only a body of data has a content encoding",
            Self::IdentityContentEncoding => "the content encoding identity is not to be used",
        })
    }
}

impl std::error::Error for InvalidMessage {}

impl Message {
    /// Checks what the types do not show.
    ///
    /// ```
    /// use amqp_types::{InvalidMessage, Message, Symbol};
    ///
    /// let message = Message::from("text").with_content_encoding(Symbol::from_static("gzip"));
    /// assert_eq!(message.check(), Err(InvalidMessage::ContentEncodingWithoutData));
    /// ```
    ///
    /// # Errors
    /// Where a sender may not send this message.
    pub fn check(&self) -> Result<(), InvalidMessage> {
        // [MSG-19]
        let encoding = self.properties.as_ref();
        match encoding.and_then(|properties| properties.content_encoding.as_deref()) {
            Some("identity") => Err(InvalidMessage::IdentityContentEncoding),
            Some(_) if !matches!(self.body, Body::Data(_)) => {
                Err(InvalidMessage::ContentEncodingWithoutData)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Symbol;

    // tests: [MSG-19]
    #[test]
    fn a_content_encoding_is_of_data_alone_and_never_identity() {
        let gzip = |message: Message| message.with_content_encoding(Symbol::from_static("gzip"));
        assert_eq!(gzip(Message::from(vec![1u8])).check(), Ok(()));
        assert_eq!(
            gzip(Message::from("text")).check(),
            Err(InvalidMessage::ContentEncodingWithoutData)
        );
        let identity = Message::from(vec![1u8]);
        let identity = identity.with_content_encoding(Symbol::from_static("identity"));
        assert_eq!(
            identity.check(),
            Err(InvalidMessage::IdentityContentEncoding)
        );
    }
}
