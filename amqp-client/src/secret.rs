//! Passwords and tokens.
//!
//! Decides how a secret is held: it is wiped when it is dropped and shows in no text. What it is
//! good for is decided where it is used. Section 5.3.

use std::fmt;

use amqp_types::Binary;
use bytes::Bytes;
use zeroize::Zeroizing;

/// A password, a token or another text that nobody else may see.
///
/// Its memory is wiped when the last clone is dropped, and neither `Debug` nor any log, trace or
/// error shows it.
///
/// ```
/// use amqp_client::Secret;
///
/// let password = Secret::from("open sesame");
/// assert_eq!(format!("{password:?}"), "[redacted]");
/// assert_eq!(password.expose(), "open sesame");
/// ```
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself. Whoever takes it from here has to look after it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl PartialEq for Secret {
    /// Takes the same time wherever texts of one length differ.
    fn eq(&self, other: &Self) -> bool {
        same(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whether octets are the same, in a time that does not tell where they differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    a.ct_eq(b).into()
}

/// Octets for a frame that are wiped once the frame has been written.
pub(crate) fn wiped(octets: Vec<u8>) -> Binary {
    Binary::from(Bytes::from_owner(Zeroizing::new(octets)))
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn secrets_are_compared_by_their_text() {
        assert_eq!(Secret::from("a"), Secret::from("a".to_owned()));
        assert_ne!(Secret::from("a"), Secret::from("b"));
        assert_ne!(Secret::from("a"), Secret::from("aa"));
    }
}
