//! A place in the octets, moving forward (sections 1.2 to 1.6).
//!
//! Decides bounds, depth and offsets. Leaves what the octets mean to the types'
//! `Decode`.

use super::{DecodeError, DecodeErrorKind, Limits, Width, code};
use bytes::Bytes;

/// Reads values one after the other from one buffer.
///
/// Text and octets come out as views of the buffer, so nothing is copied. Whatever
/// was read from a buffer keeps all of it alive; `to_compact` cuts a value loose.
///
/// ```
/// use amqp_types::{Decode, Decoder, Str};
/// use bytes::Bytes;
///
/// let octets = Bytes::from_static(b"\xa1\x02hi\x52\x07");
/// let mut d = Decoder::new(&octets);
/// assert_eq!(Str::decode(&mut d)?, "hi");
/// assert_eq!(d.position(), 4);
/// assert_eq!(u32::decode(&mut d)?, 7);
/// d.finish()?;
/// # Ok::<(), amqp_types::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    /// The whole buffer, of which views are made.
    origin: &'a Bytes,
    /// What is left of the innermost value that is open.
    pub(super) rest: &'a [u8],
    /// How many more elements without octets arrays may have.
    zero_width: u32,
    /// How many more values may be opened.
    depth: u8,
    strict_transaction_ids: bool,
    refuse_unknown_annotations: bool,
}

