//! Encodings of arrays (section 1.6.24).
//!
//! Decides which element constructor is the smallest that fits every element, and
//! that elements without octets stay a count.

use super::len::{body_len, content_len};
use super::text::{octet, size32};
use super::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Limits, Width, code, map};
use crate::value::{Array, Kind, Value};
use bytes::BytesMut;

/// Reads the array whose code was read.
// [TYP-25] [TYP-26] [TYP-27] [TYP-28]
pub(super) fn decode(code: u8, d: &mut Decoder<'_>) -> Result<Array, DecodeError> {
    let scope = match code {
        code::ARRAY8 => d.open8()?,
        code::ARRAY32 => d.open32()?,
        _ => return Err(d.wrong_type(code)),
    };
    let mut descriptors = Vec::new();
    let mut element = d.code()?;
    while element == code::DESCRIBED {
        d.enter()?;
        descriptors.push(Value::decode(d)?);
        element = d.code()?;
    }
    descriptors.iter().for_each(|_| d.leave());
    let array = match (code::kind(element), code::least(element)) {
        // [TYP-43]
        (Some(_), Some(0)) => {
            let value = Value::decode_body(element, d)?;
            let count = d.allow_zero_width(scope.count)?;
            Array::from_repeated(descriptors, value, count)
        }
        (Some(kind), Some(least)) => {
            d.check_count(scope.count, least)?;
            let mut items = Vec::with_capacity(scope.count);
            for _ in 0..scope.count {
                items.push(Value::decode_body(element, d)?);
            }
            Array::from_parts(kind, descriptors, items)
        }
        _ => return Err(d.fault(DecodeErrorKind::UnknownCode(element))),
    };
    d.close(scope)?;
    Ok(array)
}

impl Decode for Array {
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decode(code, d)
    }
}

impl Encode for Array {
    fn encode(&self, out: &mut BytesMut) {
        encode_any(self, out, None);
    }
}

/// Appends the array; `wide` says which form to use where the choice was made for
/// many arrays at once and the code was written before.
// [TYP-19] [TYP-25]
fn encode_any(array: &Array, out: &mut BytesMut, wide: Option<bool>) {
    let element = element_code(array);
    let size = content_len(array, element);
    let fits = u8::try_from(size + 1)
        .ok()
        .zip(u8::try_from(array.len()).ok());
    let short = match wide {
        Some(wide) => fits.filter(|_| !wide),
        None => {
            out.extend_from_slice(&[if fits.is_some() {
                code::ARRAY8
            } else {
                code::ARRAY32
            }]);
            fits
        }
    };
    if let Some((size, count)) = short {
        out.extend_from_slice(&[size, count]);
    } else {
        out.extend_from_slice(&size32(size + 4));
        out.extend_from_slice(&size32(array.len()));
    }
    for descriptor in array.descriptors() {
        out.extend_from_slice(&[code::DESCRIBED]);
        descriptor.encode(out);
    }
    out.extend_from_slice(&[element]);
    if code::least(element) != Some(0) {
        array
            .iter()
            .for_each(|item| encode_body(item, element, out));
    }
}

/// Appends one element under the constructor `element`, which fits it.
fn encode_body(item: &Value, element: u8, out: &mut BytesMut) {
    let wide = matches!(code::width(element), Some(Width::Four));
    match item {
        Value::List(list) => {
            head(out, wide, body_len(item, element), list.len());
            list.iter().for_each(|item| item.encode(out));
        }
        Value::Map(pairs) => {
            head(out, wide, body_len(item, element), pairs.len() * 2);
            map::encode_pairs(pairs, out);
        }
        Value::Array(array) => encode_any(array, out, Some(wide)),
        Value::Binary(octets) => sized(out, wide, octets),
        Value::String(text) => sized(out, wide, text.as_bytes()),
        Value::Symbol(symbol) => sized(out, wide, symbol.as_bytes()),
        Value::Bool(truth) => out.extend_from_slice(&[(*truth).into()]),
        Value::Uint(n) => last(out, element, &n.to_be_bytes()),
        Value::Ulong(n) => last(out, element, &n.to_be_bytes()),
        Value::Int(n) => last(out, element, &n.to_be_bytes()),
        Value::Long(n) => last(out, element, &n.to_be_bytes()),
        other => {
            // One encoding each: what `encode` writes, without its code.
            let start = out.len();
            other.encode(out);
            out.copy_within(start + 1.., start);
            out.truncate(out.len() - 1);
        }
    }
}

