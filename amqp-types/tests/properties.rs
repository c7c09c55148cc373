//! Property tests of values and messages; those of the generated types are beside this.

use amqp_types::strategy::{Strategic, any};
use amqp_types::{
    Array, Body, Decode, Decoder, Described, Encode, EncodedMessage, Limits, List, Map, Message,
    Simple, Str, Symbol, Value,
};
use bytes::Bytes;
use proptest::prelude::*;

fn comes_back<T: Strategic + Encode + Decode + PartialEq>(value: &T) -> Result<(), TestCaseError> {
    let octets = value.to_bytes();
    let read = T::from_bytes(&octets);
    prop_assert_eq!(read.as_ref(), Ok(value));
    Ok(())
}

fn no_prefix_is_a_value<T: Decode>(octets: &Bytes) -> Result<(), TestCaseError> {
    for length in 0..octets.len() {
        let prefix = octets.slice(..length);
        prop_assert!(T::from_bytes(&prefix).is_err(), "prefix of {}", length);
    }
    Ok(())
}

/// Octets that look like values more often than chance would have it.
fn nearly_octets() -> impl Strategy<Value = Bytes> {
    let codes = prop_oneof![
        Just(0x00u8),
        0x40u8..0x46,
        0x50u8..0x57,
        Just(0xa1u8),
        Just(0xa3u8),
        Just(0xc0u8),
        Just(0xc1u8),
        Just(0xd0u8),
        Just(0xe0u8),
        Just(0xf0u8),
        0x70u8..0x79,
        0u8..6,
        any::<u8>(),
    ];
    proptest::collection::vec(codes, 0..64).prop_map(Bytes::from)
}

