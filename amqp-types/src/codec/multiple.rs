//! Fields with any number of values (section 1.4).
//!
//! Decides how one value and an array of them become a vector, both ways.

use super::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Limits, code, compound, text};
use crate::primitive::Symbol;
use crate::value::{Array, Value};
use bytes::{Bytes, BytesMut};

/// The longest element constructor with a descriptor that is read into typed values:
/// its octets are copied for every element.
const LONGEST_CONSTRUCTOR: usize = 128;

/// Reads one value, or an array of them.
// [TYP-35] [TYP-36]
pub(super) fn decode_multiple<T: Decode>(
    code: u8,
    d: &mut Decoder<'_>,
) -> Result<Vec<T>, DecodeError> {
    let scope = match code {
        code::ARRAY8 => d.open8()?,
        code::ARRAY32 => d.open32()?,
        _ => return T::decode_body(code, d).map(|one| vec![one]),
    };
    let constructor = d.rest;
    let element = d.code()?;
    let items = if element == code::DESCRIBED {
        decode_described(constructor, scope.count, d)?
    } else {
        decode_elements(element, scope.count, d)?
    };
    d.close(scope)?;
    Ok(items)
}

fn decode_elements<T: Decode>(
    element: u8,
    count: usize,
    d: &mut Decoder<'_>,
) -> Result<Vec<T>, DecodeError> {
    check_room(element, count, d)?;
    if count == 0 {
        return check_type::<T>(element, d).map(|()| Vec::new());
    }
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(T::decode_body(element, d)?);
    }
    Ok(items)
}

// [TYP-43]
fn check_room(element: u8, count: usize, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
    match code::least(element) {
        None => Err(d.fault(DecodeErrorKind::UnknownCode(element))),
        Some(0) => d.allow_zero_width(count).map(drop),
        Some(least) => d.check_count(count, least),
    }
}

/// Whether elements of an empty array would be of the right type: a type says so
/// before it finds that no octets follow.
// [TYP-28]
fn check_type<T: Decode>(element: u8, d: &Decoder<'_>) -> Result<(), DecodeError> {
    let mut nothing = d.clone();
    nothing.rest = &nothing.rest[..0];
    match T::decode_body(element, &mut nothing) {
        Err(error) if matches!(error.kind(), DecodeErrorKind::WrongType(_)) => Err(error),
        _ => Ok(()),
    }
}

/// Reads elements with a descriptor: each is put together from the one constructor
/// and its own octets, since a type reads its descriptor before its content.
// [TYP-27]
fn decode_described<T: Decode>(
    start: &[u8],
    count: usize,
    d: &mut Decoder<'_>,
) -> Result<Vec<T>, DecodeError> {
    let mut element = code::DESCRIBED;
    while element == code::DESCRIBED {
        d.skip_value()?;
        element = d.code()?;
    }
    let constructor = &start[..start.len() - d.remaining()];
    if constructor.len() > LONGEST_CONSTRUCTOR {
        return Err(d.fault(DecodeErrorKind::TooLong));
    }
    check_room(element, count, d)?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let (at, body) = (d.position(), d.rest);
        d.skip_body(element)?;
        let body = &body[..body.len() - d.remaining()];
        let octets = Bytes::from([constructor, body].concat());
        let mut whole = Decoder::with_limits(&octets, d.limits());
        let item = T::decode(&mut whole).and_then(|item| whole.finish().map(|()| item));
        items.push(item.map_err(|error| error.moved(at))?);
    }
    Ok(items)
}

/// Appends one value, or an array of more.
// [TYP-35]
#[inline]
pub(super) fn encode_multiple<T: Encode>(items: &[T], out: &mut BytesMut) {
    match items {
        [one] => one.encode(out),
        _ => T::encode_array(items, out),
    }
}

/// Appends an array of symbols in one pass: the type of every such field of the
/// standard.
pub(super) fn encode_symbols(items: &[Symbol], out: &mut BytesMut) {
    if items.iter().any(|symbol| symbol.len() > 255) {
        return encode_array_of_any(items, out);
    }
    let start = compound::begin(out, code::ARRAY8);
    out.extend_from_slice(&[code::SYM8]);
    for symbol in items {
        out.extend_from_slice(&[text::octet(symbol.len())]);
        out.extend_from_slice(symbol.as_str().as_bytes());
    }
    compound::end(out, start, items.len());
}

/// Appends an array of values of any type, which is found out by writing them.
pub(super) fn encode_array_of_any<T: Encode>(items: &[T], out: &mut BytesMut) {
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        let octets = item.to_bytes();
        values.extend(Value::decode(&mut Decoder::with_limits(
            &octets,
            Limits::DEEP,
        )));
    }
    let complete = values.len() == items.len();
    let kind = values.first().map(Value::kind);
    match kind.map(|kind| Array::from_values(kind, values)) {
        Some(Ok(array)) if complete => array.encode(out),
        _ => out.extend_from_slice(&[code::NULL]),
    }
}
