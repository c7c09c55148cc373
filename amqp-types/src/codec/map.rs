//! Encodings of maps (section 1.6.23).
//!
//! Decides that keys come in pairs with values and that none occurs twice.

use super::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, code, compound};
use crate::value::{AnnotationKey, Map};
use bytes::BytesMut;
use std::hash::Hash;

impl<K: Decode + Eq + Hash, V: Decode> Decode for Map<K, V> {
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let scope = match code {
            code::MAP8 => d.open8()?,
            code::MAP32 => d.open32()?,
            _ => return Err(d.wrong_type(code)),
        };
        // [TYP-22]
        if !scope.count.is_multiple_of(2) {
            return Err(d.fault(DecodeErrorKind::OddMap));
        }
        d.check_count(scope.count, 1)?;
        let mut pairs = Vec::with_capacity(scope.count / 2);
        for _ in 0..scope.count / 2 {
            match (K::PLACEHOLDER, V::PLACEHOLDER) {
                (Some(key), Some(value)) => {
                    pairs.push((key, value));
                    if let Some((key, value)) = pairs.last_mut() {
                        key.decode_over(d).map_err(wrong_key)?;
                        value.decode_over(d)?;
                    }
                }
                (None, Some(value)) => {
                    pairs.push((K::decode(d).map_err(wrong_key)?, value));
                    if let Some((_, value)) = pairs.last_mut() {
                        value.decode_over(d)?;
                    }
                }
                _ => pairs.push((K::decode(d).map_err(wrong_key)?, V::decode(d)?)),
            }
        }
        d.close(scope)?;
        // [TYP-23]
        Self::from_pairs(pairs).map_err(|_| d.fault(DecodeErrorKind::DuplicateKey))
    }
}

/// A key of the wrong type is a wrong key.
#[cold]
fn wrong_key(error: DecodeError) -> DecodeError {
    match error.kind() {
        DecodeErrorKind::WrongType(_) => error.renamed(DecodeErrorKind::InvalidKey),
        _ => error,
    }
}

impl<K: Encode, V: Encode> Encode for Map<K, V> {
    fn encode(&self, out: &mut BytesMut) {
        let start = compound::begin(out, code::MAP8);
        encode_pairs(self, out);
        compound::end(out, start, self.len() * 2);
    }
}

pub(super) fn encode_pairs<K: Encode, V: Encode>(map: &Map<K, V>, out: &mut BytesMut) {
    for (key, value) in map.as_slice() {
        key.encode(out);
        value.encode(out);
    }
}

// [MSG-12]
impl Decode for AnnotationKey {
    const PLACEHOLDER: Option<Self> = Some(Self::Ulong(0));

    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match code {
            code::SYM8 | code::SYM32 => Decode::decode_body(code, d).map(Self::Symbol),
            code::ULONG0 | code::SMALLULONG | code::ULONG => {
                Decode::decode_body(code, d).map(Self::Ulong)
            }
            _ => Err(d.wrong_type(code)),
        }
    }
}

impl Encode for AnnotationKey {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Symbol(symbol) => symbol.encode(out),
            Self::Ulong(number) => number.encode(out),
        }
    }
}
