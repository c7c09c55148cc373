//! What decoding and encoding allocate: nothing for the frames that carry messages, and
//! never more than a multiple of the input, whatever it says.
//!
//! A binary of its own, since counting replaces the allocator.
//!
//! tests: [TYP-43] [TYP-44]

use allocation_counter::measure;
use amqp_types::messaging::{Accepted, DeliveryState, Modified, Received};
use amqp_types::strategy::{Strategic, any};
use amqp_types::transport::{
    DeliveryNumber, DeliveryTag, Disposition, Flow, Handle, Performative, Role, SequenceNo,
    Transfer, TransferNumber,
};
use amqp_types::{Decode, Encode, EncodedMessage, Message, Value};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::hint::black_box;

/// Memory per octet of input: a value of one octet takes 40 in a vector, a described
/// one of three octets 120; the search for equal keys takes a hash for each.
const MULTIPLE: u64 = 64;
/// What an error, or the first few elements, take whatever the length.
const CONSTANT: u64 = 4096;

/// A buffer as a connection has it, whose views allocate nothing.
fn shared<T: Encode>(value: &T) -> Bytes {
    let octets = value.to_bytes();
    drop(octets.clone());
    octets
}

fn allocates_nothing<T: Encode + Decode>(value: T) {
    let mut out = BytesMut::with_capacity(1024);
    let encoding = measure(|| value.encode(&mut out));
    assert_eq!(encoding.count_total, 0, "to encode");
    let octets = shared(&value);
    let decoding = measure(|| drop(black_box(T::from_bytes(&octets))));
    assert_eq!(decoding.count_total, 0, "to decode");
    assert!(T::from_bytes(&octets).is_ok());
}

fn transfer() -> Transfer {
    let mut transfer = Transfer::new(Handle(7));
    transfer.delivery_id = Some(DeliveryNumber(1 << 20));
    transfer.delivery_tag = DeliveryTag::try_from(&[9; 32][..]).ok();
    transfer.message_format = Some(0.into());
    transfer.more = true;
    transfer.state = Some(DeliveryState::from(Received::new(1, 2)));
    transfer
}

#[test]
fn transfers_allocate_nothing() {
    allocates_nothing(transfer());
    allocates_nothing(Performative::from(transfer()));
}

#[test]
fn flows_allocate_nothing() {
    let mut flow = Flow::new(2048, TransferNumber(1000), 2048);
    flow.next_incoming_id = Some(TransferNumber(1000));
    flow.handle = Some(Handle(1));
    flow.delivery_count = Some(SequenceNo(1000));
    flow.link_credit = Some(500);
    flow.drain = true;
    allocates_nothing(Performative::from(flow));
}

#[test]
fn dispositions_allocate_nothing() {
    let mut disposition = Disposition::new(Role::Receiver, DeliveryNumber(1000));
    disposition.last = Some(DeliveryNumber(1009));
    disposition.settled = true;
    for state in [
        DeliveryState::from(Accepted {}),
        DeliveryState::from(Received::new(3, 4)),
        DeliveryState::from(Modified::default()),
    ] {
        disposition.state = Some(state);
        allocates_nothing(Performative::from(disposition.clone()));
    }
}

#[test]
fn finding_the_sections_of_a_message_allocates_nothing() {
    let message = Message::from(vec![0; 1024])
        .with_subject("s")
        .with_application_property("a", 1);
    let octets = shared(&message);
    let info = measure(|| drop(black_box(EncodedMessage::new(octets.clone()))));
    assert_eq!(info.count_total, 0);
    let encoded = EncodedMessage::new(octets).unwrap();
    let info = measure(|| drop(black_box((encoded.body_data(), encoded.properties()))));
    assert_eq!(info.count_total, 0);
}

/// Checks what decoding these octets takes at most, at one time.
fn is_bounded<T: Decode>(octets: &Bytes) {
    let info = measure(|| drop(black_box(T::from_bytes(octets))));
    let bound = MULTIPLE * octets.len() as u64 + CONSTANT;
    assert!(
        info.bytes_max <= bound,
        "{} octets take {} of memory as {}: {octets:02x?}",
        octets.len(),
        info.bytes_max,
        std::any::type_name::<T>()
    );
}

