//! Descriptors (sections 1.2 and 1.3).
//!
//! Decides that a descriptor is the same in every legal encoding, as a number and as
//! a symbol. Leaves which descriptors are known to the generated code.

use super::{Decode, DecodeError, DecodeErrorKind, Decoder, code};
use crate::value::{Described, Value};
use bytes::BytesMut;

/// What a type is called on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeDescriptor {
    /// The type's name as the standard spells it, for messages to people.
    pub name: &'static str,
    /// The descriptor as a number: the domain in the upper 32 bits.
    pub code: Option<u64>,
    /// The descriptor as a symbol.
    pub symbol: &'static str,
}

/// A descriptor that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descriptor<'a> {
    /// A ulong.
    Code(u64),
    /// A symbol.
    Name(&'a str),
    /// A value of a type that the standard reserves: never a type that is known.
    Other(Value),
}

impl TypeDescriptor {
    /// The descriptor of the type `name`.
    #[must_use]
    pub const fn new(name: &'static str, code: Option<u64>, symbol: &'static str) -> Self {
        Self { name, code, symbol }
    }

    /// Appends the constructor up to the format code of the value described.
    #[inline]
    pub fn encode(&self, out: &mut BytesMut) {
        match self.code {
            Some(number @ 1..=255) => {
                let number = number.to_be_bytes()[7];
                out.extend_from_slice(&[code::DESCRIBED, code::SMALLULONG, number]);
            }
            Some(number) => {
                out.extend_from_slice(&[code::DESCRIBED]);
                super::Encode::encode(&number, out);
            }
            None => {
                out.extend_from_slice(&[code::DESCRIBED]);
                super::text::encode_symbol(self.symbol.as_bytes(), out);
            }
        }
    }
}

impl Descriptor<'_> {
    /// Whether this is the descriptor of `expected`, as a number or as a symbol.
    // [TYP-03]
    #[must_use]
    #[inline]
    pub fn is(&self, expected: &TypeDescriptor) -> bool {
        match self {
            Self::Code(number) => expected.code == Some(*number),
            Self::Name(symbol) => expected.symbol == *symbol,
            Self::Other(_) => false,
        }
    }
}

impl<'a> Decoder<'a> {
    /// Reads a constructor's descriptor, its leading 0 included.
    ///
    /// # Errors
    /// Where no described value comes next.
    // [TYP-03]
    #[inline]
    pub fn descriptor(&mut self) -> Result<Descriptor<'a>, DecodeError> {
        let code = self.code()?;
        self.descriptor_after(code)
    }

    /// Reads the descriptor that follows the format code 0; any other code is a value
    /// of the wrong type.
    ///
    /// # Errors
    /// Where `code` is not 0 or no descriptor follows.
    #[inline]
    pub fn descriptor_after(&mut self, code: u8) -> Result<Descriptor<'a>, DecodeError> {
        if code != code::DESCRIBED {
            return Err(self.wrong_type(code));
        }
        match self.rest {
            &[code::SMALLULONG, number, ref rest @ ..] => {
                self.rest = rest;
                Ok(Descriptor::Code(number.into()))
            }
            _ => self.long_descriptor(),
        }
    }

    #[cold]
    fn long_descriptor(&mut self) -> Result<Descriptor<'a>, DecodeError> {
        Ok(match self.code()? {
            code @ (code::ULONG0 | code::ULONG | code::SMALLULONG) => {
                Descriptor::Code(u64::decode_body(code, self)?)
            }
            code @ (code::SYM8 | code::SYM32) => Descriptor::Name(self.symbol_str(code)?),
            code => {
                self.enter()?;
                let value = Value::decode_body(code, self)?;
                self.leave();
                Descriptor::Other(value)
            }
        })
    }

    /// Reads the descriptor that follows the format code 0 and compares it.
    ///
    /// # Errors
    /// [`DecodeErrorKind::WrongType`] where `code` is not 0,
    /// [`DecodeErrorKind::WrongArchetype`] where it is another descriptor.
    #[inline]
    pub fn expect_descriptor(
        &mut self,
        code: u8,
        expected: &TypeDescriptor,
    ) -> Result<(), DecodeError> {
        if self.descriptor_after(code)?.is(expected) {
            Ok(())
        } else {
            Err(self.fault(DecodeErrorKind::WrongArchetype))
        }
    }

    /// Reads what follows a descriptor that is not known, to keep both.
    ///
    /// # Errors
    /// Where no value follows.
    // [TYP-31]
    pub fn described(&mut self, descriptor: Descriptor<'a>) -> Result<Described, DecodeError> {
        let descriptor = match descriptor {
            Descriptor::Code(number) => Value::Ulong(number),
            Descriptor::Name(symbol) => Value::Symbol(self.symbol_of(symbol)?),
            Descriptor::Other(value) => value,
        };
        self.enter()?;
        let value = Value::decode(self)?;
        self.leave();
        Ok(Described { descriptor, value })
    }
}
