//! The vectors as rows: their octets, the value that each states, and the decoder of
//! the type that each names.

#![allow(clippy::unwrap_used)]

use amqp_types::messaging::*;
use amqp_types::security::*;
use amqp_types::transactions::*;
use amqp_types::transport::*;
use amqp_types::{
    Array, Decode, Decoder, Described, Encode, Kind, Limits, List, Map, Str, Symbol, Timestamp,
    Value,
};
use bytes::Bytes;
use serde_json::Value as Json;

const VECTORS: &str = include_str!("../vectors/type-vectors.json");

pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) octets: Bytes,
    pub(crate) valid: bool,
    pub(crate) lenient: bool,
    pub(crate) error: String,
    pub(crate) decode_as: Option<String>,
    pub(crate) row: Json,
}

impl Vector {
    pub(crate) fn all() -> Vec<Self> {
        let rows: Vec<Json> = serde_json::from_str(VECTORS).unwrap();
        rows.into_iter().map(Self::of).collect()
    }

    fn of(row: Json) -> Self {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Self {
            id: text("id").unwrap(),
            octets: hex(row["hex"].as_str().unwrap()),
            valid: row["valid"].as_bool().unwrap(),
            lenient: row["lenient"].as_bool().unwrap_or_default(),
            error: text("error").unwrap_or_default(),
            decode_as: text("decode_as"),
            row,
        }
    }

    pub(crate) fn compact(&self) -> Option<Bytes> {
        self.row["compact_hex"].as_str().map(hex)
    }
}

pub(crate) fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).unwrap().try_into().unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// The value of a node, an object with `type` and `value`.
pub(crate) fn stated_value(node: &Json) -> Value {
    value_of(node["type"].as_str().unwrap(), &node["value"])
}

fn value_of(name: &str, json: &Json) -> Value {
    let text = || json.as_str().unwrap();
    let small = || json.as_i64().unwrap();
    let bits = || hex(json["bits"].as_str().unwrap()).to_vec();
    match name {
        "null" => Value::Null,
        "boolean" => json.as_bool().unwrap().into(),
        "ubyte" => u8::try_from(small()).unwrap().into(),
        "ushort" => u16::try_from(small()).unwrap().into(),
        "uint" => u32::try_from(small()).unwrap().into(),
        "byte" => i8::try_from(small()).unwrap().into(),
        "short" => i16::try_from(small()).unwrap().into(),
        "int" => i32::try_from(small()).unwrap().into(),
        "ulong" => text().parse::<u64>().unwrap().into(),
        "long" => text().parse::<i64>().unwrap().into(),
        "timestamp" => Timestamp(text().parse().unwrap()).into(),
        "float" => f32::from_be_bytes(bits().try_into().unwrap()).into(),
        "double" => f64::from_be_bytes(bits().try_into().unwrap()).into(),
        "decimal32" => amqp_types::Decimal32(bits().try_into().unwrap()).into(),
        "decimal64" => amqp_types::Decimal64(bits().try_into().unwrap()).into(),
        "decimal128" => amqp_types::Decimal128(bits().try_into().unwrap()).into(),
        "char" => {
            let scalar = json["codepoint"].as_u64().unwrap();
            char::from_u32(scalar.try_into().unwrap()).unwrap().into()
        }
        "uuid" => uuid::Uuid::parse_str(text()).unwrap().into(),
        "binary" => hex(text()).into(),
        "string" => Str::from(text()).into(),
        "symbol" => Symbol::try_from(text()).unwrap().into(),
        "list" => {
            let items = json.as_array().unwrap();
            items.iter().map(stated_value).collect::<List>().into()
        }
        "map" => {
            let pairs = json.as_array().unwrap().iter();
            let pairs = pairs.map(|pair| (stated_value(&pair[0]), stated_value(&pair[1])));
            Map::<Value, Value>::from_pairs(pairs.collect())
                .unwrap()
                .into()
        }
        "array" => array_of(json).into(),
        "described" => Described {
            descriptor: stated_value(&json["descriptor"]),
            value: stated_value(&json["value"]),
        }
        .into(),
        other => panic!("{other}"),
    }
}

fn array_of(json: &Json) -> Array {
    let element = &json["element"];
    let name = element["type"].as_str().unwrap();
    let items = json["items"].as_array().unwrap();
    let items = items.iter().map(|item| value_of(name, item)).collect();
    let descriptors = element["descriptors"].as_array().unwrap();
    let array = Array::from_values(kind(name), items).unwrap();
    descriptors.iter().rev().fold(array, |array, descriptor| {
        array.with_descriptor(stated_value(descriptor))
    })
}

