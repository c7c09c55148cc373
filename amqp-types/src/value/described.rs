//! Values with a descriptor whose type is not known here (section 1.2).
//!
//! Decides how such a value is kept and who may be a descriptor. Leaves known
//! descriptors to the generated code.

use super::Value;
use crate::primitive::Symbol;

/// A value and the descriptor that says what it means (section 1.2).
///
/// A value of an unknown type arrives as this and can be sent on unchanged.
// [TYP-31]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Described {
    /// A ulong or a symbol. Values of other types are reserved by the standard; they
    /// are kept where they arrive.
    pub descriptor: Value,
    /// The value described, of any type, described ones included.
    pub value: Value,
}

/// What may be a descriptor: a ulong or a symbol (section 1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DescriptorName {
    /// The domain's number in the upper 32 bits, the descriptor's in the lower ones.
    Code(u64),
    /// `domain:name`.
    Symbol(Symbol),
}

impl Described {
    /// `value` described by `descriptor`, which is a ulong or a symbol.
    ///
    /// ```
    /// use amqp_types::{Described, Symbol, Value};
    ///
    /// let selector = Described::new(0x0000_468c_0000_0004, "colour = 'red'");
    /// assert_eq!(selector.descriptor, Value::Ulong(0x0000_468c_0000_0004));
    /// ```
    // [TYP-29]
    #[must_use]
    pub fn new(descriptor: impl Into<DescriptorName>, value: impl Into<Value>) -> Self {
        Self {
            descriptor: match descriptor.into() {
                DescriptorName::Code(code) => Value::Ulong(code),
                DescriptorName::Symbol(symbol) => Value::Symbol(symbol),
            },
            value: value.into(),
        }
    }

    /// Whether the descriptor is this number or this symbol: a type has both.
    #[must_use]
    pub fn is(&self, code: u64, symbol: &str) -> bool {
        match &self.descriptor {
            Value::Ulong(found) => *found == code,
            Value::Symbol(found) => found == symbol,
            _ => false,
        }
    }

    /// A copy that keeps no read buffer alive, see [`Value::to_compact`].
    #[must_use]
    pub fn to_compact(&self) -> Self {
        Self {
            descriptor: self.descriptor.to_compact(),
            value: self.value.to_compact(),
        }
    }
}

impl From<u64> for DescriptorName {
    fn from(code: u64) -> Self {
        Self::Code(code)
    }
}

impl From<Symbol> for DescriptorName {
    fn from(symbol: Symbol) -> Self {
        Self::Symbol(symbol)
    }
}
