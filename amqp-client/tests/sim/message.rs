//! What the applications of a run know of one message.
//!
//! Decides what a message is made of and which outcomes there are. What has to be true of all of them
//! is in `model`. Sections 2.6.12, 3.4.

use amqp_client::proto::{StreamEnd, Tag};
use amqp_client::types::Symbol;
use amqp_client::types::messaging::{
    Accepted, DeliveryState, Modified, Received, Rejected, Released,
};
use amqp_client::types::transport::{Error, ErrorCondition};
use bytes::Bytes;

use crate::rng::Rng;

/// What the sending application knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet; of one that was sent settled nothing ever comes.
    Open,
    /// The outcome.
    Known,
    /// That it will never know.
    Unknown,
    /// That it gave the message up.
    Aborted,
}

/// What the receiving application has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Nothing,
    /// It waits to be taken.
    Inbox,
    /// It was taken and has no outcome.
    Taken,
    /// It has an outcome that the sender may not know.
    Decided,
}

/// One message of a link.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its octets; of a stream, those that have been handed over.
    pub(crate) len: usize,
    pub(crate) settled: bool,
    pub(crate) tag: Tag,
    /// Whether it is handed over in parts, and how that has ended.
    pub(crate) stream: bool,
    pub(crate) end: Option<StreamEnd>,

    /// Whether any of it has been written, ever, and whether its receiver has said that it knows nothing
    /// of it since.
    pub(crate) reached: bool,
    pub(crate) absent: bool,
    /// In this attachment: whether it began as a new delivery, how much was written, and whether to
    /// its end.
    pub(crate) first: bool,
    pub(crate) written: usize,
    pub(crate) whole: bool,
    /// Whether the sending engine has it among its unsettled deliveries.
    pub(crate) open: bool,
    pub(crate) fate: Fate,

    pub(crate) id: Option<u32>,
    pub(crate) holds: Holds,
    /// Whether the receiving engine has it among its unsettled deliveries.
    pub(crate) held: bool,
    /// How often it has come, and how much of it in parts.
    pub(crate) came: usize,
    pub(crate) parts: usize,
    /// Whether all of it has been taken.
    pub(crate) done: bool,
    /// Whether it counts against the credit that its receiver keeps granted.
    pub(crate) counted: bool,
    /// What was decided, each time that it came.
    pub(crate) decisions: Vec<DeliveryState>,
    /// Whether the last decision was told to an engine that could pass it on.
    pub(crate) told: bool,
    /// Whether it may come once more, and whether it may then be decided once more.
    pub(crate) may_repeat: bool,
    pub(crate) excused: bool,
}

impl Message {
    pub(crate) fn new(seq: usize, len: usize, settled: bool, own: Option<Tag>) -> Self {
        Self {
            len,
            settled,
            tag: own.unwrap_or_else(|| Tag::from_counter(seq as u64)),
            stream: false,
            end: None,
            reached: false,
            absent: false,
            first: false,
            written: 0,
            whole: false,
            open: false,
            fate: Fate::Open,
            id: None,
            holds: Holds::Nothing,
            held: false,
            came: 0,
            parts: 0,
            done: true,
            counted: false,
            decisions: Vec::new(),
            told: false,
            may_repeat: false,
            excused: false,
        }
    }

    /// Whether its sender does not know what became of it.
    pub(crate) fn is_open(&self) -> bool {
        !self.settled && self.fate == Fate::Open
    }

    /// Whether it was decided and forgotten, and its sender does not know.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.is_open() && self.holds == Holds::Nothing && !self.decisions.is_empty()
    }

    /// The receiving application has nothing of it any more: it may come once more.
    pub(crate) fn lose(&mut self) {
        self.holds = Holds::Nothing;
        self.id = None;
        self.may_repeat = true;
    }
}

/// The tag that an application chooses for a message.
pub(crate) fn own_tag(rng: &mut Rng, seq: usize) -> Tag {
    let mut octets = vec![9; rng.range(9, 32)];
    octets[..8].copy_from_slice(&(seq as u64).to_be_bytes());
    Tag::new(&octets).expect("at most 32 octets")
}

/// The message that a tag is of.
pub(crate) fn seq_of(tag: &Tag) -> usize {
    let number = tag.counter().unwrap_or_else(|| {
        let octets = tag.as_bytes()[..8].try_into();
        u64::from_be_bytes(octets.expect("an own tag has more than eight octets"))
    });
    number as usize
}

/// The octets of a message: no two messages have the same, and a part is the beginning of the whole.
pub(crate) fn payload(link: usize, seq: usize, len: usize) -> Bytes {
    let start = link.wrapping_mul(31).wrapping_add(seq.wrapping_mul(7));
    (0..len)
        .map(|at| start.wrapping_add(at.wrapping_mul(5)) as u8)
        .collect()
}

/// Any outcome, with fields.
pub(crate) fn outcome(rng: &mut Rng) -> DeliveryState {
    match rng.below(8) {
        0 => {
            let error = rng.chance(50).then(injected);
            Rejected { error }.into()
        }
        1 => Released::default().into(),
        2 => {
            let delivery_failed = Some(true);
            let modified = Modified {
                delivery_failed,
                ..Modified::default()
            };
            modified.into()
        }
        _ => Accepted::default().into(),
    }
}

/// A state that is no outcome. [OUT-01]
pub(crate) fn progress(rng: &mut Rng) -> DeliveryState {
    Received::new(0, rng.below(100) as u64).into()
}

/// The error that applications of the simulation make.
pub(crate) fn injected() -> Box<Error> {
    Box::new(Error::new(ErrorCondition::Other(Symbol::from_static(
        "sim:injected",
    ))))
}
