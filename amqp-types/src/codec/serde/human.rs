//! AMQP types in formats that people read, such as JSON.
//!
//! Decides the form: `{"uint": 7}`, the type's name and what it holds. Numbers with a
//! point are text, since not every reader gives back the number that was written; so
//! are octets, two hexadecimal digits each.

use super::SerdeError;
use crate::primitive::{Binary, Decimal32, Decimal64, Decimal128, Str, Symbol, Timestamp};
use crate::value::{AnnotationKey, Array, Described, Kind, List, Map, Simple, Value};
use ::serde::de::{Deserialize, Deserializer, Error};
use ::serde::ser::{Serialize, Serializer};
use ::serde::{Deserialize as DeriveDeserialize, Serialize as DeriveSerialize};
use std::borrow::Cow;

/// A type with a form for people.
pub(super) trait Readable: Sized {
    fn serialize_readable<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn deserialize_readable<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error>;
}

/// A reference that serializes to the form for people.
pub(super) struct Human<'a, T>(pub(super) &'a T);

impl<T: Readable> Serialize for Human<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_readable(serializer)
    }
}

/// A value with the name of its type.
#[derive(DeriveSerialize, DeriveDeserialize)]
#[serde(rename_all = "lowercase")]
enum Form<'a> {
    Null,
    #[serde(rename = "boolean")]
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(Cow<'a, str>),
    Double(Cow<'a, str>),
    Decimal32(Decimal32),
    Decimal64(Decimal64),
    Decimal128(Decimal128),
    Char(char),
    Timestamp(Timestamp),
    Uuid(Cow<'a, str>),
    Binary(Binary),
    String(Str),
    Symbol(Symbol),
    List(Cow<'a, List>),
    Map(Cow<'a, Map>),
    Array(Cow<'a, Array>),
    Described(Cow<'a, Described>),
}

impl Readable for Value {
    fn serialize_readable<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match self {
            Self::Null => Form::Null,
            Self::Bool(v) => Form::Bool(*v),
            Self::Ubyte(v) => Form::Ubyte(*v),
            Self::Ushort(v) => Form::Ushort(*v),
            Self::Uint(v) => Form::Uint(*v),
            Self::Ulong(v) => Form::Ulong(*v),
            Self::Byte(v) => Form::Byte(*v),
            Self::Short(v) => Form::Short(*v),
            Self::Int(v) => Form::Int(*v),
            Self::Long(v) => Form::Long(*v),
            Self::Float(v) if v.is_nan() => Form::Float(format!("{:#x}", v.to_bits()).into()),
            Self::Float(v) => Form::Float(v.to_string().into()),
            Self::Double(v) if v.is_nan() => Form::Double(format!("{:#x}", v.to_bits()).into()),
            Self::Double(v) => Form::Double(v.to_string().into()),
            Self::Decimal32(v) => Form::Decimal32(*v),
            Self::Decimal64(v) => Form::Decimal64(*v),
            Self::Decimal128(v) => Form::Decimal128(*v),
            Self::Char(v) => Form::Char(*v),
            Self::Timestamp(v) => Form::Timestamp(*v),
            Self::Uuid(v) => Form::Uuid(v.to_string().into()),
            Self::Binary(v) => Form::Binary(v.clone()),
            Self::String(v) => Form::String(v.clone()),
            Self::Symbol(v) => Form::Symbol(v.clone()),
            Self::List(v) => Form::List(Cow::Borrowed(v)),
            Self::Map(v) => Form::Map(Cow::Borrowed(v)),
            Self::Array(v) => Form::Array(Cow::Borrowed(v)),
            Self::Described(v) => Form::Described(Cow::Borrowed(v)),
        };
        form.serialize(serializer)
    }

    fn deserialize_readable<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(match Form::deserialize(d)? {
            Form::Null => Self::Null,
            Form::Bool(v) => Self::Bool(v),
            Form::Ubyte(v) => Self::Ubyte(v),
            Form::Ushort(v) => Self::Ushort(v),
            Form::Uint(v) => Self::Uint(v),
            Form::Ulong(v) => Self::Ulong(v),
            Form::Byte(v) => Self::Byte(v),
            Form::Short(v) => Self::Short(v),
            Form::Int(v) => Self::Int(v),
            Form::Long(v) => Self::Long(v),
            Form::Float(v) => Self::Float(match v.strip_prefix("0x") {
                Some(bits) => {
                    f32::from_bits(u32::from_str_radix(bits, 16).map_err(D::Error::custom)?)
                }
                None => v.parse().map_err(D::Error::custom)?,
            }),
            Form::Double(v) => Self::Double(match v.strip_prefix("0x") {
                Some(bits) => {
                    f64::from_bits(u64::from_str_radix(bits, 16).map_err(D::Error::custom)?)
                }
                None => v.parse().map_err(D::Error::custom)?,
            }),
            Form::Decimal32(v) => Self::Decimal32(v),
            Form::Decimal64(v) => Self::Decimal64(v),
            Form::Decimal128(v) => Self::Decimal128(v),
            Form::Char(v) => Self::Char(v),
            Form::Timestamp(v) => Self::Timestamp(v),
            Form::Uuid(v) => Self::Uuid(uuid::Uuid::parse_str(&v).map_err(D::Error::custom)?),
            Form::Binary(v) => Self::Binary(v),
            Form::String(v) => Self::String(v),
            Form::Symbol(v) => Self::Symbol(v),
            Form::List(v) => Self::List(v.into_owned()),
            Form::Map(v) => Self::Map(v.into_owned()),
            Form::Array(v) => Self::Array(Box::new(v.into_owned())),
            Form::Described(v) => Self::Described(Box::new(v.into_owned())),
        })
    }
}

/// Types that are read and written as another type.
macro_rules! through {
    ($($type:ty: $form:ty, $to:expr, $from:expr;)*) => { $(
        impl Readable for $type {
            fn serialize_readable<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let to: fn(&Self) -> $form = $to;
                to(self).serialize(serializer)
            }

            fn deserialize_readable<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let from: fn($form) -> Result<Self, SerdeError> = $from;
                from(<$form>::deserialize(d)?).map_err(D::Error::custom)
            }
        }
    )* };
}

through! {
    Simple: Value, |v| Value::clone(v), |v| v.try_into().map_err(custom);
    Symbol: Str, |v| v.clone().into(), |v| v.try_into().map_err(custom);
    Timestamp: i64, |v| v.0, |v| Ok(Self(v));
    Decimal32: Binary, |v| v.0.into(), |v| (*v).try_into().map(Self).map_err(custom);
    Decimal64: Binary, |v| v.0.into(), |v| (*v).try_into().map(Self).map_err(custom);
    Decimal128: Binary, |v| v.0.into(), |v| (*v).try_into().map(Self).map_err(custom);
    List: Vec<Value>, |v| v.0.clone(), |v| Ok(Self(v));
    Described: Pair, |v| Pair { descriptor: v.descriptor.clone(), value: v.value.clone() },
        |v| Ok(Self { descriptor: v.descriptor, value: v.value });
    Array: Elements, Elements::of, Elements::into_array;
    AnnotationKey: Value, |v| v.clone().into(), |v| match v {
        Value::Symbol(symbol) => Ok(Self::Symbol(symbol)),
        Value::Ulong(number) => Ok(Self::Ulong(number)),
        other => Err(SerdeError::new(&format!("{} is no key of an annotation", other.kind()))),
    };
}

#[derive(DeriveSerialize, DeriveDeserialize)]
struct Pair {
    descriptor: Value,
    value: Value,
}

#[derive(DeriveSerialize, DeriveDeserialize)]
struct Elements {
    kind: Cow<'static, str>,
    descriptors: Vec<Value>,
    /// One of those that stand for `count` equal elements, or all.
    items: Vec<Value>,
    count: u32,
}

impl Elements {
    fn of(array: &Array) -> Self {
        let items = match array.repeated() {
            Some(one) => vec![one.clone()],
            None => array.iter().cloned().collect(),
        };
        Self {
            kind: array.kind().name().into(),
            descriptors: array.descriptors().to_vec(),
            items,
            count: u32::try_from(array.len()).unwrap_or(u32::MAX),
        }
    }

    fn into_array(mut self) -> Result<Array, SerdeError> {
        let kinds = Kind::ALL.into_iter();
        let kind = kinds.into_iter().find(|kind| kind.name() == self.kind);
        let kind = kind.ok_or_else(|| SerdeError::new("no type has the name"))?;
        let array = match self.items.pop() {
            Some(one) if self.items.is_empty() && self.count != 1 => {
                Array::repeat(one, self.count).map_err(custom)?
            }
            last => {
                self.items.extend(last);
                Array::from_values(kind, self.items).map_err(custom)?
            }
        };
        if array.kind() != kind {
            return Err(SerdeError::new("the items are not of the array's type"));
        }
        let descriptors = self.descriptors.into_iter().rev();
        Ok(descriptors.fold(array, Array::with_descriptor))
    }
}

/// The octets of a text of hexadecimal digits.
pub(super) fn octets(text: &str) -> Result<Binary, SerdeError> {
    let digit = |octet: u8| {
        char::from(octet)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let octets: Option<Vec<u8>> = pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect();
    match octets {
        Some(octets) if rest.is_empty() => Ok(octets.into()),
        _ => Err(SerdeError::new("octets are pairs of hexadecimal digits")),
    }
}

fn custom(error: impl std::fmt::Display) -> SerdeError {
    SerdeError::new(&error.to_string())
}
