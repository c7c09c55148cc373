//! The table of encodings (section 1.6).
//!
//! Decides how a row looks. The rows are generated.

/// One encoding of a primitive type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// The type, as the standard spells it.
    pub type_name: &'static str,
    /// The encoding, as the standard spells it; the type's name where there is one.
    pub name: &'static str,
    /// The format code.
    pub code: u8,
    /// How the octets are counted.
    pub category: Category,
    /// The octets of the value, or of each size and count.
    pub width: u8,
}

/// How the octets of an encoding are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// As many as the width says.
    Fixed,
    /// A size comes first.
    Variable,
    /// Size and count come first.
    Compound,
    /// Size and count come first, then one constructor for all elements.
    Array,
}
