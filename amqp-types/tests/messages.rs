//! Whole messages: order of sections, forms of body, what is passed on unchanged
//! (section 3.2).

#![allow(clippy::unwrap_used)]

use amqp_types::transport::MessageFormat;
use amqp_types::{
    AnnotationKey, Body, BodyKind, Decode, DecodeCondition, DecodeErrorKind, Decoder, Encode,
    EncodedMessage, Header, Limits, List, Message, MessageId, OneOrMany, Symbol, Value, value,
};
use bytes::Bytes;

const HEADER: &[u8] = b"\0\x53\x70\x45";
const DELIVERY_ANNOTATIONS: &[u8] = b"\0\x53\x71\xc1\x01\0";
const MESSAGE_ANNOTATIONS: &[u8] = b"\0\x53\x72\xc1\x01\0";
const PROPERTIES: &[u8] = b"\0\x53\x73\x45";
const APPLICATION_PROPERTIES: &[u8] = b"\0\x53\x74\xc1\x01\0";
const DATA: &[u8] = b"\0\x53\x75\xa0\x01d";
const SEQUENCE: &[u8] = b"\0\x53\x76\x45";
const VALUE: &[u8] = b"\0\x53\x77\x40";
const FOOTER: &[u8] = b"\0\x53\x78\xc1\x01\0";

const IN_ORDER: &[&[u8]] = &[
    HEADER,
    DELIVERY_ANNOTATIONS,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    APPLICATION_PROPERTIES,
    DATA,
    FOOTER,
];

/// What both ways to read a message say of these sections.
fn read(sections: &[&[u8]]) -> Result<Message, DecodeErrorKind> {
    let octets = Bytes::from(sections.concat());
    let whole = Message::from_bytes(&octets);
    let lazy = EncodedMessage::new(octets).and_then(|encoded| encoded.decode());
    assert_eq!(whole.is_ok(), lazy.is_ok(), "{whole:?} {lazy:?}");
    whole.map_err(|error| error.kind())
}

// tests: [MSG-01] [MSG-23]
#[test]
fn sections_have_one_order() {
    assert!(read(IN_ORDER).is_ok());
    for (first, one) in IN_ORDER.iter().enumerate() {
        for (second, other) in IN_ORDER.iter().enumerate() {
            let pair = read(&[one, other]);
            let allowed = first < second || (first == second && *one == DATA);
            assert_eq!(pair.is_ok(), allowed, "{first} then {second}");
            if !allowed {
                assert_eq!(pair, Err(DecodeErrorKind::SectionOrder));
            }
        }
    }
}

// tests: [MSG-02]
#[test]
fn a_body_has_one_form() {
    for mixed in [
        [DATA, VALUE],
        [DATA, SEQUENCE],
        [SEQUENCE, DATA],
        [SEQUENCE, VALUE],
        [VALUE, VALUE],
    ] {
        assert_eq!(read(&mixed), Err(DecodeErrorKind::SectionOrder));
    }
    let three = read(&[DATA, DATA, DATA]).unwrap();
    assert!(matches!(three.body, Body::Data(OneOrMany::Many(data)) if data.len() == 3));
    let two = read(&[SEQUENCE, SEQUENCE]).unwrap();
    assert_eq!(two.body, Body::Sequence(vec![List::new(); 2].into()));
}

// tests: [MSG-03] [MSG-22]
#[test]
fn no_body_and_a_null_body_differ() {
    let without = read(&[HEADER]).unwrap();
    assert_eq!(without.body, Body::Empty);
    assert_eq!(without.to_bytes(), HEADER);
    assert_eq!(read(&[]).unwrap(), Message::new());
    assert_eq!(read(&[VALUE]).unwrap().body, Body::Value(Value::Null));
    assert_eq!(read(&[SEQUENCE]).unwrap().body, List::new().into());
}

