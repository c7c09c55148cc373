//! The shapes with amqp-types: performatives as the enum that the engine reads, messages wholly and as an index.

use std::{hint::black_box, time::Duration};

use amqp_types::{
    Decode, Decoder, Encode, EncodedMessage, Map, Message, Str, Symbol, Value,
    messaging::{Accepted, DeliveryState},
    transport::{
        DeliveryNumber, DeliveryTag, Disposition, Fields, Handle, MessageFormat, Milliseconds,
        Open, Performative, Role, Transfer,
    },
};
use bytes::{Bytes, BytesMut};

use crate::{measure::Run, sample::*};

/// The octets that all decode.
pub(crate) fn wire(shape: Shape) -> Vec<u8> {
    let mut out = BytesMut::new();
    match shape {
        Shape::Open => open().encode(&mut out),
        Shape::Transfer => transfer().encode(&mut out),
        Shape::Disposition => disposition().encode(&mut out),
        Shape::Map20 => map().encode(&mut out),
        Shape::Message1K | Shape::Message64 | Shape::Message64K => message(shape).encode(&mut out),
    }
    out.to_vec()
}

/// Encodes the shape.
pub(crate) fn encode(shape: Shape) -> Run {
    match shape {
        Shape::Open => encoder(Performative::Open(Box::new(open()))),
        Shape::Transfer => encoder(Performative::Transfer(transfer())),
        Shape::Disposition => encoder(Performative::Disposition(disposition())),
        Shape::Map20 => encoder(map()),
        Shape::Message1K | Shape::Message64 | Shape::Message64K => encoder(message(shape)),
    }
}

/// Decodes these octets of the shape.
///
/// # Panics
/// When they decode to something else than the shape.
pub(crate) fn decode(shape: Shape, wire: &[u8]) -> Run {
    match shape {
        Shape::Open => decoder(wire, Performative::Open(Box::new(open()))),
        Shape::Transfer => decoder(wire, Performative::Transfer(transfer())),
        Shape::Disposition => decoder(wire, Performative::Disposition(disposition())),
        Shape::Map20 => decoder(wire, map()),
        Shape::Message1K | Shape::Message64 | Shape::Message64K => decoder(wire, message(shape)),
    }
}

/// Finds the sections of a message.
pub(crate) fn index(wire: &[u8]) -> Run {
    let wire = Bytes::copy_from_slice(wire);
    Box::new(move |times| {
        for _ in 0..times {
            let message = EncodedMessage::new(black_box(&wire).clone());
            black_box(message.is_ok());
        }
    })
}

fn encoder<T: Encode + 'static>(value: T) -> Run {
    let mut buffer = BytesMut::with_capacity(80_000);
    Box::new(move |times| {
        for _ in 0..times {
            buffer.clear();
            black_box(&value).encode(&mut buffer);
            black_box(&buffer);
        }
    })
}

fn decoder<T: Decode + PartialEq + 'static>(wire: &[u8], right: T) -> Run {
    let wire = Bytes::copy_from_slice(wire);
    assert!(
        T::decode(&mut Decoder::new(&wire)).is_ok_and(|it| it == right),
        "ours decodes to another value"
    );
    Box::new(move |times| {
        for _ in 0..times {
            let mut decoder = Decoder::new(black_box(&wire));
            let value = T::decode(&mut decoder);
            black_box(value.is_ok());
        }
    })
}

fn open() -> Open {
    let mut properties = Fields::default();
    for (key, value) in OPEN_PROPERTIES {
        properties.insert(Symbol::from_static(key), Value::from(value));
    }
    Open {
        hostname: Some(Str::from_static(HOST)),
        max_frame_size: MAX_FRAME_SIZE,
        channel_max: CHANNEL_MAX,
        idle_time_out: Some(Milliseconds(IDLE_TIME_OUT)),
        offered_capabilities: CAPABILITIES.map(Symbol::from_static).to_vec(),
        desired_capabilities: CAPABILITIES.map(Symbol::from_static).to_vec(),
        properties: Some(properties),
        ..Open::new(Str::from_static(CONTAINER))
    }
}

fn transfer() -> Transfer {
    Transfer {
        delivery_id: Some(DeliveryNumber(DELIVERY_ID)),
        // invariant: a tag may have up to 32 octets.
        delivery_tag: Some(DeliveryTag::try_from(TAG.to_vec()).expect("four octets are a tag")),
        message_format: Some(MessageFormat(0)),
        settled: Some(false),
        batchable: true,
        ..Transfer::new(Handle(HANDLE))
    }
}

fn disposition() -> Disposition {
    Disposition {
        last: Some(DeliveryNumber(LAST)),
        settled: true,
        state: Some(DeliveryState::Accepted(Accepted::default())),
        ..Disposition::new(Role::Receiver, DeliveryNumber(FIRST))
    }
}

fn message(shape: Shape) -> Message {
    let message = Message::from(shape.body());
    if shape != Shape::Message1K {
        return message;
    }
    let mut message = message
        .with_durable(true)
        .with_ttl(Duration::from_millis(u64::from(TTL)))
        .with_message_id(Str::from_static(MESSAGE_ID))
        .with_to(TO)
        .with_subject(SUBJECT)
        .with_content_type(Symbol::from_static(CONTENT_TYPE));
    for (key, value) in TEXT_PROPERTIES {
        message = message.with_application_property(key, value);
    }
    message
        .with_application_property(NUMBER_PROPERTY.0, NUMBER_PROPERTY.1)
        .with_application_property(FLAG_PROPERTY.0, FLAG_PROPERTY.1)
}

fn map() -> Value {
    let mut map: Map = Map::default();
    for (at, key) in KEYS.into_iter().enumerate() {
        let value = if at % 2 == 0 {
            Value::from(MAP_TEXT)
        } else {
            Value::Long(MAP_NUMBER)
        };
        map.insert(key, value);
    }
    Value::Map(map)
}
