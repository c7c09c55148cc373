//! Equality and hashing of values.
//!
//! Decides that floats count by their bits, so that values are keys of hash maps
//! and of AMQP maps (section 1.6.23), and that values of different types differ.

use super::Value;
use std::hash::{Hash, Hasher};

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Ubyte(a), Self::Ubyte(b)) => a == b,
            (Self::Ushort(a), Self::Ushort(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Ulong(a), Self::Ulong(b)) => a == b,
            (Self::Byte(a), Self::Byte(b)) => a == b,
            (Self::Short(a), Self::Short(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Long(a), Self::Long(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Decimal32(a), Self::Decimal32(b)) => a == b,
            (Self::Decimal64(a), Self::Decimal64(b)) => a == b,
            (Self::Decimal128(a), Self::Decimal128(b)) => a == b,
            (Self::Char(a), Self::Char(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Uuid(a), Self::Uuid(b)) => a == b,
            (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Symbol(a), Self::Symbol(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Described(a), Self::Described(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
        match self {
            Self::Null => {}
            Self::Bool(v) => v.hash(state),
            Self::Ubyte(v) => v.hash(state),
            Self::Ushort(v) => v.hash(state),
            Self::Uint(v) => v.hash(state),
            Self::Ulong(v) => v.hash(state),
            Self::Byte(v) => v.hash(state),
            Self::Short(v) => v.hash(state),
            Self::Int(v) => v.hash(state),
            Self::Long(v) => v.hash(state),
            Self::Float(v) => v.to_bits().hash(state),
            Self::Double(v) => v.to_bits().hash(state),
            Self::Decimal32(v) => v.hash(state),
            Self::Decimal64(v) => v.hash(state),
            Self::Decimal128(v) => v.hash(state),
            Self::Char(v) => v.hash(state),
            Self::Timestamp(v) => v.hash(state),
            Self::Uuid(v) => v.hash(state),
            Self::Binary(v) => v.hash(state),
            Self::String(v) => v.hash(state),
            Self::Symbol(v) => v.hash(state),
            Self::List(v) => v.hash(state),
            Self::Map(v) => v.hash(state),
            Self::Array(v) => v.hash(state),
            Self::Described(v) => v.hash(state),
        }
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        matches!(self, Self::String(text) if text == other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Map;
    use std::hash::BuildHasher;

    fn hash(value: &Value) -> u64 {
        std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(value)
    }

    // tests: [TYP-11]
    #[test]
    fn floats_are_equal_by_their_bits() {
        let nan = Value::Float(f32::NAN);
        assert_eq!(nan, nan.clone());
        assert_eq!(hash(&nan), hash(&nan.clone()));
        assert_ne!(Value::Double(0.0), Value::Double(-0.0));
    }

    // tests: [TYP-24]
    #[test]
    fn maps_in_another_order_differ() {
        let forward: Map = [("a", 1), ("b", 2)].into_iter().collect();
        let backward: Map = [("b", 2), ("a", 1)].into_iter().collect();
        assert_ne!(Value::Map(forward), Value::Map(backward));
    }

    #[test]
    fn a_string_is_no_symbol() {
        assert_eq!(Value::from("a"), "a");
        assert_ne!(Value::Symbol(crate::Symbol::from_static("a")), "a");
    }
}
