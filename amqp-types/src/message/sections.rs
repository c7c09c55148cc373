//! Which sections there are and how they follow each other (section 3.2).
//!
//! Decides order and number: each section at most once, in the standard's order; only
//! data and sequences may come several times, one after the other.

use crate::codec::{DecodeError, DecodeErrorKind, Decoder, DescribedType, Descriptor};
use crate::generated::messaging::{
    AmqpSequence, AmqpValue, ApplicationProperties, Data, DeliveryAnnotations, Footer, Header,
    MessageAnnotations, Properties,
};
use crate::value::{AnnotationKey, Map, Value};

/// The kinds of sections, numbered as their descriptors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Header = 0x70,
    DeliveryAnnotations = 0x71,
    MessageAnnotations = 0x72,
    Properties = 0x73,
    ApplicationProperties = 0x74,
    Data = 0x75,
    Sequence = 0x76,
    Value = 0x77,
    Footer = 0x78,
}

impl Section {
    /// Reads the descriptor that starts a section.
    // [MSG-04] [TYP-03]
    #[inline(always)]
    pub(super) fn read(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match d.usual_descriptor() {
            Some(number) => match Self::of_code(number.into()) {
                Some(section) => Ok(section),
                None => Err(d.fault(DecodeErrorKind::UnknownDescriptor)),
            },
            None => {
                let code = d.code()?;
                Self::read_after(code, d)
            }
        }
    }

    /// Reads the descriptor after a format code that was read.
    pub(super) fn read_after(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let section = match d.descriptor_after(code)? {
            Descriptor::Code(code) => Self::of_code(code),
            Descriptor::Name(symbol) => Self::of_symbol(symbol),
            Descriptor::Other(_) => None,
        };
        section.ok_or_else(|| d.fault(DecodeErrorKind::UnknownDescriptor))
    }

    #[inline(always)]
    const fn of_code(code: u64) -> Option<Self> {
        Some(match code {
            0x70 => Self::Header,
            0x71 => Self::DeliveryAnnotations,
            0x72 => Self::MessageAnnotations,
            0x73 => Self::Properties,
            0x74 => Self::ApplicationProperties,
            0x75 => Self::Data,
            0x76 => Self::Sequence,
            0x77 => Self::Value,
            0x78 => Self::Footer,
            _ => return None,
        })
    }

    #[cold]
    fn of_symbol(symbol: &str) -> Option<Self> {
        let all = [
            Header::DESCRIPTOR,
            DeliveryAnnotations::DESCRIPTOR,
            MessageAnnotations::DESCRIPTOR,
            Properties::DESCRIPTOR,
            ApplicationProperties::DESCRIPTOR,
            Data::DESCRIPTOR,
            AmqpSequence::DESCRIPTOR,
            AmqpValue::DESCRIPTOR,
            Footer::DESCRIPTOR,
        ];
        let found = all.into_iter().find(|known| known.symbol == symbol)?;
        found.code.and_then(Self::of_code)
    }

    /// The place in the order; the three kinds of body share one.
    #[inline(always)]
    pub(super) const fn place(self) -> usize {
        match self {
            Self::Header => 0,
            Self::DeliveryAnnotations => 1,
            Self::MessageAnnotations => 2,
            Self::Properties => 3,
            Self::ApplicationProperties => 4,
            Self::Data | Self::Sequence | Self::Value => BODY,
            Self::Footer => 6,
        }
    }

    /// Whether this section may come after the one before.
    // [MSG-01] [MSG-02] [MSG-23]
    #[inline(always)]
    pub(super) fn may_follow(self, last: Option<Self>) -> bool {
        match last {
            None => true,
            Some(last) if last == self => matches!(self, Self::Data | Self::Sequence),
            Some(last) => self.place() > last.place(),
        }
    }
}

/// The place of the body.
pub(super) const BODY: usize = 5;
/// The number of places.
pub(super) const PLACES: usize = 7;

/// Refuses annotations that a receiver has to understand and does not, where the
/// limits say so. No key is understood here but the standard's `rejected`.
// [MSG-13] [MSG-14]
pub(super) fn check_annotations(
    annotations: &Map<AnnotationKey, Value>,
    d: &Decoder<'_>,
) -> Result<(), DecodeError> {
    let is_understood = |key: &AnnotationKey| key.is_ignorable() || key == "rejected";
    if d.limits().refuse_unknown_annotations && !annotations.keys().all(is_understood) {
        return Err(d.fault(DecodeErrorKind::UnknownAnnotation));
    }
    Ok(())
}
