//! Arrays: many elements of one type (section 1.6.24).
//!
//! Decides how the one type of all elements, its descriptors and the elements are
//! held. Leaves the choice of the element constructor to `codec`.

use super::{Described, Kind, Value};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A sequence of values of one type: the AMQP type `array` (section 1.6.24).
///
/// An array has a type even when it is empty. Where the element type is described,
/// the descriptors belong to the array, outermost first, and [`Array::iter`] gives
/// the values below them; [`Array::elements`] gives the elements complete.
///
/// Elements that take no octets on the wire are held as one value and a count, so
/// that memory is bounded by what was received and not by a count in it.
///
/// ```
/// use amqp_types::{Array, Kind, Value};
///
/// let array = Array::from_values(Kind::Int, vec![Value::Int(1), Value::Int(2)])?;
/// assert_eq!(array.len(), 2);
/// assert!(Array::from_values(Kind::Int, vec![Value::Null]).is_err());
/// assert_eq!(Value::from(vec![1, 2]).as_list().map(|list| list.len()), Some(2));
/// # Ok::<(), amqp_types::MixedArray>(())
/// ```
// [TYP-24] [TYP-27] [TYP-28]
#[derive(Clone)]
pub struct Array {
    kind: Kind,
    descriptors: Vec<Value>,
    items: Items,
}

/// The values below the descriptors, all of the array's kind.
#[derive(Clone)]
enum Items {
    Each(Vec<Value>),
    /// One value, so many times.
    Repeat(Value, u32),
}

/// The elements of an array are not of one type (section 1.6.24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MixedArray {
    /// The type that the elements should have.
    pub expected: Kind,
    /// The type that one has.
    pub found: Kind,
}

impl fmt::Display for MixedArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an array of {} cannot hold an element of {}",
            self.expected, self.found
        )
    }
}

impl std::error::Error for MixedArray {}

