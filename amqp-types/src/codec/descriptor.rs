//! Descriptors (sections 1.2 and 1.3).
//!
//! Decides that a descriptor is the same in every legal encoding, as a number and as
//! a symbol. Leaves which descriptors are known to the generated code.

use super::{Decode, DecodeError, DecodeErrorKind, Decoder, DescribedType, Encode, Limits, code};
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
                super::text::encode_symbol(self.symbol, out);
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

    fn is_among(&self, known: &[&[TypeDescriptor]]) -> bool {
        known.iter().copied().flatten().any(|known| self.is(known))
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

    /// Reads what follows a descriptor, to keep both.
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

    /// Reads what follows a descriptor that provides nothing known where it stands, to
    /// keep both: unless it is one of the types in `known`, which may not stand there.
    ///
    /// # Errors
    /// [`DecodeErrorKind::WrongArchetype`] for a type in `known`; where no value
    /// follows.
    // [TYP-42] [PRF-25] [SRC-25]
    pub fn unknown(
        &mut self,
        descriptor: Descriptor<'a>,
        known: &[&[TypeDescriptor]],
    ) -> Result<Described, DecodeError> {
        if descriptor.is_among(known) {
            return Err(self.fault(DecodeErrorKind::WrongArchetype));
        }
        self.described(descriptor)
    }

    /// The fault of a descriptor that may not stand here.
    #[cold]
    #[must_use]
    pub fn refuse(&self, descriptor: &Descriptor<'_>, known: &[&[TypeDescriptor]]) -> DecodeError {
        self.fault(if descriptor.is_among(known) {
            DecodeErrorKind::WrongArchetype
        } else {
            DecodeErrorKind::UnknownDescriptor
        })
    }
}

impl Described {
    /// What a type with a descriptor is, when its type is not looked at.
    #[must_use]
    pub fn encoded_from<T: Encode>(value: &T) -> Self {
        let octets = value.to_bytes();
        let mut d = Decoder::with_limits(&octets, Limits::DEEP);
        // A type that encodes to anything but a described value is null here.
        Self::decode(&mut d).unwrap_or(Self {
            descriptor: Value::Null,
            value: Value::Null,
        })
    }

    /// Reads this as a type that it may be.
    ///
    /// ```
    /// use amqp_types::{Described, List, messaging::Accepted};
    ///
    /// let described = Described::new(0x24, List::new());
    /// assert_eq!(described.decode_as::<Accepted>(), Ok(Accepted {}));
    /// ```
    ///
    /// # Errors
    /// Where it is not of that type.
    pub fn decode_as<T: Decode>(&self) -> Result<T, DecodeError> {
        let octets = self.to_bytes();
        let mut d = Decoder::with_limits(&octets, Limits::DEEP);
        let value = T::decode(&mut d)?;
        d.finish()?;
        Ok(value)
    }
}

/// A type with a descriptor, when its type is not looked at.
impl<T: DescribedType + Encode> From<T> for Described {
    fn from(value: T) -> Self {
        Self::encoded_from(&value)
    }
}
