//! The shapes with ntex-amqp-codec 3.2.
//!
//! Encoding goes into pages that are cleared each time. Its messages remember their encoded size; that is forgotten before each
//! encoding, since a message is encoded once. A large body is appended to the pages by reference, not copied.

use std::hint::black_box;

use ntex_amqp_codec::{
    Decode, Encode, Message,
    protocol::{
        Accepted, DeliveryState, Disposition, DispositionInner, Frame, Header, MessageId, Open,
        OpenInner, Properties, Role, Transfer, TransferInner,
    },
    types::{Multiple, Str, Symbol, Variant, VariantMap, VecStringMap},
};
use ntex_bytes::{BytePages, ByteString, Bytes};

use crate::{measure::Run, sample::*};

/// Encodes the shape.
pub(crate) fn encode(shape: Shape) -> Run {
    match shape {
        Shape::Open => encoder(Frame::Open(open()), |_| {}),
        Shape::Transfer => encoder(Frame::Transfer(transfer()), |_| {}),
        Shape::Disposition => encoder(Frame::Disposition(disposition()), |_| {}),
        Shape::Map20 => encoder(map(), |_| {}),
        Shape::Message1K | Shape::Message64 | Shape::Message64K => {
            encoder(message(shape), |message| {
                black_box(message.body_mut());
            })
        }
    }
}

/// Decodes these octets of the shape.
///
/// # Panics
/// When they decode to something else than the shape.
pub(crate) fn decode(shape: Shape, wire: &[u8]) -> Run {
    match shape {
        Shape::Open => decoder(wire, |it: &Frame| *it == Frame::Open(open())),
        Shape::Transfer => decoder(wire, |it: &Frame| *it == Frame::Transfer(transfer())),
        Shape::Disposition => decoder(wire, |it: &Frame| *it == Frame::Disposition(disposition())),
        Shape::Map20 => decoder(wire, |it: &Variant| *it == map()),
        Shape::Message1K | Shape::Message64 | Shape::Message64K => {
            decoder(wire, move |it: &Message| {
                let right = message(shape);
                it.header() == right.header()
                    && it.properties() == right.properties()
                    && it.app_properties() == right.app_properties()
                    && it.body() == right.body()
            })
        }
    }
}

fn encoder<T: Encode + 'static>(mut value: T, prepare: impl Fn(&mut T) + 'static) -> Run {
    let mut pages = BytePages::default();
    Box::new(move |times| {
        for _ in 0..times {
            pages.clear();
            prepare(&mut value);
            black_box(&value).encode(&mut pages);
            black_box(&pages);
        }
    })
}

fn decoder<T: Decode + 'static>(wire: &[u8], is_right: impl Fn(&T) -> bool) -> Run {
    let wire = Bytes::copy_from_slice(wire);
    assert!(
        T::decode(&mut wire.clone()).is_ok_and(|it| is_right(&it)),
        "ntex decodes to another value"
    );
    Box::new(move |times| {
        for _ in 0..times {
            let value = T::decode(&mut black_box(&wire).clone());
            black_box(value.is_ok());
        }
    })
}

fn symbol(text: &'static str) -> Symbol {
    Symbol(Str::from_static(text))
}

fn open() -> Open {
    let capabilities = || Some(Multiple(CAPABILITIES.map(symbol).to_vec()));
    let properties = OPEN_PROPERTIES.map(|(key, value)| (symbol(key), Variant::from(value)));
    Open(Box::new(OpenInner {
        container_id: ByteString::from_static(CONTAINER),
        hostname: Some(ByteString::from_static(HOST)),
        max_frame_size: MAX_FRAME_SIZE,
        channel_max: CHANNEL_MAX,
        idle_time_out: Some(IDLE_TIME_OUT),
        outgoing_locales: None,
        incoming_locales: None,
        offered_capabilities: capabilities(),
        desired_capabilities: capabilities(),
        properties: Some(properties.into_iter().collect()),
    }))
}

fn transfer() -> Transfer {
    Transfer(Box::new(TransferInner {
        handle: HANDLE,
        delivery_id: Some(DELIVERY_ID),
        delivery_tag: Some(Bytes::from_static(&TAG)),
        message_format: Some(0),
        settled: Some(false),
        batchable: true,
        ..TransferInner::default()
    }))
}

fn disposition() -> Disposition {
    Disposition(Box::new(DispositionInner {
        role: Role::Receiver,
        first: FIRST,
        last: Some(LAST),
        settled: true,
        state: Some(DeliveryState::Accepted(Accepted {})),
        batchable: false,
    }))
}

fn message(shape: Shape) -> Message {
    let mut message = Message::with_body(Bytes::from(shape.body()));
    if shape != Shape::Message1K {
        return message;
    }
    message.set_header(Header {
        durable: true,
        priority: 4,
        ttl: Some(TTL),
        first_acquirer: false,
        delivery_count: 0,
    });
    *message.properties_mut() = Properties {
        message_id: Some(MessageId::String(ByteString::from_static(MESSAGE_ID))),
        to: Some(ByteString::from_static(TO)),
        subject: Some(ByteString::from_static(SUBJECT)),
        content_type: Some(symbol(CONTENT_TYPE)),
        ..Properties::default()
    };
    let mut properties = VecStringMap::default();
    for (key, value) in TEXT_PROPERTIES {
        properties.push((Str::from_static(key), Variant::from(value)));
    }
    properties.push((
        Str::from_static(NUMBER_PROPERTY.0),
        Variant::Int(NUMBER_PROPERTY.1),
    ));
    properties.push((
        Str::from_static(FLAG_PROPERTY.0),
        Variant::Boolean(FLAG_PROPERTY.1),
    ));
    *message.app_properties_mut() = Some(properties);
    message
}

fn map() -> Variant {
    let pairs = KEYS.into_iter().enumerate().map(|(at, key)| {
        let value = if at % 2 == 0 {
            Variant::from(MAP_TEXT)
        } else {
            Variant::Long(MAP_NUMBER)
        };
        (Variant::from(key), value)
    });
    Variant::Map(VariantMap::new(pairs.collect()))
}
