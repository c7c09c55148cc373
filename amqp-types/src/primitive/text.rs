//! Text: `string` in UTF-8 and `symbol` in ASCII (sections 1.6.20 and 1.6.21).
//!
//! Decides what each may hold and how it is shared and compared. Leaves encoding
//! to `codec`.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;
use bytestring::ByteString;

/// Unicode text: the AMQP type `string` (section 1.6.20).
///
/// A clone shares the text. A decoded value is a view of the buffer that it was
/// read from; see [`Str::to_compact`] for values that live longer. The standard
/// allows no byte order mark at the start: text that begins with one is refused
/// by every strict peer, this crate's decoder included.
///
/// ```
/// use amqp_types::Str;
///
/// let name = Str::from_static("orders");
/// assert_eq!(name, "orders");
/// assert_eq!(name.len(), 6); // derefs to str
/// ```
#[derive(Clone, Default)]
pub struct Str(ByteString);

/// A name from a fixed vocabulary: the AMQP type `symbol` (section 1.6.21).
///
/// Holds ASCII alone: other text is refused when the symbol is made, by
/// [`TryFrom`], or at compile time by [`Symbol::from_static`] in a constant.
///
/// ```
/// use amqp_types::Symbol;
///
/// const QUEUE: Symbol = Symbol::from_static("queue");
/// assert_eq!(QUEUE, "queue");
/// assert!(Symbol::try_from("Zürich").is_err());
/// ```
// [TYP-17]
#[derive(Clone, Default)]
pub struct Symbol(ByteString);

/// The text was not ASCII, so it cannot be a [`Symbol`] (section 1.6.21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAscii {
    /// The position of the first octet that is not ASCII.
    pub index: usize,
}

impl fmt::Display for NotAscii {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a symbol is ASCII, octet {} is not", self.index)
    }
}

impl std::error::Error for NotAscii {}

impl Str {
    /// No text; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(ByteString::new())
    }

    /// Text that lives as long as the program; allocates nothing.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }
}

impl Symbol {
    /// No text; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(ByteString::new())
    }

    /// A symbol that lives as long as the program; allocates nothing.
    ///
    /// # Panics
    /// Where `text` is not ASCII. In a constant that is an error of the compiler.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        assert!(text.is_ascii(), "a symbol is ASCII");
        Self(ByteString::from_static(text))
    }
}

/// What both kinds of text have in common.
macro_rules! shared {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text's octets as the buffer that holds them.
            #[must_use]
            pub fn as_bytes(&self) -> &Bytes {
                self.0.as_bytes()
            }

            /// The buffer itself.
            #[must_use]
            pub fn into_bytes(self) -> Bytes {
                self.0.into_bytes()
            }

            /// A copy that holds this text alone, so that a small value never keeps a
            /// large read buffer alive.
            #[must_use]
            pub fn to_compact(&self) -> Self {
                Self(ByteString::from(self.as_str()))
            }
        }

        impl Deref for $name {
            type Target = str;

            #[inline]
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0.into()
            }
        }

        impl PartialEq for $name {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl PartialEq<String> for $name {
            fn eq(&self, other: &String) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<$name> for str {
            fn eq(&self, other: &$name) -> bool {
                self == other.as_str()
            }
        }

        impl PartialEq<$name> for &str {
            fn eq(&self, other: &$name) -> bool {
                *self == other.as_str()
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl Hash for $name {
            #[inline]
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.as_str(), f)
            }
        }
    };
}

shared!(Str);
shared!(Symbol);

/// Copies the text; [`Str::from_static`] does not.
impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Box<str>> for Str {
    fn from(text: Box<str>) -> Self {
        Self(text.into())
    }
}

impl From<Cow<'_, str>> for Str {
    fn from(text: Cow<'_, str>) -> Self {
        Self(text.into_owned().into())
    }
}

impl From<ByteString> for Str {
    #[inline]
    fn from(text: ByteString) -> Self {
        Self(text)
    }
}

impl From<char> for Str {
    fn from(text: char) -> Self {
        Self(ByteString::from(String::from(text)))
    }
}

impl From<Symbol> for Str {
    fn from(symbol: Symbol) -> Self {
        Self(symbol.0)
    }
}

impl TryFrom<Bytes> for Str {
    type Error = std::str::Utf8Error;

    #[inline]
    fn try_from(octets: Bytes) -> Result<Self, Self::Error> {
        ByteString::try_from(octets).map(Self)
    }
}

/// Copies the text; [`Symbol::from_static`] does not.
impl TryFrom<&str> for Symbol {
    type Error = NotAscii;

    fn try_from(text: &str) -> Result<Self, NotAscii> {
        check_ascii(text.as_bytes()).map(|()| Self(text.into()))
    }
}

impl TryFrom<String> for Symbol {
    type Error = NotAscii;

    fn try_from(text: String) -> Result<Self, NotAscii> {
        check_ascii(text.as_bytes()).map(|()| Self(text.into()))
    }
}

impl TryFrom<Str> for Symbol {
    type Error = NotAscii;

    fn try_from(text: Str) -> Result<Self, NotAscii> {
        check_ascii(text.0.as_bytes()).map(|()| Self(text.0))
    }
}

impl TryFrom<Bytes> for Symbol {
    type Error = NotAscii;

    #[inline]
    fn try_from(octets: Bytes) -> Result<Self, NotAscii> {
        check_ascii(&octets)?;
        // ASCII is UTF-8, so that no octet is left to complain of.
        ByteString::try_from(octets)
            .map(Self)
            .map_err(|error| NotAscii {
                index: error.valid_up_to(),
            })
    }
}

#[inline]
fn check_ascii(octets: &[u8]) -> Result<(), NotAscii> {
    if octets.is_ascii() {
        return Ok(());
    }
    let index = octets.iter().position(|octet| !octet.is_ascii());
    Err(NotAscii {
        index: index.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // tests: [TYP-17]
    #[test]
    fn a_symbol_is_ascii() {
        assert_eq!(
            Symbol::try_from("amqp:open:list").unwrap(),
            "amqp:open:list"
        );
        assert_eq!(Symbol::try_from("5 \u{20ac}"), Err(NotAscii { index: 2 }));
        assert!(Symbol::try_from(Bytes::from_static(b"\xff")).is_err());
        assert!(Symbol::try_from(Str::from("é")).is_err());
    }

    #[test]
    fn text_compares_and_hashes_like_str() {
        let set: std::collections::HashSet<Str> = ["a".into()].into();
        assert!(set.contains("a"));
        assert!("b" > Str::from("a").as_str());
        assert_eq!("a", Str::from("a"));
        assert_eq!(Str::from(Symbol::from_static("a")), Str::from('a'));
    }

    #[test]
    fn a_compact_copy_leaves_its_buffer() {
        let buffer = Bytes::from_static(b"a long buffer");
        let text = Str::try_from(buffer.slice(2..6)).unwrap();
        assert_eq!(text, "long");
        assert_ne!(text.to_compact().as_ptr(), text.as_ptr());
    }
}
