//! Encodings of values of any type.
//!
//! Decides which code stands for which variant. Leaves each type's octets to its own
//! implementation.

use super::{Decode, DecodeError, Decoder, DescribedType, Encode, code, compound, put_over};
use crate::primitive::{Binary, Str, Symbol};
use crate::value::{Described, List, Map, Simple, Value};
use bytes::BytesMut;

// Values are read in place: moving a value that was just written costs more than
// reading it, since its parts are written narrow and moved wide.

// [TYP-02] [TYP-05]
impl Decode for Value {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut value = Self::Null;
        read(&mut value, code, d)?;
        Ok(value)
    }

    const PLACEHOLDER: Option<Self> = Some(Self::Null);

    #[inline]
    fn decode_over(&mut self, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        let code = d.code()?;
        read(self, code, d)
    }
}

/// Reads a value of any type into `value`.
fn read(value: &mut Value, code: u8, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
    match code {
        code::LIST0 | code::LIST8 | code::LIST32 => {
            put_over(value, Value::List(List::decode_body(code, d)?));
        }
        code::MAP8 | code::MAP32 => *value = Value::Map(Map::decode_body(code, d)?),
        code::ARRAY8 | code::ARRAY32 => {
            put_over(
                value,
                Value::Array(Box::new(super::array::decode(code, d)?)),
            );
        }
        code::DESCRIBED => *value = Value::Described(Box::new(Described::decode_body(code, d)?)),
        _ => return read_simple(value, code, d),
    }
    Ok(())
}

/// Reads a value that is neither compound nor described into `value`.
#[inline]
fn read_simple(value: &mut Value, code: u8, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
    let read = match code {
        code::STR8 | code::STR32 => Value::String(Str::decode_body(code, d)?),
        code::SYM8 | code::SYM32 => Value::Symbol(Symbol::decode_body(code, d)?),
        code::VBIN8 | code::VBIN32 => Value::Binary(Binary::decode_body(code, d)?),
        _ => return read_fixed(value, code, d),
    };
    put_over(value, read);
    Ok(())
}

/// Reads a value of fixed width into `value`.
#[inline]
fn read_fixed(value: &mut Value, code: u8, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
    match code {
        code::NULL => *value = Value::Null,
        code::TRUE | code::FALSE | code::BOOLEAN => {
            put_over(value, Value::Bool(bool::decode_body(code, d)?));
        }
        code::UINT | code::SMALLUINT | code::UINT0 => {
            put_over(value, Value::Uint(u32::decode_body(code, d)?));
        }
        code::ULONG | code::SMALLULONG | code::ULONG0 => {
            put_over(value, Value::Ulong(u64::decode_body(code, d)?));
        }
        code::INT | code::SMALLINT => *value = Value::Int(i32::decode_body(code, d)?),
        code::LONG | code::SMALLLONG => *value = Value::Long(i64::decode_body(code, d)?),
        code::UBYTE => *value = Value::Ubyte(Decode::decode_body(code, d)?),
        code::USHORT => *value = Value::Ushort(Decode::decode_body(code, d)?),
        code::BYTE => *value = Value::Byte(Decode::decode_body(code, d)?),
        code::SHORT => *value = Value::Short(Decode::decode_body(code, d)?),
        code::FLOAT => *value = Value::Float(Decode::decode_body(code, d)?),
        code::DOUBLE => *value = Value::Double(Decode::decode_body(code, d)?),
        code::DECIMAL32 => *value = Value::Decimal32(Decode::decode_body(code, d)?),
        code::DECIMAL64 => *value = Value::Decimal64(Decode::decode_body(code, d)?),
        code::DECIMAL128 => *value = Value::Decimal128(Decode::decode_body(code, d)?),
        code::CHAR => *value = Value::Char(Decode::decode_body(code, d)?),
        code::TIMESTAMP => *value = Value::Timestamp(Decode::decode_body(code, d)?),
        code::UUID => *value = Value::Uuid(Decode::decode_body(code, d)?),
        _ => return Err(d.wrong_type(code)),
    }
    Ok(())
}

