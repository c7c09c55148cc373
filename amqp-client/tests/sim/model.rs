//! What the applications of a run know of one link: what was sent, what came, what became of it.
//!
//! Decides what "nothing is lost, nothing comes twice, every delivery settles once" means, through any
//! number of attachments. Sections 2.6.12 to 2.6.14, 3.4.

use std::collections::VecDeque;

use amqp_client::proto::{Incoming, LinkKey, StreamEnd};
use amqp_client::types::messaging::DeliveryState;
use amqp_client::types::transport::{ReceiverSettleMode, SenderSettleMode};

use crate::message::{Fate, Holds, Message, payload, seq_of};
use crate::tap::Piece;

/// One end of a link.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Its key, from the attach on until it is over there.
    pub(crate) key: Option<LinkKey>,
    /// The last key that it had.
    pub(crate) last: Option<LinkKey>,
    /// Which attachment that is.
    pub(crate) attachment: u32,
    /// Whether it has attached, and whether that has been written.
    pub(crate) attached: bool,
    pub(crate) written: bool,
    /// Whether it has begun to end the attachment, and whether with an error.
    pub(crate) leaving: bool,
    pub(crate) failed: bool,
    /// The key under which its engine may have unsettled deliveries.
    pub(crate) kept: Option<LinkKey>,
    /// Whether its attach told of them.
    pub(crate) told: bool,
}

/// What waits for the receiving application.
#[derive(Debug)]
pub(crate) enum Item {
    Whole {
        seq: usize,
        delivery: Incoming,
    },
    Part {
        seq: usize,
        octets: usize,
        first: bool,
        end: Option<StreamEnd>,
    },
}

/// One link of a run, seen from both ends.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    /// Which end sends, and which one attaches it.
    pub(crate) sender: usize,
    pub(crate) owner: usize,
    pub(crate) settle: SenderSettleMode,
    pub(crate) mode: ReceiverSettleMode,
    /// Whether it outlives its attachments.
    pub(crate) resumable: bool,
    /// Whether its receiver is told of parts.
    pub(crate) streaming: bool,
    pub(crate) manual_drain: bool,
    pub(crate) sides: [Side; 2],
    /// How often it has been attached.
    pub(crate) attachment: u32,
    /// Whether anybody has begun to end this attachment, or its session.
    pub(crate) ending: bool,
    /// Whether it is over for good, and whether the last attach was refused.
    pub(crate) dead: bool,
    pub(crate) refused: bool,
    /// Which ends attach it once more, only to close it: a close crossed their detach. [LNK-22]
    pub(crate) again: [bool; 2],
    pub(crate) drain_asked: bool,
    pub(crate) draining: bool,
    /// Whether the attaches of this attachment left something out, and what the next one begins with.
    pub(crate) partial: bool,
    pub(crate) turning: bool,
    pub(crate) fruitless: usize,
    pub(crate) tell_from: usize,
    /// Whether the sender's attaches tell of what is unsettled, and whether with a state of its own.
    pub(crate) tells: bool,
    pub(crate) marks: bool,

    pub(crate) sent: Vec<Message>,
    /// How many first transfers the engine says that it has written.
    pub(crate) transmitted: usize,
    /// The last new delivery that was written, and that came, in this attachment.
    pub(crate) last_written: Option<usize>,
    pub(crate) last_arrived: Option<usize>,
    /// What comes in parts just now.
    pub(crate) coming: Option<usize>,
    pub(crate) inbox: VecDeque<Item>,
    /// What was taken and has no outcome.
    pub(crate) held: Vec<usize>,
    /// The credit that the receiver keeps granted, while that is known; deliveries that were begun and
    /// that were finished with in this attachment.
    pub(crate) auto: Option<u32>,
    pub(crate) begun: usize,
    pub(crate) finished: usize,
}

impl Link {
    /// Whether the attachment can be used, as far as anybody knows.
    pub(crate) fn is_live(&self) -> bool {
        let here = |side: &Side| side.key.is_none() || side.attachment == self.attachment;
        !self.ending && !self.dead && self.sides.iter().all(here) && !self.is_suspended()
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.sides[self.owner].key.is_none()
    }

