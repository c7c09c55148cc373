//! What the applications of a run know of one link: what was sent, what came, what became of it.
//!
//! Decides what "nothing is lost, nothing comes twice, every delivery settles once" means. Sections
//! 2.6.12, 2.6.14, 3.4.

use std::collections::VecDeque;

use amqp_client::proto::{Incoming, LinkKey, Tag};
use amqp_client::types::Symbol;
use amqp_client::types::messaging::{
    Accepted, DeliveryState, Modified, Received, Rejected, Released,
};
use amqp_client::types::transport::{Error, ErrorCondition, ReceiverSettleMode, SenderSettleMode};
use bytes::Bytes;

use crate::rng::Rng;

/// One link of a run, seen from both ends.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    /// Which end sends.
    pub(crate) sender: usize,
    pub(crate) settle: SenderSettleMode,
    pub(crate) mode: ReceiverSettleMode,
    pub(crate) manual_drain: bool,
    pub(crate) keys: [Option<LinkKey>; 2],
    /// Which ends have attached.
    pub(crate) attached: [bool; 2],
    /// Which ends know that the link is over.
    pub(crate) over: [bool; 2],
    /// Which ends attach it once more, only to close it: a close crossed their detach. [LNK-22]
    pub(crate) again: [bool; 2],
    /// Whether anybody has begun to end it, or its session.
    pub(crate) ending: bool,
    pub(crate) drain_asked: bool,
    pub(crate) draining: bool,
    pub(crate) sent: Vec<Message>,
    /// How many of those have had their first transfer written.
    pub(crate) transmitted: usize,
    /// How many have come.
    pub(crate) arrived: usize,
    /// What came and was not taken by the application.
    pub(crate) inbox: VecDeque<Incoming>,
    /// What was taken and has no outcome.
    pub(crate) held: Vec<(usize, u32)>,
}

/// One message of a link.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) len: usize,
    pub(crate) settled: bool,
    pub(crate) tag: Tag,
    pub(crate) id: Option<u32>,
    /// What the receiving application said.
    pub(crate) outcome: Option<DeliveryState>,
    /// Whether the sending application has been told.
    pub(crate) confirmed: bool,
    /// Whether the receiving end has been told that it is settled, in mode second.
    pub(crate) released: bool,
}

impl Link {
    pub(crate) fn is_live(&self) -> bool {
        !self.ending && !self.over[0] && !self.over[1]
    }

    pub(crate) fn receiver(&self) -> usize {
        1 - self.sender
    }

    /// A delivery came: it has to be the next one, whole.
    pub(crate) fn arrive(&mut self, at: usize, delivery: Incoming) {
        let seq = self.arrived;
        self.arrived += 1;
        let message = self.sent.get_mut(seq);
        let message = message.unwrap_or_else(|| panic!("{} got more than was sent", self.name));
        assert_eq!(
            delivery.tag, message.tag,
            "{} out of order at {seq}",
            self.name
        );
        assert_eq!(delivery.settled, message.settled, "{} settled", self.name);
        assert_eq!(
            delivery.payload,
            payload(at, seq, message.len),
            "the payload"
        );
        assert_eq!(delivery.message_format, seq as u32 % 3, "the format");
        message.id = Some(delivery.id);
        self.inbox.push_back(delivery);
    }

    /// The sending application hears how a message ended.
    pub(crate) fn settled(&mut self, seq: u64, state: Option<DeliveryState>) {
        let message = &mut self.sent[seq as usize];
        assert!(!message.settled, "an outcome for a settled message");
        assert!(!message.confirmed, "{} settles {seq} twice", self.name);
        assert!(
            message.outcome.is_some(),
            "{} nobody settled {seq}",
            self.name
        );
        assert_eq!(state, message.outcome, "{} outcome of {seq}", self.name);
        message.confirmed = true;
    }

    /// The receiving end hears that the sender has settled.
    pub(crate) fn released(&mut self, id: u32) {
        let name = &self.name;
        let found = self.sent.iter_mut().rev().find(|m| m.id == Some(id));
        let message = found.unwrap_or_else(|| panic!("{name}: {id} was never received"));
        assert_eq!(
            self.mode,
            ReceiverSettleMode::Second,
            "the sender settles first"
        );
        assert!(
            message.outcome.is_some(),
            "settled before there was an outcome"
        );
        assert!(!message.released, "the sender settles twice");
        message.released = true;
    }

    /// Everything that was sent has come, and all of it is settled at both ends.
    pub(crate) fn check_complete(&self) {
        let name = &self.name;
        assert_eq!(self.arrived, self.sent.len(), "{name}: not everything came");
        assert_eq!(
            self.transmitted,
            self.sent.len(),
            "{name}: not all was written"
        );
        assert!(self.inbox.is_empty() && self.held.is_empty());
        assert!(!self.draining, "{name}: a drain never ended");
        for (seq, message) in self.sent.iter().enumerate() {
            assert!(
                message.settled || message.confirmed,
                "{name}: {seq} is open"
            );
            let second = self.mode == ReceiverSettleMode::Second && !message.settled;
            assert_eq!(message.released, second, "{name}: {seq} at the receiver");
        }
    }
}

/// The octets of a message: no two messages have the same.
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

/// The error that applications of the simulation make; any other is a fault.
pub(crate) fn injected() -> Box<Error> {
    Box::new(Error::new(ErrorCondition::Other(Symbol::from_static(
        "sim:injected",
    ))))
}
