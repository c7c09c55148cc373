//! Protocol headers and frames: eight octets, a performative, perhaps a payload.
//!
//! Decides whether octets form a frame and how a frame is laid out. What a performative means is
//! left to the layers above. Sections 2.2, 2.3, 5.3.1, 5.3.2.

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{DeliveryNumber, DeliveryTag, ErrorCondition, Handle, MessageFormat};
use amqp_types::transport::{ReceiverSettleMode, Transfer};
use amqp_types::{DescribedType, Encode, FieldEncoder};
use bytes::{BufMut, BytesMut};

use super::violation::Violation;

/// The size of a frame header without extension.
pub(crate) const FRAME_HEADER: usize = 8;
/// The largest frame that may be sent before the limit of the partner is known.
pub(crate) const MIN_MAX_FRAME_SIZE: u32 = amqp_types::transport::MIN_MAX_FRAME_SIZE;
/// The type octet of an AMQP frame.
pub(crate) const AMQP_FRAME: u8 = 0;
/// The type octet of a SASL frame.
pub(crate) const SASL_FRAME: u8 = 1;

/// The layer that a protocol header announces. Sections 2.2, 5.2.1, 5.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolId {
    /// Plain AMQP frames.
    Amqp,
    /// A TLS handshake.
    Tls,
    /// SASL frames.
    Sasl,
}

impl ProtocolId {
    /// The eight octets that announce version 1.0.0 of this layer. [CON-01] [SASL-01]
    pub const fn header(self) -> [u8; 8] {
        let id = match self {
            Self::Amqp => 0,
            Self::Tls => 2,
            Self::Sasl => 3,
        };
        [b'A', b'M', b'Q', b'P', id, 1, 0, 0]
    }

    /// Reads a protocol header as far as it has come. [CON-11]
    pub(crate) fn parse(octets: &[u8]) -> HeaderParse {
        let known = octets.len().min(4);
        if octets[..known] != b"AMQP"[..known] {
            return HeaderParse::Foreign;
        }
        if octets.len() < 8 {
            return HeaderParse::Partial;
        }
        let id = match octets[4] {
            0 => Self::Amqp,
            2 => Self::Tls,
            3 => Self::Sasl,
            _ => return HeaderParse::Foreign,
        };
        if octets[5..8] == [1, 0, 0] {
            HeaderParse::Whole(id)
        } else {
            HeaderParse::Version(id, [octets[5], octets[6], octets[7]])
        }
    }
}

/// What the first octets of a connection turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderParse {
    /// More octets are needed.
    Partial,
    /// A header of version 1.0.0.
    Whole(ProtocolId),
    /// A header of another version.
    Version(ProtocolId, [u8; 3]),
    /// Not AMQP 1.0 at all.
    Foreign,
}

/// The fixed part of a frame header. Section 2.3.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) size: usize,
    pub(crate) body: usize,
    pub(crate) channel: u16,
}

impl FrameHeader {
    /// Reads the header at the start of `octets`, or asks for more with `None`. The size is judged
    /// before the body has come. [FRM-02] [FRM-03] [FRM-04] [FRM-05] [FRM-13] [FRM-14]
    pub(crate) fn parse(octets: &[u8], kind: u8, max: u32) -> Result<Option<Self>, Violation> {
        const SECTION: &str = "2.3.1";
        let malformed =
            |detail: String| Violation::connection(ErrorCondition::FramingError, SECTION, detail);
        let Some(size) = octets.first_chunk::<4>() else {
            return Ok(None);
        };
        let size = u32::from_be_bytes(*size);
        if (size as usize) < FRAME_HEADER {
            return Err(malformed(format!("frame size {size} is below 8")));
        }
        if size > max {
            return Err(malformed(format!(
                "frame size {size} is above the max-frame-size {max}"
            )));
        }
        let Some(header) = octets.first_chunk::<FRAME_HEADER>() else {
            return Ok(None);
        };
        let [_, _, _, _, doff, found, high, low] = *header;
        let body = usize::from(doff) * 4;
        if body < FRAME_HEADER || body > size as usize {
            return Err(malformed(format!(
                "data offset {doff} does not lie inside a frame of {size} octets"
            )));
        }
        if found != kind {
            return Err(malformed(format!("frame type {found} where {kind} is due")));
        }
        Ok(Some(Self {
            size: size as usize,
            body,
            channel: u16::from_be_bytes([high, low]),
        }))
    }
}

