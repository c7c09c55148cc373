//! What the generated types decide, one behaviour a test: defaults, nulls, archetypes, choices, limits, secrets.
//!
//! The vectors show octets; round trips are in `generated_properties.rs`; a user's own types in `inventory.rs`.

use amqp_types::filters::{
    AzureSessionFilter, Filter, LegacyAmqpHeadersBinding, NoLocalFilter, SelectorFilter,
    StreamFilter, StreamOffsetSpec,
};
use amqp_types::messaging::{
    AddressString, DeliveryState, DistributionMode, FilterSet, Header, LifetimePolicy, MessageId,
    Outcome, Properties, Received, Rejected, Released, Source, SourceArchetype, Target,
    TargetArchetype, TerminusDurability, TerminusExpiryPolicy,
};
use amqp_types::security::{SaslCode, SaslInit, SaslMechanisms, SaslOutcome};
use amqp_types::transactions::{
    Coordinator, Declare, TransactionId, TransactionalState, TxnCapability,
};
use amqp_types::transport::{
    Attach, Begin, Close, DeliveryNumber, DeliveryTag, Detach, Disposition, Error, ErrorCondition,
    Fields, Flow, Handle, Open, Performative, ReceiverSettleMode, Role, SenderSettleMode,
    SequenceNo, Transfer, TransferNumber,
};
use amqp_types::{
    Binary, Decode, DecodeErrorKind, Decoder, Described, DescribedType, Encode, Limits, List, Map,
    SerialNumber, Str, Symbol, Value,
};
use bytes::Bytes;

fn read<T: Decode>(octets: &'static [u8]) -> Result<T, DecodeErrorKind> {
    T::from_bytes(&Bytes::from_static(octets)).map_err(|error| error.kind())
}

// tests: [TYP-38, MSG-06]
#[test]
fn a_missing_field_takes_its_default() {
    let open: Open = read(b"\0\x53\x10\xc0\x04\x01\xa1\x01c").unwrap();
    assert_eq!(
        (open.max_frame_size, open.channel_max),
        (4_294_967_295, 65_535)
    );
    let attach: Attach = read(b"\0\x53\x12\xc0\x06\x03\xa1\x01l\x43\x42").unwrap();
    assert_eq!(attach.snd_settle_mode, SenderSettleMode::Mixed);
    assert_eq!(attach.rcv_settle_mode, ReceiverSettleMode::First);
    let header: Header = read(b"\0\x53\x70\x45").unwrap();
    assert_eq!(header, Header::default());
    assert_eq!(
        (header.durable, header.priority, header.ttl),
        (false, 4, None)
    );
    assert_eq!((header.first_acquirer, header.delivery_count), (false, 0));
    let source: Source = read(b"\0\x53\x28\x45").unwrap();
    assert_eq!(source.durable, TerminusDurability::None);
    assert_eq!(source.expiry_policy, TerminusExpiryPolicy::SessionEnd);
}

// tests: [TYP-33, TYP-38]
#[test]
fn a_field_that_holds_its_default_is_sent_as_null() {
    assert_eq!(&Header::default().to_bytes()[..], b"\0\x53\x70\x45");
    let header = Header {
        delivery_count: 1,
        ..Header::default()
    };
    assert_eq!(
        &header.to_bytes()[..],
        b"\0\x53\x70\xc0\x07\x05\x40\x40\x40\x40\x52\x01"
    );
    // Sent in full, it reads the same.
    assert_eq!(
        read(b"\0\x53\x70\xc0\x07\x05\x42\x50\x04\x40\x42\x43"),
        Ok(Header::default())
    );
}

// tests: [TYP-34, TYP-37]
#[test]
fn a_mandatory_field_has_to_be_there() {
    assert_eq!(
        read::<Open>(b"\0\x53\x10\xc0\x02\x01\x40"),
        Err(DecodeErrorKind::MandatoryField)
    );
    assert_eq!(
        read::<Begin>(b"\0\x53\x11\x45"),
        Err(DecodeErrorKind::MandatoryField)
    );
    let none = b"\0\x53\x40\xc0\x05\x01\xe0\x02\x00\xa3";
    assert_eq!(
        read::<SaslMechanisms>(none),
        Err(DecodeErrorKind::MandatoryField)
    );
}

// tests: [TYP-40]
#[test]
fn a_list_longer_than_its_type_is_refused() {
    let two = b"\0\x53\x18\xc0\x03\x02\x40\x40";
    assert_eq!(read::<Close>(two), Err(DecodeErrorKind::TooManyFields));
}

