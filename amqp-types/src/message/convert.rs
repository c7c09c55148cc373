//! Conversions into types of messages that the definitions do not lead to by themselves.

use crate::generated::messaging::MessageId;
use crate::primitive::{Binary, Str};

/// Text as a message's identifier.
impl From<&str> for MessageId {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

/// Text as a message's identifier.
impl From<String> for MessageId {
    fn from(text: String) -> Self {
        Self::String(Str::from(text))
    }
}

/// Octets as a message's identifier.
impl From<Vec<u8>> for MessageId {
    fn from(octets: Vec<u8>) -> Self {
        Self::Binary(Binary::from(octets))
    }
}