// tests: [MSG-04] [TYP-03]
#[test]
fn a_section_is_known_by_number_and_by_symbol() {
    let symbolic = b"\0\xa3\x10amqp:header:list\x45";
    let wide = b"\0\x80\0\0\0\0\0\0\0\x70\x45";
    for octets in [&symbolic[..], wide, HEADER] {
        assert_eq!(read(&[octets]).unwrap().header, Some(Header::default()));
    }
    for stranger in [
        &b"\0\x53\x79\x45"[..],
        b"\0\xa3\x10amqp:footer:list\x45",
        b"\0\x52\x70\x45",
    ] {
        assert_eq!(read(&[stranger]), Err(DecodeErrorKind::UnknownDescriptor));
    }
    assert_eq!(read(&[b"\x45"]), Err(DecodeErrorKind::WrongType(0x45)));
}

// tests: [MSG-06] [TYP-38]
#[test]
fn a_header_has_defaults() {
    let header = read(&[HEADER]).unwrap().header.unwrap();
    assert!(!header.durable && !header.first_acquirer);
    assert_eq!((header.priority, header.delivery_count), (4, 0));
    assert_eq!(header.ttl, None);
}

// tests: [MSG-13] [MSG-14]
#[test]
fn annotations_that_are_not_understood_are_refused_on_request() {
    let annotated = |key: &'static str| {
        let message = Message::from("body");
        let message = message.with_message_annotation(AnnotationKey::from_static(key), 1);
        EncodedMessage::from(message).into_bytes()
    };
    let strict = Limits {
        refuse_unknown_annotations: true,
        ..Limits::DEFAULT
    };
    for (key, allowed) in [
        ("x-opt-a", true),
        ("rejected", true),
        ("x-a", false),
        ("foo", false),
    ] {
        let octets = annotated(key);
        assert!(
            EncodedMessage::new(octets.clone())
                .unwrap()
                .decode()
                .is_ok()
        );
        let lazy = EncodedMessage::with_limits(octets.clone(), strict);
        let whole = Message::decode(&mut Decoder::with_limits(&octets, strict));
        assert_eq!((lazy.is_ok(), whole.is_ok()), (allowed, allowed), "{key}");
        if let Err(error) = whole {
            assert_eq!(error.kind(), DecodeErrorKind::UnknownAnnotation);
            assert_eq!(error.condition(), DecodeCondition::NotImplemented);
        }
    }
}

// tests: [MSG-05] [MSG-14] [MSG-15] [MSG-21]
#[test]
fn the_bare_message_goes_on_octet_for_octet() {
    // Nothing here is in its smallest form.
    let annotations = b"\0\x53\x72\xd1\0\0\0\x0d\0\0\0\x02\xa3\x05x-opt\x56\x01";
    let bare = [
        &b"\0\x80\0\0\0\0\0\0\0\x73\xd0\0\0\0\x0d\0\0\0\x01\x80\0\0\0"[..],
        b"\0\0\0\0\x05\0\x53\x75\xb0\0\0\0\x01d",
        DATA,
    ]
    .concat();
    let received =
        Bytes::from([HEADER, DELIVERY_ANNOTATIONS, annotations, &bare[..], FOOTER].concat());
    let message = EncodedMessage::new(received.clone()).unwrap();
    assert_eq!(message.bytes(), &received);
    assert_eq!(message.bare(), bare);
    assert_eq!(message.body_kind(), BodyKind::ManyData);
    let id = message.properties().unwrap().unwrap().message_id;
    assert_eq!(id, Some(MessageId::Ulong(5)));

    let header = Header {
        delivery_count: 1,
        ..Header::default()
    };
    let sent = message.forward(Some(&header), None);
    let expected = [&header.to_bytes()[..], annotations, &bare[..], FOOTER].concat();
    assert_eq!(sent.bytes(), &expected);
    assert_eq!(sent.header(), Ok(Some(header)));
    assert_eq!(sent.delivery_annotations(), Ok(None));
    assert_eq!(sent.body(), message.body());
    let found = EncodedMessage::new(sent.bytes().clone()).unwrap();
    assert_eq!(found.bare(), bare);
}

