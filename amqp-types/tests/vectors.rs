//! The 470 vectors of `tests/vectors/`: octets, and the value they are or the reason
//! why they are refused (part 1 of the standard, and the types of parts 2 to 5).
//!
//! tests: [TYP-01] [TYP-02] [TYP-03] [TYP-04] [TYP-05] [TYP-06] [TYP-07] [TYP-08]
//! [TYP-09] [TYP-10] [TYP-11] [TYP-12] [TYP-13] [TYP-14] [TYP-15] [TYP-16] [TYP-17]
//! [TYP-18] [TYP-19] [TYP-20] [TYP-21] [TYP-22] [TYP-23] [TYP-24] [TYP-25] [TYP-26]
//! [TYP-27] [TYP-28] [TYP-29] [TYP-31] [TYP-32] [TYP-33] [TYP-34] [TYP-35] [TYP-36]
//! [TYP-37] [TYP-38] [TYP-39] [TYP-40] [TYP-41] [TYP-42] [TYP-43] [TYP-44] [TYP-45]
//! [PRF-01] [PRF-02] [PRF-27] [MSG-16] [MSG-17] [MSG-20] [MSG-22] [MSG-23] [OUT-03]
//! [OUT-15] [TXN-06]

#[path = "vectors_support/mod.rs"]
mod support;

use amqp_types::{Decode, Decoder, Encode, Limits, Value};
use support::{Vector, decode_as, stated_value};

#[test]
fn there_are_470_vectors_of_which_282_are_valid() {
    let vectors = Vector::all();
    assert_eq!(vectors.len(), 470);
    assert_eq!(vectors.iter().filter(|v| v.valid).count(), 282);
}

#[test]
fn a_valid_vector_is_the_value_that_it_states() {
    for vector in Vector::all().iter().filter(|v| v.valid) {
        let value = Value::from_bytes(&vector.octets);
        assert_eq!(value, Ok(stated_value(&vector.row)), "{}", vector.id);
    }
}

#[test]
fn a_value_encodes_to_its_smallest_form() {
    for vector in Vector::all().iter().filter(|v| v.valid) {
        let value = Value::from_bytes(&vector.octets).unwrap();
        let encoded = value.to_bytes();
        match vector.compact() {
            Some(compact) => assert_eq!(encoded, compact, "{}", vector.id),
            None => assert!(encoded.len() <= vector.octets.len(), "{}", vector.id),
        }
        assert_eq!(Value::from_bytes(&encoded), Ok(value), "{}", vector.id);
    }
}

#[test]
fn a_valid_vector_of_a_type_decodes_as_that_type() {
    let mut count = 0;
    for vector in Vector::all().iter().filter(|v| v.valid) {
        if let Some(name) = &vector.decode_as {
            let value = stated_value(&vector.row);
            if let Err(complaint) = decode_as(name, &vector.octets, Some(&value), Limits::DEFAULT) {
                panic!("{} as {name}: {complaint}", vector.id);
            }
            count += 1;
        }
    }
    assert_eq!(count, 61);
}

#[test]
fn every_other_vector_is_refused() {
    let mut count = 0;
    for vector in Vector::all().iter().filter(|v| !v.valid) {
        let strict = Limits {
            strict_transaction_ids: vector.lenient,
            ..Limits::DEFAULT
        };
        let refused = match &vector.decode_as {
            None => Value::from_bytes(&vector.octets).is_err(),
            Some(name) => decode_as(name, &vector.octets, None, strict).is_err(),
        };
        assert!(refused, "{} is accepted", vector.id);
        if vector.lenient {
            let name = vector.decode_as.as_deref().unwrap();
            let accepted = decode_as(name, &vector.octets, None, Limits::DEFAULT);
            assert_eq!(accepted, Ok(()), "{}", vector.id);
        }
        count += 1;
    }
    assert_eq!(count, 188);
}

#[test]
fn the_reason_of_a_refusal_is_the_stated_one() {
    use amqp_types::DecodeErrorKind as Kind;
    for vector in Vector::all().iter().filter(|v| !v.valid) {
        if vector.decode_as.is_some() {
            continue;
        }
        let kind = Value::from_bytes(&vector.octets).unwrap_err().kind();
        let fits = match vector.error.as_str() {
            // A size that is wrong may be seen where the octets end.
            "truncated" | "bad-size" => matches!(
                kind,
                Kind::Truncated | Kind::InvalidSize | Kind::OddMap | Kind::InvalidUtf8
            ),
            "unknown-code" => matches!(kind, Kind::UnknownCode(_)),
            "bad-boolean" => kind == Kind::InvalidBoolean,
            "bad-utf8" => kind == Kind::InvalidUtf8,
            "bad-symbol" => kind == Kind::InvalidSymbol,
            "bad-char" => kind == Kind::InvalidChar,
            "odd-map" => kind == Kind::OddMap,
            "duplicate-key" => kind == Kind::DuplicateKey,
            "trailing" => kind == Kind::TrailingBytes,
            "too-deep" => kind == Kind::TooDeep,
            "too-many" => kind == Kind::TooMany,
            other => panic!("{}: {other}", vector.id),
        };
        assert!(fits, "{} is {}, not {kind:?}", vector.id, vector.error);
    }
}

#[test]
fn passing_over_a_valid_vector_ends_where_it_ends() {
    for vector in Vector::all().iter().filter(|v| v.valid) {
        let mut d = Decoder::new(&vector.octets);
        d.skip_value().unwrap();
        assert!(d.is_empty(), "{}", vector.id);
    }
}

#[test]
fn every_strict_prefix_of_a_valid_vector_is_refused() {
    for vector in Vector::all().iter().filter(|v| v.valid) {
        for end in 0..vector.octets.len() {
            let prefix = vector.octets.slice(..end);
            assert!(Value::from_bytes(&prefix).is_err(), "{} {end}", vector.id);
        }
    }
}
