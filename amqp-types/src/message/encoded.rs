//! Messages as they were received (section 3.2).
//!
//! Decides that sections are found in one pass, read when they are asked for, and
//! passed on octet for octet.

use super::sections::{BODY, PLACES, Section, check_annotations};
use super::{Body, Message};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Decoder, Encode, Limits};
use crate::generated::messaging::{
    ApplicationProperties, DeliveryAnnotations, Footer, Header, MessageAnnotations, Properties,
};
use crate::primitive::Binary;
use crate::value::{AnnotationKey, Map, Value};
use bytes::{Bytes, BytesMut};
use std::fmt;

/// The octets of a message, of which it is known where the sections are.
///
/// Making one checks that the octets are sections in the right order, and their sizes,
/// but reads none of them; each is read, and checked, when it is asked for. A clone
/// shares the octets.
///
/// ```
/// use amqp_types::{EncodedMessage, Message};
///
/// let sent = EncodedMessage::from(Message::from("hello").with_subject("greeting"));
/// let received = EncodedMessage::new(sent.bytes().clone())?;
/// let subject = received.properties()?.and_then(|properties| properties.subject);
/// assert_eq!(subject.as_deref(), Some("greeting"));
/// assert_eq!(received.body()?.as_str(), Some("hello"));
/// assert_eq!(received.header()?, None);
/// # Ok::<(), amqp_types::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct EncodedMessage {
    octets: Bytes,
    /// Where each place of the order ends; the next one starts there. A section that
    /// is missing starts where it ends.
    ends: [u32; PLACES],
    body: BodyKind,
    limits: Limits,
}

/// The form of a body, known without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// No body section.
    Empty,
    /// One data section.
    Data,
    /// Several data sections.
    ManyData,
    /// One or more sequence sections.
    Sequence,
    /// A value section.
    Value,
}

impl EncodedMessage {
    /// Finds the sections of a message.
    ///
    /// # Errors
    /// Where the octets are no sections, or not in the right order; where they are 4 GiB
    /// or more.
    pub fn new(octets: Bytes) -> Result<Self, DecodeError> {
        Self::with_limits(octets, Limits::DEFAULT)
    }

    /// Finds the sections of a message that will be read within `limits`. Where they
    /// refuse unknown annotations, annotations are read at once.
    ///
    /// # Errors
    /// As for [`EncodedMessage::new`], and where an annotation is refused.
    pub fn with_limits(octets: Bytes, limits: Limits) -> Result<Self, DecodeError> {
        let mut d = Decoder::with_limits(&octets, limits);
        let Ok(end) = u32::try_from(octets.len()) else {
            return Err(d.fault(DecodeErrorKind::TooLong));
        };
        let (mut ends, mut open, mut last, mut body) = ([0; PLACES], 0, None, BodyKind::Empty);
        let mut start = 0;
        while start < end {
            let section = Section::read(&mut d)?;
            if !section.may_follow(last) {
                return Err(d.fault(DecodeErrorKind::SectionOrder));
            }
            d.skip_value()?;
            body = body.with(section);
            last = Some(section);
            // All places that were passed over end where this section starts.
            let place = section.place();
            while open < place {
                ends[open] = start;
                open += 1;
            }
            // What is left are fewer octets than `end` counts.
            start = end - u32::try_from(d.remaining()).unwrap_or(end);
        }
        ends[open..].fill(end);
        let message = Self {
            octets,
            ends,
            body,
            limits,
        };
        // [MSG-13]
        if limits.refuse_unknown_annotations {
            message.delivery_annotations()?;
            message.message_annotations()?;
            message.footer()?;
        }
        Ok(message)
    }

