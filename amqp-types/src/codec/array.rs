//! Encodings of arrays (section 1.6.24).
//!
//! Decides that elements without octets stay a count. Which element constructor is
//! written is decided in `len`.

use super::len::{Content, Layout};
use super::text::{octet, size32};
use super::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Width, code, map};
use crate::value::{Array, Value};
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
    let layout = Layout::of(array);
    let wide = wide.unwrap_or_else(|| {
        let wide = layout.octets >= 255 || array.len() > 255;
        out.extend_from_slice(&[if wide { code::ARRAY32 } else { code::ARRAY8 }]);
        wide
    });
    head(out, wide, layout.octets, array.len());
    for descriptor in array.descriptors() {
        out.extend_from_slice(&[code::DESCRIBED]);
        descriptor.encode(out);
    }
    out.extend_from_slice(&[layout.element]);
    if code::least(layout.element) != Some(0) {
        let items = array.iter();
        items.for_each(|item| encode_body(item, layout.element, out));
    }
}

/// Appends one element under the constructor `element`, which fits it.
fn encode_body(item: &Value, element: u8, out: &mut BytesMut) {
    let wide = code::width(element) == Some(Width::Four);
    match item {
        Value::List(list) => {
            let content = Content::of(item);
            head(out, wide, content.octets, content.count);
            list.iter().for_each(|item| item.encode(out));
        }
        Value::Map(pairs) => {
            let content = Content::of(item);
            head(out, wide, content.octets, content.count);
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

/// The size and count before so many octets of content; the size covers the count.
fn head(out: &mut BytesMut, wide: bool, content: usize, count: usize) {
    if wide {
        out.extend_from_slice(&size32(content + 4));
        out.extend_from_slice(&size32(count));
    } else {
        out.extend_from_slice(&[octet(content + 1), octet(count)]);
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