// [TYP-04] [TYP-11]
impl Encode for Value {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Null => out.extend_from_slice(&[code::NULL]),
            Self::Bool(v) => v.encode(out),
            Self::Ubyte(v) => v.encode(out),
            Self::Ushort(v) => v.encode(out),
            Self::Uint(v) => v.encode(out),
            Self::Ulong(v) => v.encode(out),
            Self::Byte(v) => v.encode(out),
            Self::Short(v) => v.encode(out),
            Self::Int(v) => v.encode(out),
            Self::Long(v) => v.encode(out),
            Self::Float(v) => v.encode(out),
            Self::Double(v) => v.encode(out),
            Self::Decimal32(v) => v.encode(out),
            Self::Decimal64(v) => v.encode(out),
            Self::Decimal128(v) => v.encode(out),
            Self::Char(v) => v.encode(out),
            Self::Timestamp(v) => v.encode(out),
            Self::Uuid(v) => v.encode(out),
            Self::Binary(v) => v.encode(out),
            Self::String(v) => v.encode(out),
            Self::Symbol(v) => v.encode(out),
            Self::List(v) => v.encode(out),
            Self::Map(v) => v.encode(out),
            Self::Array(v) => v.encode(out),
            Self::Described(v) => v.encode(out),
        }
    }

    #[inline]
    fn is_null(&self) -> bool {
        Self::is_null(self)
    }
}

impl Decode for List {
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.list_items(code).map(Self)
    }
}

impl Encode for List {
    fn encode(&self, out: &mut BytesMut) {
        encode_items(self, out);
    }
}

impl Decoder<'_> {
    /// The items of the list whose code was read.
    // [TYP-20] [TYP-21]
    pub(super) fn list_items<T: Decode>(&mut self, code: u8) -> Result<Vec<T>, DecodeError> {
        let scope = match code {
            code::LIST0 => return Ok(Vec::new()),
            code::LIST8 => self.open8()?,
            code::LIST32 => self.open32()?,
            _ => return Err(self.wrong_type(code)),
        };
        self.check_count(scope.count, 1)?;
        let mut items = Vec::with_capacity(scope.count);
        for _ in 0..scope.count {
            match T::PLACEHOLDER {
                Some(item) => {
                    items.push(item);
                    if let Some(item) = items.last_mut() {
                        item.decode_over(self)?;
                    }
                }
                None => items.push(T::decode(self)?),
            }
        }
        self.close(scope)?;
        Ok(items)
    }
}

pub(super) fn encode_items<T: Encode>(items: &[T], out: &mut BytesMut) {
    let start = compound::begin(out, code::LIST8);
    items.iter().for_each(|item| item.encode(out));
    compound::end_list(out, start, items.len());
}

impl Decode for Described {
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let descriptor = d.descriptor_after(code)?;
        d.described(descriptor)
    }
}

// [TYP-31]
impl Encode for Described {
    fn encode(&self, out: &mut BytesMut) {
        out.extend_from_slice(&[code::DESCRIBED]);
        self.descriptor.encode(out);
        self.value.encode(out);
    }
}

// [MSG-20]
impl Decode for Simple {
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut simple = Self::NULL;
        read_simple(simple.as_value_mut(), code, d)?;
        Ok(simple)
    }

    const PLACEHOLDER: Option<Self> = Some(Self::NULL);

    #[inline]
    fn decode_over(&mut self, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        let code = d.code()?;
        // What this reads is simple, or nothing.
        read_simple(self.as_value_mut(), code, d)
    }
}

impl Encode for Simple {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        Value::encode(self, out);
    }

    #[inline]
    fn is_null(&self) -> bool {
        Value::is_null(self)
    }
}

/// `None` is null.
impl<T: Decode> Decode for Option<T> {
    #[inline]
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match code {
            code::NULL => Ok(None),
            _ => T::decode_body(code, d).map(Some),
        }
    }
}

/// `None` is null.
impl<T: Encode> Encode for Option<T> {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Some(value) => value.encode(out),
            None => out.extend_from_slice(&[code::NULL]),
        }
    }

    #[inline]
    fn is_null(&self) -> bool {
        self.as_ref().is_none_or(Encode::is_null)
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        T::decode_body(code, d).map(Self::new)
    }
}

impl<T: Encode> Encode for Box<T> {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        T::encode(self, out);
    }

    #[inline]
    fn is_null(&self) -> bool {
        T::is_null(self)
    }
}

impl<T: DescribedType> DescribedType for Box<T> {
    const DESCRIPTOR: super::TypeDescriptor = T::DESCRIPTOR;

    fn decode_content(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        T::decode_content(d).map(Self::new)
    }
}
