//! What an end writes, read off the wire: which deliveries begin, go on and end.
//!
//! Decides nothing; whoever wants to know what has really been written, whatever the engine says of it,
//! reads it here. Sections 2.3, 2.6.14.

use std::collections::BTreeMap;

use amqp_client::proto::Tag;
use amqp_client::types::transport::Performative;
use amqp_client::types::{Decode, Decoder};

/// One thing that an end has written.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A frame without a body. Section 2.4.5.
    Heartbeat {
        channel: u16,
    },
    Open,
    /// The attach of the link of this number.
    Attach(usize),
    Transfer(Piece),
    /// Anything else.
    Other,
}

/// One transfer frame.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The number of its link.
    pub(crate) link: usize,
    pub(crate) tag: Tag,
    /// Whether it is the first of its delivery.
    pub(crate) first: bool,
    pub(crate) resumed: bool,
    pub(crate) settled: bool,
    pub(crate) aborted: bool,
    pub(crate) more: bool,
    pub(crate) octets: usize,
}

/// The links of an end by channel and handle, each with the delivery that is under way.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    handles: BTreeMap<(u16, u32), (usize, Option<Tag>)>,
}

impl Tap {
    /// Reads what was written in one turn; engines write whole frames.
    pub(crate) fn read(&mut self, mut octets: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        while !octets.is_empty() {
            if octets.starts_with(b"AMQP") {
                octets = &octets[8..];
                seen.push(Seen::Other);
                continue;
            }
            let size = u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]) as usize;
            let (frame, rest) = octets.split_at(size);
            octets = rest;
            seen.push(self.frame(frame));
        }
        seen
    }

    fn frame(&mut self, frame: &[u8]) -> Seen {
        let channel = u16::from_be_bytes([frame[6], frame[7]]);
        let body = &frame[8..];
        if body.is_empty() {
            return Seen::Heartbeat { channel };
        }
        // Of the performatives only these are of interest: open, attach, transfer.
        if frame[5] == 1 || !matches!(body[2], 0x10 | 0x12 | 0x14) {
            return Seen::Other;
        }
        let body = bytes::Bytes::copy_from_slice(body);
        let mut decoder = Decoder::new(&body);
        match Performative::decode(&mut decoder).expect("what was written decodes") {
            Performative::Open(_) => Seen::Open,
            Performative::Attach(attach) => {
                let link = number_of(&attach.name);
                self.handles
                    .insert((channel, attach.handle.0), (link, None));
                Seen::Attach(link)
            }
            Performative::Transfer(transfer) => {
                let octets = body.len() - decoder.position();
                let known = self.handles.get_mut(&(channel, transfer.handle.0));
                let (link, open) = known.expect("a transfer on an attached handle");
                let told = transfer.delivery_tag.as_ref();
                let told = told.and_then(|tag| Tag::new(tag.as_ref()));
                let first = open.is_none();
                let tag = open.or(told).expect("a first transfer has a tag");
                *open = (transfer.more && !transfer.aborted).then_some(tag);
                Seen::Transfer(Piece {
                    link: *link,
                    tag,
                    first,
                    resumed: transfer.resume,
                    settled: transfer.settled == Some(true),
                    aborted: transfer.aborted,
                    more: transfer.more && !transfer.aborted,
                    octets,
                })
            }
            _ => Seen::Other,
        }
    }
}

/// The number of the link that bears a name.
pub(crate) fn number_of(name: &str) -> usize {
    name[1..].parse().expect("the name of a link")
}