/// Octets of which one was replaced, one dropped or one doubled.
fn mutated(octets: &[u8], at: usize, with: u8) -> [Bytes; 3] {
    let at = at % octets.len().max(1);
    let mut replaced = octets.to_vec();
    let mut dropped = octets.to_vec();
    let mut doubled = octets.to_vec();
    if !octets.is_empty() {
        replaced[at] = with;
        dropped.remove(at);
        doubled.insert(at, octets[at]);
    }
    [replaced.into(), dropped.into(), doubled.into()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // tests: [TYP-02] [TYP-04] [TYP-10] [TYP-11] [TYP-19] [TYP-24] [TYP-25] [TYP-31]
    #[test]
    fn a_value_comes_back(value in any::<Value>()) {
        comes_back(&value)?;
        no_prefix_is_a_value::<Value>(&value.to_bytes())?;
    }

    #[test]
    fn an_array_comes_back(array in any::<Array>()) {
        comes_back(&array)?;
        prop_assert_eq!(Array::try_from(Value::from(array.clone())), Ok(array));
    }

    #[test]
    fn what_holds_values_comes_back(
        list in any::<List>(),
        map in any::<Map>(),
        described in any::<Described>(),
        simple in any::<Simple>(),
    ) {
        comes_back(&list)?;
        comes_back(&map)?;
        comes_back(&described)?;
        comes_back(&simple)?;
    }

    #[test]
    fn text_comes_back(text in any::<Str>(), symbol in any::<Symbol>()) {
        comes_back(&text)?;
        comes_back(&symbol)?;
    }

    #[test]
    fn a_value_is_passed_over_to_its_end(value in any::<Value>()) {
        let octets = value.to_bytes();
        let mut d = Decoder::new(&octets);
        prop_assert!(d.skip_value().is_ok());
        prop_assert!(d.is_empty());
    }

    #[test]
    fn a_compact_copy_is_equal(value in any::<Value>()) {
        prop_assert_eq!(value.to_compact(), value);
    }

    // tests: [MSG-01] [MSG-02] [MSG-21] [MSG-22]
    #[test]
    fn a_message_comes_back(message in any::<Message>()) {
        comes_back(&message)?;
        prop_assert_eq!(message.to_compact(), message);
    }

    /// A message may end where a section does, and nowhere else.
    #[test]
    fn a_prefix_of_a_message_ends_with_a_section(message in any::<Message>()) {
        let octets = message.to_bytes();
        for length in 0..octets.len() {
            let prefix = octets.slice(..length);
            if let Ok(shorter) = Message::from_bytes(&prefix) {
                prop_assert_eq!(shorter.to_bytes(), prefix);
            }
        }
    }

    // tests: [MSG-05]
    #[test]
    fn an_encoded_message_says_what_the_message_says(message in any::<Message>()) {
        let made = EncodedMessage::from(&message);
        let found = EncodedMessage::new(made.bytes().clone()).unwrap();
        for encoded in [&made, &found] {
            prop_assert_eq!(encoded.header(), Ok(message.header.clone()));
            let annotations = message.delivery_annotations.clone();
            prop_assert_eq!(encoded.delivery_annotations(), Ok(annotations));
            let annotations = message.message_annotations.clone();
            prop_assert_eq!(encoded.message_annotations(), Ok(annotations));
            prop_assert_eq!(encoded.properties(), Ok(message.properties.clone()));
            let properties = message.application_properties.clone();
            prop_assert_eq!(encoded.application_properties(), Ok(properties));
            prop_assert_eq!(encoded.body(), Ok(message.body.clone()));
            prop_assert_eq!(encoded.body_data(), Ok(message.body.as_data().cloned()));
            prop_assert_eq!(encoded.footer(), Ok(message.footer.clone()));
            prop_assert_eq!(encoded.decode(), Ok(message.clone()));
        }
        prop_assert_eq!(made.body_kind(), found.body_kind());
        let bare = Message {
            header: None,
            delivery_annotations: None,
            message_annotations: None,
            footer: None,
            ..message.clone()
        };
        prop_assert_eq!(found.bare(), bare.to_bytes());
        // What is sent on has the same bare message, whatever comes before it.
        let forwarded = found.forward(bare.header.as_ref(), None);
        prop_assert_eq!(forwarded.bare(), found.bare());
        prop_assert_eq!(forwarded.delivery_annotations(), Ok(None));
        prop_assert_eq!(forwarded.decode().map(|m| m.footer), Ok(message.footer));
        prop_assert_eq!(found.compact(), found);
    }

    // tests: [TYP-43] [TYP-44]
    #[test]
    fn any_octets_are_read_or_refused(octets in nearly_octets()) {
        if let Ok(value) = Value::from_bytes(&octets) {
            comes_back(&value)?;
        }
        if let Ok(message) = Message::from_bytes(&octets) {
            comes_back(&message)?;
        }
        if let Ok(encoded) = EncodedMessage::new(octets.clone()) {
            let _ = (encoded.decode(), encoded.body(), encoded.properties());
        }
        let _ = Decoder::new(&octets).skip_value();
    }

    #[test]
    fn spoilt_values_and_messages_are_read_or_refused(
        value in any::<Value>(),
        message in any::<Message>(),
        at in any::<u32>(),
        with in any::<u8>(),
    ) {
        for octets in mutated(&value.to_bytes(), at as usize, with) {
            if let Ok(value) = Value::from_bytes(&octets) {
                comes_back(&value)?;
            }
        }
        for octets in mutated(&message.to_bytes(), at as usize, with) {
            let whole = Message::from_bytes(&octets);
            let lazy = EncodedMessage::new(octets).and_then(|encoded| encoded.decode());
            prop_assert_eq!(whole.is_ok(), lazy.is_ok());
        }
    }

    #[test]
    fn what_is_within_narrow_limits_is_within_wide_ones(octets in nearly_octets()) {
        let narrow = Limits { max_depth: 3, max_zero_width_items: 2, ..Limits::DEFAULT };
        if let Ok(value) = Value::decode(&mut Decoder::with_limits(&octets, narrow)) {
            prop_assert_eq!(Value::decode(&mut Decoder::new(&octets)), Ok(value));
        }
    }

    #[test]
    fn a_body_of_one_section_is_no_list_of_sections(data in any::<amqp_types::Binary>()) {
        let body = Body::Data(vec![data.clone()].into());
        prop_assert_eq!(body, Body::from(data));
    }
}
