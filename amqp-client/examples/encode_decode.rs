//! Values of AMQP and of Rust: what becomes of each on the way out and on the way in.
//!
//! `cargo run --example encode_decode`

use std::collections::BTreeMap;

use amqp_client::types::bytes::BytesMut;
use amqp_client::types::{Decode, Decoder, Encode, List, Map, Symbol, Value};

/// Encodes a value and decodes it again.
fn round(value: &Value) -> Result<Value, Box<dyn std::error::Error>> {
    let mut octets = BytesMut::new();
    value.encode(&mut octets);
    let octets = octets.freeze();
    println!("{value:?} in {} octets: {octets:02x?}", octets.len());
    Ok(Value::decode(&mut Decoder::new(&octets))?)
}

/// Sends values through the codec; answers how many there were.
pub fn run() -> Result<usize, Box<dyn std::error::Error>> {
    // A value keeps its type: 1 may be a ubyte, a long, … and none equals the other.
    let mut values = vec![
        Value::Null,
        Value::from(true),
        Value::from(1u8),
        Value::from(1i64),
        Value::from(1.5f64),
        Value::from("text"),
        Value::from(Symbol::from_static("symbol")),
        Value::from(b"octets"),
    ];
    assert_ne!(Value::from(1u8), Value::from(1i64));

    // A list may mix types; an array has one for all.
    values.push(Value::from(List::from(vec![
        Value::from(1u32),
        Value::from("two"),
    ])));
    values.push(Value::from(vec![1i32, 2, 3]));

    // A map keeps the order of its entries, and may have keys of any types.
    let mut map = Map::<Value, Value>::default();
    map.insert("name", "value");
    map.insert(7u32, false);
    values.push(Value::from(map));

    for value in &values {
        assert_eq!(round(value)?, *value);
    }

    // Collections of the standard library go in and come out.
    let numbers = BTreeMap::from([("one".to_owned(), 1i64), ("two".to_owned(), 2)]);
    let back = BTreeMap::<String, i64>::try_from(round(&Value::from(numbers.clone()))?)?;
    assert_eq!(back, numbers);

    // What has another type is refused, not bent.
    assert!(u32::try_from(Value::from("text")).is_err());
    Ok(values.len())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{} values", run()?);
    Ok(())
}
