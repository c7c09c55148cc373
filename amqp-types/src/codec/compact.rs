//! Copies that keep no read buffer alive.
//!
//! Decides how a decoded value is cut loose from the buffer that it was read from:
//! all of it moves into one buffer of its own, of exactly its size.

use super::{Decode, Decoder, Encode, Limits};
use bytes::Bytes;

/// A copy of `value` that keeps no read buffer alive.
///
/// What is read from a buffer holds views of it; a small thing that is kept for long
/// would keep a large buffer. The generated types have a method of the name
/// `to_compact` that calls this.
///
/// ```
/// use amqp_types::transport::{Error, ErrorCondition};
/// use amqp_types::{Decode, Encode};
///
/// let error = Error::new(ErrorCondition::NotFound);
/// assert_eq!(error.to_compact(), error);
/// ```
#[must_use]
pub fn compact<T: Encode + Decode + Clone>(value: &T) -> T {
    let octets = Bytes::copy_from_slice(&value.to_bytes());
    let mut d = Decoder::with_limits(&octets, Limits::DEEP);
    // What was composed by hand may be nothing that a decoder accepts.
    T::decode(&mut d).unwrap_or_else(|_| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn a_copy_does_not_point_into_the_buffer_that_was_read() {
        let buffer = Bytes::from(b"\xa1\x03abc and much more".to_vec());
        let text = Value::decode(&mut Decoder::new(&buffer)).unwrap();
        let points_inside = |value: &Value| {
            let at = value.as_str().unwrap().as_ptr();
            buffer.as_ptr_range().contains(&at)
        };
        assert!(points_inside(&text));
        let copy = compact(&text);
        assert_eq!(copy, text);
        assert!(!points_inside(&copy));
    }
}
