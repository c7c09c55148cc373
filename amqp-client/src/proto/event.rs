//! Everything that the engine says to its driver, as one enum.
//!
//! Decides the vocabulary; who hears which event is left to the driver. Part 2 of the standard.

use amqp_types::messaging::DeliveryState;
use amqp_types::security::SaslCode;
use amqp_types::transport::{Attach, Begin, Error, Open};
use amqp_types::{Binary, Str, Symbol};

use bytes::Bytes;

use super::arena::Key;
use super::delivery::{Incoming, StreamEnd, Tag};
use super::violation::Violation;

/// Why authentication did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslFailure {
    /// The listener offered nothing that may be used; this it offered. Section 5.3.3.1.
    NoMechanism(Vec<Symbol>),
    /// The listener refused with this code. Section 5.3.3.6. [SASL-13]
    Refused(SaslCode),
    /// This side gave up, or did not believe the listener. [SASL-17]
    GivenUp,
}

/// A link, named within its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkKey {
    /// The session that the link belongs to.
    pub session: Key,
    /// The link within that session.
    pub link: Key,
}

/// What happened on a connection.
#[derive(Debug)]
pub enum Event {
    /// A client chose a mechanism; the listener has to answer with `sasl_challenge` or
    /// `sasl_outcome`. Section 5.3.3.2.
    SaslInit {
        /// The mechanism.
        mechanism: Symbol,
        /// Its first message, if it has one.
        initial_response: Option<Binary>,
        /// The host that the client believes it talks to.
        hostname: Option<Str>,
    },
    /// A client answered a challenge. Section 5.3.3.4.
    SaslResponse(Binary),
    /// The listener offers these mechanisms; the client has to answer with `sasl_init` or
    /// `sasl_give_up`. Section 5.3.3.1.
    SaslOffer(Vec<Symbol>),
    /// The listener challenges; the client has to answer with `sasl_respond` or `sasl_give_up`.
    /// Section 5.3.3.3.
    SaslChallenge(Binary),
    /// The listener said ok, with this data; nothing is read until `sasl_accept` or `sasl_give_up`.
    /// Section 5.3.3.5.
    SaslAccepted(Option<Binary>),
    /// Authentication failed. Section 5.3.3.6.
    SaslFailed(SaslFailure),
    /// The partner's open arrived. Section 2.7.1.
    Opened(Box<Open>),
    /// The partner closed the connection, or answered our close. Section 2.7.9.
    Closed(Option<Box<Error>>),
    /// The partner broke a rule and the connection is being closed.
    Violated(Violation),
    /// Our begin was answered, or the partner's begin was accepted. Section 2.7.2.
    SessionBegun {
        /// The session.
        session: Key,
        /// Whether the partner began it.
        incoming: bool,
        /// The partner's begin.
        begin: Box<Begin>,
    },
    /// The session is over. Section 2.7.8.
    SessionEnded {
        /// The session; its key is stale from now on.
        session: Key,
        /// Why, when it was for an error.
        error: Option<Box<Error>>,
        /// Whether the partner ended it; otherwise it answered our end.
        by_peer: bool,
    },
    /// The partner attached a link that waits for `accept_link` or `refuse_link`. Section 2.6.3.
    LinkIncoming {
        /// The link.
        link: LinkKey,
        /// What the partner wants.
        attach: Box<Attach>,
    },
    /// The partner answered our attach. Section 2.6.3.
    LinkAttached {
        /// The link.
        link: LinkKey,
        /// What the partner answered.
        attach: Box<Attach>,
    },
    /// The link is detached. Section 2.7.7.
    LinkDetached {
        /// The link; its key is stale once both sides have detached.
        link: LinkKey,
        /// Whether the terminus is gone too.
        closed: bool,
        /// Why, when it was for an error.
        error: Option<Box<Error>>,
        /// Whether the partner detached first; otherwise it answered our detach.
        by_peer: bool,
    },
    /// The receiver granted credit or took it back. Section 2.6.7.
    Credit {
        /// The link.
        link: LinkKey,
        /// How many deliveries may be sent now.
        credit: u32,
        /// Whether the receiver asks for the credit to be used up.
        drain: bool,
    },
    /// The first transfers of deliveries have been written.
    Sent {
        /// The link.
        link: LinkKey,
        /// How many.
        count: u32,
        /// How many of them were sent settled, so that nothing more is heard of them.
        settled: u32,
        /// The octets of those.
        settled_bytes: usize,
    },
    /// A delivery that we sent is settled. Section 2.6.12.
    Settled {
        /// The link.
        link: LinkKey,
        /// The sender's name for the delivery.
        seq: u64,
        /// The last state the receiver reported.
        state: Option<DeliveryState>,
    },
    /// The receiver reported a state without settling. Section 2.7.6.
    Updated {
        /// The link.
        link: LinkKey,
        /// The sender's name for the delivery.
        seq: u64,
        /// The state.
        state: DeliveryState,
    },
    /// A message arrived whole. Section 2.6.14.
    Delivery {
        /// The link.
        link: LinkKey,
        /// The delivery.
        delivery: Incoming,
    },
    /// The sender gave a delivery up halfway. Section 2.6.14.
    Aborted {
        /// The link.
        link: LinkKey,
    },
    /// A part of a message arrived, on a link that is told of parts. Section 2.6.14.
    Part {
        /// The link.
        link: LinkKey,
        /// The delivery, with the first part; its payload is empty.
        first: Option<Box<Incoming>>,
        /// The octets.
        payload: Bytes,
        /// How the delivery ended, with the last part.
        end: Option<StreamEnd>,
    },
    /// Octets of a streamed message have been written.
    StreamWritten {
        /// The link.
        link: LinkKey,
        /// The sender's name for the message.
        seq: u64,
        /// How many.
        octets: usize,
    },
    /// The sender settled a delivery that we hold. Section 2.6.12.
    DeliverySettled {
        /// The link.
        link: LinkKey,
        /// The delivery-id.
        id: u32,
        /// The delivery-tag.
        tag: Tag,
        /// The state that came with it.
        state: Option<DeliveryState>,
    },
    /// The sender told a state of a delivery that we hold, and leaves it open. Section 2.7.6.
    DeliveryUpdated {
        /// The link.
        link: LinkKey,
        /// The delivery-id.
        id: u32,
        /// The delivery-tag.
        tag: Tag,
        /// The state.
        state: DeliveryState,
    },
    /// The peer does not resume links: what became of a delivery of the earlier attachment is not
    /// known, and it is not sent again. Section 2.6.13.
    Unknown {
        /// The link.
        link: LinkKey,
        /// The sender's name for the delivery.
        seq: u64,
    },
    /// The attaches did not tell of all unsettled deliveries: until the link has been attached again
    /// with nothing left out, nothing new is sent. Section 2.7.3.
    Partial {
        /// The link.
        link: LinkKey,
    },
    /// On such a link: the receiver knows nothing of a delivery, which is to be sent as a new one.
    Absent {
        /// The link.
        link: LinkKey,
        /// The sender's name for the delivery.
        seq: u64,
    },
    /// On such a link, if it is one of ours: enough has been sorted out, and it is to be detached and
    /// attached again. Section 2.6.13.
    RoundOver {
        /// The link.
        link: LinkKey,
        /// How many deliveries our attach told of; 0 for all.
        told: usize,
        /// Whether the partner resumes links.
        resumes: bool,
        /// Whether anything was sorted out.
        progress: bool,
    },
    /// A delivery of an earlier attachment is under way again. Section 2.6.13.
    Resumed {
        /// The link.
        link: LinkKey,
        /// The tag that names it.
        tag: Tag,
        /// Its delivery-id from now on; `None` when it is settled, by the sender or for good.
        id: Option<u32>,
    },
    /// The sender has used up its credit as asked. Section 2.6.7.
    Drained {
        /// The link.
        link: LinkKey,
    },
}
