//! Keys of annotations (section 3.2.10).
//!
//! Decides which values may be keys. Leaves what a key means to its users.

use crate::primitive::Symbol;
use std::fmt;

/// The key of an annotation: a symbol or a ulong (section 3.2.10).
///
/// All ulongs, and all symbols that do not begin with `x-`, are reserved for the
/// standard. Annotations of one's own begin with `x-opt-` where a receiver may
/// ignore them.
// [MSG-12]
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnnotationKey {
    /// A name.
    Symbol(Symbol),
    /// A number; the standard reserves them all.
    Ulong(u64),
}

impl AnnotationKey {
    /// A name that lives as long as the program; allocates nothing.
    ///
    /// # Panics
    /// Where `name` is not ASCII. In a constant that is an error of the compiler.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self::Symbol(Symbol::from_static(name))
    }

    /// The name, where the key has one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Symbol(symbol) => Some(symbol),
            Self::Ulong(_) => None,
        }
    }

    /// Whether the standard reserves the key, so that a user may not invent it.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        // [MSG-12]
        self.as_str().is_none_or(|name| !name.starts_with("x-"))
    }

    /// Whether a receiver that does not understand the key has to ignore it; any
    /// other key that is not understood is an error to a receiver that is strict.
    #[must_use]
    pub fn is_ignorable(&self) -> bool {
        // [MSG-13]
        self.as_str().is_some_and(|name| name.starts_with("x-opt-"))
    }

    /// A copy that keeps no read buffer alive.
    #[must_use]
    pub fn to_compact(&self) -> Self {
        match self {
            Self::Symbol(symbol) => Self::Symbol(symbol.to_compact()),
            Self::Ulong(number) => Self::Ulong(*number),
        }
    }
}

impl From<Symbol> for AnnotationKey {
    fn from(symbol: Symbol) -> Self {
        Self::Symbol(symbol)
    }
}

impl From<u64> for AnnotationKey {
    fn from(number: u64) -> Self {
        Self::Ulong(number)
    }
}

/// Copies the text; [`AnnotationKey::from_static`] does not.
impl TryFrom<&str> for AnnotationKey {
    type Error = crate::primitive::NotAscii;

    fn try_from(name: &str) -> Result<Self, Self::Error> {
        name.try_into().map(Self::Symbol)
    }
}

impl PartialEq<str> for AnnotationKey {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for AnnotationKey {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(*other)
    }
}

impl fmt::Debug for AnnotationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(symbol) => fmt::Debug::fmt(symbol, f),
            Self::Ulong(number) => write!(f, "{number:#x}"),
        }
    }
}

impl fmt::Display for AnnotationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(symbol) => fmt::Display::fmt(symbol, f),
            Self::Ulong(number) => write!(f, "{number:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AnnotationKey;

    // tests: [MSG-12] [MSG-13]
    #[test]
    fn keys_are_told_apart_by_their_prefix() {
        let key = AnnotationKey::from_static;
        assert!(key("x-opt-a").is_ignorable() && !key("x-opt-a").is_reserved());
        assert!(!key("x-a").is_ignorable() && !key("x-a").is_reserved());
        assert!(!key("rejected").is_ignorable() && key("rejected").is_reserved());
        assert!(AnnotationKey::from(1).is_reserved());
        assert!(AnnotationKey::try_from("é").is_err());
    }
}
