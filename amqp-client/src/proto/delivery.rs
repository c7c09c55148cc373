//! Deliveries: tags, what is queued to be sent, what came in, and a message in pieces.
//!
//! Decides what the engine remembers of one delivery. When it is sent or settled is left to the
//! links and the session. Sections 2.6.12, 2.6.14.

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::ReceiverSettleMode;
use bytes::{Bytes, BytesMut};

use super::arena::Key;

/// A delivery-tag, held in place: at most 32 octets. Section 2.8.7. [LNK-42]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    len: u8,
    octets: [u8; Tag::MAX],
}

impl Tag {
    /// The most octets that a tag may have.
    pub const MAX: usize = 32;

    /// A tag of these octets, or `None` when there are too many. [LNK-43]
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut tag = Self {
            len: u8::try_from(octets.len()).ok()?,
            octets: [0; Self::MAX],
        };
        tag.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(tag)
    }

    /// The shortest tag for a counter: its big-endian octets without leading zeros, at least one.
    pub fn from_counter(counter: u64) -> Self {
        let octets = counter.to_be_bytes();
        let skip = (counter.leading_zeros() as usize / 8).min(7);
        let mut tag = Self {
            len: (8 - skip) as u8,
            octets: [0; Self::MAX],
        };
        tag.octets[..8 - skip].copy_from_slice(&octets[skip..]);
        tag
    }

    /// The number that makes this tag, where there is one.
    pub fn counter(&self) -> Option<u64> {
        let octets = self.as_bytes();
        let mut whole = [0; 8];
        whole
            .get_mut(8usize.checked_sub(octets.len())?..)?
            .copy_from_slice(octets);
        let counter = u64::from_be_bytes(whole);
        (Self::from_counter(counter) == *self).then_some(counter)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tag(")?;
        for octet in self.as_bytes() {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}

/// A message to be sent, already encoded.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The sender's own name for it, echoed in events; ascending within a link.
    pub seq: u64,
    /// The encoded message.
    pub payload: Bytes,
    /// Whether it is sent settled.
    pub settled: bool,
    /// The tag, or `None` for one made of `seq`.
    pub tag: Option<Box<Tag>>,
    /// The message format; 0 for the standard's. Section 2.8.11.
    pub message_format: u32,
    /// The delivery state sent along, if any.
    pub state: Option<Box<DeliveryState>>,
    /// What the transfer is to the receiver.
    pub kind: TransferKind,
    /// Whether the payload comes in parts, by `stream`, instead of in `payload`.
    pub stream: bool,
    /// Whether an outcome that the receiver tells without settling leaves the delivery unsettled,
    /// until `settle_sent`.
    pub hold: bool,
}

/// How the parts of a streamed payload end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// That was all of it.
    Complete,
    /// The delivery is given up. Section 2.6.14.
    Aborted,
}

/// What a delivery's transfer is to the receiver. Section 2.6.13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransferKind {
    /// A new delivery.
    #[default]
    New,
    /// A delivery of an earlier attachment, with payload.
    Resumed,
    /// A delivery of an earlier attachment of which only the state is told: settled, or for the
    /// receiver to settle.
    StateOnly,
    /// A delivery of an earlier attachment that is given up.
    Aborted,
}

impl Outgoing {
    /// Whether it is one of an earlier attachment.
    pub(crate) fn is_resumed(&self) -> bool {
        self.kind != TransferKind::New
    }

    /// The tag that goes on the wire.
    pub(crate) fn wire_tag(&self) -> Tag {
        self.tag
            .as_deref()
            .copied()
            .unwrap_or_else(|| Tag::from_counter(self.seq))
    }
}

/// A delivery that was sent and is not settled yet.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) link: Key,
    pub(crate) message: Outgoing,
    /// The last state that the receiver reported.
    pub(crate) remote: Option<DeliveryState>,
}

/// A delivery that was received and is not settled yet.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) link: Key,
    pub(crate) tag: Tag,
    /// Whether it counts against the link's credit until the application is done with it; one that was
    /// resumed does not.
    pub(crate) counts: bool,
    /// The state that was reported without settling, in settle mode second.
    pub(crate) local: Option<Option<DeliveryState>>,
}

impl Held {
    /// Whether the application is not done with it, as far as credit is concerned.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.counts && self.local.is_none()
    }
}