#[test]
fn claims_of_size_and_count_take_no_memory() {
    for octets in [
        &b"\xf0\0\0\0\x05\xff\xff\xff\xff\x40"[..],
        b"\xf0\0\0\0\x08\xff\xff\xff\xff\x00\x53\x24\x45",
        b"\xd0\0\0\0\x05\xff\xff\xff\xff\x41",
        b"\xd1\0\0\0\x05\xff\xff\xff\xfe\x41",
        b"\xb0\xff\xff\xff\xff\x00",
        b"\xf0\0\0\0\x06\xff\xff\xff\xff\x50\0",
        b"\0\x53\x10\xd0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\x53\x40\xc0\x0b\x01\xf0\0\0\0\x05\xff\xff\xff\xff\x40",
    ] {
        let octets = Bytes::copy_from_slice(octets);
        is_bounded::<Value>(&octets);
        is_bounded::<Performative>(&octets);
        is_bounded::<amqp_types::security::SaslMechanisms>(&octets);
    }
}

/// The values that take most memory for their octets.
#[test]
fn the_worst_values_stay_within_the_multiple() {
    let list = |item: &[u8], count: usize| {
        let size = u32::try_from(item.len() * count + 4).unwrap();
        let mut octets = vec![0xd0];
        octets.extend(size.to_be_bytes());
        octets.extend(u32::try_from(count).unwrap().to_be_bytes());
        octets.extend(item.repeat(count));
        Bytes::from(octets)
    };
    is_bounded::<Value>(&list(b"\x40", 50_000));
    is_bounded::<Value>(&list(b"\0\x44\x40", 50_000));
    is_bounded::<Value>(&list(b"\0\x44\0\x44\x40", 50_000));
    is_bounded::<Value>(&list(b"\xe0\x02\0\x40", 50_000));
    is_bounded::<Value>(&list(b"\xe0\x03\x01\x50\x01", 50_000));
    is_bounded::<Value>(&list(b"\xc1\x03\x02\x40\x40", 50_000));
    is_bounded::<Value>(&list(b"\xa0\x01a", 50_000));
    // A map whose keys are as short as keys that differ can be.
    let mut map = vec![0xd1, 0, 0, 0, 0, 0, 0, 0, 0];
    for key in 0..60_000u16 {
        map.push(0x60);
        map.extend(key.to_be_bytes());
        map.push(0x40);
    }
    let size = u32::try_from(map.len() - 5).unwrap();
    map[1..5].copy_from_slice(&size.to_be_bytes());
    map[5..9].copy_from_slice(&120_000u32.to_be_bytes());
    is_bounded::<Value>(&Bytes::from(map));
}

/// The octets of some values of a type, whole and spoilt, take bounded memory.
fn of_the_type_is_bounded<T: Strategic + Encode + Decode>() {
    let config = Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let strategy = (any::<T>(), any::<u32>(), any::<u8>());
    let outcome = TestRunner::new_with_rng(config, seed).run(&strategy, |(value, at, with)| {
        let octets = value.to_bytes();
        is_bounded::<T>(&octets);
        let mut spoilt = octets.to_vec();
        if !spoilt.is_empty() {
            let at = at as usize % spoilt.len();
            spoilt[at] = with;
        }
        is_bounded::<T>(&Bytes::from(spoilt));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{}: {error}", std::any::type_name::<T>());
    }
}

macro_rules! each {
    ($($path:ty),*) => { $( of_the_type_is_bounded::<$path>(); )* };
}

#[test]
fn every_type_is_bounded() {
    amqp_types::for_each_generated_type!(each);
    of_the_type_is_bounded::<Value>();
    of_the_type_is_bounded::<Message>();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_are_bounded(octets in proptest::collection::vec(any::<u8>(), 0..512)) {
        let octets = Bytes::from(octets);
        is_bounded::<Value>(&octets);
        is_bounded::<Performative>(&octets);
        is_bounded::<Message>(&octets);
        let info = measure(|| drop(black_box(EncodedMessage::new(octets.clone()))));
        prop_assert!(info.bytes_max <= CONSTANT);
    }
}
