//! Types that take a part of another type's values (section 1.5).
//!
//! Decides what happens to a value outside of that part. Leaves the choices and the
//! longest lengths to the generated code.

use super::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode};
use crate::primitive::Binary;
use crate::value::ListOf;
use bytes::BytesMut;
use std::fmt;

/// The value is not among the choices of its type (section 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidChoice;

impl fmt::Display for InvalidChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value is not among the choices of its type")
    }
}

impl std::error::Error for InvalidChoice {}

/// The value has more octets than its type allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The most octets allowed.
    pub max: usize,
    /// The octets there are.
    pub found: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets, at most {} are allowed", self.found, self.max)
    }
}

impl std::error::Error for TooLong {}

/// The octets, when there are at most `max`.
///
/// # Errors
/// Where there are more.
pub fn at_most(max: usize, octets: Binary) -> Result<Binary, TooLong> {
    match octets.len() {
        found if found > max => Err(TooLong { max, found }),
        _ => Ok(octets),
    }
}

impl Decoder<'_> {
    /// Reads a `P` whose code was read and makes a choice of it.
    ///
    /// # Errors
    /// [`DecodeErrorKind::InvalidChoice`] where it is none of the choices.
    // [TYP-41]
    #[inline]
    pub fn choice<P: Decode, C: TryFrom<P>>(&mut self, code: u8) -> Result<C, DecodeError> {
        let value = P::decode_body(code, self)?;
        C::try_from(value).map_err(|_| self.fault(DecodeErrorKind::InvalidChoice))
    }

    /// Reads a binary whose code was read, of at most `max` octets.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TooLong`] where it has more.
    #[inline]
    pub fn at_most(&mut self, code: u8, max: usize) -> Result<Binary, DecodeError> {
        let octets = Binary::decode_body(code, self)?;
        if octets.len() > max {
            return Err(self.fault(DecodeErrorKind::TooLong));
        }
        Ok(octets)
    }

    /// Reads a transaction identifier whose code was read: of at most `max` octets
    /// where [`Limits::strict_transaction_ids`](super::Limits) says so.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TooLong`] where it has more.
    // [TXN-06]
    #[inline]
    pub fn at_most_if_strict(&mut self, code: u8, max: usize) -> Result<Binary, DecodeError> {
        let strict = self.limits().strict_transaction_ids;
        self.at_most(code, if strict { max } else { usize::MAX })
    }
}

impl<T: Decode> Decode for ListOf<T> {
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.list_items(code).map(Self)
    }
}

impl<T: Encode> Encode for ListOf<T> {
    fn encode(&self, out: &mut BytesMut) {
        super::value::encode_items(self, out);
    }
}

/// The type of null alone (section 1.6.1).
impl Decode for () {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match code {
            super::code::NULL => Ok(()),
            _ => Err(d.wrong_type(code)),
        }
    }
}

impl Encode for () {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        out.extend_from_slice(&[super::code::NULL]);
    }

    #[inline]
    fn is_null(&self) -> bool {
        true
    }
}
