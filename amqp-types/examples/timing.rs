//! How long the hot paths take, in nanoseconds: `cargo run --release --example timing`.
//!
//! For profiling one path at a time (`… --example timing transfer-decode`); the
//! comparison with other libraries is `cargo xtask bench codec`.

use amqp_types::messaging::{Accepted, DeliveryState, Properties};
use amqp_types::transport::{
    Begin, DeliveryNumber, DeliveryTag, Disposition, Flow, Handle, Open, Performative, Role,
    SequenceNo, Transfer, TransferNumber,
};
use amqp_types::{Decode, Decoder, Encode, EncodedMessage, Map, Message, Symbol, Timestamp, Value};
use bytes::{BufMut, Bytes, BytesMut};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() {
    let transfer = transfer();
    encode("transfer-encode", &transfer);
    decode::<Transfer>("transfer-decode", &shared(&transfer));
    decode::<Performative>("transfer-decode-frame", &shared(&transfer));
    let disposition = disposition();
    encode("disposition-encode", &disposition);
    decode::<Performative>("disposition-decode-frame", &shared(&disposition));
    let flow = flow();
    encode("flow-encode", &flow);
    decode::<Performative>("flow-decode-frame", &shared(&flow));
    let mut begin = Begin::new(TransferNumber(1), 2048, 2048);
    begin.remote_channel = Some(3);
    encode("begin-encode", &begin);
    decode::<Performative>("begin-decode-frame", &shared(&begin));
    let open = open();
    encode("open-encode", &open);
    decode::<Performative>("open-decode-frame", &shared(&open));

    for (name, size) in [("64", 64), ("1k", 1024), ("64k", 65536)] {
        let message = message(size);
        let octets = shared(&message);
        encode(&format!("message-{name}-encode"), &message);
        time(&format!("message-{name}-index"), || {
            black_box(EncodedMessage::new(black_box(&octets).clone())).is_ok()
        });
        decode::<Message>(&format!("message-{name}-decode"), &octets);
    }
    let small = Message::from(vec![7u8; 64]);
    encode("message-bare-64-encode", &small);
    decode::<Message>("message-bare-64-decode", &shared(&small));
    let map: Map = (0..20).map(|n| (format!("key-{n}"), n)).collect();
    encode("map-20-encode", &map);
    decode::<Value>("map-20-decode", &shared(&map));
}

fn transfer() -> Transfer {
    let mut transfer = Transfer::new(Handle(1));
    transfer.delivery_id = Some(DeliveryNumber(1000));
    transfer.delivery_tag = DeliveryTag::try_from(&[0, 0, 3, 232][..]).ok();
    transfer.message_format = Some(0.into());
    transfer.settled = Some(false);
    transfer.batchable = true;
    transfer
}

fn disposition() -> Disposition {
    let mut disposition = Disposition::new(Role::Receiver, DeliveryNumber(1000));
    disposition.last = Some(DeliveryNumber(1009));
    disposition.settled = true;
    disposition.state = Some(DeliveryState::from(Accepted {}));
    disposition
}

fn flow() -> Flow {
    let mut flow = Flow::new(2048, TransferNumber(1000), 2048);
    flow.next_incoming_id = Some(TransferNumber(1000));
    flow.handle = Some(Handle(1));
    flow.delivery_count = Some(SequenceNo(1000));
    flow.link_credit = Some(500);
    flow
}

fn open() -> Open {
    let mut open = Open::new("container-1");
    open.hostname = Some("broker.example.com".into());
    open.max_frame_size = 65536;
    open.channel_max = 2047;
    open.offered_capabilities = vec![
        Symbol::from_static("ANONYMOUS-RELAY"),
        Symbol::from_static("DELAYED_DELIVERY"),
    ];
    open.properties = Some(
        Map::from([
            (Symbol::from_static("product"), Value::from("amqp")),
            (Symbol::from_static("version"), Value::from("0.1.0")),
        ])
        .into(),
    );
    open
}

fn message(size: usize) -> Message {
    let properties = Properties {
        message_id: Some(12345u64.into()),
        to: Some("orders".into()),
        correlation_id: Some("correlation-1".into()),
        creation_time: Some(Timestamp(1_700_000_000_000)),
        ..Properties::default()
    };
    Message::from(vec![7u8; size])
        .with_durable(true)
        .with_properties(properties)
        .with_application_property("colour", "red")
        .with_application_property("count", 42)
        .with_application_property("price", 9.99)
        .with_application_property("urgent", true)
        .with_application_property("region", "eu-central-1")
}

/// A buffer as a connection has it: shared, so that a view of it allocates nothing.
fn shared<T: Encode>(value: &T) -> Bytes {
    let mut out = BytesMut::with_capacity(1 << 17);
    value.encode(&mut out);
    let octets = out.split().freeze();
    out.put_u8(0);
    octets
}

fn encode<T: Encode>(name: &str, value: &T) {
    let mut out = BytesMut::with_capacity(1 << 20);
    time(name, || {
        out.clear();
        black_box(value).encode(&mut out);
        black_box(out.len()) > 0
    });
}

fn decode<T: Decode>(name: &str, octets: &Bytes) {
    time(name, || {
        let mut d = Decoder::new(black_box(octets));
        black_box(T::decode(&mut d)).is_ok()
    });
}

/// Prints the least time of a run among many short batches of it.
fn time(name: &str, mut run: impl FnMut() -> bool) {
    if std::env::args().nth(1).is_some_and(|only| only != name) {
        return;
    }
    const BATCH: u32 = 1000;
    let mut least = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        let batch = Instant::now();
        for _ in 0..BATCH {
            assert!(run());
        }
        least = least.min(batch.elapsed());
    }
    println!(
        "{name:28} {:8.1}",
        least.as_nanos() as f64 / f64::from(BATCH)
    );
}
