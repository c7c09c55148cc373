//! The body of a message (sections 3.2.6 to 3.2.8).
//!
//! Decides which forms a body has and what becomes which form.

use crate::primitive::{Binary, Str};
use crate::value::{List, Map, OneOrMany, Value};
use bytes::Bytes;

/// The body of a message: octets, lists, or one value (section 3.2).
///
/// Text becomes a value, octets become a data section:
///
/// ```
/// use amqp_types::{Body, Value};
///
/// assert_eq!(Body::from("text"), Body::Value(Value::from("text")));
/// assert_eq!(Body::from(vec![1u8, 2]).as_data().unwrap(), b"\x01\x02");
/// assert_eq!(Body::from("text").as_str(), Some("text"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// No section at all. The standard demands a body, but messages without one occur,
    /// so they are read, and written as they were read.
    // [MSG-03]
    #[default]
    Empty,
    /// Data sections: octets, cut into as many sections as there are elements. None at
    /// all is the same as `Empty`.
    Data(OneOrMany<Binary>),
    /// Sequence sections: a list each. None at all is the same as `Empty`.
    Sequence(OneOrMany<List>),
    /// A value section; null is a value too.
    Value(Value),
}

impl Body {
    /// Whether there is no section.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Data(sections) => sections.is_empty(),
            Self::Sequence(sections) => sections.is_empty(),
            Self::Value(_) => false,
        }
    }

    /// The text of a value section that holds a string or a symbol.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Value(value) => value.as_str(),
            _ => None,
        }
    }

    /// The octets of a body of exactly one data section.
    #[must_use]
    pub fn as_data(&self) -> Option<&Binary> {
        match self {
            Self::Data(sections) => match sections.as_slice() {
                [one] => Some(one),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value of a value section.
    #[must_use]
    pub const fn as_value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// A copy that keeps no read buffer alive.
    #[must_use]
    pub fn to_compact(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Data(sections) => Self::Data(sections.iter().map(Binary::to_compact).collect()),
            Self::Sequence(sections) => Self::Sequence(
                (sections.iter())
                    .map(|list| list.iter().map(Value::to_compact).collect())
                    .collect(),
            ),
            Self::Value(value) => Self::Value(value.to_compact()),
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => { $(
        impl From<$type> for Body {
            fn from(content: $type) -> Self {
                Self::$variant(content.into())
            }
        }

        impl From<$type> for super::Message {
            fn from(content: $type) -> Self {
                Body::from(content).into()
            }
        }
    )* };
}

from! {
    Value => Value, Str => Value, &str => Value, String => Value, Map => Value,
    List => Sequence,
}

macro_rules! from_octets {
    ($($type:ty),* $(,)?) => { $(
        impl From<$type> for Body {
            fn from(octets: $type) -> Self {
                Self::Data(OneOrMany::One(octets.into()))
            }
        }

        impl From<$type> for super::Message {
            fn from(octets: $type) -> Self {
                Body::from(octets).into()
            }
        }
    )* };
}

from_octets!(Binary, Bytes, Vec<u8>, &[u8]);

impl From<Body> for super::Message {
    fn from(body: Body) -> Self {
        Self {
            body,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_without_sections_is_empty() {
        assert!(Body::Empty.is_empty());
        assert!(Body::Data(OneOrMany::Many(vec![])).is_empty());
        assert!(!Body::Value(Value::Null).is_empty());
    }

    #[test]
    fn several_data_sections_are_not_one() {
        let two = Body::Data(vec![Binary::new(), Binary::new()].into());
        assert_eq!(two.as_data(), None);
        assert_eq!(Body::from(&b"x"[..]).as_data().unwrap(), b"x");
    }
}