#[test]
fn other_annotations_change_nothing_else() {
    let mut annotations = amqp_types::messaging::MessageAnnotations::default();
    annotations.insert(AnnotationKey::from_static("x-opt-mine"), Value::from(7u32));
    let written = annotations.to_bytes();
    // With annotations that were there before, and without; with a header in no smallest form.
    let header = b"\0\x80\0\0\0\0\0\0\0\x70\x45";
    for before in [MESSAGE_ANNOTATIONS, b""] {
        let octets = [header, DELIVERY_ANNOTATIONS, before, DATA, DATA, FOOTER].concat();
        let message = EncodedMessage::new(Bytes::from(octets)).unwrap();
        let annotated = message.annotated(&annotations);
        let expected = [
            &header[..],
            DELIVERY_ANNOTATIONS,
            &written,
            DATA,
            DATA,
            FOOTER,
        ]
        .concat();
        assert_eq!(annotated.bytes(), &expected);
        let found = EncodedMessage::new(annotated.bytes().clone()).unwrap();
        for read in [&annotated, &found] {
            assert_eq!(read.message_annotations(), Ok(Some(annotations.clone())));
            assert_eq!(read.bare(), message.bare());
            assert_eq!(read.header(), message.header());
            assert_eq!(read.footer(), message.footer());
        }
    }
    let nothing = EncodedMessage::new(Bytes::new()).unwrap();
    assert_eq!(nothing.annotated(&annotations).bytes(), &written);
}

#[test]
fn one_data_section_is_read_without_a_copy() {
    let message = EncodedMessage::from(Message::from(vec![7u8; 100]));
    let data = message.body_data().unwrap().unwrap();
    assert_eq!(data.len(), 100);
    assert!(message.bytes().as_ptr_range().contains(&data.as_ptr()));
    let text = EncodedMessage::from(Message::from("text"));
    assert_eq!(text.body_data(), Ok(None));
}

#[test]
fn a_section_that_is_wrong_says_so_when_it_is_asked_for() {
    let octets = [HEADER, b"\0\x53\x73\xc0\x02\x01\x43", DATA].concat();
    let message = EncodedMessage::new(octets.into()).unwrap();
    assert_eq!(message.header(), Ok(Some(Header::default())));
    let error = message.properties().unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::WrongType(0x43));
    assert_eq!(error.type_name(), Some("properties"));
    assert_eq!(error.field(), Some("message-id"));
    // The offset counts from the start of the message.
    assert_eq!(error.offset(), HEADER.len() + 7);
    assert!(message.decode().is_err());
    // A section of the right kind whose size is not that of its content.
    let slack = EncodedMessage::new(Bytes::from_static(b"\0\x53\x73\xc0\x02\0\x40")).unwrap();
    assert!(slack.properties().is_err());
}

#[test]
fn setters_reach_every_section() {
    let message = Message::from("hello")
        .with_durable(true)
        .with_priority(9)
        .with_ttl(std::time::Duration::from_secs(2))
        .with_message_id("id")
        .with_to("there")
        .with_reply_to("here")
        .with_correlation_id(7u64)
        .with_content_type(Symbol::from_static("text/plain"))
        .with_application_property("n", 1)
        .with_message_annotation(AnnotationKey::from_static("x-opt-n"), value!([1]));
    let header = message.header.clone().unwrap();
    assert_eq!((header.durable, header.priority), (true, 9));
    assert_eq!(header.ttl, Some(2000.into()));
    let properties = message.properties.clone().unwrap();
    assert_eq!(properties.message_id, Some("id".into()));
    assert_eq!(properties.correlation_id, Some(MessageId::Ulong(7)));
    assert_eq!(properties.to.as_deref().map(|to| &**to), Some("there"));
    assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
}

// tests: [PRF-30]
#[test]
fn a_message_format_has_a_number_and_a_version() {
    assert_eq!(MessageFormat::AMQP, MessageFormat(0));
    let other = MessageFormat::of(0x0001_0203, 4);
    assert_eq!(other, MessageFormat(0x0102_0304));
    assert_eq!((other.format(), other.version()), (0x0001_0203, 4));
}