fn kind(name: &str) -> Kind {
    let kinds = [
        Kind::Null,
        Kind::Bool,
        Kind::Ubyte,
        Kind::Ushort,
        Kind::Uint,
        Kind::Ulong,
        Kind::Byte,
        Kind::Short,
        Kind::Int,
        Kind::Long,
        Kind::Float,
        Kind::Double,
        Kind::Decimal32,
        Kind::Decimal64,
        Kind::Decimal128,
        Kind::Char,
        Kind::Timestamp,
        Kind::Uuid,
        Kind::Binary,
        Kind::String,
        Kind::Symbol,
        Kind::List,
        Kind::Map,
        Kind::Array,
    ];
    kinds.into_iter().find(|kind| kind.name() == name).unwrap()
}

/// Decodes octets as the type of the standard that has this name, and checks that the
/// type says the stated value.
pub(crate) fn decode_as(
    name: &str,
    octets: &Bytes,
    stated: Option<&Value>,
    limits: Limits,
) -> Result<(), String> {
    macro_rules! by_name {
        ($($name:literal: $type:ty),* $(,)?) => {
            match name {
                $($name => check::<$type>(octets, stated, limits),)*
                other => panic!("{other}"),
            }
        };
    }
    by_name! {
        "frame": Performative, "open": Open, "begin": Begin, "attach": Attach, "flow": Flow,
        "transfer": Transfer, "disposition": Disposition, "detach": Detach, "end": End,
        "close": Close, "received": Received, "rejected": Rejected, "released": Released,
        "modified": Modified, "source": Source, "header": Header, "properties": Properties,
        "message-annotations": MessageAnnotations, "footer": Footer, "data": Data,
        "application-properties": ApplicationProperties, "amqp-sequence": AmqpSequence,
        "amqp-value": AmqpValue, "sasl-mechanisms": SaslMechanisms, "sasl-init": SaslInit,
        "sasl-challenge": SaslChallenge, "sasl-outcome": SaslOutcome, "declare": Declare,
        "discharge": Discharge, "declared": Declared,
    }
}

fn check<T: Decode + Encode + PartialEq + std::fmt::Debug>(
    octets: &Bytes,
    stated: Option<&Value>,
    limits: Limits,
) -> Result<(), String> {
    let mut d = Decoder::with_limits(octets, limits);
    let typed = T::decode(&mut d).map_err(|error| error.to_string())?;
    d.finish().map_err(|error| error.to_string())?;
    let encoded = typed.to_bytes();
    let again = T::from_bytes(&encoded).map_err(|error| error.to_string())?;
    if again != typed {
        return Err(format!("{typed:?} encodes to {again:?}"));
    }
    match stated {
        Some(stated) => same_fields(stated, &Value::from_bytes(&encoded).unwrap(), &typed),
        None => Ok(()),
    }
}

/// Whether what the type encodes to is the stated value, apart from what means the
/// same: no field and null and the default, one value and an array of it.
fn same_fields<T: Decode + PartialEq>(
    stated: &Value,
    encoded: &Value,
    typed: &T,
) -> Result<(), String> {
    let (Value::Described(stated), Value::Described(encoded)) = (stated, encoded) else {
        return Err(format!("{encoded:?} is not described"));
    };
    let (Value::List(fields), Value::List(written)) = (&stated.value, &encoded.value) else {
        return if stated.value == encoded.value {
            Ok(())
        } else {
            Err(format!("{stated:?} is written as {encoded:?}"))
        };
    };
    for (index, field) in fields.iter().enumerate() {
        let found = written.get(index).unwrap_or(&Value::Null);
        let alone = match field {
            Value::Array(array) if array.len() == 1 => array.get(0),
            _ => None,
        };
        if found == field || alone == Some(found) {
            continue;
        }
        // What is written instead must mean the same to the type: null for a default,
        // or a type with fields of which some are defaults.
        let mut instead = fields.clone();
        instead[index] = found.clone();
        let instead = Described {
            descriptor: stated.descriptor.clone(),
            value: instead.into(),
        };
        if T::from_bytes(&instead.to_bytes()).as_ref() != Ok(typed) {
            return Err(format!("field {index}: {field:?} is written as {found:?}"));
        }
    }
    Ok(())
}
