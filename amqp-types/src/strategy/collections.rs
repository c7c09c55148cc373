//! Strategies of what holds other types.
//!
//! Decides how many elements there are: few, so that nested types stay small.

use super::{BoxedStrategy, Strategic, Strategy, any};
use crate::codec::Encode;
use crate::value::{ListOf, Map, OneOrMany};
use proptest::collection::vec;
use std::hash::Hash;

const FEW: std::ops::Range<usize> = 0..4;

/// At least one `T`.
pub fn non_empty<T: Strategic>() -> BoxedStrategy<Vec<T>> {
    vec(any::<T>(), 1..4).boxed()
}

/// Any `T` but null.
pub fn not_null<T: Strategic + Encode>() -> BoxedStrategy<T> {
    any::<T>()
        .prop_filter("null", |value| !value.is_null())
        .boxed()
}

/// No value, or one that is not null: a field cannot tell a null from no value.
pub fn optional_not_null<T: Strategic + Encode>() -> BoxedStrategy<Option<T>> {
    proptest::option::of(not_null::<T>()).boxed()
}

impl<T: Strategic> Strategic for Option<T> {
    fn strategy() -> BoxedStrategy<Self> {
        proptest::option::of(any::<T>()).boxed()
    }
}

impl<T: Strategic> Strategic for Box<T> {
    fn strategy() -> BoxedStrategy<Self> {
        any::<T>().prop_map(Box::new).boxed()
    }
}

impl<T: Strategic> Strategic for Vec<T> {
    fn strategy() -> BoxedStrategy<Self> {
        vec(any::<T>(), FEW).boxed()
    }
}

impl<T: Strategic> Strategic for ListOf<T> {
    fn strategy() -> BoxedStrategy<Self> {
        any::<Vec<T>>().prop_map(Self).boxed()
    }
}

impl<T: Strategic> Strategic for OneOrMany<T> {
    fn strategy() -> BoxedStrategy<Self> {
        non_empty::<T>().prop_map(Self::from).boxed()
    }
}

impl<K: Strategic + Eq + Hash, V: Strategic> Strategic for Map<K, V> {
    fn strategy() -> BoxedStrategy<Self> {
        let pairs = vec((any::<K>(), any::<V>()), FEW);
        pairs.prop_map(|pairs| pairs.into_iter().collect()).boxed()
    }
}
