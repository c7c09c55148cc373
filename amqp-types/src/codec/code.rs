//! The format codes (section 1.6).
//!
//! Decides the names of the codes and how many octets each calls for. The generated
//! `types` module has the same numbers under the standard's names; a test compares.

use crate::value::Kind;

pub(crate) const DESCRIBED: u8 = 0x00;
pub(crate) const NULL: u8 = 0x40;
pub(crate) const TRUE: u8 = 0x41;
pub(crate) const FALSE: u8 = 0x42;
pub(crate) const UINT0: u8 = 0x43;
pub(crate) const ULONG0: u8 = 0x44;
pub(crate) const LIST0: u8 = 0x45;
pub(crate) const UBYTE: u8 = 0x50;
pub(crate) const BYTE: u8 = 0x51;
pub(crate) const SMALLUINT: u8 = 0x52;
pub(crate) const SMALLULONG: u8 = 0x53;
pub(crate) const SMALLINT: u8 = 0x54;
pub(crate) const SMALLLONG: u8 = 0x55;
pub(crate) const BOOLEAN: u8 = 0x56;
pub(crate) const USHORT: u8 = 0x60;
pub(crate) const SHORT: u8 = 0x61;
pub(crate) const UINT: u8 = 0x70;
pub(crate) const INT: u8 = 0x71;
pub(crate) const FLOAT: u8 = 0x72;
pub(crate) const CHAR: u8 = 0x73;
pub(crate) const DECIMAL32: u8 = 0x74;
pub(crate) const ULONG: u8 = 0x80;
pub(crate) const LONG: u8 = 0x81;
pub(crate) const DOUBLE: u8 = 0x82;
pub(crate) const TIMESTAMP: u8 = 0x83;
pub(crate) const DECIMAL64: u8 = 0x84;
pub(crate) const DECIMAL128: u8 = 0x94;
pub(crate) const UUID: u8 = 0x98;
pub(crate) const VBIN8: u8 = 0xa0;
pub(crate) const STR8: u8 = 0xa1;
pub(crate) const SYM8: u8 = 0xa3;
pub(crate) const VBIN32: u8 = 0xb0;
pub(crate) const STR32: u8 = 0xb1;
pub(crate) const SYM32: u8 = 0xb3;
pub(crate) const LIST8: u8 = 0xc0;
pub(crate) const MAP8: u8 = 0xc1;
pub(crate) const LIST32: u8 = 0xd0;
pub(crate) const MAP32: u8 = 0xd1;
pub(crate) const ARRAY8: u8 = 0xe0;
pub(crate) const ARRAY32: u8 = 0xf0;

/// The type of a code, apart from descriptors; `None` for a code that no type has.
pub(crate) const fn kind(code: u8) -> Option<Kind> {
    Some(match code {
        NULL => Kind::Null,
        TRUE | FALSE | BOOLEAN => Kind::Bool,
        UBYTE => Kind::Ubyte,
        USHORT => Kind::Ushort,
        UINT0 | SMALLUINT | UINT => Kind::Uint,
        ULONG0 | SMALLULONG | ULONG => Kind::Ulong,
        BYTE => Kind::Byte,
        SHORT => Kind::Short,
        SMALLINT | INT => Kind::Int,
        SMALLLONG | LONG => Kind::Long,
        FLOAT => Kind::Float,
        DOUBLE => Kind::Double,
        DECIMAL32 => Kind::Decimal32,
        DECIMAL64 => Kind::Decimal64,
        DECIMAL128 => Kind::Decimal128,
        CHAR => Kind::Char,
        TIMESTAMP => Kind::Timestamp,
        UUID => Kind::Uuid,
        VBIN8 | VBIN32 => Kind::Binary,
        STR8 | STR32 => Kind::String,
        SYM8 | SYM32 => Kind::Symbol,
        LIST0 | LIST8 | LIST32 => Kind::List,
        MAP8 | MAP32 => Kind::Map,
        ARRAY8 | ARRAY32 => Kind::Array,
        _ => return None,
    })
}

/// How the octets after a constructor are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// This many.
    Fixed(u8),
    /// As many as one octet says, which comes first.
    One,
    /// As many as four octets say, which come first.
    Four,
}

/// The width that a code calls for; `None` for a code that no type has.
// [TYP-05]
#[inline]
pub(crate) const fn width(code: u8) -> Option<Width> {
    Some(match code {
        NULL | TRUE | FALSE | UINT0 | ULONG0 | LIST0 => Width::Fixed(0),
        UBYTE | BYTE | SMALLUINT | SMALLULONG | SMALLINT | SMALLLONG | BOOLEAN => Width::Fixed(1),
        USHORT | SHORT => Width::Fixed(2),
        UINT | INT | FLOAT | CHAR | DECIMAL32 => Width::Fixed(4),
        ULONG | LONG | DOUBLE | TIMESTAMP | DECIMAL64 => Width::Fixed(8),
        DECIMAL128 | UUID => Width::Fixed(16),
        VBIN8 | STR8 | SYM8 | LIST8 | MAP8 | ARRAY8 => Width::One,
        VBIN32 | STR32 | SYM32 | LIST32 | MAP32 | ARRAY32 => Width::Four,
        _ => return None,
    })
}

/// The least number of octets that a value of this code takes after its constructor.
pub(crate) const fn least(code: u8) -> Option<usize> {
    Some(match code {
        LIST8 | MAP8 => 2,
        ARRAY8 => 3,
        LIST32 | MAP32 => 8,
        ARRAY32 => 9,
        _ => match width(code) {
            Some(Width::Fixed(octets)) => octets as usize,
            Some(Width::One) => 1,
            Some(Width::Four) => 4,
            None => return None,
        },
    })
}
