//! The generated table of encodings beside what the codec does with each format code.

use amqp_types::codec::{Category, Encoding};
use amqp_types::types::ENCODINGS;
use amqp_types::{Decode, DecodeErrorKind, Value};
use bytes::Bytes;

/// The shortest value that has this encoding.
fn shortest(encoding: &Encoding) -> Vec<u8> {
    let width = usize::from(encoding.width);
    let number = |n: u8| {
        let mut octets = vec![0; width];
        if let Some(last) = octets.last_mut() {
            *last = n;
        }
        octets
    };
    let body = match encoding.category {
        Category::Fixed | Category::Variable => number(0),
        // The size counts the octets of the count.
        Category::Compound => [number(encoding.width), number(0)].concat(),
        // And the constructor of no elements.
        Category::Array => [number(encoding.width + 1), number(0), vec![0x40]].concat(),
    };
    [vec![encoding.code], body].concat()
}

// tests: [TYP-02, TYP-04]
#[test]
fn every_encoding_is_read_as_its_type() {
    for encoding in ENCODINGS {
        let octets = Bytes::from(shortest(encoding));
        let value = Value::from_bytes(&octets);
        let kind = value.map(|value| value.kind().name());
        assert_eq!(kind, Ok(encoding.type_name), "{}", encoding.name);
    }
}

// tests: [TYP-01, TYP-05]
#[test]
fn no_other_code_is_read() {
    for code in 1..=u8::MAX {
        if ENCODINGS.iter().all(|encoding| encoding.code != code) {
            let octets = Bytes::from(vec![code; 32]);
            let error = Value::from_bytes(&octets).map_err(|error| error.kind());
            assert_eq!(error, Err(DecodeErrorKind::UnknownCode(code)));
        }
    }
    assert_eq!(ENCODINGS.len(), 39);
}
