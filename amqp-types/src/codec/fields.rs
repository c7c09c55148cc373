//! Types with fields: described lists (section 1.4).
//!
//! Decides what null, missing, default and multiple mean, both ways. Leaves which
//! fields there are to the generated code.

use super::multiple::{decode_multiple, encode_multiple};
use super::{
    Decode, DecodeError, DecodeErrorKind, Decoder, Encode, TypeDescriptor, code, compound,
};
use bytes::BytesMut;

/// Writes the fields of a type, in their order.
///
/// ```
/// use amqp_types::{FieldEncoder, TypeDescriptor};
/// use bytes::BytesMut;
///
/// const POINT: TypeDescriptor = TypeDescriptor::new("point", Some(0x99), "example:point:list");
/// let mut out = BytesMut::new();
/// FieldEncoder::new(&mut out, &POINT)
///     .optional(&None::<u32>)
///     .mandatory(&7u32)
///     .optional(&None::<u32>)
///     .finish();
/// assert_eq!(&out[..], b"\0\x53\x99\xc0\x04\x02\x40\x52\x07");
/// ```
#[derive(Debug)]
#[must_use = "the list is complete when `finish` was called"]
pub struct FieldEncoder<'o> {
    out: &'o mut BytesMut,
    start: usize,
    count: usize,
    /// Nulls since the last field: written only when another field follows.
    nulls: usize,
}

impl<'o> FieldEncoder<'o> {
    /// Appends the descriptor and begins the list.
    #[inline(always)]
    pub fn new(out: &'o mut BytesMut, descriptor: &TypeDescriptor) -> Self {
        descriptor.encode(out);
        let start = compound::begin(out, code::LIST8);
        Self {
            out,
            start,
            count: 0,
            nulls: 0,
        }
    }

    /// A field that is always there.
    #[inline(always)]
    pub fn mandatory<T: Encode>(mut self, field: &T) -> Self {
        self.write_nulls();
        field.encode(self.out);
        self.count += 1;
        self
    }

    /// A field that may be absent.
    #[inline(always)]
    pub fn optional<T: Encode>(self, field: &Option<T>) -> Self {
        match field {
            Some(field) if !field.is_null() => self.mandatory(field),
            _ => self.null(),
        }
    }

    /// A field with a default, which is left out when it holds that.
    #[inline(always)]
    pub fn default<T: Encode + PartialEq>(self, field: &T, default: &T) -> Self {
        if field == default {
            self.null()
        } else {
            self.mandatory(field)
        }
    }

    /// A field with any number of values: none is null, one stands alone, more are an
    /// array.
    // [TYP-35]
    #[inline(always)]
    pub fn multiple<T: Encode>(mut self, field: &[T]) -> Self {
        if field.is_empty() {
            return self.null();
        }
        self.write_nulls();
        encode_multiple(field, self.out);
        self.count += 1;
        self
    }

    /// Completes the list. Nulls at its end are left out.
    // [TYP-33]
    #[inline(always)]
    pub fn finish(self) {
        compound::end_list(self.out, self.start, self.count);
    }

    #[inline(always)]
    fn null(mut self) -> Self {
        self.nulls += 1;
        self
    }

    #[inline(always)]
    fn write_nulls(&mut self) {
        self.count += self.nulls;
        while self.nulls > 0 {
            self.out.extend_from_slice(&[code::NULL]);
            self.nulls -= 1;
        }
    }
}

/// Reads the fields of a type, in their order, after its descriptor.
#[must_use = "the list is checked when `finish` was called"]
pub struct FieldDecoder<'d, 'a> {
    /// Reads the list. A copy, so that the compiler keeps it in registers from one
    /// field to the next.
    d: Decoder<'a>,
    /// Stands after the list already.
    outer: &'d mut Decoder<'a>,
    count: usize,
    type_name: &'static str,
}

