//! The shapes with serde_amqp 0.18 and fe2o3-amqp-types 0.18.
//!
//! Encoding goes into a reused vector; decoding reads a slice, the faster of that library's two readers (its engine uses the
//! slower one for performatives). Message bodies decode as `Data`.

use std::hint::black_box;

use fe2o3_amqp_types::{
    definitions::{Fields, Handle, Role},
    messaging::{
        Accepted, ApplicationProperties, Data, DeliveryState, Header, Message, Priority,
        Properties,
        message::__private::{Deserializable, Serializable},
    },
    performatives::{Disposition, Open, Performative, Transfer},
    primitives::{OrderedMap, SimpleValue, Symbol, Value},
};
use serde::{Deserialize, Serialize};
use serde_amqp::{from_slice, ser::Serializer};
use serde_bytes::ByteBuf;

use crate::{measure::Run, sample::*};

/// Encodes the shape.
pub(crate) fn encode(shape: Shape) -> Run {
    match shape {
        Shape::Open => encoder(open()),
        Shape::Transfer => encoder(transfer()),
        Shape::Disposition => encoder(disposition()),
        Shape::Map20 => encoder(map()),
        Shape::Message1K | Shape::Message64 | Shape::Message64K => {
            encoder(Serializable(message(shape)))
        }
    }
}

/// Decodes these octets of the shape.
///
/// # Panics
/// When they decode to something else than the shape.
pub(crate) fn decode(shape: Shape, wire: &[u8]) -> Run {
    match shape {
        Shape::Open => decoder(
            wire,
            |it: &Performative| matches!(it, Performative::Open(it) if *it == open()),
        ),
        Shape::Transfer => decoder(
            wire,
            |it: &Performative| matches!(it, Performative::Transfer(it) if *it == transfer()),
        ),
        Shape::Disposition => decoder(
            wire,
            |it: &Performative| matches!(it, Performative::Disposition(it) if *it == disposition()),
        ),
        Shape::Map20 => decoder(wire, |it: &Value| *it == map()),
        Shape::Message1K | Shape::Message64 | Shape::Message64K => {
            decoder(wire, move |it: &Deserializable<Message<Data>>| {
                it.0 == message(shape)
            })
        }
    }
}

fn encoder<T: Serialize + 'static>(value: T) -> Run {
    let mut buffer = Vec::with_capacity(80_000);
    Box::new(move |times| {
        for _ in 0..times {
            buffer.clear();
            let done = black_box(&value).serialize(&mut Serializer::new(&mut buffer));
            black_box((&buffer, done.is_ok()));
        }
    })
}

fn decoder<T: for<'a> Deserialize<'a> + 'static>(
    wire: &[u8],
    is_right: impl Fn(&T) -> bool,
) -> Run {
    let wire = wire.to_vec();
    assert!(
        from_slice(&wire).is_ok_and(|it| is_right(&it)),
        "fe2o3 decodes to another value"
    );
    Box::new(move |times| {
        for _ in 0..times {
            let value: Result<T, _> = from_slice(black_box(&wire));
            black_box(value.is_ok());
        }
    })
}

fn open() -> Open {
    let capabilities: Vec<Symbol> = CAPABILITIES.map(Symbol::from).to_vec();
    let mut properties = Fields::new();
    for (key, value) in OPEN_PROPERTIES {
        properties.insert(Symbol::from(key), Value::String(value.to_owned()));
    }
    Open {
        container_id: CONTAINER.to_owned(),
        hostname: Some(HOST.to_owned()),
        max_frame_size: MAX_FRAME_SIZE.into(),
        channel_max: CHANNEL_MAX.into(),
        idle_time_out: Some(IDLE_TIME_OUT),
        outgoing_locales: None,
        incoming_locales: None,
        offered_capabilities: Some(capabilities.clone().into()),
        desired_capabilities: Some(capabilities.into()),
        properties: Some(properties),
    }
}

fn transfer() -> Transfer {
    Transfer {
        handle: Handle(HANDLE),
        delivery_id: Some(DELIVERY_ID),
        delivery_tag: Some(ByteBuf::from(TAG)),
        message_format: Some(0),
        settled: Some(false),
        more: false,
        rcv_settle_mode: None,
        state: None,
        resume: false,
        aborted: false,
        batchable: true,
    }
}

fn disposition() -> Disposition {
    Disposition {
        role: Role::Receiver,
        first: FIRST,
        last: Some(LAST),
        settled: true,
        state: Some(DeliveryState::Accepted(Accepted {})),
        batchable: false,
    }
}

fn message(shape: Shape) -> Message<Data> {
    let mut message = Message::from(Data(shape.body().into()));
    if shape != Shape::Message1K {
        return message;
    }
    message.header = Some(Header {
        durable: true,
        priority: Priority(4),
        ttl: Some(TTL),
        ..Header::default()
    });
    message.properties = Some(
        Properties::builder()
            .message_id(MESSAGE_ID.to_owned())
            .to(TO)
            .subject(SUBJECT)
            .content_type(CONTENT_TYPE)
            .build(),
    );
    let mut properties: OrderedMap<String, SimpleValue> = OrderedMap::new();
    for (key, value) in TEXT_PROPERTIES {
        properties.insert(key.to_owned(), SimpleValue::String(value.to_owned()));
    }
    properties.insert(
        NUMBER_PROPERTY.0.to_owned(),
        SimpleValue::Int(NUMBER_PROPERTY.1),
    );
    properties.insert(
        FLAG_PROPERTY.0.to_owned(),
        SimpleValue::Bool(FLAG_PROPERTY.1),
    );
    message.application_properties = Some(ApplicationProperties(properties));
    message
}

fn map() -> Value {
    let mut map = OrderedMap::new();
    for (at, key) in KEYS.into_iter().enumerate() {
        let value = if at % 2 == 0 {
            Value::String(MAP_TEXT.to_owned())
        } else {
            Value::Long(MAP_NUMBER)
        };
        map.insert(Value::String(key.to_owned()), value);
    }
    Value::Map(map)
}
