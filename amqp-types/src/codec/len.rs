//! How many octets a value takes.
//!
//! Decides nothing: it counts what `encode` writes. An array needs it, since one
//! constructor has to fit all elements before the first of them is written.

use super::array::element_code;
use super::{Width, code};
use crate::value::{Array, Value};

/// The octets of a value, its constructor included.
fn encoded_len(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Ubyte(_) | Value::Byte(_) => 2,
        Value::Ushort(_) | Value::Short(_) => 3,
        Value::Float(_) | Value::Decimal32(_) | Value::Char(_) => 5,
        Value::Double(_) | Value::Decimal64(_) | Value::Timestamp(_) => 9,
        Value::Decimal128(_) | Value::Uuid(_) => 17,
        Value::Uint(0) | Value::Ulong(0) => 1,
        Value::Uint(1..=255) | Value::Ulong(1..=255) => 2,
        Value::Uint(_) => 5,
        Value::Ulong(_) => 9,
        Value::Int(n) => i8::try_from(*n).map_or(5, |_| 2),
        Value::Long(n) => i8::try_from(*n).map_or(9, |_| 2),
        Value::Binary(octets) => 1 + sized(octets.len()),
        Value::String(text) => 1 + sized(text.len()),
        Value::Symbol(symbol) => 1 + sized(symbol.len()),
        Value::List(list) if list.is_empty() => 1,
        Value::List(list) => 1 + compound(items_len(value), list.len()),
        Value::Map(map) => 1 + compound(items_len(value), map.len() * 2),
        Value::Array(array) => 1 + compound(content_len(array, element_code(array)), array.len()),
        Value::Described(described) => {
            1 + encoded_len(&described.descriptor) + encoded_len(&described.value)
        }
    }
}

/// The octets of a value of variable width after its code, size included, when it
/// is written under this code.
pub(super) fn body_len(value: &Value, code: u8) -> usize {
    let head = match code::width(code) {
        Some(Width::One) => 1,
        Some(Width::Four) => 4,
        _ => 0,
    };
    match value {
        Value::Binary(octets) => head + octets.len(),
        Value::String(text) => head + text.len(),
        Value::Symbol(symbol) => head + symbol.len(),
        Value::Array(array) => 2 * head + content_len(array, element_code(array)),
        _ => 2 * head + items_len(value),
    }
}

/// The octets of an array after its count: constructor and elements.
pub(super) fn content_len(array: &Array, element: u8) -> usize {
    let descriptors = array.descriptors().iter();
    let constructor: usize = 1 + descriptors.map(|d| 1 + encoded_len(d)).sum::<usize>();
    let elements = match code::width(element) {
        Some(Width::Fixed(octets)) => usize::from(octets) * array.len(),
        _ => array.iter().map(|item| body_len(item, element)).sum(),
    };
    constructor + elements
}

fn items_len(value: &Value) -> usize {
    match value {
        Value::List(list) => list.iter().map(encoded_len).sum(),
        Value::Map(map) => map
            .iter()
            .map(|(k, v)| encoded_len(k) + encoded_len(v))
            .sum(),
        _ => 0,
    }
}

const fn sized(octets: usize) -> usize {
    if octets <= 255 {
        1 + octets
    } else {
        4 + octets
    }
}

/// Size, count and content.
const fn compound(content: usize, count: usize) -> usize {
    if content < 255 && count <= 255 {
        2 + content
    } else {
        8 + content
    }
}
