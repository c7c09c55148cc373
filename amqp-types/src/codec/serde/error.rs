//! What can go wrong between Rust types and values.

use crate::codec::DecodeError;
use std::fmt;

/// A Rust type that is no AMQP value, or a value that is not of the Rust type.
#[derive(Clone, PartialEq, Eq)]
pub struct SerdeError(Box<str>);

impl SerdeError {
    pub(super) fn new(message: &str) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerdeError({:?})", self.0)
    }
}

impl std::error::Error for SerdeError {}

impl ::serde::ser::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message.to_string())
    }
}

impl ::serde::de::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message.to_string())
    }
}

impl From<DecodeError> for SerdeError {
    fn from(error: DecodeError) -> Self {
        Self::new(&error.to_string())
    }
}
