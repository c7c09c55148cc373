//! Any octets are the body of a frame or refused; a body that was read is written and
//! read back, and is a value too.

#![no_main]

use amqp_types::bytes::Bytes;
use amqp_types::security::SaslFrame;
use amqp_types::transport::Performative;
use amqp_types::{Decode, Encode, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let octets = Bytes::copy_from_slice(octets);
    check::<Performative>(&octets);
    check::<SaslFrame>(&octets);
});

fn check<T: Decode + Encode + PartialEq + std::fmt::Debug>(octets: &Bytes) {
    let Ok(body) = T::from_bytes(octets) else {
        return;
    };
    assert!(Value::from_bytes(octets).is_ok());
    assert_eq!(T::from_bytes(&body.to_bytes()), Ok(body));
}
