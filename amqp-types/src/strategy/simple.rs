//! Strategies of the primitive types.
//!
//! Decides which numbers and lengths are tried more often than chance would: those at
//! which an encoding changes.

use super::{BoxedStrategy, Strategic, Strategy};
use crate::primitive::{Binary, Decimal32, Decimal64, Decimal128, Str, Symbol, Timestamp};
use proptest::arbitrary;
use proptest::collection::{SizeRange, vec};
use proptest::prelude::{Just, prop_oneof};
use uuid::Uuid;

/// Octets, as many as `length` says.
pub fn octets(length: impl Into<SizeRange>) -> BoxedStrategy<Binary> {
    let octets = vec(arbitrary::any::<u8>(), length);
    octets.prop_map(Binary::from).boxed()
}

macro_rules! plain {
    ($($type:ty),*) => { $(
        impl Strategic for $type {
            fn strategy() -> BoxedStrategy<Self> {
                arbitrary::any::<Self>().boxed()
            }
        }
    )* };
}

plain!((), bool, u8, i8, u16, i16, char);

/// Numbers with a short form: near its ends, near the type's ends, and any.
macro_rules! wide {
    ($($type:ty: $short:ident),*) => { $(
        impl Strategic for $type {
            fn strategy() -> BoxedStrategy<Self> {
                let (low, high) = (<$type>::from(<$short>::MIN), <$type>::from(<$short>::MAX));
                let edges = [
                    <$type>::MIN, <$type>::MAX, 0, 1, low, high, high + 1, low.wrapping_sub(1),
                ];
                prop_oneof![
                    super::select(edges.to_vec()),
                    low..=high,
                    arbitrary::any::<Self>(),
                ]
                .boxed()
            }
        }
    )* };
}

wide!(u32: u8, u64: u8, i32: i8, i64: i8);

impl Strategic for f32 {
    fn strategy() -> BoxedStrategy<Self> {
        arbitrary::any::<u32>().prop_map(Self::from_bits).boxed()
    }
}

impl Strategic for f64 {
    fn strategy() -> BoxedStrategy<Self> {
        arbitrary::any::<u64>().prop_map(Self::from_bits).boxed()
    }
}

macro_rules! mapped {
    ($($type:ty: $from:ty, $new:expr;)*) => { $(
        impl Strategic for $type {
            fn strategy() -> BoxedStrategy<Self> {
                arbitrary::any::<$from>().prop_map($new).boxed()
            }
        }
    )* };
}

mapped! {
    Decimal32: [u8; 4], Decimal32;
    Decimal64: [u8; 8], Decimal64;
    Decimal128: [u8; 16], Decimal128;
    Timestamp: i64, Timestamp;
    Uuid: [u8; 16], Uuid::from_bytes;
}

impl Strategic for Binary {
    fn strategy() -> BoxedStrategy<Self> {
        prop_oneof![30 => octets(0..12), 1 => octets(253..260)].boxed()
    }
}

impl Strategic for Str {
    fn strategy() -> BoxedStrategy<Self> {
        let text = |length: std::ops::Range<usize>| {
            vec(arbitrary::any::<char>(), length)
                .prop_map(|chars| Self::from(chars.into_iter().collect::<String>()))
        };
        let edge = (253usize..260).prop_map(|length| Self::from("a".repeat(length)));
        prop_oneof![30 => text(0..8), 1 => text(60..70), 1 => edge]
            .prop_filter("a byte order mark", |text| !text.starts_with('\u{feff}'))
            .boxed()
    }
}

impl Strategic for Symbol {
    fn strategy() -> BoxedStrategy<Self> {
        let symbol = |length: std::ops::Range<usize>| {
            vec(0u8..128, length).prop_filter_map("not ASCII", |octets| {
                Self::try_from(bytes::Bytes::from(octets)).ok()
            })
        };
        prop_oneof![
            4 => Just(Self::from_static("x-opt-a")),
            30 => symbol(0..12),
            1 => symbol(253..260),
        ]
        .boxed()
    }
}
