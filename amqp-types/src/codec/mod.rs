//! Between values and octets (sections 1.2 to 1.6).
//!
//! Decides how every type is read and written: strictly in, in the smallest form
//! out. Types with named fields are generated; their code is one line a field and
//! leans on [`FieldEncoder`] and [`FieldDecoder`] for all that is to be decided.
//!
//! A type of the standard looks like this here:
//!
//! ```
//! use amqp_types::{
//!     Decode, DecodeError, Decoder, DescribedType, Encode, FieldDecoder, FieldEncoder, Str,
//!     Symbol, TypeDescriptor,
//! };
//! use bytes::BytesMut;
//!
//! #[derive(Debug, PartialEq)]
//! struct Greeting {
//!     text: Str,
//!     times: u32,
//!     languages: Vec<Symbol>,
//! }
//!
//! impl DescribedType for Greeting {
//!     const DESCRIPTOR: TypeDescriptor =
//!         TypeDescriptor::new("greeting", Some(0x0000_1234_0000_0001), "example:greeting:list");
//!
//!     fn decode_content(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
//!         let mut fields = FieldDecoder::new(d, Self::DESCRIPTOR.name)?;
//!         let this = Self {
//!             text: fields.mandatory("text")?,
//!             times: fields.or_default("times", 1)?,
//!             languages: fields.multiple("languages")?,
//!         };
//!         fields.finish()?;
//!         Ok(this)
//!     }
//! }
//!
//! impl Decode for Greeting {
//!     fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
//!         d.expect_descriptor(code, &Self::DESCRIPTOR)?;
//!         Self::decode_content(d)
//!     }
//! }
//!
//! impl Encode for Greeting {
//!     fn encode(&self, out: &mut BytesMut) {
//!         FieldEncoder::new(out, &Self::DESCRIPTOR)
//!             .mandatory(&self.text)
//!             .default(&self.times, &1)
//!             .multiple(&self.languages)
//!             .finish();
//!     }
//! }
//!
//! let hello = Greeting { text: "hello".into(), times: 1, languages: vec![] };
//! let octets = hello.to_bytes();
//! assert_eq!(&octets[..], b"\0\x80\0\0\x12\x34\0\0\0\x01\xc0\x08\x01\xa1\x05hello");
//! assert_eq!(Greeting::from_bytes(&octets), Ok(hello));
//! ```

mod array;
mod code;
mod compact;
mod compound;
mod decoder;
mod descriptor;
mod encoding;
mod error;
mod fields;
mod len;
mod limits;
mod map;
mod multiple;
mod numbers;
mod restricted;
#[cfg(feature = "serde")]
mod serde;
mod text;
mod value;

#[cfg(feature = "serde")]
pub use self::serde::{SerdeError, from_value, to_value};
pub use compact::compact;
pub use decoder::Decoder;
pub use descriptor::{Descriptor, TypeDescriptor};
pub use encoding::{Category, Encoding};
pub use error::{DecodeCondition, DecodeError, DecodeErrorKind};
pub use fields::{FieldDecoder, FieldEncoder};
pub use limits::Limits;
pub use restricted::{InvalidChoice, TooLong, at_most};
pub use text::encode_symbol;

pub use crate::value::ListOf;

use code::Width;

use bytes::{Bytes, BytesMut};

/// A type that can be written.
pub trait Encode {
    /// Appends the value, its constructor included, in the smallest encoding that the
    /// standard has for it.
    fn encode(&self, out: &mut BytesMut);

    /// Whether the value is null, so that a field that holds it counts as absent.
    #[inline]
    fn is_null(&self) -> bool {
        false
    }

    /// Appends an array of these values (section 1.6.24). All must encode to one
    /// type, as the values of one Rust type do, apart from enums of several types:
    /// the generator makes no array of those, and null stands for what cannot be
    /// an array.
    fn encode_array(items: &[Self], out: &mut BytesMut)
    where
        Self: Sized,
    {
        multiple::encode_array_of_any(items, out);
    }

    /// The value in a buffer of its own.
    fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.encode(&mut out);
        out.freeze()
    }
}

/// A type that can be read.
pub trait Decode: Sized {
    /// Reads a value whose format code was read: `code` is 0 where a descriptor
    /// follows. The same body follows one constructor for all elements of an array.
    ///
    /// # Errors
    /// Where the octets are not a value of this type. The decoder's position is then
    /// of no use.
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// Reads a value, its constructor included.
    ///
    /// # Errors
    /// Where the octets are not a value of this type. The decoder's position is then
    /// of no use.
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let code = d.code()?;
        Self::decode_body(code, d)
    }

    /// For types that are better read in place than moved there: what stands where a
    /// value is about to be read by [`Decode::decode_over`]. It needs no drop.
    #[doc(hidden)]
    const PLACEHOLDER: Option<Self> = None;

    /// Reads a value, its constructor included, over a placeholder, which is forgotten.
    #[doc(hidden)]
    #[inline(always)]
    fn decode_over(&mut self, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        put_over(self, Self::decode(d)?);
        Ok(())
    }

    /// Reads a value that fills `octets` from end to end.
    ///
    /// # Errors
    /// Where the octets are not exactly one value of this type.
    fn from_bytes(octets: &Bytes) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(octets);
        let value = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    }
}

/// Puts `value` where a placeholder stands, which needs no drop.
#[inline(always)]
fn put_over<T>(place: &mut T, value: T) {
    std::mem::forget(std::mem::replace(place, value));
}

/// A type that has a descriptor of its own (section 1.2).
pub trait DescribedType: Decode {
    /// Its names on the wire.
    const DESCRIPTOR: TypeDescriptor;

    /// Reads what follows the descriptor.
    ///
    /// # Errors
    /// Where the octets are not the content of this type.
    fn decode_content(d: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}