impl Array {
    /// An empty array of this type. An array of described elements is made by
    /// [`Array::with_descriptor`]; `Kind::Described` alone is taken for null.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind: undescribed(kind),
            descriptors: Vec::new(),
            items: Items::Each(Vec::new()),
        }
    }

    /// An array of these values. Values with descriptors must all have the same
    /// ones, which become the array's.
    ///
    /// # Errors
    /// Where a value is not of the type `kind`, or descriptors differ.
    pub fn from_values(kind: Kind, mut items: Vec<Value>) -> Result<Self, MixedArray> {
        let mut descriptors = Vec::new();
        let mut below = kind;
        while below == Kind::Described {
            let Some(Value::Described(first)) = items.first() else {
                break;
            };
            let descriptor = first.descriptor.clone();
            for item in &mut items {
                match std::mem::take(item) {
                    Value::Described(inner) if inner.descriptor == descriptor => {
                        *item = inner.value;
                    }
                    other => return Err(mixed(kind, &other)),
                }
            }
            descriptors.push(descriptor);
            below = items.first().map_or(Kind::Null, Value::kind);
        }
        match items.iter().find(|item| item.kind() != below) {
            Some(other) => Err(mixed(below, other)),
            None => Ok(Self {
                kind: undescribed(below),
                descriptors,
                items: Items::Each(items),
            }),
        }
    }

    /// One value `count` times, in the memory of one.
    ///
    /// # Errors
    /// Where the value is described: see [`Array::with_descriptor`].
    pub fn repeat(value: Value, count: u32) -> Result<Self, MixedArray> {
        match value.kind() {
            Kind::Described => Err(mixed(Kind::Null, &value)),
            kind => Ok(Self {
                kind,
                descriptors: Vec::new(),
                items: Items::Repeat(value, count),
            }),
        }
    }

    /// Describes every element by one more descriptor, outside those it has. A
    /// descriptor is a ulong or a symbol; the standard reserves other types.
    #[must_use]
    pub fn with_descriptor(mut self, descriptor: impl Into<Value>) -> Self {
        self.descriptors.insert(0, descriptor.into());
        self
    }

    /// What the decoder found: values of `kind` below `descriptors`.
    pub(crate) fn from_parts(kind: Kind, descriptors: Vec<Value>, items: Vec<Value>) -> Self {
        Self {
            kind,
            descriptors,
            items: Items::Each(items),
        }
    }

    /// What the decoder found: `count` elements without octets below `descriptors`.
    pub(crate) fn from_repeated(descriptors: Vec<Value>, value: Value, count: u32) -> Self {
        Self {
            kind: value.kind(),
            descriptors,
            items: Items::Repeat(value, count),
        }
    }

    /// The type of the elements below their descriptors.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The descriptors that every element has, outermost first.
    #[must_use]
    pub fn descriptors(&self) -> &[Value] {
        &self.descriptors
    }

    /// The number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.items {
            Items::Each(items) => items.len(),
            Items::Repeat(_, count) => *count as usize,
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index` below its descriptors.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Value> {
        match &self.items {
            Items::Each(items) => items.get(index),
            Items::Repeat(value, count) => (index < *count as usize).then_some(value),
        }
    }

    /// The elements below their descriptors. The number of elements may be far
    /// larger than the memory they take: bound what you collect from a peer.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Value> + Clone {
        (0..self.len()).map(|index| match &self.items {
            Items::Each(items) => &items[index],
            Items::Repeat(value, _) => value,
        })
    }

    /// The elements with their descriptors; see [`Array::iter`] about their number.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = Value> {
        self.iter().map(|item| {
            self.descriptors
                .iter()
                .rev()
                .fold(item.clone(), |value, descriptor| {
                    Value::Described(Box::new(Described {
                        descriptor: descriptor.clone(),
                        value,
                    }))
                })
        })
    }

    /// The one value of an array that repeats it; `None` where elements are kept
    /// one by one.
    #[must_use]
    pub(crate) const fn repeated(&self) -> Option<&Value> {
        match &self.items {
            Items::Repeat(value, _) => Some(value),
            Items::Each(_) => None,
        }
    }

    /// A copy that keeps no read buffer alive, see [`Value::to_compact`].
    #[must_use]
    pub fn to_compact(&self) -> Self {
        Self {
            kind: self.kind,
            descriptors: self.descriptors.iter().map(Value::to_compact).collect(),
            items: match &self.items {
                Items::Each(items) => Items::Each(items.iter().map(Value::to_compact).collect()),
                Items::Repeat(value, count) => Items::Repeat(value.to_compact(), *count),
            },
        }
    }
}

const fn undescribed(kind: Kind) -> Kind {
    match kind {
        Kind::Described => Kind::Null,
        kind => kind,
    }
}

fn mixed(expected: Kind, found: &Value) -> MixedArray {
    MixedArray {
        expected,
        found: found.kind(),
    }
}

/// Equal where type, descriptors and elements are; how elements are kept is not
/// part of the value.
impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        if self.kind != other.kind
            || self.len() != other.len()
            || self.descriptors != other.descriptors
        {
            return false;
        }
        match (&self.items, &other.items) {
            (Items::Repeat(a, count), Items::Repeat(b, _)) => *count == 0 || a == b,
            _ => self.iter().eq(other.iter()),
        }
    }
}

impl Eq for Array {}

impl Hash for Array {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
        self.descriptors.hash(state);
        // Runs of equal elements are hashed once with their length, so that a count
        // costs no time and both ways to keep elements hash alike.
        match &self.items {
            Items::Repeat(_, 0) => {}
            Items::Repeat(value, count) => (value, *count as usize).hash(state),
            Items::Each(items) => items
                .chunk_by(PartialEq::eq)
                .for_each(|run| (&run[0], run.len()).hash(state)),
        }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shape = f.debug_struct("Array");
        shape.field("kind", &self.kind);
        if !self.descriptors.is_empty() {
            shape.field("descriptors", &self.descriptors);
        }
        match &self.items {
            Items::Each(items) => shape.field("items", items),
            Items::Repeat(value, count) => shape.field("item", value).field("count", count),
        };
        shape.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_one_type() {
        let mixed = Array::from_values(Kind::Int, vec![1.into(), "a".into()]);
        assert_eq!(
            mixed,
            Err(MixedArray {
                expected: Kind::Int,
                found: Kind::String
            })
        );
    }

    // tests: [TYP-27]
    #[test]
    fn every_element_carries_the_descriptors() {
        let described = |n: i32| Value::from(Described::new(9u64, n));
        let array = Array::from_values(Kind::Described, vec![described(1), described(2)]).unwrap();
        assert_eq!(array.kind(), Kind::Int);
        assert_eq!(array.descriptors(), [Value::Ulong(9)]);
        assert_eq!(
            array.elements().collect::<Vec<_>>(),
            [described(1), described(2)]
        );
        let other = Value::from(Described::new(8u64, 2));
        assert!(Array::from_values(Kind::Described, vec![described(1), other]).is_err());
    }

    #[test]
    fn repeated_elements_equal_those_kept_one_by_one() {
        let repeated = Array::repeat(Value::Uint(0), 3).unwrap();
        let each = Array::from_values(Kind::Uint, vec![Value::Uint(0); 3]).unwrap();
        assert_eq!(repeated, each);
        let set = std::collections::HashSet::from([repeated.clone()]);
        assert!(set.contains(&each));
        assert_eq!(repeated.get(2), Some(&Value::Uint(0)));
        assert_eq!(repeated.get(3), None);
    }

    #[test]
    fn a_count_costs_neither_time_nor_memory() {
        let nulls = Array::repeat(Value::Null, u32::MAX).unwrap();
        assert_eq!(nulls, nulls.clone());
        assert_eq!(nulls.len(), u32::MAX as usize);
    }
}
