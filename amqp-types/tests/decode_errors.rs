//! What a [`DecodeError`] says: what is wrong, where, in which field, and which
//! condition answers it.

#![allow(clippy::unwrap_used)]

use amqp_types::transport::{Open, Performative};
use amqp_types::{Decode, DecodeCondition, DecodeError, DecodeErrorKind, Message, Value};
use bytes::Bytes;

fn error<T: Decode + std::fmt::Debug>(octets: &'static [u8]) -> DecodeError {
    T::from_bytes(&Bytes::from_static(octets)).unwrap_err()
}

// tests: [TYP-34] [TYP-39]
#[test]
fn a_field_is_named_as_the_standard_spells_it() {
    let missing = error::<Open>(b"\0\x53\x10\x45");
    assert_eq!(missing.kind(), DecodeErrorKind::MandatoryField);
    assert_eq!(missing.type_name(), Some("open"));
    assert_eq!(missing.field(), Some("container-id"));
    assert_eq!(missing.condition(), DecodeCondition::InvalidField);
    assert_eq!(
        missing.to_string(),
        "open.container-id: a mandatory value is missing (offset 4)"
    );
    let wrong = error::<Performative>(b"\0\x53\x10\xc0\x08\x03\xa1\x01c\x40\x60\x02\0");
    assert_eq!(wrong.kind(), DecodeErrorKind::WrongType(0x60));
    assert_eq!(wrong.field(), Some("max-frame-size"));
}

#[test]
fn the_innermost_field_is_named() {
    // close(error(condition: a string))
    let octets = b"\0\x53\x18\xc0\x09\x01\0\x53\x1d\xc0\x03\x01\xa1\0";
    let inner = error::<Performative>(octets);
    assert_eq!(inner.type_name(), Some("error"));
    assert_eq!(inner.field(), Some("condition"));
}

#[test]
fn conditions_tell_no_value_from_a_wrong_value() {
    let condition = |octets| error::<Performative>(octets).condition();
    // An unknown code, a size that is wrong, too many fields.
    for octets in [
        &b"\0\x53\x17\xc0\x02\x01\x57"[..],
        b"\0\x53\x17\xc0\x03\x01\x40\x40",
        b"\0\x53\x17\xc0\x03\x02\x40\x40",
        b"\0\x53\x17",
        b"\0\x53\x19\x45",
    ] {
        assert_eq!(condition(octets), DecodeCondition::DecodeError);
    }
    // A null, a wrong type, a wrong choice, a target for a source.
    for octets in [
        &b"\0\x53\x16\xc0\x02\x01\x40"[..],
        b"\0\x53\x16\xc0\x02\x01\x44",
        b"\0\x53\x12\xc0\x08\x04\xa1\x01L\x43\x42\x50\x03",
        b"\0\x53\x12\xc0\x0c\x06\xa1\x01L\x43\x42\x40\x40\0\x53\x29\x45",
    ] {
        assert_eq!(condition(octets), DecodeCondition::InvalidField);
    }
    assert_eq!(DecodeCondition::InvalidField.as_str(), "amqp:invalid-field");
}

#[test]
fn errors_are_small() {
    assert_eq!(size_of::<DecodeError>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), DecodeError>>(), size_of::<usize>());
}

#[test]
fn an_error_is_one_of_the_standard_library() {
    fn is_error<T: std::error::Error + Clone + Send + Sync + 'static>(_: T) {}
    is_error(error::<Value>(b""));
    is_error(error::<Message>(b"\0"));
}

// tests: [TYP-16]
#[test]
fn a_byte_order_mark_is_refused() {
    let mark = error::<Value>(b"\xa1\x04\xef\xbb\xbfa");
    assert_eq!(mark.kind(), DecodeErrorKind::InvalidUtf8);
    // Elsewhere it is a character.
    let inside = Value::from_bytes(&Bytes::from_static(b"\xa1\x04a\xef\xbb\xbf"));
    assert_eq!(inside, Ok(Value::from("a\u{feff}")));
}