/// Appends the frame header with the size left open; answers where the frame starts.
pub(crate) fn begin_frame(out: &mut BytesMut, kind: u8, channel: u16) -> usize {
    let start = out.len();
    // [FRM-07]: the data offset is always 2.
    let [high, low] = channel.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, 2, kind, high, low]);
    start
}

/// Writes the size of the frame that starts at `start`; `beyond` octets follow outside the buffer. [FRM-01]
pub(crate) fn end_frame(out: &mut BytesMut, start: usize, beyond: usize) {
    let size = (out.len() - start + beyond) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends a frame that holds one performative; answers its size.
pub(crate) fn put_frame(
    out: &mut BytesMut,
    kind: u8,
    channel: u16,
    performative: &impl Encode,
) -> usize {
    let start = begin_frame(out, kind, channel);
    performative.encode(out);
    end_frame(out, start, 0);
    out.len() - start
}

/// Appends a frame without body, whose only meaning is activity. [FRM-11] [CON-41]
pub(crate) fn put_empty_frame(out: &mut BytesMut) {
    out.extend_from_slice(&[0, 0, 0, 8, 2, AMQP_FRAME, 0, 0]);
}

/// A transfer performative as the engine writes it: like [`Transfer`], but the tag is borrowed, so
/// that no message costs an allocation for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TransferHead<'a> {
    pub(crate) handle: u32,
    /// Absent on the frames that continue a delivery.
    pub(crate) first: Option<FirstTransfer<'a>>,
    pub(crate) settled: bool,
    pub(crate) more: bool,
    pub(crate) state: Option<&'a DeliveryState>,
    pub(crate) resume: bool,
    pub(crate) aborted: bool,
    pub(crate) batchable: bool,
}

/// What only the first transfer of a delivery carries. [PRF-10] [PRF-11] [PRF-12] [PRF-13]
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstTransfer<'a> {
    pub(crate) delivery_id: u32,
    pub(crate) tag: &'a [u8],
    pub(crate) message_format: u32,
}

struct BorrowedTag<'a>(&'a [u8]);

impl Encode for BorrowedTag<'_> {
    fn encode(&self, out: &mut BytesMut) {
        // invariant: a tag has at most 32 octets, so its length fits the one-octet form.
        out.put_u8(0xa0);
        out.put_u8(self.0.len() as u8);
        out.extend_from_slice(self.0);
    }
}

impl Encode for TransferHead<'_> {
    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        let fields = FieldEncoder::new(out, &Transfer::DESCRIPTOR).mandatory(&Handle(self.handle));
        let fields = match self.first {
            Some(first) => fields
                .mandatory(&DeliveryNumber(first.delivery_id))
                .mandatory(&BorrowedTag(first.tag))
                .mandatory(&MessageFormat(first.message_format)),
            None => fields
                .optional(&None::<DeliveryNumber>)
                .optional(&None::<DeliveryTag>)
                .optional(&None::<MessageFormat>),
        };
        let fields = fields
            .optional(&self.settled.then_some(true))
            .default(&self.more, &false)
            .optional(&None::<ReceiverSettleMode>);
        let fields = match self.state {
            Some(state) => fields.mandatory(state),
            None => fields.optional(&None::<DeliveryState>),
        };
        fields
            .default(&self.resume, &false)
            .default(&self.aborted, &false)
            .default(&self.batchable, &false)
            .finish();
    }
}
