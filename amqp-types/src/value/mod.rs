//! Any AMQP value, without loss (sections 1.1 to 1.6).
//!
//! Decides how lists, maps, arrays and described values are held and compared.
//! Leaves their octets to `codec`, and types with named fields to the generated
//! code.

mod array;
mod convert;
mod described;
mod eq;
mod key;
mod kind;
mod list;
mod literal;
mod map;
mod one_or_many;
mod print;
mod simple;
#[cfg(any(feature = "chrono", feature = "time"))]
mod time;

pub use array::{Array, MixedArray};
pub use convert::WrongKind;
pub use described::{Described, DescriptorName};
pub use key::AnnotationKey;
pub use kind::Kind;
pub use list::{List, ListOf};
pub use map::{DuplicateKey, Map};
pub use one_or_many::OneOrMany;
pub use simple::{NotSimple, Simple};

use crate::primitive::{Binary, Decimal32, Decimal64, Decimal128, Str, Symbol, Timestamp};
use uuid::Uuid;

/// Any AMQP value (section 1.1).
///
/// Nothing that the wire can say is lost, except which of several encodings of one
/// value was chosen: `43`, `52 00` and `70 00 00 00 00` are all `Uint(0)`. Two values
/// are equal where the standard says that they are the same value of the same type:
/// `Uint(1)` and `Ulong(1)` differ, maps in another order differ, and floats are
/// compared by their bits, so that a NaN equals itself.
///
/// Literals: [`value!`](crate::value!). Conversions: `From` and `TryFrom`.
///
/// ```
/// use amqp_types::Value;
///
/// assert_eq!(Value::from("text").as_str(), Some("text"));
/// assert_eq!(u32::try_from(Value::Uint(7)), Ok(7));
/// assert!(u64::try_from(Value::Uint(7)).is_err());
/// ```
#[derive(Clone, Debug, Default)]
#[repr(u64)]
pub enum Value {
    /// No value (section 1.6.1).
    #[default]
    Null,
    /// `boolean` (section 1.6.2).
    Bool(bool),
    /// `ubyte` (section 1.6.3).
    Ubyte(u8),
    /// `ushort` (section 1.6.4).
    Ushort(u16),
    /// `uint` (section 1.6.5).
    Uint(u32),
    /// `ulong` (section 1.6.6).
    Ulong(u64),
    /// `byte` (section 1.6.7).
    Byte(i8),
    /// `short` (section 1.6.8).
    Short(i16),
    /// `int` (section 1.6.9).
    Int(i32),
    /// `long` (section 1.6.10).
    Long(i64),
    /// `float` (section 1.6.11).
    Float(f32),
    /// `double` (section 1.6.12).
    Double(f64),
    /// `decimal32` (section 1.6.13).
    Decimal32(Decimal32),
    /// `decimal64` (section 1.6.14).
    Decimal64(Decimal64),
    /// `decimal128` (section 1.6.15).
    Decimal128(Decimal128),
    /// `char` (section 1.6.16).
    Char(char),
    /// `timestamp` (section 1.6.17).
    Timestamp(Timestamp),
    /// `uuid` (section 1.6.18).
    Uuid(Uuid),
    /// `binary` (section 1.6.19).
    Binary(Binary),
    /// `string` (section 1.6.20).
    String(Str),
    /// `symbol` (section 1.6.21).
    Symbol(Symbol),
    /// `list` (section 1.6.22).
    List(List),
    /// `map` (section 1.6.23).
    Map(Map),
    /// `array` (section 1.6.24).
    Array(Box<Array>),
    /// A value with a descriptor, of a type that is not looked into (section 1.2).
    Described(Box<Described>),
}

impl Value {
    /// Whether this is null.
    #[must_use]
    #[inline]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string or a symbol.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// The octets of a binary.
    #[must_use]
    pub const fn as_binary(&self) -> Option<&Binary> {
        match self {
            Self::Binary(octets) => Some(octets),
            _ => None,
        }
    }

    /// The truth of a boolean.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The number of any integer type that is signed or fits, else `None`.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Byte(n) => Some(n.into()),
            Self::Short(n) => Some(n.into()),
            Self::Int(n) => Some(n.into()),
            Self::Long(n) => Some(n),
            Self::Ubyte(n) => Some(n.into()),
            Self::Ushort(n) => Some(n.into()),
            Self::Uint(n) => Some(n.into()),
            Self::Ulong(n) => n.try_into().ok(),
            _ => None,
        }
    }

    /// The number of any integer type that is not negative, else `None`.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::Ulong(n) => Some(n),
            _ => self.as_i64().and_then(|n| n.try_into().ok()),
        }
    }

    /// The items of a list.
    #[must_use]
    pub const fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The entries of a map.
    #[must_use]
    pub const fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The elements of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The descriptor and the value of a described value.
    #[must_use]
    pub fn as_described(&self) -> Option<&Described> {
        match self {
            Self::Described(described) => Some(described),
            _ => None,
        }
    }

    /// A copy that keeps no read buffer alive: text and octets, at every depth, are
    /// copied out of the buffers that they were read from.
    #[must_use]
    pub fn to_compact(&self) -> Self {
        match self {
            Self::Binary(octets) => Self::Binary(octets.to_compact()),
            Self::String(text) => Self::String(text.to_compact()),
            Self::Symbol(symbol) => Self::Symbol(symbol.to_compact()),
            Self::List(list) => Self::List(list.iter().map(Self::to_compact).collect()),
            Self::Map(map) => Self::Map(map.to_compact()),
            Self::Array(array) => Self::Array(Box::new(array.to_compact())),
            Self::Described(described) => Self::Described(Box::new(described.to_compact())),
            _ => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_at_most_forty_octets() {
        assert!(size_of::<Value>() <= 40);
        assert!(size_of::<Simple>() <= 40);
        assert!(size_of::<Option<Value>>() <= 40);
    }

    #[test]
    fn numbers_read_through_any_integer_type() {
        assert_eq!(Value::Ubyte(3).as_i64(), Some(3));
        assert_eq!(Value::Ulong(u64::MAX).as_i64(), None);
        assert_eq!(Value::Ulong(u64::MAX).as_u64(), Some(u64::MAX));
        assert_eq!(Value::Int(-1).as_u64(), None);
        assert_eq!(Value::from("3").as_i64(), None);
    }
}
