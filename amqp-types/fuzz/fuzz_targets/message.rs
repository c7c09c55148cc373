//! Any octets are a message or refused, and it does not matter whether they are read at
//! once or section by section.

#![no_main]

use amqp_types::bytes::Bytes;
use amqp_types::{Decode, Encode, EncodedMessage, Message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let octets = Bytes::copy_from_slice(octets);
    let whole = Message::from_bytes(&octets);
    let Ok(encoded) = EncodedMessage::new(octets) else {
        assert!(whole.is_err());
        return;
    };
    let sections = (
        encoded.header(),
        encoded.delivery_annotations(),
        encoded.message_annotations(),
        encoded.properties(),
        encoded.application_properties(),
        encoded.body(),
        encoded.footer(),
    );
    let Ok(whole) = whole else {
        return;
    };
    assert_eq!(sections.0.as_ref(), Ok(&whole.header));
    assert_eq!(sections.1.as_ref(), Ok(&whole.delivery_annotations));
    assert_eq!(sections.2.as_ref(), Ok(&whole.message_annotations));
    assert_eq!(sections.3.as_ref(), Ok(&whole.properties));
    assert_eq!(sections.4.as_ref(), Ok(&whole.application_properties));
    assert_eq!(sections.5.as_ref(), Ok(&whole.body));
    assert_eq!(sections.6.as_ref(), Ok(&whole.footer));
    assert_eq!(Message::from_bytes(&whole.to_bytes()), Ok(whole));
});