    /// Whether an end knows of the attachment of now.
    pub(crate) fn is_current(&self, at: usize) -> bool {
        let side = &self.sides[at];
        side.key.is_some() && side.attachment == self.attachment
    }

    pub(crate) fn receiver(&self) -> usize {
        1 - self.sender
    }

    /// The receiving side's key, if the application may settle under it.
    pub(crate) fn may_settle(&self) -> Option<LinkKey> {
        let side = &self.sides[self.receiver()];
        side.key.filter(|_| !(self.resumable && side.leaving))
    }

    /// A new attachment begins.
    pub(crate) fn begin_attachment(&mut self) {
        self.attachment += 1;
        self.ending = false;
        self.refused = false;
        self.partial = false;
        self.turning = false;
        self.draining = false;
        self.drain_asked = false;
        self.last_written = None;
        self.last_arrived = None;
        self.auto = None;
        self.begun = 0;
        self.finished = 0;
        for message in &mut self.sent {
            message.first = false;
            message.written = 0;
            message.whole = false;
            message.counted = false;
        }
    }

    // ---- the sending side ----------------------------------------------------------------------

    /// A transfer has been written.
    pub(crate) fn wrote(&mut self, piece: &Piece) {
        let name = &self.name;
        let seq = seq_of(&piece.tag);
        let message = &mut self.sent[seq];
        if piece.first {
            if !piece.resumed {
                self.begun += 1;
                assert!(!self.partial, "{name}: {seq} is new, and not all was told");
                assert!(
                    self.last_written.is_none_or(|last| last < seq),
                    "{name}: {seq} is written out of order"
                );
                self.last_written = Some(seq);
                message.first = true;
                message.counted = true;
            }
            message.written = 0;
            message.open |= !piece.settled && !piece.aborted;
            message.reached |= !piece.aborted;
            message.absent &= piece.aborted;
        }
        message.written += piece.octets;
        message.whole = !piece.more && !piece.aborted;
        assert!(message.written <= message.len, "{name}: more than there is");
        if piece.aborted && !piece.resumed {
            assert_eq!(message.end, Some(StreamEnd::Aborted), "{name}: {seq}");
        }
        if message.whole && !piece.resumed {
            assert_eq!(message.written, message.len, "{name}: {seq} is cut short");
            let end = message.stream.then_some(StreamEnd::Complete);
            assert_eq!(message.end, end, "{name}: {seq} ends by itself");
        }
    }

    /// The sending application hears how a message ended.
    pub(crate) fn settled(&mut self, seq: u64, state: Option<DeliveryState>) {
        let name = &self.name;
        let message = &mut self.sent[seq as usize];
        assert_eq!(message.fate, Fate::Open, "{name} settles {seq} twice");
        message.open = false;
        if message.end == Some(StreamEnd::Aborted) && state.is_none() {
            message.fate = Fate::Aborted;
            return;
        }
        assert!(!message.settled, "an outcome for a settled message");
        assert!(
            state
                .as_ref()
                .is_some_and(|state| message.decisions.contains(state)),
            "{name}: nobody decided {state:?} on {seq}, but {:?}",
            message.decisions
        );
        message.fate = Fate::Known;
    }

    /// The sending application hears that nobody can tell how a message ended.
    pub(crate) fn unknown(&mut self, seq: usize) {
        let receiver = self.receiver();
        let message = &mut self.sent[seq];
        let told = self.sides[receiver].told && self.tells;
        assert!(!told, "{}: {seq} could be known", self.name);
        assert!(message.is_open() && message.reached);
        message.fate = Fate::Unknown;
    }

    /// Whatever the receiver had said when the attachment ended has come.
    pub(crate) fn check_told(&self) {
        for (seq, message) in self.sent.iter().enumerate() {
            let lost = message.is_in_doubt() && message.told && !message.excused;
            assert!(!lost, "{}: the outcome of {seq} is lost", self.name);
        }
    }

    // ---- the receiving side --------------------------------------------------------------------