impl<'d, 'a> FieldDecoder<'d, 'a> {
    /// Opens the list of the fields of the type `type_name`, for which errors name it.
    ///
    /// # Errors
    /// Where no list comes next.
    // [TYP-21] [TYP-32]
    #[inline(always)]
    pub fn new(outer: &'d mut Decoder<'a>, type_name: &'static str) -> Result<Self, DecodeError> {
        let mut d = outer.clone();
        let scope = match d.code()? {
            code::LIST8 => d.open8()?,
            code::LIST0 => d.open0()?,
            code::LIST32 => d.open32()?,
            code => return Err(d.wrong_type(code)),
        };
        outer.rest = scope.after;
        Ok(Self {
            d,
            outer,
            count: scope.count,
            type_name,
        })
    }

    /// Reads a field that has to be there.
    ///
    /// # Errors
    /// [`DecodeErrorKind::MandatoryField`] where it is null or missing; what `T` says.
    // [TYP-34]
    #[inline(always)]
    pub fn mandatory<T: Decode>(&mut self, name: &'static str) -> Result<T, DecodeError> {
        match self.optional(name)? {
            Some(field) => Ok(field),
            None => Err(self.missing(name)),
        }
    }

    /// Reads a field that may be null or missing.
    ///
    /// # Errors
    /// What `T` says.
    // [TYP-33]
    #[inline(always)]
    pub fn optional<T: Decode>(&mut self, name: &'static str) -> Result<Option<T>, DecodeError> {
        self.field(name, |code, d| match code {
            code::NULL => Ok(None),
            _ => T::decode_body(code, d).map(Some),
        })
    }

    /// Reads a field that is `default` where it is null or missing.
    ///
    /// # Errors
    /// What `T` says.
    // [TYP-38]
    #[inline(always)]
    pub fn or_default<T: Decode>(
        &mut self,
        name: &'static str,
        default: T,
    ) -> Result<T, DecodeError> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// Reads a field with any number of values: null, one value, or an array.
    ///
    /// # Errors
    /// What `T` says of each value.
    // [TYP-35] [TYP-36]
    #[inline]
    pub fn multiple<T: Decode>(&mut self, name: &'static str) -> Result<Vec<T>, DecodeError> {
        self.field(name, |code, d| match code {
            code::NULL => Ok(Vec::new()),
            _ => decode_multiple(code, d),
        })
    }

    /// Reads a field with at least one value.
    ///
    /// # Errors
    /// [`DecodeErrorKind::MandatoryField`] where there is none; what `T` says of each.
    // [TYP-37]
    pub fn mandatory_multiple<T: Decode>(
        &mut self,
        name: &'static str,
    ) -> Result<Vec<T>, DecodeError> {
        let field = self.multiple(name)?;
        if field.is_empty() {
            return Err(self.missing(name));
        }
        Ok(field)
    }

    /// Closes the list.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TooManyFields`] where more fields follow,
    /// [`DecodeErrorKind::InvalidSize`] where octets are left.
    // [TYP-20] [TYP-40]
    #[inline(always)]
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.count > 0 {
            return Err(self.d.fault(DecodeErrorKind::TooManyFields));
        }
        if !self.d.is_empty() {
            return Err(self.d.fault(DecodeErrorKind::InvalidSize));
        }
        self.outer.spend_as(&self.d);
        Ok(())
    }

    /// Reads the next field from its code on; a field after the end of the list is null.
    #[inline(always)]
    fn field<F>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(u8, &mut Decoder<'a>) -> Result<F, DecodeError>,
    ) -> Result<F, DecodeError> {
        let mut d = self.d.clone();
        let field = match self.count.checked_sub(1) {
            Some(left) => {
                self.count = left;
                match d.code() {
                    Ok(code) => read(code, &mut d),
                    Err(error) => Err(error),
                }
            }
            None => read(code::NULL, &mut d),
        };
        self.d = d;
        field.map_err(|error| error.within(self.type_name, name))
    }

    #[inline(always)]
    fn missing(&self, name: &'static str) -> DecodeError {
        let fault = self.d.fault(DecodeErrorKind::MandatoryField);
        fault.within(self.type_name, name)
    }
}