    /// All octets of the message.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.octets
    }

    /// All octets of the message.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.octets
    }

    /// The bare message: properties, application properties and body, octet for octet
    /// as the sender wrote them. Nobody on the way may change it.
    // [MSG-05]
    #[must_use]
    pub fn bare(&self) -> Bytes {
        self.octets
            .slice(self.start(Section::Properties.place())..self.end(BODY))
    }

    /// The header; a message without one has the header's defaults.
    ///
    /// # Errors
    /// Where the section is not a header.
    // [MSG-06]
    pub fn header(&self) -> Result<Option<Header>, DecodeError> {
        self.section(Section::Header)
    }

    /// The annotations for this hop.
    ///
    /// # Errors
    /// Where the section is not what it says it is.
    pub fn delivery_annotations(&self) -> Result<Option<DeliveryAnnotations>, DecodeError> {
        self.annotations(Section::DeliveryAnnotations)
    }

    /// The annotations for every hop.
    ///
    /// # Errors
    /// Where the section is not what it says it is.
    pub fn message_annotations(&self) -> Result<Option<MessageAnnotations>, DecodeError> {
        self.annotations(Section::MessageAnnotations)
    }

    /// The standard's properties.
    ///
    /// # Errors
    /// Where the section is not what it says it is.
    pub fn properties(&self) -> Result<Option<Properties>, DecodeError> {
        self.section(Section::Properties)
    }

    /// The application's properties.
    ///
    /// # Errors
    /// Where the section is not what it says it is.
    pub fn application_properties(&self) -> Result<Option<ApplicationProperties>, DecodeError> {
        self.section(Section::ApplicationProperties)
    }

    /// The footer.
    ///
    /// # Errors
    /// Where the section is not what it says it is.
    pub fn footer(&self) -> Result<Option<Footer>, DecodeError> {
        self.annotations(Section::Footer)
    }

    /// The form of the body.
    #[must_use]
    pub const fn body_kind(&self) -> BodyKind {
        self.body
    }

    /// The body. Octets and text in it are views of this message's buffer.
    ///
    /// # Errors
    /// Where a section is not what it says it is.
    pub fn body(&self) -> Result<Body, DecodeError> {
        let mut body = Body::Empty;
        let mut d = self.decoder(BODY);
        while !d.is_empty() {
            let section = Section::read(&mut d)?;
            body.read_section(section, &mut d)?;
        }
        Ok(body)
    }

    /// The octets of a body of exactly one data section, without a copy; `None` for any
    /// other body.
    ///
    /// # Errors
    /// Where the section does not hold octets.
    pub fn body_data(&self) -> Result<Option<Binary>, DecodeError> {
        if self.body != BodyKind::Data {
            return Ok(None);
        }
        let mut d = self.decoder(BODY);
        Section::read(&mut d)?;
        Binary::decode(&mut d).map(Some)
    }

    /// The whole message.
    ///
    /// # Errors
    /// Where a section is not what it says it is.
    pub fn decode(&self) -> Result<Message, DecodeError> {
        Message::decode(&mut Decoder::with_limits(&self.octets, self.limits))
    }

    /// The message with another header and other delivery annotations, all else octet
    /// for octet: what a node on the way sends on.
    // [MSG-05] [MSG-14] [MSG-15] [MSG-21]
    #[must_use]
    pub fn forward(
        &self,
        header: Option<&Header>,
        delivery_annotations: Option<&DeliveryAnnotations>,
    ) -> Self {
        let from = self.start(Section::MessageAnnotations.place());
        let mut out = BytesMut::with_capacity(self.octets.len() - from + 64);
        let mut ends = self.ends;
        header.inspect(|header| header.encode(&mut out));
        ends[0] = index(out.len());
        delivery_annotations.inspect(|annotations| annotations.encode(&mut out));
        ends[1] = index(out.len());
        let start = out.len();
        out.extend_from_slice(&self.octets[from..]);
        let first = Section::MessageAnnotations.place();
        for (place, end) in ends.iter_mut().enumerate().skip(first) {
            *end = index(self.end(place) - from + start);
        }
        Self {
            octets: out.freeze(),
            ends,
            ..self.clone()
        }
    }

    /// The message with other message annotations, all else octet for octet: for what has to be said of
    /// a message that was encoded already.
    // [MSG-05]
    #[must_use]
    pub fn annotated(&self, annotations: &MessageAnnotations) -> Self {
        let place = Section::MessageAnnotations.place();
        let mut out = BytesMut::with_capacity(self.octets.len() + 128);
        out.extend_from_slice(&self.octets[..self.start(place)]);
        annotations.encode(&mut out);
        let mut ends = self.ends;
        let (before, after) = (self.end(place), out.len());
        for (place, end) in ends.iter_mut().enumerate().skip(place) {
            *end = index(self.end(place) - before + after);
        }
        out.extend_from_slice(&self.octets[before..]);
        Self {
            octets: out.freeze(),
            ends,
            ..self.clone()
        }
    }

    /// A copy that keeps no read buffer alive.
    #[must_use]
    pub fn compact(&self) -> Self {
        Self {
            octets: Bytes::copy_from_slice(&self.octets),
            ..self.clone()
        }
    }

    fn annotations<T>(&self, section: Section) -> Result<Option<T>, DecodeError>
    where
        T: Decode + std::ops::Deref<Target = Map<AnnotationKey, Value>>,
    {
        let annotations: Option<T> = self.section(section)?;
        if let Some(annotations) = &annotations {
            check_annotations(annotations, &self.decoder(section.place()))?;
        }
        Ok(annotations)
    }

    fn section<T: Decode>(&self, section: Section) -> Result<Option<T>, DecodeError> {
        let mut d = self.decoder(section.place());
        if d.is_empty() {
            return Ok(None);
        }
        let section = T::decode(&mut d)?;
        d.finish()?;
        Ok(Some(section))
    }

    fn decoder(&self, place: usize) -> Decoder<'_> {
        let range = self.start(place)..self.end(place);
        Decoder::within(&self.octets, range, self.limits)
    }

    const fn start(&self, place: usize) -> usize {
        match place.checked_sub(1) {
            Some(before) => self.end(before),
            None => 0,
        }
    }

    const fn end(&self, place: usize) -> usize {
        self.ends[place] as usize
    }
}

