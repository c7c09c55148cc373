//! Conversions between values and Rust's own types.
//!
//! Decides which Rust type stands for which AMQP type, both ways. A value converts
//! back to the type that it holds and to no other, since the standard knows no
//! widening (section 1.4).

use super::{AnnotationKey, Array, Described, Kind, List, Map, Simple, Value};
use crate::primitive::{
    Binary, Decimal32, Decimal64, Decimal128, Str, Symbol, Timestamp, TimestampOutOfRange,
};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::time::SystemTime;
use uuid::Uuid;

/// The value is of another type than the one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongKind {
    /// The type asked for.
    pub expected: Kind,
    /// The type that the value has.
    pub found: Kind,
}

impl fmt::Display for WrongKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for WrongKind {}

/// `From` into `Value` and `Simple`, and `TryFrom` back, for the type of a variant.
macro_rules! simple {
    ($($variant:ident($type:ty)),* $(,)?) => { $(
        impl From<$type> for Value {
            #[inline]
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }

        impl From<$type> for Simple {
            #[inline]
            fn from(value: $type) -> Self {
                Self::of(Value::$variant(value))
            }
        }

        back!($variant($type));

        impl TryFrom<Simple> for $type {
            type Error = WrongKind;

            fn try_from(simple: Simple) -> Result<Self, WrongKind> {
                simple.into_value().try_into()
            }
        }
    )* };
}

macro_rules! back {
    ($variant:ident($type:ty)) => {
        impl TryFrom<Value> for $type {
            type Error = WrongKind;

            fn try_from(value: Value) -> Result<Self, WrongKind> {
                match value {
                    Value::$variant(value) => Ok(value.into()),
                    other => Err(other.is_not(Kind::$variant)),
                }
            }
        }
    };
}

simple! {
    Bool(bool), Ubyte(u8), Ushort(u16), Uint(u32), Ulong(u64), Byte(i8), Short(i16), Int(i32),
    Long(i64), Float(f32), Double(f64), Decimal32(Decimal32), Decimal64(Decimal64),
    Decimal128(Decimal128), Char(char), Timestamp(Timestamp), Uuid(Uuid), Binary(Binary),
    String(Str), Symbol(Symbol),
}

/// `From` for types that become the type of a variant first.
macro_rules! through {
    ($($type:ty => $variant:ident($primitive:ty)),* $(,)?) => { $(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(<$primitive>::from(value))
            }
        }

        impl From<$type> for Simple {
            fn from(value: $type) -> Self {
                Self::of(value.into())
            }
        }
    )* };
}

