//! How many octets a value takes, and how an array is laid out.
//!
//! Decides which element constructor is the smallest that fits every element of an
//! array: one constructor has to fit all of them before the first is written. Each
//! value is looked at once, so that nesting costs no more than the octets do.

use super::{Limits, Width, code};
use crate::value::{Array, Kind, Value};

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
        Value::List(list) if list.is_empty() => 1,
        Value::Described(described) => {
            1 + encoded_len(&described.descriptor) + encoded_len(&described.value)
        }
        Value::Binary(_)
        | Value::String(_)
        | Value::Symbol(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Array(_) => {
            let content = Content::of(value);
            let heads = 1 + usize::from(content.has_count);
            let width = if content.is_short() { 1 } else { 4 };
            1 + heads * width + content.octets
        }
    }
}

/// What a value of variable width holds, apart from its size and count.
#[derive(Clone, Copy)]
pub(super) struct Content {
    pub(super) octets: usize,
    pub(super) count: usize,
    has_count: bool,
}

impl Content {
    pub(super) fn of(value: &Value) -> Self {
        let plain = |octets| Self {
            octets,
            count: 0,
            has_count: false,
        };
        let compound = |octets, count| Self {
            octets,
            count,
            has_count: true,
        };
        match value {
            Value::Binary(octets) => plain(octets.len()),
            Value::String(text) => plain(text.len()),
            Value::Symbol(symbol) => plain(symbol.len()),
            Value::List(list) => compound(list.iter().map(encoded_len).sum(), list.len()),
            Value::Map(map) => {
                let pairs = map.iter().map(|(k, v)| encoded_len(k) + encoded_len(v));
                compound(pairs.sum(), map.len() * 2)
            }
            Value::Array(array) => compound(Layout::of(array).octets, array.len()),
            other => plain(encoded_len(other)),
        }
    }

    /// Whether size and count fit one octet each; the size covers the count.
    pub(super) fn is_short(self) -> bool {
        self.octets + usize::from(self.has_count) <= 255 && self.count <= 255
    }
}

/// How an array is written.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// The format code of the element constructor.
    pub(super) element: u8,
    /// The octets after the count: constructor and elements.
    pub(super) octets: usize,
}

/// The most elements that are written without octets, where there is a choice: a peer
/// may refuse more.
const MANY: usize = Limits::DEFAULT.max_zero_width_items as usize;

impl Layout {
    pub(super) fn of(array: &Array) -> Self {
        let descriptors = array.descriptors().iter();
        let constructor: usize = 1 + descriptors.map(|d| 1 + encoded_len(d)).sum::<usize>();
        let (element, octets) = match array.kind() {
            Kind::Binary => sized(array, code::VBIN8, code::VBIN32),
            Kind::String => sized(array, code::STR8, code::STR32),
            Kind::Symbol => sized(array, code::SYM8, code::SYM32),
            Kind::List if may_be_nothing(array) && all(array, is_empty_list) => (code::LIST0, 0),
            Kind::List => sized(array, code::LIST8, code::LIST32),
            Kind::Map => sized(array, code::MAP8, code::MAP32),
            Kind::Array => sized(array, code::ARRAY8, code::ARRAY32),
            _ => {
                let code = fixed_code(array);
                (code, code::least(code).unwrap_or_default() * array.len())
            }
        };
        Self {
            element,
            octets: constructor + octets,
        }
    }
}

/// The code of elements of variable width, and their octets.
fn sized(array: &Array, short: u8, wide: u8) -> (u8, usize) {
    let (mut octets, mut fits, mut heads) = (0, true, 1);
    let mut add = |item: &Value, times: usize| {
        let content = Content::of(item);
        octets += content.octets * times;
        fits &= content.is_short();
        heads = 1 + usize::from(content.has_count);
    };
    match array.repeated() {
        // A large count of one value is looked at once.
        Some(one) => add(one, array.len()),
        None => array.iter().for_each(|item| add(item, 1)),
    }
    if fits {
        (short, octets + heads * array.len())
    } else {
        (wide, octets + 4 * heads * array.len())
    }
}

/// The code of elements of fixed width: the narrowest that fits all.
fn fixed_code(array: &Array) -> u8 {
    let codes: &[u8] = match array.kind() {
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
        _ => &[code::NULL],
    };
    let nothing = may_be_nothing(array);
    let chosen = codes.iter().copied().find(|&code| {
        (nothing || code::width(code) != Some(Width::Fixed(0)))
            && all(array, |item| fits(item, code))
    });
    chosen.or(codes.last().copied()).unwrap_or(code::NULL)
}

