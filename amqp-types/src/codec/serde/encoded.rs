//! AMQP's own encoding inside of other binary formats.
//!
//! Decides which types take that way, and gives each `Serialize` and `Deserialize`.

use super::ENCODED;
use super::human::{Human, Readable};
use crate::codec::{Decode, Decoder, Encode, Limits};
use crate::primitive::{Binary, Decimal32, Decimal64, Decimal128, Str, Symbol, Timestamp};
use crate::value::{AnnotationKey, Array, Described, List, Map, Simple, Value};
use ::serde::de::{Deserialize, Deserializer, Error, Visitor};
use ::serde::ser::{Serialize, Serializer};
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

/// Octets, as formats know them.
struct Octets(bytes::Bytes);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

fn serialize<T: Encode + Readable, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    if s.is_human_readable() {
        Human(value).serialize(s)
    } else {
        s.serialize_newtype_struct(ENCODED, &Octets(value.to_bytes()))
    }
}

fn deserialize<'de, T: Decode + Readable, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
    if d.is_human_readable() {
        T::deserialize_readable(d)
    } else {
        d.deserialize_newtype_struct(ENCODED, Encoded(PhantomData))
    }
}

/// Reads a `T` from the octets that encode it.
struct Encoded<T>(PhantomData<T>);

impl<'de, T: Decode> Visitor<'de> for Encoded<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an encoded AMQP value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<T, D::Error> {
        d.deserialize_bytes(self)
    }

    fn visit_bytes<E: Error>(self, octets: &[u8]) -> Result<T, E> {
        self.visit_byte_buf(octets.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, octets: Vec<u8>) -> Result<T, E> {
        let octets = bytes::Bytes::from(octets);
        let mut d = Decoder::with_limits(&octets, Limits::DEEP);
        let value = T::decode(&mut d).map_err(E::custom)?;
        d.finish().map_err(E::custom)?;
        Ok(value)
    }
}

macro_rules! encoded {
    ($($type:ty),* $(,)?) => { $(
        /// Loses nothing: a binary format holds the AMQP encoding, a format that people
        /// read a form of its own.
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serialize(self, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize(deserializer)
            }
        }
    )* };
}

encoded! {
    Value, Simple, Symbol, Timestamp, Decimal32, Decimal64, Decimal128, List, Array, Described,
    AnnotationKey,
}

/// A list of pairs, since keys may be of any type.
impl<K, V> Serialize for Map<K, V>
where
    K: Serialize + Encode,
    V: Serialize + Encode,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_seq(self.as_slice())
        } else {
            serializer.serialize_newtype_struct(ENCODED, &Octets(self.to_bytes()))
        }
    }
}

impl<'de, K, V> Deserialize<'de> for Map<K, V>
where
    K: Deserialize<'de> + Decode + Eq + Hash,
    V: Deserialize<'de> + Decode,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Self::from_pairs(Vec::deserialize(deserializer)?).map_err(D::Error::custom)
        } else {
            deserializer.deserialize_newtype_struct(ENCODED, Encoded(PhantomData))
        }
    }
}

/// Text in any format.
impl Serialize for Str {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Str {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Octets in a binary format, hexadecimal digits in one that people read.
impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(self)
        }
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OctetsVisitor;

        impl Visitor<'_> for OctetsVisitor {
            type Value = Binary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("octets")
            }

            fn visit_bytes<E: Error>(self, octets: &[u8]) -> Result<Binary, E> {
                Ok(octets.into())
            }

            fn visit_byte_buf<E: Error>(self, octets: Vec<u8>) -> Result<Binary, E> {
                Ok(octets.into())
            }
        }

        if deserializer.is_human_readable() {
            super::human::octets(&String::deserialize(deserializer)?).map_err(D::Error::custom)
        } else {
            deserializer.deserialize_byte_buf(OctetsVisitor)
        }
    }
}
