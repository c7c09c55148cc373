//! From values to Rust types.
//!
//! Decides how a value answers what a Rust type asks for: the reverse of `to`, but a
//! number of another width will do where it fits, and arrays are sequences too. A
//! descriptor is passed over.

use super::{ENCODED, SerdeError};
use crate::codec::Encode;
use crate::value::Value;
use ::serde::de::value::{MapDeserializer, SeqDeserializer};
use ::serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use ::serde::{Deserializer, forward_to_deserialize_any};

/// The Rust type that a value stands for; the reverse of [`to_value`](super::to_value).
///
/// ```
/// use amqp_types::{from_value, value};
/// use std::collections::BTreeMap;
///
/// let counts: BTreeMap<String, u64> = from_value(value!({ "a": 1u8, "b": 70_000u32 }))?;
/// assert_eq!(counts["b"], 70_000);
/// assert!(from_value::<u8>(value!(70_000u32)).is_err());
/// # Ok::<(), amqp_types::SerdeError>(())
/// ```
///
/// # Errors
/// Where the value is not of the type.
pub fn from_value<T: de::DeserializeOwned>(value: Value) -> Result<T, SerdeError> {
    T::deserialize(FromValue(value))
}

struct FromValue(Value);

impl<'de> Deserializer<'de> for FromValue {
    type Error = SerdeError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(v) => visitor.visit_bool(v),
            Value::Ubyte(v) => visitor.visit_u8(v),
            Value::Ushort(v) => visitor.visit_u16(v),
            Value::Uint(v) => visitor.visit_u32(v),
            Value::Ulong(v) => visitor.visit_u64(v),
            Value::Byte(v) => visitor.visit_i8(v),
            Value::Short(v) => visitor.visit_i16(v),
            Value::Int(v) => visitor.visit_i32(v),
            Value::Long(v) => visitor.visit_i64(v),
            Value::Float(v) => visitor.visit_f32(v),
            Value::Double(v) => visitor.visit_f64(v),
            Value::Decimal32(v) => visitor.visit_bytes(&v.0),
            Value::Decimal64(v) => visitor.visit_bytes(&v.0),
            Value::Decimal128(v) => visitor.visit_bytes(&v.0),
            Value::Char(v) => visitor.visit_char(v),
            Value::Timestamp(v) => visitor.visit_i64(v.0),
            Value::Uuid(v) => visitor.visit_bytes(v.as_bytes()),
            Value::Binary(v) => visitor.visit_byte_buf(v.into()),
            Value::String(v) => visitor.visit_str(&v),
            Value::Symbol(v) => visitor.visit_str(&v),
            Value::List(v) => {
                let mut items = SeqDeserializer::new(v.into_iter().map(FromValue));
                let read = visitor.visit_seq(&mut items)?;
                items.end().map(|()| read)
            }
            Value::Array(v) => {
                let mut items = SeqDeserializer::new(v.iter().cloned().map(FromValue));
                let read = visitor.visit_seq(&mut items)?;
                items.end().map(|()| read)
            }
            Value::Map(v) => {
                let pairs = v.into_iter().map(|(k, v)| (FromValue(k), FromValue(v)));
                let mut pairs = MapDeserializer::new(pairs);
                let read = visitor.visit_map(&mut pairs)?;
                pairs.end().map(|()| read)
            }
            Value::Described(v) => Self(v.value).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        if name == ENCODED {
            visitor.visit_bytes(&self.0.to_bytes())
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    /// Octets are a sequence of numbers too, for those who ask for a `Vec<u8>`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            Value::Binary(octets) => {
                let octets = Vec::from(octets).into_iter();
                visitor.visit_seq(SeqDeserializer::<_, SerdeError>::new(octets))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        match self.0 {
            Value::String(_) | Value::Symbol(_) => visitor.visit_enum(Variant {
                name: self.0,
                content: None,
            }),
            Value::Map(map) if map.len() == 1 => {
                let entry = map.into_iter().next();
                let (name, content) = entry.unwrap_or_default();
                visitor.visit_enum(Variant {
                    name,
                    content: Some(content),
                })
            }
            other => Err(SerdeError::new(&format!(
                "expected the name of a variant or a map of one, found {}",
                other.kind()
            ))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, SerdeError> for FromValue {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A variant's name and what it holds.
struct Variant {
    name: Value,
    content: Option<Value>,
}

/// What a variant holds.
struct Content(Option<Value>);

impl<'de> de::EnumAccess<'de> for Variant {
    type Error = SerdeError;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content), SerdeError> {
        let name = seed.deserialize(FromValue(self.name))?;
        Ok((name, Content(self.content)))
    }
}

impl Content {
    fn some(self) -> Result<FromValue, SerdeError> {
        let content = self.0.map(FromValue);
        content.ok_or_else(|| SerdeError::new("the variant holds something"))
    }
}

impl<'de> de::VariantAccess<'de> for Content {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(SerdeError::new("the variant holds nothing")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, SerdeError> {
        seed.deserialize(self.some()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, SerdeError> {
        self.some()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.some()?.deserialize_any(visitor)
    }
}
