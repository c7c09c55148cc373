//! What can be wrong with octets that should be a value.
//!
//! Decides how a fault is named and which condition answers it. Leaves the scope of
//! the answer (message, link, session, connection) to the engine, which knows what
//! was being read.

use std::fmt;

/// Octets that are not what they should be, and where.
///
/// One word large: what it says is on the heap, so that results of hot paths stay
/// small.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Detail>);

#[derive(Clone, PartialEq, Eq)]
struct Detail {
    kind: DecodeErrorKind,
    offset: usize,
    type_name: Option<&'static str>,
    field: Option<&'static str>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The octets end before the value does, or a size reaches past the end of what
    /// encloses it (section 1.6).
    Truncated,
    /// No type has this format code (section 1.6).
    UnknownCode(u8),
    /// A size or a count does not agree with the octets that it speaks of (sections
    /// 1.6.22 to 1.6.24).
    InvalidSize,
    /// A boolean octet that is neither 0 nor 1 (section 1.6.2).
    InvalidBoolean,
    /// A string that is not UTF-8, or begins with a byte order mark (section 1.6.20).
    InvalidUtf8,
    /// A symbol that is not ASCII (section 1.6.21).
    InvalidSymbol,
    /// A char that is no Unicode scalar value (section 1.6.16).
    InvalidChar,
    /// A map with a key but no value at its end (section 1.6.23).
    OddMap,
    /// A map with two equal keys (section 1.6.23).
    DuplicateKey,
    /// Octets after the value, where one value was expected.
    TrailingBytes,
    /// Values inside of values, deeper than the limit.
    TooDeep,
    /// More elements without octets than the limit allows.
    TooMany,
    /// A mandatory field is null or missing (section 1.4).
    MandatoryField,
    /// A value of another type than the one expected; the format code found, 0 for a
    /// described value (section 1.4).
    WrongType(u8),
    /// A described value of a type that may not stand here (section 1.5).
    WrongArchetype,
    /// A number or symbol that is not among the choices of its type (section 1.5).
    InvalidChoice,
    /// A map key of a type that the map does not allow.
    InvalidKey,
    /// More fields than the type has (section 1.4).
    TooManyFields,
    /// A descriptor that is not the expected one, or none that is known here.
    UnknownDescriptor,
    /// Longer than its type allows.
    TooLong,
    /// A section of a message that may not come after the ones before it (section
    /// 3.2).
    SectionOrder,
    /// An annotation that the receiver has to understand, and does not (section
    /// 3.2.10).
    UnknownAnnotation,
}

/// The condition that answers a fault, where nothing more specific does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecodeCondition {
    /// `amqp:decode-error`: the octets are no values at all.
    DecodeError,
    /// `amqp:invalid-field`: well formed, but against the definition of a type.
    InvalidField,
    /// `amqp:not-implemented`: right, but not understood here.
    NotImplemented,
}

impl DecodeError {
    /// The fault `kind` at `offset`.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        Self(Box::new(Detail {
            kind,
            offset,
            type_name: None,
            field: None,
        }))
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> DecodeErrorKind {
        self.0.kind
    }

    /// Where, in octets from the start of what was decoded. For a value that is
    /// whole but of the wrong type it is the place right after its constructor or
    /// after itself.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.0.offset
    }

    /// The innermost type with fields that was being read, as the standard spells it.
    #[must_use]
    pub const fn type_name(&self) -> Option<&'static str> {
        self.0.type_name
    }

    /// The field of that type, as the standard spells it.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        self.0.field
    }

    /// The condition that answers this fault.
    #[must_use]
    pub const fn condition(&self) -> DecodeCondition {
        self.0.kind.condition()
    }

    /// Names type and field, where none further inside was named yet.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub(crate) fn within(mut self, type_name: &'static str, field: &'static str) -> Self {
        if self.0.type_name.is_none() {
            self.0.type_name = Some(type_name);
            self.0.field = Some(field);
        }
        self
    }

    /// The same fault under another name.
    #[cold]
    #[must_use]
    pub(crate) fn renamed(mut self, kind: DecodeErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The same fault, `octets` further on.
    #[cold]
    #[must_use]
    pub(crate) fn moved(mut self, octets: usize) -> Self {
        self.0.offset += octets;
        self
    }
}

impl DecodeErrorKind {
    /// The condition that answers this fault: a value that is well formed but breaks
    /// the definition of its type is an invalid field, all else a decode error.
    #[must_use]
    pub const fn condition(self) -> DecodeCondition {
        // [TYP-34] [TYP-39] [TYP-41] [TYP-42]
        match self {
            Self::MandatoryField
            | Self::WrongType(_)
            | Self::WrongArchetype
            | Self::InvalidChoice
            | Self::InvalidKey
            | Self::TooLong => DecodeCondition::InvalidField,
            Self::UnknownAnnotation => DecodeCondition::NotImplemented,
            _ => DecodeCondition::DecodeError,
        }
    }
}

impl DecodeCondition {
    /// The symbol on the wire (section 2.8.15).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DecodeError => "amqp:decode-error",
            Self::InvalidField => "amqp:invalid-field",
            Self::NotImplemented => "amqp:not-implemented",
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the octets end too early",
            Self::UnknownCode(code) => return write!(f, "no type has the format code {code:#04x}"),
            Self::InvalidSize => "a size or a count is wrong",
            Self::InvalidBoolean => "a boolean is neither 0 nor 1",
            Self::InvalidUtf8 => "a string is not UTF-8 without a byte order mark",
            Self::InvalidSymbol => "a symbol is not ASCII",
            Self::InvalidChar => "a char is no Unicode scalar value",
            Self::OddMap => "a map ends with a key",
            Self::DuplicateKey => "a map has two equal keys",
            Self::TrailingBytes => "octets follow the value",
            Self::TooDeep => "values are nested too deep",
            Self::TooMany => "an array has too many elements",
            Self::MandatoryField => "a mandatory value is missing",
            Self::WrongType(0) => "a described value stands where another type is expected",
            Self::WrongType(code) => {
                return write!(f, "the format code {code:#04x} is not of the expected type");
            }
            Self::WrongArchetype => "a value of this type may not stand here",
            Self::InvalidChoice => "the value is not among the choices of its type",
            Self::InvalidKey => "a map key is of the wrong type",
            Self::TooManyFields => "there are more fields than the type has",
            Self::UnknownDescriptor => "the descriptor is not known here",
            Self::TooLong => "the value is longer than its type allows",
            Self::SectionOrder => "a section of a message is out of order",
            Self::UnknownAnnotation => "an annotation is not understood",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(type_name), Some(field)) = (self.type_name(), self.field()) {
            write!(f, "{type_name}.{field}: ")?;
        }
        write!(f, "{} (offset {})", self.kind(), self.offset())
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodeError")
            .field("kind", &self.kind())
            .field("offset", &self.offset())
            .field("type_name", &self.type_name())
            .field("field", &self.field())
            .finish()
    }
}

impl std::error::Error for DecodeError {}