/// A delivery that came in whole.
#[derive(Debug)]
pub struct Incoming {
    /// The delivery-id, by which it is settled.
    pub id: u32,
    /// The delivery-tag.
    pub tag: Tag,
    /// The message format. Section 2.8.11.
    pub message_format: u32,
    /// Whether the sender has settled it already.
    pub settled: bool,
    /// How the receiver settles it: the link's mode, or the transfer's own. Section 2.7.5. [PRF-16]
    pub mode: ReceiverSettleMode,
    /// The state that came with the transfer, if any.
    pub state: Option<Box<DeliveryState>>,
    /// The encoded message.
    pub payload: Bytes,
    /// How many transfer frames it took.
    pub frames: u32,
}

/// What came and has not been taken by the application: it is memory, and the window counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Transfer frames.
    pub frames: u32,
    /// Octets of payload.
    pub octets: usize,
}

impl Load {
    pub(crate) fn add(&mut self, other: Self) {
        self.frames = self.frames.saturating_add(other.frames);
        self.octets = self.octets.saturating_add(other.octets);
    }

    pub(crate) fn sub(&mut self, other: Self) {
        self.frames = self.frames.saturating_sub(other.frames);
        self.octets = self.octets.saturating_sub(other.octets);
    }
}

impl Incoming {
    /// The same delivery without its payload.
    pub(crate) fn copy_head(&self) -> Self {
        Self {
            id: self.id,
            tag: self.tag,
            message_format: self.message_format,
            settled: self.settled,
            mode: self.mode,
            state: self.state.clone(),
            payload: Bytes::new(),
            frames: 0,
        }
    }

    /// What the delivery weighs until it is taken.
    pub fn load(&self) -> Load {
        Load {
            frames: self.frames,
            octets: self.payload.len(),
        }
    }
}

/// A delivery of which not all transfers have come. [LNK-54]
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) head: Incoming,
    /// Whether it is one of an earlier attachment: its payload is known already.
    pub(crate) resumed: bool,
    /// Whether its payload is handed on part by part.
    pub(crate) streamed: bool,
    /// The first part, which mostly is all of it, and those that came after.
    first: Bytes,
    more: Vec<Bytes>,
    len: usize,
}

impl Assembly {
    pub(crate) fn new(head: Incoming, resumed: bool) -> Self {
        Self {
            head,
            resumed,
            streamed: false,
            first: Bytes::new(),
            more: Vec::new(),
            len: 0,
        }
    }

    /// The octets so far.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What it weighs until it is whole; what has been handed on in parts weighs there.
    pub(crate) fn load(&self) -> Load {
        match self.streamed {
            true => Load::default(),
            false => Load {
                frames: 0,
                octets: self.len,
            },
        }
    }

    pub(crate) fn push(&mut self, part: Bytes) {
        if !part.is_empty() && !self.resumed {
            self.len += part.len();
            if !self.streamed {
                match self.first.is_empty() {
                    true => self.first = part,
                    false => self.more.push(part),
                }
            }
        }
        self.head.frames += 1;
    }

    /// The delivery in one piece; copies once, and only when there were several parts.
    pub(crate) fn finish(mut self) -> Incoming {
        self.head.payload = match self.more.is_empty() {
            true => self.first,
            false => {
                let mut whole = BytesMut::with_capacity(self.len);
                whole.extend_from_slice(&self.first);
                for part in &self.more {
                    whole.extend_from_slice(part);
                }
                whole.freeze()
            }
        };
        self.head
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn a_tag_has_at_most_32_octets() {
        // tests: [LNK-42] [LNK-43]
        assert!(Tag::new(&[7; 33]).is_none());
        assert!(Tag::new(&[7; 300]).is_none());
        let tag = Tag::new(&[7; 32]).expect("32 octets are allowed");
        assert_eq!(tag.as_bytes(), [7; 32]);
    }

    #[test]
    fn counters_make_short_distinct_tags() {
        assert_eq!(Tag::from_counter(0).as_bytes(), [0]);
        assert_eq!(Tag::from_counter(255).as_bytes(), [255]);
        assert_eq!(Tag::from_counter(256).as_bytes(), [1, 0]);
        assert_eq!(Tag::from_counter(u64::MAX).as_bytes(), [255; 8]);
        for counter in [0, 1, 255, 256, u64::MAX] {
            assert_eq!(Tag::from_counter(counter).counter(), Some(counter));
        }
        for other in [&[][..], &[0, 1], &[1; 9]] {
            assert_eq!(Tag::new(other).and_then(|tag| tag.counter()), None);
        }
    }
}