impl BodyKind {
    /// The kind after one more section; the order was checked.
    const fn with(self, section: Section) -> Self {
        match section {
            Section::Data => match self {
                Self::Empty => Self::Data,
                _ => Self::ManyData,
            },
            Section::Sequence => Self::Sequence,
            Section::Value => Self::Value,
            _ => self,
        }
    }
}

/// A place in a buffer that is known to be smaller than 4 GiB.
fn index(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

/// Equal where the octets are.
impl PartialEq for EncodedMessage {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets
    }
}

impl Eq for EncodedMessage {}

impl fmt::Debug for EncodedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedMessage")
            .field("len", &self.octets.len())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl From<&Message> for EncodedMessage {
    /// Encodes the message, in one pass.
    fn from(message: &Message) -> Self {
        let (mut out, mut ends) = (BytesMut::new(), [0; PLACES]);
        message.encode_sections(&mut out, |place, end| ends[place] = index(end));
        let body = match &message.body {
            body if body.is_empty() => BodyKind::Empty,
            Body::Data(sections) if sections.len() > 1 => BodyKind::ManyData,
            Body::Data(_) => BodyKind::Data,
            Body::Sequence(_) => BodyKind::Sequence,
            Body::Value(_) | Body::Empty => BodyKind::Value,
        };
        Self {
            octets: out.freeze(),
            ends,
            body,
            limits: Limits::DEEP,
        }
    }
}

impl From<Message> for EncodedMessage {
    fn from(message: Message) -> Self {
        Self::from(&message)
    }
}

impl TryFrom<Bytes> for EncodedMessage {
    type Error = DecodeError;

    fn try_from(octets: Bytes) -> Result<Self, DecodeError> {
        Self::new(octets)
    }
}

impl TryFrom<&EncodedMessage> for Message {
    type Error = DecodeError;

    fn try_from(encoded: &EncodedMessage) -> Result<Self, DecodeError> {
        encoded.decode()
    }
}
