//! Reading and writing whole messages.
//!
//! Decides how sections are collected into a [`Message`], and the order in which they
//! are written.

use super::sections::{BODY, PLACES, Section, check_annotations};
use super::{Body, Message};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Decoder, DescribedType, Encode};
use crate::generated::messaging::{AmqpSequence, AmqpValue, Data};
use crate::value::OneOrMany;
use bytes::BytesMut;

impl Encode for Message {
    // [MSG-01]
    fn encode(&self, out: &mut BytesMut) {
        self.encode_sections(out, |_, _| ());
    }
}

impl Message {
    /// Appends the sections and tells where each place of the order ends.
    #[inline]
    pub(super) fn encode_sections(&self, out: &mut BytesMut, mut ends: impl FnMut(usize, usize)) {
        out.reserve(self.size_hint());
        encode_optional(&self.header, out);
        ends(0, out.len());
        encode_optional(&self.delivery_annotations, out);
        ends(1, out.len());
        encode_optional(&self.message_annotations, out);
        ends(2, out.len());
        encode_optional(&self.properties, out);
        ends(3, out.len());
        encode_optional(&self.application_properties, out);
        ends(4, out.len());
        self.body.encode_sections(out);
        ends(BODY, out.len());
        encode_optional(&self.footer, out);
        ends(PLACES - 1, out.len());
    }

    /// Room that a message of this body mostly fits in, so that the buffer grows once.
    fn size_hint(&self) -> usize {
        let body: usize = match &self.body {
            Body::Data(sections) => sections.iter().map(|octets| octets.len() + 8).sum(),
            Body::Value(value) => value.as_str().map_or(64, str::len),
            _ => 64,
        };
        body + 256
    }
}

#[inline]
fn encode_optional<T: Encode>(section: &Option<T>, out: &mut BytesMut) {
    if let Some(section) = section {
        section.encode(out);
    }
}

impl Body {
    // [MSG-02] [MSG-21] [MSG-22]
    fn encode_sections(&self, out: &mut BytesMut) {
        match self {
            Self::Empty => {}
            Self::Data(sections) => {
                for octets in sections.iter() {
                    Data::DESCRIPTOR.encode(out);
                    octets.encode(out);
                }
            }
            Self::Sequence(sections) => {
                for list in sections.iter() {
                    AmqpSequence::DESCRIPTOR.encode(out);
                    list.encode(out);
                }
            }
            Self::Value(value) => {
                AmqpValue::DESCRIPTOR.encode(out);
                value.encode(out);
            }
        }
    }

    /// Adds a section to the body; the order was checked.
    pub(super) fn read_section(
        &mut self,
        section: Section,
        d: &mut Decoder<'_>,
    ) -> Result<(), DecodeError> {
        match (section, &mut *self) {
            (Section::Data, Self::Data(sections)) => sections.push(Data::decode_content(d)?.0),
            (Section::Data, _) => *self = Self::Data(OneOrMany::One(Data::decode_content(d)?.0)),
            (Section::Sequence, Self::Sequence(sections)) => {
                sections.push(AmqpSequence::decode_content(d)?.0);
            }
            (Section::Sequence, _) => {
                let list = AmqpSequence::decode_content(d)?.0;
                *self = Self::Sequence(OneOrMany::One(list));
            }
            _ => *self = Self::Value(AmqpValue::decode_content(d)?.0),
        }
        Ok(())
    }
}

/// Reads sections to the end of the octets: a message is no value but several.
impl Decode for Message {
    fn decode_body(code: u8, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let first = Section::read_after(code, d)?;
        Self::decode_sections(first, d)
    }

    /// Reads sections to the end of the octets; no octets are a message without
    /// sections.
    // [MSG-03]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if d.is_empty() {
            return Ok(Self::default());
        }
        let first = Section::read(d)?;
        Self::decode_sections(first, d)
    }
}

impl Message {
    fn decode_sections(first: Section, d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        // Filled where it is returned: a message is large to be moved.
        let mut result = Ok(Self::default());
        if let Ok(message) = &mut result
            && let Err(error) = message.read_sections(first, d)
        {
            result = Err(error);
        }
        result
    }

    fn read_sections(&mut self, first: Section, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        let (mut section, mut last) = (first, None);
        loop {
            if !section.may_follow(last) {
                return Err(d.fault(DecodeErrorKind::SectionOrder));
            }
            self.read_section(section, d)?;
            if d.is_empty() {
                return Ok(());
            }
            last = Some(section);
            section = Section::read(d)?;
        }
    }

    fn read_section(&mut self, section: Section, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        match section {
            Section::Header => self.header = Some(DescribedType::decode_content(d)?),
            Section::DeliveryAnnotations => {
                let annotations = DescribedType::decode_content(d)?;
                let annotations = self.delivery_annotations.insert(annotations);
                check_annotations(annotations, d)?;
            }
            Section::MessageAnnotations => {
                let annotations = DescribedType::decode_content(d)?;
                let annotations = self.message_annotations.insert(annotations);
                check_annotations(annotations, d)?;
            }
            Section::Properties => self.properties = Some(DescribedType::decode_content(d)?),
            Section::ApplicationProperties => {
                self.application_properties = Some(DescribedType::decode_content(d)?);
            }
            Section::Data | Section::Sequence | Section::Value => {
                self.body.read_section(section, d)?;
            }
            Section::Footer => {
                let footer = self.footer.insert(DescribedType::decode_content(d)?);
                check_annotations(footer, d)?;
            }
        }
        Ok(())
    }

    /// A copy that keeps no read buffer alive.
    #[must_use]
    pub fn to_compact(&self) -> Self {
        crate::codec::compact(self)
    }
}