/// Whether elements may take no octets, where there is a choice. An array that was
/// read as one value and a count stays that.
const fn may_be_nothing(array: &Array) -> bool {
    array.repeated().is_some() || (!array.is_empty() && array.len() <= MANY)
}

fn all(array: &Array, holds: impl Fn(&Value) -> bool) -> bool {
    match array.repeated() {
        Some(one) => holds(one),
        None => array.iter().all(holds),
    }
}

fn is_empty_list(item: &Value) -> bool {
    matches!(item, Value::List(list) if list.is_empty())
}

/// Whether a value of fixed width can be written under this code of its type.
fn fits(item: &Value, code: u8) -> bool {
    let width = match code::width(code) {
        Some(Width::Fixed(width)) => width,
        _ => 0,
    };
    match item {
        Value::Bool(truth) => match code {
            code::TRUE => *truth,
            code::FALSE => !*truth,
            _ => true,
        },
        Value::Uint(n) => u8::try_from(*n).map_or(4, |n| n.min(1)) <= width,
        Value::Ulong(n) => u8::try_from(*n).map_or(8, |n| n.min(1)) <= width,
        Value::Int(n) => i8::try_from(*n).map_or(4, |_| 1) <= width,
        Value::Long(n) => i8::try_from(*n).map_or(8, |_| 1) <= width,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Decode, Encode};
    use crate::value;

    fn bytes(kind: Kind, items: Vec<Value>) -> Vec<u8> {
        let array = Array::from_values(kind, items).unwrap();
        let octets = Value::from(array.clone()).to_bytes();
        assert_eq!(Value::from_bytes(&octets), Ok(array.into()));
        assert_eq!(
            encoded_len(&Value::from_bytes(&octets).unwrap()),
            octets.len()
        );
        octets.to_vec()
    }

    // tests: [TYP-19] [TYP-25] [TYP-26] [TYP-28]
    #[test]
    fn the_narrowest_constructor_fits_all_elements() {
        let uints = |all: &[u32]| bytes(Kind::Uint, all.iter().map(|&n| n.into()).collect());
        assert_eq!(uints(&[0, 0]), b"\xe0\x02\x02\x43");
        assert_eq!(uints(&[0, 7]), b"\xe0\x04\x02\x52\0\x07");
        assert_eq!(uints(&[256]), b"\xe0\x06\x01\x70\0\0\x01\0");
        assert_eq!(uints(&[]), b"\xe0\x02\0\x52");
        let bools = |all: &[bool]| bytes(Kind::Bool, all.iter().map(|&b| b.into()).collect());
        assert_eq!(bools(&[true, true]), b"\xe0\x02\x02\x41");
        assert_eq!(bools(&[true, false]), b"\xe0\x04\x02\x56\x01\0");
        assert_eq!(bytes(Kind::List, vec![value!([])]), b"\xe0\x02\x01\x45");
        let lists = bytes(Kind::List, vec![value!([]), value!([null])]);
        assert_eq!(lists, b"\xe0\x07\x02\xc0\x01\0\x02\x01\x40");
    }

    #[test]
    fn one_long_element_makes_all_wide() {
        let long = "x".repeat(256);
        let octets = bytes(Kind::String, vec!["a".into(), long.into()]);
        assert_eq!(octets[..10], *b"\xf0\0\0\x01\x0e\0\0\0\x02\xb1");
        let many = vec![Value::Null; 256];
        let octets = bytes(Kind::List, vec![many.into()]);
        assert_eq!(octets[9], code::LIST32);
    }

    #[test]
    fn many_elements_get_octets_unless_they_are_a_count() {
        let falses = vec![Value::Bool(false); MANY + 1];
        assert_eq!(bytes(Kind::Bool, falses)[9], code::BOOLEAN);
        let count = Array::repeat(Value::Bool(false), u32::MAX).unwrap();
        assert_eq!(&count.to_bytes()[..], b"\xf0\0\0\0\x05\xff\xff\xff\xff\x42");
    }

    // tests: [TYP-44]
    #[test]
    fn nesting_costs_no_more_than_the_octets() {
        let mut array = Array::from_values(Kind::Uint, vec![300u32.into()]).unwrap();
        for _ in 0..100 {
            array = Array::from_values(Kind::Array, vec![array.into()]).unwrap();
        }
        let octets = array.to_bytes();
        assert!(octets.len() < 2000, "{}", octets.len());
    }
}
