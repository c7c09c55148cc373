//! Octets without further meaning (section 1.6.19).
//!
//! Decides how octets are shared, printed and compared. Leaves encoding to `codec`.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// A sequence of octets: the AMQP type `binary` (section 1.6.19).
///
/// A clone shares the octets. A decoded value is a view of the buffer that it was
/// read from; see [`Binary::to_compact`] for values that live longer.
///
/// ```
/// use amqp_types::Binary;
///
/// let tag = Binary::from_static(b"\x00A");
/// assert_eq!(tag, [0, 65]);
/// assert_eq!(tag.to_string(), "0041");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary(Bytes);

impl Binary {
    /// No octets; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Bytes::new())
    }

    /// Octets that live as long as the program; allocates nothing.
    #[must_use]
    pub const fn from_static(octets: &'static [u8]) -> Self {
        Self(Bytes::from_static(octets))
    }

    /// A copy of `octets`.
    #[must_use]
    pub fn copy_from_slice(octets: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(octets))
    }

    /// The octets as the buffer that holds them.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The buffer itself.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// A copy that holds these octets alone, so that a small value never keeps a
    /// large read buffer alive.
    #[must_use]
    pub fn to_compact(&self) -> Self {
        Self::copy_from_slice(&self.0)
    }
}

impl Deref for Binary {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Binary {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Binary {
    #[inline]
    fn from(octets: Bytes) -> Self {
        Self(octets)
    }
}

impl From<Vec<u8>> for Binary {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets.into())
    }
}

impl From<Box<[u8]>> for Binary {
    fn from(octets: Box<[u8]>) -> Self {
        Self(octets.into())
    }
}

/// Copies the octets; [`Binary::from_static`] does not.
impl From<&[u8]> for Binary {
    fn from(octets: &[u8]) -> Self {
        Self::copy_from_slice(octets)
    }
}

/// Copies the octets; [`Binary::from_static`] does not.
impl<const N: usize> From<&[u8; N]> for Binary {
    fn from(octets: &[u8; N]) -> Self {
        Self::copy_from_slice(octets)
    }
}

/// Copies the octets.
impl<const N: usize> From<[u8; N]> for Binary {
    fn from(octets: [u8; N]) -> Self {
        Self::copy_from_slice(&octets)
    }
}

impl From<Binary> for Bytes {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl From<Binary> for Vec<u8> {
    fn from(binary: Binary) -> Self {
        binary.0.into()
    }
}

impl FromIterator<u8> for Binary {
    fn from_iter<I: IntoIterator<Item = u8>>(octets: I) -> Self {
        Self(octets.into_iter().collect())
    }
}

impl PartialEq<[u8]> for Binary {
    fn eq(&self, other: &[u8]) -> bool {
        self.0 == other
    }
}

impl PartialEq<&[u8]> for Binary {
    fn eq(&self, other: &&[u8]) -> bool {
        self.0 == *other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Binary {
    fn eq(&self, other: &[u8; N]) -> bool {
        *self.0 == other[..]
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Binary {
    fn eq(&self, other: &&[u8; N]) -> bool {
        *self.0 == other[..]
    }
}

impl PartialEq<Vec<u8>> for Binary {
    fn eq(&self, other: &Vec<u8>) -> bool {
        *self.0 == other[..]
    }
}

/// Printed like a byte string literal.
impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Printed as hexadecimal digits, two an octet.
impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_compare_with_slices_arrays_and_vectors() {
        let binary = Binary::from(vec![1, 2, 3]);
        assert_eq!(binary, [1, 2, 3]);
        assert_eq!(binary, &[1, 2, 3][..]);
        assert_eq!(binary, vec![1, 2, 3]);
        assert_eq!(binary, b"\x01\x02\x03");
        assert_ne!(binary, [1, 2]);
    }

    #[test]
    fn a_compact_copy_leaves_its_buffer() {
        let buffer = Bytes::from(vec![7; 1024]);
        let view = Binary::from(buffer.slice(10..12));
        let compact = view.to_compact();
        assert_eq!(view, compact);
        assert_ne!(view.as_ptr(), compact.as_ptr());
    }

    #[test]
    fn display_is_hexadecimal() {
        assert_eq!(Binary::from_static(b"\x00\xffA").to_string(), "00ff41");
    }
}
