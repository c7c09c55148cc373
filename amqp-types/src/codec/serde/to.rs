//! From Rust types to values.
//!
//! Decides which AMQP type stands for which of serde's: numbers for the number of the
//! same width, `string` and `binary`, lists for sequences and tuples, maps for maps and
//! structs, null for nothing. An enum's variant is its name, or a map from that to
//! what it holds. AMQP's own types stay what they are.

use super::{ENCODED, SerdeError};
use crate::codec::Decode;
use crate::primitive::Str;
use crate::value::{List, Map, Value};
use ::serde::ser::{self, Serialize};
use bytes::Bytes;

/// The value of a Rust type that serde can serialize, such as the body of a message.
///
/// ```
/// use amqp_types::{Message, Symbol, Timestamp, from_value, to_value, value};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Order {
///     number: u32,
///     customer: String,
///     placed: Timestamp,
///     state: Symbol,
/// }
///
/// let order = Order {
///     number: 7,
///     customer: "Ada".into(),
///     placed: Timestamp(1_000),
///     state: Symbol::from_static("open"),
/// };
/// let body = to_value(&order)?;
/// assert_eq!(body, value!({
///     "number": 7u32, "customer": "Ada", "placed": (Timestamp(1_000)), "state": :"open",
/// }));
/// let message = Message::from(body);
/// let read: Order = from_value(message.body.as_value().unwrap().clone())?;
/// assert_eq!(read, order);
/// # Ok::<(), amqp_types::SerdeError>(())
/// ```
///
/// # Errors
/// Where the type holds what AMQP has no type for, or a map has two equal keys.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, SerdeError> {
    value.serialize(ToValue)
}

#[derive(Clone, Copy)]
struct ToValue;

macro_rules! plain {
    ($($method:ident($type:ty)),* $(,)?) => { $(
        fn $method(self, value: $type) -> Result<Value, SerdeError> {
            Ok(value.into())
        }
    )* };
}

impl ser::Serializer for ToValue {
    type Ok = Value;
    type Error = SerdeError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    plain! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32),
        serialize_i64(i64), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32),
        serialize_u64(u64), serialize_f32(f32), serialize_f64(f64), serialize_char(char),
        serialize_str(&str), serialize_bytes(&[u8]),
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_none(self) -> Result<Value, SerdeError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, SerdeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, SerdeError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, SerdeError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, SerdeError> {
        Ok(text(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, SerdeError> {
        match value.serialize(self)? {
            Value::Binary(octets) if name == ENCODED => {
                Ok(Value::from_bytes(&Bytes::from(octets))?)
            }
            other => Ok(other),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, SerdeError> {
        Ok(named(Some(variant), value.serialize(self)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items, SerdeError> {
        Ok(Items::new(None, len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Items, SerdeError> {
        Ok(Items::new(None, Some(len)))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items, SerdeError> {
        Ok(Items::new(None, Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items, SerdeError> {
        Ok(Items::new(Some(variant), Some(len)))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries, SerdeError> {
        Ok(Entries::new(None, len))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Entries, SerdeError> {
        Ok(Entries::new(None, Some(len)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Entries, SerdeError> {
        Ok(Entries::new(Some(variant), Some(len)))
    }
}

fn text(name: &'static str) -> Value {
    Value::String(Str::from_static(name))
}

/// The value itself, or as what a variant holds.
fn named(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Map([(text(variant), value)].into()),
        None => value,
    }
}

/// A sequence that is under way.
struct Items {
    variant: Option<&'static str>,
    items: Vec<Value>,
}

impl Items {
    fn new(variant: Option<&'static str>, len: Option<usize>) -> Self {
        // A length is a promise; room is made for a small one only.
        let items = Vec::with_capacity(len.unwrap_or_default().min(64));
        Self { variant, items }
    }

    fn add<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), SerdeError> {
        self.items.push(item.serialize(ToValue)?);
        Ok(())
    }

    fn done(self) -> Value {
        named(self.variant, Value::List(List(self.items)))
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident),*) => { $(
        impl ser::$trait for Items {
            type Ok = Value;
            type Error = SerdeError;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), SerdeError> {
                self.add(item)
            }

            fn end(self) -> Result<Value, SerdeError> {
                Ok(self.done())
            }
        }
    )* };
}

items! {
    SerializeSeq::serialize_element, SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field, SerializeTupleVariant::serialize_field
}

/// A map or a struct that is under way.
struct Entries {
    variant: Option<&'static str>,
    pairs: Vec<(Value, Value)>,
}

impl Entries {
    fn new(variant: Option<&'static str>, len: Option<usize>) -> Self {
        let pairs = Vec::with_capacity(len.unwrap_or_default().min(64));
        Self { variant, pairs }
    }

    fn add<T: Serialize + ?Sized>(&mut self, key: Value, value: &T) -> Result<(), SerdeError> {
        self.pairs.push((key, value.serialize(ToValue)?));
        Ok(())
    }

    fn done(self) -> Result<Value, SerdeError> {
        let map = Map::from_pairs(self.pairs);
        let map = map.map_err(|error| SerdeError::new(&error.to_string()))?;
        Ok(named(self.variant, Value::Map(map)))
    }
}

impl ser::SerializeMap for Entries {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeError> {
        self.pairs.push((key.serialize(ToValue)?, Value::Null));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let value = value.serialize(ToValue)?;
        match self.pairs.last_mut() {
            Some((_, place)) => *place = value,
            None => return Err(SerdeError::new("a value without a key")),
        }
        Ok(())
    }

    fn end(self) -> Result<Value, SerdeError> {
        self.done()
    }
}

macro_rules! entries {
    ($($trait:ident),*) => { $(
        impl ser::$trait for Entries {
            type Ok = Value;
            type Error = SerdeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), SerdeError> {
                self.add(text(key), value)
            }

            fn end(self) -> Result<Value, SerdeError> {
                self.done()
            }
        }
    )* };
}

entries!(SerializeStruct, SerializeStructVariant);
