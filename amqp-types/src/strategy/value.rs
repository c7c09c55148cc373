//! Strategies of values of any type.
//!
//! Decides how deep they nest and that arrays of every type occur.

use super::{BoxedStrategy, Strategic, Strategy, Union, any};
use crate::codec::TypeDescriptor;
use crate::primitive::Symbol;
use crate::value::{AnnotationKey, Array, Described, Kind, List, Map, Simple, Value};
use proptest::collection::vec;
use proptest::prelude::{Just, prop_oneof};

impl Strategic for Simple {
    fn strategy() -> BoxedStrategy<Self> {
        Union::new(simple_kinds().into_iter().map(|(_, strategy)| strategy))
            .prop_filter_map("compound", |value| Self::try_from(value).ok())
            .boxed()
    }
}

impl Strategic for Value {
    fn strategy() -> BoxedStrategy<Self> {
        any::<Simple>()
            .prop_map(Self::from)
            .prop_recursive(3, 16, 3, |inner| {
                prop_oneof![
                    list(inner.clone()).prop_map(Self::from),
                    map(inner.clone()).prop_map(Self::from),
                    array(inner.clone()).prop_map(Self::from),
                    described(inner).prop_map(Self::from),
                ]
            })
            .boxed()
    }
}

impl Strategic for AnnotationKey {
    fn strategy() -> BoxedStrategy<Self> {
        prop_oneof![
            3 => any::<Symbol>().prop_map(Self::Symbol),
            1 => any::<u64>().prop_map(Self::Ulong),
        ]
        .boxed()
    }
}

impl Strategic for List {
    fn strategy() -> BoxedStrategy<Self> {
        list(any::<Value>()).boxed()
    }
}

impl Strategic for Array {
    fn strategy() -> BoxedStrategy<Self> {
        array(any::<Value>()).boxed()
    }
}

impl Strategic for Described {
    fn strategy() -> BoxedStrategy<Self> {
        described(any::<Value>()).boxed()
    }
}

/// A described value of which the descriptor is in none of the lists `known`.
pub fn unknown(known: &'static [&'static [TypeDescriptor]]) -> BoxedStrategy<Described> {
    let is_known = move |value: &Described| {
        let mut all = known.iter().copied().flatten();
        all.any(|known| match &value.descriptor {
            Value::Ulong(code) => known.code == Some(*code),
            Value::Symbol(symbol) => symbol == known.symbol,
            _ => false,
        })
    };
    any::<Described>()
        .prop_filter("a known descriptor", move |value| !is_known(value))
        .boxed()
}

/// Lists, now and then so long that count or size pass 255.
fn list(item: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = List> {
    let long = (250usize..260).prop_map(|count| vec![Value::Null; count]);
    prop_oneof![30 => vec(item, 0..4), 1 => long].prop_map(List)
}

fn map(item: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = Map> {
    vec((item.clone(), item), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

fn described(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Described> {
    let descriptor = prop_oneof![
        8 => any::<u64>().prop_map(Value::from),
        8 => any::<Symbol>().prop_map(Value::from),
        1 => any::<Simple>().prop_map(Value::from),
    ];
    (descriptor, value).prop_map(|(descriptor, value)| Described { descriptor, value })
}

/// Arrays of every type, now and then of described elements or of one value many times.
fn array(item: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = Array> {
    let lists = list(item.clone()).prop_map(Value::from).boxed();
    let maps = map(item).prop_map(Value::from).boxed();
    let arrays = vec(any::<u32>(), 0..3)
        .prop_map(|items| items.into_iter().map(Value::from).collect())
        .prop_filter_map("mixed", |items| Array::from_values(Kind::Uint, items).ok())
        .prop_map(Value::from)
        .boxed();
    let mut kinds = simple_kinds();
    kinds.extend([
        (Kind::List, lists),
        (Kind::Map, maps),
        (Kind::Array, arrays),
    ]);
    let each = kinds.into_iter().map(|(kind, items)| {
        vec(items, 0..4)
            .prop_filter_map("mixed", move |items| Array::from_values(kind, items).ok())
            .boxed()
    });
    let zero_width = super::select(vec![
        Value::Null,
        Value::Bool(true),
        Value::Bool(false),
        Value::Uint(0),
        Value::Ulong(0),
        Value::List(List::new()),
    ]);
    let repeated = (zero_width, 0u32..1000).prop_filter_map("described", |(value, count)| {
        Array::repeat(value, count).ok()
    });
    let plain = prop_oneof![8 => Union::new(each), 1 => repeated];
    let descriptor = prop_oneof![
        6 => Just(None),
        1 => any::<u64>().prop_map(|code| Some(Value::from(code))),
        1 => any::<Symbol>().prop_map(|symbol| Some(Value::from(symbol))),
    ];
    (plain, descriptor).prop_map(|(array, descriptor)| match descriptor {
        Some(descriptor) => array.with_descriptor(descriptor),
        None => array,
    })
}

/// The values of each type that is neither compound nor described.
fn simple_kinds() -> Vec<(Kind, BoxedStrategy<Value>)> {
    macro_rules! kinds {
        ($($kind:ident),*) => { vec![$(
            (Kind::$kind, any().prop_map(Value::$kind).boxed()),
        )*] };
    }
    let mut kinds = kinds![
        Bool, Ubyte, Ushort, Uint, Ulong, Byte, Short, Int, Long, Float, Double, Decimal32,
        Decimal64, Decimal128, Char, Timestamp, Uuid, Binary, String, Symbol
    ];
    kinds.push((Kind::Null, Just(Value::Null).boxed()));
    kinds
}
