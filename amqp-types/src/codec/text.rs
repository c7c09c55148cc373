//! Encodings of the types of variable width (sections 1.6.19 to 1.6.21).
//!
//! Decides what text and octets must look like, and when a size takes one octet.

use super::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, code};
use crate::primitive::{Binary, Str, Symbol};
use bytes::BytesMut;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'a> Decoder<'a> {
    /// The octets of a value whose code is `eight` or `thirty_two`.
    #[inline]
    fn sized(&mut self, code: u8, eight: u8, thirty_two: u8) -> Result<&'a [u8], DecodeError> {
        let size = if code == eight {
            self.octet()?.into()
        } else if code == thirty_two {
            self.size()?
        } else {
            return Err(self.wrong_type(code));
        };
        self.octets(size)
    }

    /// The text of a symbol whose code was read.
    // [TYP-17]
    pub(super) fn symbol_str(&mut self, code: u8) -> Result<&'a str, DecodeError> {
        let octets = self.sized(code, code::SYM8, code::SYM32)?;
        match str::from_utf8(octets) {
            Ok(text) if text.is_ascii() => Ok(text),
            _ => Err(self.fault(DecodeErrorKind::InvalidSymbol)),
        }
    }

    /// The symbol of a text that this decoder gave.
    pub(super) fn symbol_of(&self, text: &'a str) -> Result<Symbol, DecodeError> {
        Symbol::try_from(self.view(text.as_bytes()))
            .map_err(|_| self.fault(DecodeErrorKind::InvalidSymbol))
    }
}

impl Decode for Binary {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let octets = d.sized(code, code::VBIN8, code::VBIN32)?;
        Ok(d.view(octets).into())
    }
}

impl Encode for Binary {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        encode_binary(self, out);
    }
}

// [TYP-16]
impl Decode for Str {
    const PLACEHOLDER: Option<Self> = Some(Self::new());

    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let octets = d.sized(code, code::STR8, code::STR32)?;
        if octets.starts_with(BYTE_ORDER_MARK) {
            return Err(d.fault(DecodeErrorKind::InvalidUtf8));
        }
        Self::try_from(d.view(octets)).map_err(|_| d.fault(DecodeErrorKind::InvalidUtf8))
    }
}

impl Encode for Str {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        sized(out, code::STR8, code::STR32, self.as_str().as_bytes());
    }
}

// [TYP-17]
impl Decode for Symbol {
    const PLACEHOLDER: Option<Self> = Some(Self::new());

    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let octets = d.sized(code, code::SYM8, code::SYM32)?;
        Self::try_from(d.view(octets)).map_err(|_| d.fault(DecodeErrorKind::InvalidSymbol))
    }
}

impl Encode for Symbol {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        encode_symbol(self, out);
    }

    fn encode_array(items: &[Self], out: &mut BytesMut) {
        super::multiple::encode_symbols(items, out);
    }
}

#[inline]
pub(crate) fn encode_binary(octets: &[u8], out: &mut BytesMut) {
    sized(out, code::VBIN8, code::VBIN32, octets);
}

/// Appends a symbol; the text must be ASCII, as that of a type's choices is.
#[inline]
pub fn encode_symbol(text: &str, out: &mut BytesMut) {
    sized(out, code::SYM8, code::SYM32, text.as_bytes());
}

// [TYP-19]
#[inline]
fn sized(out: &mut BytesMut, eight: u8, thirty_two: u8, octets: &[u8]) {
    out.reserve(5 + octets.len());
    if let Ok(size) = u8::try_from(octets.len()) {
        out.extend_from_slice(&[eight, size]);
    } else {
        out.extend_from_slice(&[thirty_two]);
        out.extend_from_slice(&size32(octets.len()));
    }
    out.extend_from_slice(octets);
}

/// A size or a count of one octet, which it is known to fit.
#[inline]
pub(super) fn octet(size: usize) -> u8 {
    u8::try_from(size).unwrap_or(u8::MAX)
}

/// A size or a count of four octets. A buffer of 4 GiB cannot be described in AMQP;
/// no frame can carry one either.
#[inline]
pub(super) fn size32(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes()
}