    /// A delivery begins to come: it has to be the next one of those that were written.
    pub(crate) fn next(&mut self, seq: usize, settled: bool, format: u32) {
        let name = &self.name;
        let from = self.last_arrived.map_or(0, |last| last + 1);
        assert!(seq >= from, "{name}: {seq} is out of order");
        let missing = (from..seq).find(|seq| self.sent[*seq].first);
        assert_eq!(missing, None, "{name}: missing before {seq}");
        self.last_arrived = Some(seq);
        let message = &mut self.sent[seq];
        assert!(message.first, "{name}: {seq} comes and was not written");
        assert_eq!(
            message.holds,
            Holds::Nothing,
            "{name}: {seq} comes while it is held"
        );
        assert!(
            message.came == 0 || message.may_repeat,
            "{name}: {seq} comes twice"
        );
        assert_ne!(message.fate, Fate::Unknown, "{name}: {seq} comes after all");
        assert_eq!(settled, message.settled, "{name}: {seq} settled");
        assert_eq!(format, seq as u32 % 3, "the format");
        message.may_repeat = false;
        message.came += 1;
        message.parts = 0;
    }

    /// A delivery came whole.
    pub(crate) fn arrive(&mut self, number: usize, delivery: Incoming) {
        let seq = seq_of(&delivery.tag);
        self.next(seq, delivery.settled, delivery.message_format);
        let name = &self.name;
        let message = &mut self.sent[seq];
        assert!(message.whole, "{name}: {seq} comes before it ends");
        assert_eq!(message.tag, delivery.tag, "{name}: the tag of {seq}");
        assert_eq!(
            delivery.payload,
            payload(number, seq, message.len),
            "{name}: the payload of {seq}"
        );
        message.id = Some(delivery.id);
        message.holds = Holds::Inbox;
        message.held = !delivery.settled;
        self.inbox.push_back(Item::Whole { seq, delivery });
    }

    /// A delivery was given up.
    pub(crate) fn aborted(&mut self) {
        let from = self.last_arrived.map_or(0, |last| last + 1);
        let next = (from..self.sent.len()).find(|seq| self.sent[*seq].first);
        let seq = next.unwrap_or_else(|| panic!("{}: nothing to be aborted", self.name));
        let message = &mut self.sent[seq];
        assert_eq!(
            message.end,
            Some(StreamEnd::Aborted),
            "{seq} is not given up"
        );
        message.counted = false;
        self.last_arrived = Some(seq);
        self.finished += 1;
    }

    /// The receiving application is done with a delivery, for the first time.
    pub(crate) fn finish(&mut self, seq: usize) {
        if std::mem::take(&mut self.sent[seq].counted) {
            self.finished += 1;
        }
    }

    /// The receiving end hears that the sender has settled.
    pub(crate) fn released(&mut self, id: u32) {
        let name = &self.name;
        let held = |m: &&mut Message| m.id == Some(id) && m.holds != Holds::Nothing;
        let found = self.sent.iter_mut().rev().find(held);
        let message = found.unwrap_or_else(|| panic!("{name}: {id} is not held"));
        assert_eq!(
            self.mode,
            ReceiverSettleMode::Second,
            "{name}: the sender settles first"
        );
        assert_eq!(
            message.holds,
            Holds::Decided,
            "{name}: settled before there was an outcome"
        );
        assert_eq!(message.fate, Fate::Known, "{name}: settled and not known");
        message.holds = Holds::Nothing;
        message.held = false;
    }

    /// The application decides on a delivery.
    pub(crate) fn decide(&mut self, seq: usize, state: DeliveryState, told: bool) {
        let message = &mut self.sent[seq];
        assert!(
            message.decisions.is_empty() || message.excused,
            "{}: {seq} is decided twice",
            self.name
        );
        message.excused = false;
        message.told = told;
        if told || self.resumable {
            message.decisions.push(state);
        }
        message.holds = match told && self.mode == ReceiverSettleMode::First {
            true => Holds::Nothing,
            false => Holds::Decided,
        };
        if message.holds == Holds::Nothing {
            message.held = false;
        }
    }
}
