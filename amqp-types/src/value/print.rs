//! Values as text for people.
//!
//! Decides the short form that `Display` prints; `Debug` names the types.

use super::{Array, Described, Value};
use std::fmt::{self, Write};

/// Numbers and text as in Rust, `:name` for a symbol, `x'00ff'` for octets,
/// `[…]` for lists and arrays, `{key: value}` for maps, `@descriptor value`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(v) => v.fmt(f),
            Self::Ubyte(v) => v.fmt(f),
            Self::Ushort(v) => v.fmt(f),
            Self::Uint(v) => v.fmt(f),
            Self::Ulong(v) => v.fmt(f),
            Self::Byte(v) => v.fmt(f),
            Self::Short(v) => v.fmt(f),
            Self::Int(v) => v.fmt(f),
            Self::Long(v) => v.fmt(f),
            Self::Float(v) => fmt::Debug::fmt(v, f),
            Self::Double(v) => fmt::Debug::fmt(v, f),
            Self::Decimal32(v) => octets(f, "d", &v.0),
            Self::Decimal64(v) => octets(f, "d", &v.0),
            Self::Decimal128(v) => octets(f, "d", &v.0),
            Self::Char(v) => fmt::Debug::fmt(v, f),
            Self::Timestamp(v) => write!(f, "{}ms", v.0),
            Self::Uuid(v) => v.fmt(f),
            Self::Binary(v) => octets(f, "x", v),
            Self::String(v) => fmt::Debug::fmt(v.as_str(), f),
            Self::Symbol(v) => write!(f, ":{v}"),
            Self::List(v) => sequence(f, v.iter()),
            Self::Map(v) => {
                f.write_char('{')?;
                for (index, (key, value)) in v.iter().enumerate() {
                    write!(f, "{}{key}: {value}", comma(index))?;
                }
                f.write_char('}')
            }
            Self::Array(v) => v.fmt(f),
            Self::Described(v) => v.fmt(f),
        }
    }
}

/// How many elements of an array are printed: their number may be a peer's choice.
const PRINTED: usize = 64;

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for descriptor in self.descriptors() {
            write!(f, "@{descriptor} ")?;
        }
        if self.len() > PRINTED {
            write!(f, "{} of ", self.len())?;
        }
        sequence(f, self.iter().take(PRINTED))
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.descriptor {
            Value::Ulong(code) => write!(f, "@{code:#x} {}", self.value),
            other => write!(f, "@{other} {}", self.value),
        }
    }
}

fn sequence<'a>(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = &'a Value>) -> fmt::Result {
    f.write_char('[')?;
    for (index, item) in items.enumerate() {
        write!(f, "{}{item}", comma(index))?;
    }
    f.write_char(']')
}

const fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { ", " }
}

fn octets(f: &mut fmt::Formatter<'_>, prefix: &str, octets: &[u8]) -> fmt::Result {
    write!(f, "{prefix}'")?;
    octets
        .iter()
        .try_for_each(|octet| write!(f, "{octet:02x}"))?;
    f.write_char('\'')
}

#[cfg(test)]
mod tests {
    use crate::value::{Array, Described, List, Map, Value};
    use crate::{Binary, Symbol};

    #[test]
    fn values_print_in_a_short_form() {
        let map = Map::<Value>::from([
            (
                Value::from("a"),
                Value::from(Binary::from_static(b"\x00\xff")),
            ),
            (Value::from(Symbol::from_static("b")), Value::from(2.5)),
            (Value::Null, List::from([true, false]).into()),
        ]);
        assert_eq!(
            Value::from(map).to_string(),
            r#"{"a": x'00ff', :b: 2.5, null: [true, false]}"#
        );
        assert_eq!(Described::new(0x70, 'c').to_string(), "@0x70 'c'");
    }

    #[test]
    fn a_large_array_prints_its_beginning() {
        let nulls = Array::repeat(Value::Null, u32::MAX).unwrap();
        let text = nulls.to_string();
        assert!(text.starts_with("4294967295 of [null, "), "{text}");
        assert!(text.len() < 1000);
    }
}