through! {
    &str => String(Str), String => String(Str), Box<str> => String(Str), Cow<'_, str> => String(Str),
    Bytes => Binary(Binary), Vec<u8> => Binary(Binary), &[u8] => Binary(Binary),
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(octets: &[u8; N]) -> Self {
        Self::Binary(octets.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Simple {
    fn from(octets: &[u8; N]) -> Self {
        Self::of(octets.into())
    }
}

back!(String(String));
back!(Binary(Bytes));
back!(List(List));
back!(Map(Map));

impl TryFrom<Value> for Array {
    type Error = WrongKind;

    fn try_from(value: Value) -> Result<Self, WrongKind> {
        match value {
            Value::Array(array) => Ok(*array),
            other => Err(other.is_not(Kind::Array)),
        }
    }
}

impl TryFrom<Value> for Described {
    type Error = WrongKind;

    fn try_from(value: Value) -> Result<Self, WrongKind> {
        match value {
            Value::Described(described) => Ok(*described),
            other => Err(other.is_not(Kind::Described)),
        }
    }
}

/// The items of a list, the elements of an array without descriptors, or, for
/// `Vec<u8>`, the octets of a binary.
///
/// ```
/// use amqp_types::Value;
///
/// let numbers = Vec::<i32>::try_from(Value::from(vec![1, 2]));
/// assert_eq!(numbers, Ok(vec![1, 2]));
/// ```
impl<T: TryFrom<Value, Error = WrongKind>> TryFrom<Value> for Vec<T> {
    type Error = WrongKind;

    fn try_from(value: Value) -> Result<Self, WrongKind> {
        match value {
            Value::List(list) => list.into_iter().map(T::try_from).collect(),
            Value::Array(array) if array.descriptors().is_empty() => {
                array.iter().cloned().map(T::try_from).collect()
            }
            Value::Binary(octets) if T::try_from(Value::Ubyte(0)).is_ok() => {
                let octets = octets.iter().copied();
                octets.map(|octet| Value::Ubyte(octet).try_into()).collect()
            }
            other => Err(other.is_not(Kind::List)),
        }
    }
}

/// The entries of a map, sorted.
impl<K, V> TryFrom<Value> for BTreeMap<K, V>
where
    K: TryFrom<Value, Error = WrongKind> + Ord,
    V: TryFrom<Value, Error = WrongKind>,
{
    type Error = WrongKind;

    fn try_from(value: Value) -> Result<Self, WrongKind> {
        entries(value)
    }
}

/// The entries of a map, without their order.
impl<K, V, S> TryFrom<Value> for HashMap<K, V, S>
where
    K: TryFrom<Value, Error = WrongKind> + Eq + Hash,
    V: TryFrom<Value, Error = WrongKind>,
    S: std::hash::BuildHasher + Default,
{
    type Error = WrongKind;

    fn try_from(value: Value) -> Result<Self, WrongKind> {
        entries(value)
    }
}

fn entries<K, V, C>(value: Value) -> Result<C, WrongKind>
where
    K: TryFrom<Value, Error = WrongKind>,
    V: TryFrom<Value, Error = WrongKind>,
    C: FromIterator<(K, V)>,
{
    let pairs = Map::try_from(value)?.into_iter();
    pairs
        .map(|(k, v)| Ok((k.try_into()?, v.try_into()?)))
        .collect()
}

impl TryFrom<Value> for SystemTime {
    type Error = WrongKind;

    /// A timestamp that the platform's clock cannot hold counts as the wrong kind.
    fn try_from(value: Value) -> Result<Self, WrongKind> {
        let found = value.kind();
        Timestamp::try_from(value)?
            .try_into()
            .map_err(|_| WrongKind {
                expected: Kind::Timestamp,
                found,
            })
    }
}

impl TryFrom<SystemTime> for Value {
    type Error = TimestampOutOfRange;

    fn try_from(time: SystemTime) -> Result<Self, TimestampOutOfRange> {
        Timestamp::try_from(time).map(Self::Timestamp)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(Box::new(array))
    }
}

impl From<Described> for Value {
    fn from(described: Described) -> Self {
        Self::Described(Box::new(described))
    }
}

impl From<AnnotationKey> for Value {
    fn from(key: AnnotationKey) -> Self {
        match key {
            AnnotationKey::Symbol(symbol) => Self::Symbol(symbol),
            AnnotationKey::Ulong(number) => Self::Ulong(number),
        }
    }
}

impl<K: Into<Self>, V: Into<Self>> From<Map<K, V>> for Value {
    fn from(map: Map<K, V>) -> Self {
        Self::Map(map.into_iter().collect())
    }
}

impl<K: Into<Self>, V: Into<Self>> From<BTreeMap<K, V>> for Value {
    fn from(map: BTreeMap<K, V>) -> Self {
        Self::Map(map.into_iter().collect())
    }
}

impl<K: Into<Self>, V: Into<Self>, S> From<HashMap<K, V, S>> for Value {
    fn from(map: HashMap<K, V, S>) -> Self {
        Self::Map(map.into_iter().collect())
    }
}

/// `None` is null.
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// `None` is null.
impl<T: Into<Self>> From<Option<T>> for Simple {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NULL, Into::into)
    }
}

/// A vector becomes a list; `Vec<u8>` is left out, since it is octets.
macro_rules! vectors {
    ($($type:ty),* $(,)?) => { $(
        impl From<Vec<$type>> for Value {
            fn from(items: Vec<$type>) -> Self {
                Self::List(items.into())
            }
        }
    )* };
}

vectors! {
    Value, Simple, bool, u16, u32, u64, i8, i16, i32, i64, f32, f64, char, Decimal32, Decimal64,
    Decimal128, Timestamp, Uuid, Binary, Str, Symbol, &str, String, Bytes, Vec<u8>, List, Map,
    Array, Described,
}

impl Value {
    fn is_not(&self, expected: Kind) -> WrongKind {
        WrongKind {
            expected,
            found: self.kind(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // tests: [TYP-39]
    #[test]
    fn a_value_converts_back_to_its_own_type_alone() {
        assert_eq!(u32::try_from(Value::from(7u32)), Ok(7));
        assert_eq!(
            u64::try_from(Value::from(7u32)),
            Err(WrongKind {
                expected: Kind::Ulong,
                found: Kind::Uint
            })
        );
        assert!(String::try_from(Value::from(Symbol::from_static("a"))).is_err());
    }

    #[test]
    fn collections_convert_both_ways() {
        let map = BTreeMap::from([(String::from("a"), 1), (String::from("b"), 2)]);
        let value = Value::from(map.clone());
        assert_eq!(BTreeMap::try_from(value.clone()), Ok(map));
        assert_eq!(
            HashMap::<String, i32>::try_from(value).map(|map| map["b"]),
            Ok(2)
        );
        assert_eq!(Value::from(vec![1u8, 2]), Value::Binary([1, 2].into()));
        assert_eq!(Vec::<u8>::try_from(Value::from(&[1u8, 2])), Ok(vec![1, 2]));
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(Value::from(None::<i32>), Value::Null);
        assert_eq!(Simple::from(Some("a")), Value::from("a"));
    }

    #[test]
    fn times_convert_both_ways() {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(5);
        let value = Value::try_from(time).unwrap();
        assert_eq!(value, Value::Timestamp(Timestamp(5)));
        assert_eq!(SystemTime::try_from(value), Ok(time));
    }
}