/// A list, map or array that is open: what comes after it, and its count.
pub(super) struct Scope<'a> {
    pub(super) after: &'a [u8],
    pub(super) count: usize,
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `octets`.
    #[must_use]
    #[inline]
    pub fn new(octets: &'a Bytes) -> Self {
        Self::with_limits(octets, Limits::DEFAULT)
    }

    /// Reads from the start of `octets`, within `limits`.
    #[must_use]
    #[inline]
    pub fn with_limits(octets: &'a Bytes, limits: Limits) -> Self {
        Self {
            origin: octets,
            rest: octets,
            zero_width: limits.max_zero_width_items,
            depth: limits.depth(),
            strict_transaction_ids: limits.strict_transaction_ids,
            refuse_unknown_annotations: limits.refuse_unknown_annotations,
        }
    }

    /// Reads a part of `octets`; offsets count from their start.
    #[inline]
    pub(crate) fn within(octets: &'a Bytes, part: std::ops::Range<usize>, limits: Limits) -> Self {
        Self {
            rest: &octets[part],
            ..Self::with_limits(octets, limits)
        }
    }

    /// What is left of the limits here.
    #[must_use]
    #[inline]
    pub const fn limits(&self) -> Limits {
        Limits {
            max_depth: self.depth as u32,
            max_zero_width_items: self.zero_width,
            strict_transaction_ids: self.strict_transaction_ids,
            refuse_unknown_annotations: self.refuse_unknown_annotations,
        }
    }

    /// How many octets were read.
    #[must_use]
    pub fn position(&self) -> usize {
        offset(self.origin, self.rest)
    }

    /// How many octets are left: in the buffer, or in the list, map or array that is
    /// open.
    #[must_use]
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether no octet is left.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TrailingBytes`] where octets are left.
    #[inline]
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.fault(DecodeErrorKind::TrailingBytes))
        }
    }

    /// Reads the octet that starts a value: its format code, or 0 before a
    /// descriptor. Whether a type has the code is seen by what reads the body.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`] where no octet is left.
    // [TYP-01]
    #[inline(always)]
    pub fn code(&mut self) -> Result<u8, DecodeError> {
        self.octet()
    }

    /// The format code of the next value, which stays to be read.
    #[must_use]
    #[inline]
    pub fn peek_code(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Passes over one value, descriptors included. Allocates nothing and takes no
    /// time for what a list, map or array holds: codes, sizes and bounds are checked,
    /// the contents of values are not.
    ///
    /// # Errors
    /// Where no value comes next, or it reaches past the end.
    #[inline]
    pub fn skip_value(&mut self) -> Result<(), DecodeError> {
        let code = self.code()?;
        if code == code::DESCRIBED {
            self.skip_body(code)
        } else {
            self.skip_undescribed(code)
        }
    }

    /// Passes over one value whose format code was read, see [`Decoder::skip_value`].
    ///
    /// # Errors
    /// Where no value comes next, or it reaches past the end.
    pub fn skip_body(&mut self, code: u8) -> Result<(), DecodeError> {
        let mut code = code;
        // Values that are still to be passed over: each descriptor adds one.
        let mut values = 1u8;
        loop {
            if code == code::DESCRIBED {
                values += 1;
                if values > self.depth {
                    return Err(self.fault(DecodeErrorKind::TooDeep));
                }
            } else {
                self.skip_undescribed(code)?;
                values -= 1;
                if values == 0 {
                    return Ok(());
                }
            }
            code = self.code()?;
        }
    }

    #[inline(always)]
    fn skip_undescribed(&mut self, code: u8) -> Result<(), DecodeError> {
        let octets = match code::width(code) {
            Some(Width::Fixed(octets)) => octets.into(),
            Some(Width::One) => self.octet()?.into(),
            Some(Width::Four) => self.size()?,
            None => return Err(self.fault(DecodeErrorKind::UnknownCode(code))),
        };
        self.octets(octets).map(drop)
    }

    /// Reads a descriptor that is a small number in its usual encoding, if one comes
    /// next.
    #[inline(always)]
    pub(crate) fn usual_descriptor(&mut self) -> Option<u8> {
        match self.rest {
            &[code::DESCRIBED, code::SMALLULONG, number, ref rest @ ..] => {
                self.rest = rest;
                Some(number)
            }
            _ => None,
        }
    }

    /// The fault `kind` at the present position.
    #[inline(always)]
    #[must_use]
    pub fn fault(&self, kind: DecodeErrorKind) -> DecodeError {
        fault_at(kind, self.origin, self.rest)
    }

    /// The fault of a value that starts with `code` where another type is expected.
    #[inline(always)]
    #[must_use]
    pub fn wrong_type(&self, code: u8) -> DecodeError {
        wrong_type_at(code, self.origin, self.rest)
    }

    #[inline(always)]
    fn truncated(&self) -> DecodeError {
        fault_at(DecodeErrorKind::Truncated, self.origin, self.rest)
    }

    #[inline(always)]
    pub(super) fn octet(&mut self) -> Result<u8, DecodeError> {
        let Some((&octet, rest)) = self.rest.split_first() else {
            return Err(self.truncated());
        };
        self.rest = rest;
        Ok(octet)
    }

    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((octets, rest)) = self.rest.split_first_chunk() else {
            return Err(self.truncated());
        };
        self.rest = rest;
        Ok(*octets)
    }

    /// A size or a count of four octets.
    #[inline(always)]
    pub(super) fn size(&mut self) -> Result<usize, DecodeError> {
        // Where a usize has 16 bits the largest stands for what no buffer can hold.
        self.array()
            .map(|octets| usize::try_from(u32::from_be_bytes(octets)).unwrap_or(usize::MAX))
    }

    // [TYP-18] [TYP-45]
    #[inline(always)]
    pub(super) fn octets(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((octets, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.truncated());
        };
        self.rest = rest;
        Ok(octets)
    }

    /// A view of `octets`, which were read from this decoder.
    #[inline]
    pub(super) fn view(&self, octets: &'a [u8]) -> Bytes {
        self.origin.slice_ref(octets)
    }

    /// Counts one more open value.
    // [TYP-44]
    #[inline(always)]
    pub(super) fn enter(&mut self) -> Result<(), DecodeError> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => Err(self.fault(DecodeErrorKind::TooDeep)),
        }
    }

    #[inline]
    pub(super) const fn leave(&mut self) {
        self.depth += 1;
    }

    /// Allows `count` elements without octets.
    // [TYP-43]
    pub(super) fn allow_zero_width(&mut self, count: usize) -> Result<u32, DecodeError> {
        if let Ok(count) = u32::try_from(count)
            && let Some(left) = self.zero_width.checked_sub(count)
        {
            self.zero_width = left;
            return Ok(count);
        }
        Err(self.fault(DecodeErrorKind::TooMany))
    }

    /// Takes over what `inner`, a copy of this, has used up of the limits.
    #[inline]
    pub(super) const fn spend_as(&mut self, inner: &Self) {
        self.zero_width = inner.zero_width;
    }

    /// Opens a compound value of which size and count take one octet each.
    // [TYP-20]
    #[inline(always)]
    pub(super) fn open8(&mut self) -> Result<Scope<'a>, DecodeError> {
        let [size, count] = self.array()?;
        match usize::from(size).checked_sub(1) {
            Some(size) => self.open(size, count.into()),
            None => Err(self.fault(DecodeErrorKind::InvalidSize)),
        }
    }

    /// Opens a compound value of which size and count take four octets each.
    #[inline(always)]
    pub(super) fn open32(&mut self) -> Result<Scope<'a>, DecodeError> {
        let size = self.size()?;
        let count = self.size()?;
        match size.checked_sub(4) {
            Some(size) => self.open(size, count),
            None => Err(self.fault(DecodeErrorKind::InvalidSize)),
        }
    }

    /// Opens a compound value without octets.
    #[inline(always)]
    pub(super) fn open0(&mut self) -> Result<Scope<'a>, DecodeError> {
        self.open(0, 0)
    }

    #[inline(always)]
    fn open(&mut self, size: usize, count: usize) -> Result<Scope<'a>, DecodeError> {
        self.enter()?;
        let Some((content, after)) = self.rest.split_at_checked(size) else {
            return Err(self.truncated());
        };
        self.rest = content;
        Ok(Scope { after, count })
    }

    /// Closes a compound value, which must have been read to its end.
    // [TYP-20]
    #[inline]
    pub(super) fn close(&mut self, scope: Scope<'a>) -> Result<(), DecodeError> {
        if !self.rest.is_empty() {
            return Err(self.fault(DecodeErrorKind::InvalidSize));
        }
        self.rest = scope.after;
        self.leave();
        Ok(())
    }

    /// Checks that `count` items, of at least `least` octets each, may be here, before
    /// room is made for them.
    // [TYP-43]
    #[inline]
    pub(super) fn check_count(&self, count: usize, least: usize) -> Result<(), DecodeError> {
        if count <= self.rest.len() / least {
            Ok(())
        } else {
            Err(self.fault(DecodeErrorKind::InvalidSize))
        }
    }
}