/// The size and count of a list or map of which the body, both included, takes
/// `body` octets.
fn head(out: &mut BytesMut, wide: bool, body: usize, count: usize) {
    if wide {
        out.extend_from_slice(&size32(body - 4));
        out.extend_from_slice(&size32(count));
    } else {
        out.extend_from_slice(&[octet(body - 1), octet(count)]);
    }
}

fn sized(out: &mut BytesMut, wide: bool, octets: &[u8]) {
    if wide {
        out.extend_from_slice(&size32(octets.len()));
    } else {
        out.extend_from_slice(&[octet(octets.len())]);
    }
    out.extend_from_slice(octets);
}

/// The last octets of a number, as many as the code calls for.
fn last(out: &mut BytesMut, element: u8, octets: &[u8]) {
    let width = code::least(element).unwrap_or_default();
    out.extend_from_slice(&octets[octets.len() - width..]);
}

/// The most elements that are written without octets, where there is a choice.
const MANY: usize = Limits::DEFAULT.max_zero_width_items as usize;

/// The smallest element constructor that fits every element.
pub(super) fn element_code(array: &Array) -> u8 {
    let codes: &[u8] = match array.kind() {
        Kind::Null | Kind::Described => &[code::NULL],
        Kind::Bool => &[code::TRUE, code::FALSE, code::BOOLEAN],
        Kind::Ubyte => &[code::UBYTE],
        Kind::Ushort => &[code::USHORT],
        Kind::Uint => &[code::UINT0, code::SMALLUINT, code::UINT],
        Kind::Ulong => &[code::ULONG0, code::SMALLULONG, code::ULONG],
        Kind::Byte => &[code::BYTE],
        Kind::Short => &[code::SHORT],
        Kind::Int => &[code::SMALLINT, code::INT],
        Kind::Long => &[code::SMALLLONG, code::LONG],
        Kind::Float => &[code::FLOAT],
        Kind::Double => &[code::DOUBLE],
        Kind::Decimal32 => &[code::DECIMAL32],
        Kind::Decimal64 => &[code::DECIMAL64],
        Kind::Decimal128 => &[code::DECIMAL128],
        Kind::Char => &[code::CHAR],
        Kind::Timestamp => &[code::TIMESTAMP],
        Kind::Uuid => &[code::UUID],
        Kind::Binary => &[code::VBIN8, code::VBIN32],
        Kind::String => &[code::STR8, code::STR32],
        Kind::Symbol => &[code::SYM8, code::SYM32],
        Kind::List => &[code::LIST0, code::LIST8, code::LIST32],
        Kind::Map => &[code::MAP8, code::MAP32],
        Kind::Array => &[code::ARRAY8, code::ARRAY32],
    };
    // Elements that are not there, or so many that a peer may refuse them without
    // octets, get a code that has some.
    let octets = array.is_empty() || array.len() > MANY;
    let chosen = match array.repeated() {
        // A large count of one value is looked at once, and stays a count.
        Some(value) => codes.iter().find(|&&code| fits(value, code)),
        None => codes.iter().find(|&&code| {
            (!octets || code::least(code) != Some(0)) && array.iter().all(|item| fits(item, code))
        }),
    };
    chosen.or(codes.last()).copied().unwrap_or(code::NULL)
}

/// Whether the value can be written under this code of its type.
fn fits(item: &Value, code: u8) -> bool {
    match (item, code::width(code)) {
        (Value::Bool(truth), _) => match code {
            code::TRUE => *truth,
            code::FALSE => !*truth,
            _ => true,
        },
        (Value::Uint(n), Some(Width::Fixed(0))) => *n == 0,
        (Value::Uint(n), Some(Width::Fixed(1))) => u8::try_from(*n).is_ok(),
        (Value::Ulong(n), Some(Width::Fixed(0))) => *n == 0,
        (Value::Ulong(n), Some(Width::Fixed(1))) => u8::try_from(*n).is_ok(),
        (Value::Int(n), Some(Width::Fixed(1))) => i8::try_from(*n).is_ok(),
        (Value::Long(n), Some(Width::Fixed(1))) => i8::try_from(*n).is_ok(),
        (Value::List(list), Some(Width::Fixed(0))) => list.is_empty(),
        (_, Some(Width::One)) => {
            body_len(item, code) <= 1 + usize::from(u8::MAX) && {
                match item {
                    Value::List(list) => list.len() <= 255,
                    Value::Map(map) => map.len() <= 127,
                    Value::Array(array) => array.len() <= 255,
                    _ => true,
                }
            }
        }
        _ => true,
    }
}