// tests: [TYP-35, TYP-36]
#[test]
fn a_multiple_field_is_null_or_one_or_an_array() {
    let mut source = Source::default();
    let sent = |source: &Source| source.to_bytes().to_vec();
    assert_eq!(sent(&source), b"\0\x53\x28\x45");
    source.capabilities = vec![Symbol::from_static("a")];
    assert!(sent(&source).ends_with(b"\x40\xa3\x01a"));
    source.capabilities.push(Symbol::from_static("b"));
    assert!(sent(&source).ends_with(b"\xe0\x06\x02\xa3\x01a\x01b"));
    assert_eq!(Source::from_bytes(&source.to_bytes()), Ok(source));
}

// tests: [TYP-41, SRC-11]
#[test]
fn a_choice_outside_of_a_closed_type_is_refused() {
    assert_eq!(
        read::<SenderSettleMode>(b"\x50\x03"),
        Err(DecodeErrorKind::InvalidChoice)
    );
    assert_eq!(
        read::<TerminusDurability>(b"\x52\x03"),
        Err(DecodeErrorKind::InvalidChoice)
    );
    assert_eq!(
        read::<SaslCode>(b"\x50\x05"),
        Err(DecodeErrorKind::InvalidChoice)
    );
    assert_eq!(
        read::<TerminusExpiryPolicy>(b"\xa3\x02no"),
        Err(DecodeErrorKind::InvalidChoice)
    );
    assert_eq!(read(b"\x41"), Ok(Role::Receiver));
    assert_eq!(read(b"\x56\x00"), Ok(Role::Sender));
}

// tests: [TYP-41, PRF-28, PRF-29]
#[test]
fn an_open_choice_keeps_what_it_does_not_know() {
    assert_eq!(ErrorCondition::NotFound.as_str(), "amqp:not-found");
    assert_eq!(
        ErrorCondition::ConnectionForced.as_str(),
        "amqp:connection:forced"
    );
    assert_eq!(
        ErrorCondition::ConnectionRedirect.as_str(),
        "amqp:connection:redirect"
    );
    assert_eq!(ErrorCondition::LinkRedirect.as_str(), "amqp:link:redirect");
    assert_eq!(
        ErrorCondition::TransactionRollback.as_str(),
        "amqp:transaction:rollback"
    );
    let other = ErrorCondition::try_from("com.example:odd").unwrap();
    assert_eq!(
        other,
        ErrorCondition::Other(Symbol::from_static("com.example:odd"))
    );
    assert_eq!(ErrorCondition::from_bytes(&other.to_bytes()), Ok(other));
    assert!(ErrorCondition::try_from("h\u{e9}").is_err());
    // What has a name here is never `Other`.
    let stolen = Symbol::from_static("amqp:link:stolen");
    assert_eq!(ErrorCondition::from(stolen.clone()), ErrorCondition::Stolen);
    assert_eq!(Symbol::from(ErrorCondition::Stolen), stolen);
    assert_eq!(
        DistributionMode::try_from("move"),
        Ok(DistributionMode::Move)
    );
    assert_eq!(
        TxnCapability::MultiTxnsPerSsn.to_string(),
        "amqp:multi-txns-per-ssn"
    );
}

// tests: [TYP-42, PRF-25, SRC-24, SRC-25]
#[test]
fn an_archetype_takes_what_provides_it_and_what_is_unknown() {
    let accepted_as_source = b"\0\x53\x24\x45";
    assert_eq!(
        read::<SourceArchetype>(accepted_as_source),
        Err(DecodeErrorKind::WrongArchetype)
    );
    assert!(matches!(
        read(b"\0\x53\x28\x45"),
        Ok(SourceArchetype::Source(_))
    ));
    assert!(matches!(
        read(b"\0\x53\x30\x45"),
        Ok(TargetArchetype::Coordinator(_))
    ));
    assert!(matches!(
        read(b"\0\xa3\x03foo\x45"),
        Ok(TargetArchetype::Other(_))
    ));
    // A bare value provides nothing.
    assert_eq!(
        read::<SourceArchetype>(b"\xa1\x01q"),
        Err(DecodeErrorKind::WrongType(0xa1))
    );
    assert_eq!(
        read::<Outcome>(b"\0\x53\x23\xc0\x03\x02\x43\x44"),
        Err(DecodeErrorKind::WrongArchetype)
    );
    assert!(matches!(
        read(b"\0\xa3\x03foo\x45"),
        Ok(DeliveryState::Other(_))
    ));
}

// tests: [TYP-42]
#[test]
fn a_frame_body_is_a_performative_and_nothing_else() {
    assert!(matches!(
        read(b"\0\x53\x18\x45"),
        Ok(Performative::Close(_))
    ));
    assert_eq!(
        read::<Performative>(b"\0\x53\x24\x45"),
        Err(DecodeErrorKind::WrongArchetype)
    );
    assert_eq!(
        read::<Performative>(b"\0\x53\x19\x45"),
        Err(DecodeErrorKind::UnknownDescriptor)
    );
    let open = Performative::from(Open::new("c"));
    assert_eq!(Performative::from_bytes(&open.to_bytes()), Ok(open));
}

