//! Encodings of the types of fixed width (sections 1.6.1 to 1.6.18).
//!
//! Decides the smallest form of each number and which codes stand for it.

use super::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, code};
use crate::primitive::{Decimal32, Decimal64, Decimal128, Timestamp};
use bytes::BytesMut;
use uuid::Uuid;

// [TYP-07]
impl Decode for bool {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match code {
            code::TRUE => Ok(true),
            code::FALSE => Ok(false),
            code::BOOLEAN => match d.octet()? {
                0 => Ok(false),
                1 => Ok(true),
                _ => Err(d.fault(DecodeErrorKind::InvalidBoolean)),
            },
            _ => Err(d.wrong_type(code)),
        }
    }
}

impl Encode for bool {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        out.extend_from_slice(&[if *self { code::TRUE } else { code::FALSE }]);
    }
}

// [TYP-08]
impl Decode for u32 {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match code {
            code::SMALLUINT => d.octet().map(Self::from),
            code::UINT0 => Ok(0),
            code::UINT => d.array().map(Self::from_be_bytes),
            _ => Err(d.wrong_type(code)),
        }
    }
}

impl Encode for u32 {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        let octets = self.to_be_bytes();
        match octets {
            [0, 0, 0, 0] => out.extend_from_slice(&[code::UINT0]),
            [0, 0, 0, octet] => out.extend_from_slice(&[code::SMALLUINT, octet]),
            [a, b, c, d] => out.extend_from_slice(&[code::UINT, a, b, c, d]),
        }
    }
}

// [TYP-08] [TYP-10]
impl Decode for u64 {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match code {
            code::SMALLULONG => d.octet().map(Self::from),
            code::ULONG0 => Ok(0),
            code::ULONG => d.array().map(Self::from_be_bytes),
            _ => Err(d.wrong_type(code)),
        }
    }
}

impl Encode for u64 {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        match u8::try_from(*self) {
            Ok(0) => out.extend_from_slice(&[code::ULONG0]),
            Ok(octet) => out.extend_from_slice(&[code::SMALLULONG, octet]),
            Err(_) => put(out, code::ULONG, self.to_be_bytes()),
        }
    }
}

impl Decode for i32 {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match code {
            code::SMALLINT => d.octet().map(|octet| octet.cast_signed().into()),
            code::INT => d.array().map(Self::from_be_bytes),
            _ => Err(d.wrong_type(code)),
        }
    }
}

impl Encode for i32 {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        match i8::try_from(*self) {
            Ok(octet) => out.extend_from_slice(&[code::SMALLINT, octet.cast_unsigned()]),
            Err(_) => put(out, code::INT, self.to_be_bytes()),
        }
    }
}

impl Decode for i64 {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match code {
            code::SMALLLONG => d.octet().map(|octet| octet.cast_signed().into()),
            code::LONG => d.array().map(Self::from_be_bytes),
            _ => Err(d.wrong_type(code)),
        }
    }
}

impl Encode for i64 {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        match i8::try_from(*self) {
            Ok(octet) => out.extend_from_slice(&[code::SMALLLONG, octet.cast_unsigned()]),
            Err(_) => put(out, code::LONG, self.to_be_bytes()),
        }
    }
}

// [TYP-13]
impl Decode for char {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if code != code::CHAR {
            return Err(d.wrong_type(code));
        }
        let scalar = u32::from_be_bytes(d.array()?);
        Self::from_u32(scalar).ok_or_else(|| d.fault(DecodeErrorKind::InvalidChar))
    }
}

impl Encode for char {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        put(out, code::CHAR, u32::from(*self).to_be_bytes());
    }
}

/// Types with one encoding: a code, then the octets in network byte order.
// [TYP-06] [TYP-09] [TYP-15]
macro_rules! one_encoding {
    ($($type:ty, $code:ident, $width:literal, $from:expr, $into:expr;)*) => { $(
        impl Decode for $type {
            #[inline]
            fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                if code != code::$code {
                    return Err(d.wrong_type(code));
                }
                d.array::<$width>().map($from)
            }
        }

        impl Encode for $type {
            #[inline]
            fn encode(&self, out: &mut BytesMut) {
                put::<$width>(out, code::$code, $into(self));
            }
        }
    )* };
}

one_encoding! {
    u8, UBYTE, 1, u8::from_be_bytes, |v: &u8| v.to_be_bytes();
    i8, BYTE, 1, i8::from_be_bytes, |v: &i8| v.to_be_bytes();
    u16, USHORT, 2, u16::from_be_bytes, |v: &u16| v.to_be_bytes();
    i16, SHORT, 2, i16::from_be_bytes, |v: &i16| v.to_be_bytes();
    f32, FLOAT, 4, f32::from_be_bytes, |v: &f32| v.to_be_bytes();
    f64, DOUBLE, 8, f64::from_be_bytes, |v: &f64| v.to_be_bytes();
    Decimal32, DECIMAL32, 4, Decimal32, |v: &Decimal32| v.0;
    Decimal64, DECIMAL64, 8, Decimal64, |v: &Decimal64| v.0;
    Decimal128, DECIMAL128, 16, Decimal128, |v: &Decimal128| v.0;
    Uuid, UUID, 16, Uuid::from_bytes, |v: &Uuid| v.into_bytes();
}

impl Decode for Timestamp {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if code != code::TIMESTAMP {
            return Err(d.wrong_type(code));
        }
        d.array().map(|octets| Self(i64::from_be_bytes(octets)))
    }
}

impl Encode for Timestamp {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        put(out, code::TIMESTAMP, self.0.to_be_bytes());
    }
}

/// A code and its octets as one write.
#[inline]
fn put<const N: usize>(out: &mut BytesMut, code: u8, octets: [u8; N]) {
    out.reserve(1 + N);
    out.extend_from_slice(&[code]);
    out.extend_from_slice(&octets);
}
