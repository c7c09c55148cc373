//! Any octets are a value or refused; a value that was read is written and read back.

#![no_main]

use amqp_types::bytes::Bytes;
use amqp_types::{Decode, Decoder, Encode, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let octets = Bytes::copy_from_slice(octets);
    let skipped = Decoder::new(&octets).skip_value();
    let Ok(value) = Value::from_bytes(&octets) else {
        return;
    };
    assert!(skipped.is_ok());
    let written = value.to_bytes();
    assert!(written.len() <= octets.len());
    assert_eq!(Value::from_bytes(&written), Ok(value));
});
