//! A property test of a type of one's own, made of this crate's strategies:
//! `cargo run --example property_test --features proptest`.
//!
//! In a crate of your own the two properties below would be `#[test]` functions, and
//! amqp-types with the feature `proptest` a dev-dependency.

use amqp_types::strategy::{BoxedStrategy, Strategic, Strategy, any};
use amqp_types::{Body, Decode, Encode, List, Message, Str, Timestamp, Value, WrongKind};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// What a thermometer sends.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    sensor: Str,
    taken: Timestamp,
    millikelvin: u32,
}

impl From<Reading> for Value {
    fn from(reading: Reading) -> Self {
        let fields: [Value; 3] = [
            reading.sensor.into(),
            reading.taken.into(),
            reading.millikelvin.into(),
        ];
        List::from(fields).into()
    }
}

impl TryFrom<Value> for Reading {
    type Error = WrongKind;

    fn try_from(value: Value) -> Result<Self, WrongKind> {
        let mut fields = List::try_from(value)?.into_iter();
        let mut next = || fields.next().unwrap_or_default();
        Ok(Self {
            sensor: next().try_into()?,
            taken: next().try_into()?,
            millikelvin: next().try_into()?,
        })
    }
}

/// A strategy of one's own, from strategies of the parts.
impl Strategic for Reading {
    fn strategy() -> BoxedStrategy<Self> {
        (any::<Str>(), any::<Timestamp>(), any::<u32>())
            .prop_map(|(sensor, taken, millikelvin)| Self {
                sensor,
                taken,
                millikelvin,
            })
            .boxed()
    }
}

/// What was sent is what is read, through all layers.
fn a_reading_survives_a_message(reading: Reading) -> Result<(), TestCaseError> {
    let message = Message::from(Value::from(reading.clone()));
    let received = Message::from_bytes(&message.to_bytes());
    let Ok(Body::Value(value)) = received.map(|message| message.body) else {
        return Err(TestCaseError::fail("the body is no value"));
    };
    prop_assert_eq!(Reading::try_from(value), Ok(reading));
    Ok(())
}

/// Whatever a stranger sends is a reading or an error, and never a panic.
fn any_value_is_a_reading_or_an_error(value: Value) -> Result<(), TestCaseError> {
    if let Ok(reading) = Reading::try_from(value.clone()) {
        prop_assert_eq!(value.as_list().map(|fields| fields.len() >= 3), Some(true));
        prop_assert!(Value::from(reading).as_list().is_some());
    }
    Ok(())
}

fn main() -> Result<(), String> {
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&any::<Reading>(), a_reading_survives_a_message)
        .map_err(|error| error.to_string())?;
    println!("holds: a reading survives a message");
    runner
        .run(&any::<Value>(), any_value_is_a_reading_or_an_error)
        .map_err(|error| error.to_string())?;
    println!("holds: any value is a reading or an error");
    Ok(())
}