#[test]
fn an_outcome_is_a_delivery_state_but_not_the_other_way_round() {
    let outcome = Outcome::from(Released {});
    assert_eq!(
        DeliveryState::from(outcome.clone()),
        DeliveryState::Released(Released {})
    );
    assert_eq!(
        Outcome::try_from(DeliveryState::from(Released {})),
        Ok(outcome)
    );
    let received = DeliveryState::from(Received::new(1, 2));
    assert_eq!(Outcome::try_from(received.clone()), Err(received));
}

// tests: [MSG-16, MSG-17]
#[test]
fn a_message_id_keeps_its_type() {
    let mut properties = Properties::default();
    for id in [
        MessageId::from(1),
        MessageId::from(Str::from("1")),
        Binary::from_static(b"1").into(),
    ] {
        properties.message_id = Some(id.clone());
        properties.to = Some("queue".into());
        let read = Properties::from_bytes(&properties.to_bytes()).unwrap();
        assert_eq!(read.message_id, Some(id));
        assert_eq!(read.to, Some(AddressString::from("queue")));
    }
    assert_eq!(
        read::<MessageId>(b"\x52\x01"),
        Err(DecodeErrorKind::WrongType(0x52))
    );
}

#[test]
fn a_delivery_tag_has_at_most_32_octets() {
    let octets = [7; DeliveryTag::MAX_LENGTH + 1];
    let error = DeliveryTag::try_from(&octets[..]).unwrap_err();
    assert_eq!((error.found, error.max), (33, 32));
    let tag = DeliveryTag::try_from(&octets[..32]).unwrap();
    assert_eq!(DeliveryTag::from_bytes(&tag.to_bytes()), Ok(tag));
    let too_long = Binary::from(octets).to_bytes();
    let error = DeliveryTag::from_bytes(&too_long).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::TooLong);
}

// tests: [TXN-06]
#[test]
fn a_long_transaction_id_is_refused_by_a_strict_decoder_alone() {
    let long = TransactionId::from(vec![1; 36]).to_bytes();
    assert!(TransactionId::from_bytes(&long).is_ok());
    let strict = Limits {
        strict_transaction_ids: true,
        ..Limits::default()
    };
    let error = TransactionId::decode(&mut Decoder::with_limits(&long, strict)).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::TooLong);
}

// tests: [PRF-20]
#[test]
fn serial_numbers_count_on_past_their_end() {
    let last = DeliveryNumber(u32::MAX);
    assert_eq!(last.next(), DeliveryNumber(0));
    assert!(TransferNumber(u32::MAX).precedes(TransferNumber(1)));
    assert_eq!(SequenceNo(5).distance_to(SequenceNo(4)), u32::MAX);
}

// tests: [PRF-04]
#[test]
fn the_keys_of_fields_are_symbols() {
    let text_key = b"\xc1\x04\x02\xa1\x01k\x40";
    assert!(read::<Fields>(b"\xc1\x05\x02\xa3\x01k\x40").is_ok());
    assert!(read::<Fields>(b"\xc1\x05\x02\xa1\x01k\x40").is_err());
    assert!(read::<Fields>(text_key).is_err());
}

// tests: [SRC-18]
#[test]
fn a_filter_is_described_or_null() {
    let set = |value: Value| {
        let map: Map = [(Symbol::from_static("f"), value)].into();
        map.to_bytes()
    };
    assert!(FilterSet::from_bytes(&set(Value::Null)).is_ok());
    assert!(FilterSet::from_bytes(&set(Described::new(1, "x").into())).is_ok());
    assert!(FilterSet::from_bytes(&set(Value::from("x"))).is_err());
}

// tests: [FLT-08, FLT-09]
#[test]
fn a_filter_is_found_by_either_descriptor() {
    let selector = SelectorFilter::from("colour = 'red'");
    let code = Described::new(0x0000_468c_0000_0004, "colour = 'red'");
    let symbol = Symbol::from_static("apache.org:selector-filter:string");
    let symbolic = Described::new(symbol, "colour = 'red'");
    assert_eq!(Described::from(selector.clone()), code);
    assert_eq!(SelectorFilter::try_from(&symbolic), Ok(selector.clone()));
    assert_eq!(Filter::try_from(&symbolic), Ok(Filter::from(selector)));
    assert!(NoLocalFilter::try_from(&symbolic).is_err());
    assert!(matches!(
        Filter::try_from(&Described::new(77, 1u32)),
        Ok(Filter::Other(_))
    ));
}

