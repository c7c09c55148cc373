//! Values that are neither compound nor described.
//!
//! Decides what the value of an application property may be (section 3.2.5).

use super::{Kind, Value};
use std::fmt;
use std::ops::Deref;

/// A value that is not a list, a map, an array or described, such as application
/// properties have (section 3.2.5). Derefs to [`Value`].
///
/// ```
/// use amqp_types::{List, Simple, Value};
///
/// let simple = Simple::from("red");
/// assert_eq!(simple.as_str(), Some("red"));
/// assert!(Simple::try_from(Value::List(List::new())).is_err());
/// ```
// [MSG-20]
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Simple(Value);

/// The value is compound or described, so it is no [`Simple`] one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSimple(
    /// The value, given back.
    pub Value,
);

impl Simple {
    /// Null.
    pub const NULL: Self = Self(Value::Null);

    /// A value that is known to be simple.
    #[inline]
    pub(super) const fn of(value: Value) -> Self {
        Self(value)
    }

    /// The value.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.0
    }

    /// The value, to be replaced by one that is simple too.
    #[inline]
    pub(crate) const fn as_value_mut(&mut self) -> &mut Value {
        &mut self.0
    }

    /// A copy that keeps no read buffer alive, see [`Value::to_compact`].
    #[must_use]
    pub fn to_compact(&self) -> Self {
        Self(self.0.to_compact())
    }
}

impl Deref for Simple {
    type Target = Value;

    #[inline]
    fn deref(&self) -> &Value {
        &self.0
    }
}

impl TryFrom<Value> for Simple {
    type Error = NotSimple;

    fn try_from(value: Value) -> Result<Self, NotSimple> {
        if value.kind().is_simple() {
            Ok(Self(value))
        } else {
            Err(NotSimple(value))
        }
    }
}

impl From<Simple> for Value {
    fn from(simple: Simple) -> Self {
        simple.0
    }
}

impl PartialEq<Value> for Simple {
    fn eq(&self, other: &Value) -> bool {
        self.0 == *other
    }
}

impl fmt::Debug for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl NotSimple {
    /// The type that the value has.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.0.kind()
    }
}

impl fmt::Display for NotSimple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a simple value cannot be of type {}", self.0.kind())
    }
}

impl std::error::Error for NotSimple {}
