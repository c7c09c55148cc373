//! Values written as text: defaults, choices and definitions.
//!
//! Decides how the text of each type reads.

use super::TypeId;
use super::refs::Root;
use super::types::Types;
use crate::error::{Error, Place};
use crate::model::{Literal, Primitive};
use crate::naming;
use crate::overlay::Rules;
use crate::schema::{self, Class, Spanned};

/// How the text of a default reads.
pub(super) enum Literals<'a> {
    /// As a value of the primitive type.
    Of(Primitive),
    /// As one inside a newtype.
    Inside(Primitive),
    /// As the name of a choice.
    Names(&'a [schema::Choice]),
    /// Not at all.
    None,
}

impl Literals<'_> {
    pub(super) fn parse(&self, text: &Spanned<String>, what: &str) -> Result<Literal, Error> {
        let refuse = |at: &Place, kind: &str| {
            at.error(format!("`{}`, the {what}, is not a {kind}", text.value))
        };
        match self {
            Self::Of(primitive) => {
                literal(*primitive, &text.value).ok_or_else(|| refuse(&text.at, primitive.name()))
            }
            Self::Inside(primitive) => literal(*primitive, &text.value)
                .map(|inner| Literal::Inside(Box::new(inner)))
                .ok_or_else(|| refuse(&text.at, primitive.name())),
            Self::Names(choices) => match choices.iter().find(|choice| choice.name == text.value) {
                Some(choice) => Ok(Literal::Variant(naming::camel(&choice.name))),
                None => Err(refuse(&text.at, "choice of its type")),
            },
            Self::None => Err(refuse(&text.at, "literal: its type has none")),
        }
    }
}

impl Types<'_> {
    /// How a literal of that type reads.
    pub(super) fn literals(&self, id: TypeId) -> Result<Literals<'_>, Error> {
        let def = id.of(self.files);
        Ok(match &def.class {
            Class::Composite { .. } => Literals::None,
            Class::Primitive { .. } => {
                Primitive::named(&def.name).map_or(Literals::None, Literals::Of)
            }
            Class::Restricted { choices, .. } if !choices.is_empty() => Literals::Names(choices),
            Class::Restricted { .. } => match self.root(id)? {
                (
                    Root::Primitive(primitive),
                    Rules {
                        max_length: None,
                        nullable: false,
                        ..
                    },
                ) => Literals::Inside(primitive),
                _ => Literals::None,
            },
        })
    }
}

/// Reads `text` as a value of the primitive type; `None` if it is none, or if the type has no literals.
pub(super) fn literal(primitive: Primitive, text: &str) -> Option<Literal> {
    let unsigned = |max: u64| {
        text.parse()
            .ok()
            .filter(|n| *n <= max)
            .map(Literal::Unsigned)
    };
    let signed = |min: i64, max: i64| {
        text.parse()
            .ok()
            .filter(|n| (min..=max).contains(n))
            .map(Literal::Signed)
    };
    match primitive {
        Primitive::Boolean => text.parse().ok().map(Literal::Bool),
        Primitive::Ubyte => unsigned(u8::MAX.into()),
        Primitive::Ushort => unsigned(u16::MAX.into()),
        Primitive::Uint => unsigned(u32::MAX.into()),
        Primitive::Ulong => unsigned(u64::MAX),
        Primitive::Byte => signed(i8::MIN.into(), i8::MAX.into()),
        Primitive::Short => signed(i16::MIN.into(), i16::MAX.into()),
        Primitive::Int => signed(i32::MIN.into(), i32::MAX.into()),
        Primitive::Long | Primitive::Timestamp => signed(i64::MIN, i64::MAX),
        Primitive::Float | Primitive::Double => text
            .parse()
            .ok()
            .filter(|n: &f64| n.is_finite())
            .map(Literal::Float),
        Primitive::Char => text.parse().ok().map(Literal::Char),
        Primitive::String => Some(Literal::Text(text.to_owned())),
        Primitive::Symbol => text.is_ascii().then(|| Literal::Text(text.to_owned())),
        Primitive::Null
        | Primitive::Decimal32
        | Primitive::Decimal64
        | Primitive::Decimal128
        | Primitive::Uuid
        | Primitive::Binary
        | Primitive::List
        | Primitive::Map
        | Primitive::Array => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(
            literal(Primitive::Ubyte, "255"),
            Some(Literal::Unsigned(255))
        );
        assert_eq!(literal(Primitive::Ubyte, "256"), None);
        assert_eq!(
            literal(Primitive::Byte, "-128"),
            Some(Literal::Signed(-128))
        );
        assert_eq!(literal(Primitive::Byte, "-129"), None);
        assert_eq!(
            literal(Primitive::Ulong, "18446744073709551615"),
            Some(Literal::Unsigned(u64::MAX))
        );
        assert_eq!(literal(Primitive::Uint, "four"), None);
        assert_eq!(literal(Primitive::Double, "inf"), None);
    }

    #[test]
    fn text_and_truth_read_as_themselves() {
        assert_eq!(
            literal(Primitive::Boolean, "true"),
            Some(Literal::Bool(true))
        );
        assert_eq!(literal(Primitive::Boolean, "yes"), None);
        assert_eq!(literal(Primitive::Char, "x"), Some(Literal::Char('x')));
        assert_eq!(literal(Primitive::Symbol, "\u{e9}"), None);
        assert_eq!(literal(Primitive::Binary, "00"), None);
    }
}