#[test]
fn a_filter_without_a_code_is_sent_by_its_symbol() {
    assert_eq!(StreamOffsetSpec::DESCRIPTOR.code, None);
    let offset = StreamOffsetSpec(Value::from("first"));
    let sent = b"\0\xa3\x1brabbitmq:stream-offset-spec\xa1\x05first";
    assert_eq!(&offset.to_bytes()[..], sent);
    assert_eq!(StreamOffsetSpec::from_bytes(&offset.to_bytes()), Ok(offset));
    let values = StreamFilter(vec![Str::from("a"), Str::from("b")].into());
    let described = Described::from(values.clone());
    assert_eq!(described.value, Value::from(List::from(["a", "b"])));
    assert_eq!(StreamFilter::try_from(&described), Ok(values));
}

#[test]
fn filters_keep_to_the_kinds_of_their_values() {
    let next = AzureSessionFilter(None);
    assert_eq!(Described::from(next.clone()).value, Value::Null);
    assert_eq!(AzureSessionFilter::from_bytes(&next.to_bytes()), Ok(next));
    let headers = LegacyAmqpHeadersBinding(Map::from([(Str::from("x-match"), "any")]));
    assert_eq!(
        LegacyAmqpHeadersBinding::from_bytes(&headers.to_bytes()),
        Ok(headers)
    );
}

#[test]
fn secrets_are_not_shown() {
    let mut init = SaslInit::new(Symbol::from_static("PLAIN"));
    init.initial_response = Some(Binary::from_static(b"\0user\0secret"));
    let shown = format!("{init:?}");
    assert!(
        shown.contains("PLAIN") && shown.contains("initial_response: [redacted]"),
        "{shown}"
    );
    assert!(!shown.contains("secret"), "{shown}");
    let mut outcome = SaslOutcome::new(SaslCode::Ok);
    outcome.additional_data = Some(Binary::from_static(b"v=proof"));
    assert!(!format!("{outcome:?}").contains("proof"));
}

#[test]
fn a_global_transaction_id_is_any_value() {
    let declare = Declare {
        global_id: Some(Value::from("xid")),
    };
    assert_eq!(Declare::from_bytes(&declare.to_bytes()), Ok(declare));
    // A field cannot tell null from no value.
    let null = Declare {
        global_id: Some(Value::Null),
    };
    assert_eq!(&null.to_bytes()[..], b"\0\x53\x31\x45");
}

// tests: [SRC-06]
#[test]
fn a_lifetime_policy_is_one_of_four_types() {
    let close = Described::new(0x2b, List::new());
    assert!(matches!(
        LifetimePolicy::try_from(&close),
        Ok(LifetimePolicy::DeleteOnClose(_))
    ));
    assert!(LifetimePolicy::try_from(&Described::new(0x2f, List::new())).is_err());
}

#[test]
fn what_is_moved_about_stays_small() {
    assert!(size_of::<Transfer>() <= 136, "{}", size_of::<Transfer>());
    assert!(
        size_of::<DeliveryState>() <= 48,
        "{}",
        size_of::<DeliveryState>()
    );
    assert!(
        size_of::<Disposition>() <= 72,
        "{}",
        size_of::<Disposition>()
    );
    assert!(size_of::<Flow>() <= 96, "{}", size_of::<Flow>());
    assert!(
        size_of::<Performative>() <= 136,
        "{}",
        size_of::<Performative>()
    );
}

#[test]
fn rare_parts_lie_behind_a_box() {
    let error = Error::new(ErrorCondition::DetachForced);
    let mut detach = Detach::new(Handle(1));
    detach.error = Some(Box::new(error.clone()));
    assert_eq!(Detach::from_bytes(&detach.to_bytes()), Ok(detach));
    let rejected = Rejected {
        error: Some(Box::new(error)),
    };
    let mut state = TransactionalState::new(TransactionId::from(&b"t"[..]));
    state.outcome = Some(Box::new(rejected.into()));
    assert_eq!(TransactionalState::from_bytes(&state.to_bytes()), Ok(state));
}

#[test]
fn a_copy_for_keeps_holds_no_view_of_the_buffer() {
    let octets = Bytes::from(
        Attach::new("link", Handle(0), Role::Sender)
            .to_bytes()
            .to_vec(),
    );
    let attach = Attach::from_bytes(&octets).unwrap();
    let within = |text: &str| octets.as_ptr_range().contains(&text.as_ptr());
    assert!(within(&attach.name));
    let copy = attach.to_compact();
    assert_eq!(copy, attach);
    assert!(!within(&copy.name));
    let coordinator = Coordinator {
        capabilities: vec![TxnCapability::LocalTransactions],
    };
    assert_eq!(
        TargetArchetype::from(coordinator.clone()).to_compact(),
        coordinator.into()
    );
    assert_eq!(Target::default().to_compact(), Target::default());
}