// Faults are made out of line and from parts of a decoder, not from a pointer to it: a
// decoder whose address nobody takes lives in registers.

#[cold]
#[inline(never)]
fn fault_at(kind: DecodeErrorKind, origin: &Bytes, rest: &[u8]) -> DecodeError {
    DecodeError::new(kind, offset(origin, rest))
}

#[cold]
#[inline(never)]
fn wrong_type_at(code: u8, origin: &Bytes, rest: &[u8]) -> DecodeError {
    // [TYP-05]
    let kind = match code::width(code) {
        None if code != code::DESCRIBED => DecodeErrorKind::UnknownCode(code),
        _ => DecodeErrorKind::WrongType(code),
    };
    fault_at(kind, origin, rest)
}

fn offset(origin: &Bytes, rest: &[u8]) -> usize {
    let start = origin.as_ptr().addr();
    rest.as_ptr().addr().saturating_sub(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decode;
    use crate::value::Value;

    fn skip(octets: &'static [u8]) -> Result<usize, DecodeErrorKind> {
        let octets = Bytes::from_static(octets);
        let mut d = Decoder::new(&octets);
        d.skip_value().map_err(|error| error.kind())?;
        Ok(d.position())
    }

    #[test]
    fn a_value_is_passed_over_with_its_descriptors() {
        assert_eq!(skip(b"\x00\x53\x10\xc0\x01\x00\x40"), Ok(6));
        assert_eq!(skip(b"\x00\x00\x44\x44\xa1\x01a\x40"), Ok(7));
        assert_eq!(skip(b"\xf0\0\0\0\x05\xff\xff\xff\xff\x40"), Ok(10));
    }

    // tests: [TYP-05] [TYP-18] [TYP-44]
    #[test]
    fn passing_over_checks_codes_bounds_and_depth() {
        assert_eq!(skip(b""), Err(DecodeErrorKind::Truncated));
        assert_eq!(skip(b"\xa0\x02a"), Err(DecodeErrorKind::Truncated));
        assert_eq!(
            skip(b"\xb0\xff\xff\xff\xff"),
            Err(DecodeErrorKind::Truncated)
        );
        assert_eq!(skip(b"\x3f"), Err(DecodeErrorKind::UnknownCode(0x3f)));
        assert_eq!(skip(&[0; 100]), Err(DecodeErrorKind::TooDeep));
    }

    #[test]
    fn an_error_says_where() {
        let octets = Bytes::from_static(b"\xc0\x04\x02\x40\x56\x07");
        let error = Value::decode(&mut Decoder::new(&octets)).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::InvalidBoolean);
        assert_eq!(error.offset(), 6);
    }

    #[test]
    fn the_deepest_limit_is_bounded() {
        let octets = Bytes::from(vec![0; 100_000]);
        let limits = Limits {
            max_depth: u32::MAX,
            ..Limits::DEFAULT
        };
        let error = Value::decode(&mut Decoder::with_limits(&octets, limits)).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::TooDeep);
    }
}
