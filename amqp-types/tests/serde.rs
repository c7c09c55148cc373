//! Values in other formats and Rust types as values, with the feature `serde`.

#![allow(clippy::unwrap_used)]

use amqp_types::strategy::any;
use amqp_types::{
    Array, Binary, Described, Kind, List, Map, Simple, Str, Symbol, Timestamp, Value, from_value,
    to_value, value,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_comes_back_from_a_readable_format(value in any::<Value>()) {
        let read = serde_json::from_str::<Value>(&json(&value)).unwrap();
        prop_assert_eq!(read, value);
    }

    #[test]
    fn a_value_comes_back_from_itself(value in any::<Value>()) {
        prop_assert_eq!(&to_value(&value).unwrap(), &value);
        prop_assert_eq!(from_value::<Value>(value.clone()).unwrap(), value);
    }

    #[test]
    fn the_other_types_come_back(
        list in any::<List>(),
        map in any::<Map<Symbol, Value>>(),
        array in any::<Array>(),
        described in any::<Described>(),
        simple in any::<Simple>(),
        rest in (any::<Binary>(), any::<Str>(), any::<Symbol>(), any::<Timestamp>()),
    ) {
        let all = (list, map, array, described, simple, rest);
        prop_assert_eq!(&serde_json::from_str::<AllTypes>(&json(&all)).unwrap(), &all);
        prop_assert_eq!(from_value::<AllTypes>(to_value(&all).unwrap()).unwrap(), all);
    }
}

type AllTypes = (
    List,
    Map<Symbol, Value>,
    Array,
    Described,
    Simple,
    (Binary, Str, Symbol, Timestamp),
);

#[test]
fn a_readable_format_names_the_types() {
    let value = value!({ "n": 7u32, :"s": [null, 1.5f32, true], "b": b"\x00\xff" });
    assert_eq!(
        json(&value),
        r#"{"map":[[{"string":"n"},{"uint":7}],[{"symbol":"s"},{"list":["null",{"float":"1.5"},{"boolean":true}]}],[{"string":"b"},{"binary":"00ff"}]]}"#
    );
}

#[test]
fn a_readable_format_is_checked() {
    for text in [
        r#"{"symbol":"é"}"#,
        r#"{"binary":"0"}"#,
        r#"{"map":[["null","null"],["null","null"]]}"#,
        r#"{"array":{"kind":"uint","descriptors":[],"items":["null"],"count":1}}"#,
        r#"{"array":{"kind":"number","descriptors":[],"items":[],"count":0}}"#,
        r#"{"decimal32":"00"}"#,
        r#"{"float":"x"}"#,
        r#"{"integer":1}"#,
    ] {
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    number: u64,
    customer: Option<String>,
    lines: Vec<Line>,
    state: State,
    history: Vec<State>,
    extra: BTreeMap<String, i32>,
    placed: Timestamp,
    note: Value,
    checksum: Binary,
    unit: (),
    pair: (bool, char),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Line(String, f64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Open,
    Paid(u32),
    Sent { by: String },
    Lost(u8, u8),
}

#[test]
fn a_rust_type_comes_back_from_a_value() {
    let order = Order {
        number: 1,
        customer: None,
        lines: vec![Line("tea".into(), 2.5)],
        state: State::Sent { by: "post".into() },
        history: vec![State::Open, State::Paid(9), State::Lost(1, 2)],
        extra: BTreeMap::from([("a".into(), -1)]),
        placed: Timestamp(5),
        note: value!(@0x24 [:"s"]),
        checksum: Binary::from_static(b"\x01"),
        unit: (),
        pair: (true, 'x'),
    };
    let value = to_value(&order).unwrap();
    let map = value.as_map().unwrap();
    assert_eq!(map.get("number"), Some(&Value::Ulong(1)));
    assert_eq!(map.get("customer"), Some(&Value::Null));
    assert_eq!(map.get("lines"), Some(&value!([["tea", 2.5]])));
    assert_eq!(
        map.get("state"),
        Some(&value!({ "Sent": { "by": "post" } }))
    );
    let history = value!(["Open", { "Paid": 9u32 }, { "Lost": [1u8, 2u8] }]);
    assert_eq!(map.get("history"), Some(&history));
    assert_eq!(map.get("placed"), Some(&Timestamp(5).into()));
    assert_eq!(map.get("note"), Some(&order.note));
    assert_eq!(map.get("checksum"), Some(&value!(b"\x01")));
    assert_eq!(from_value::<Order>(value).unwrap(), order);
}

#[test]
fn a_value_of_another_sender_fits_where_it_can() {
    let numbers = Array::from_values(Kind::Ubyte, vec![1u8.into(), 2u8.into()]).unwrap();
    assert_eq!(from_value::<Vec<i64>>(numbers.into()).unwrap(), [1, 2]);
    assert_eq!(from_value::<Vec<u8>>(value!(b"ab")).unwrap(), b"ab");
    assert_eq!(from_value::<String>(value!(:"symbol")).unwrap(), "symbol");
    assert_eq!(from_value::<u8>(value!(@5 7u32)).unwrap(), 7);
    assert!(from_value::<u8>(value!(256u32)).is_err());
    assert!(from_value::<State>(value!(1)).is_err());
    assert!(from_value::<State>(value!("Gone")).is_err());
    assert!(from_value::<Timestamp>(value!(1i64)).is_err());
}
