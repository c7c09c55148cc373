//! One session: windows, delivery-ids, the unsettled maps and the links.
//!
//! Decides what a session owes and what it accepts. The application's verbs are in `links`, `send` and
//! `receive`. The frames that come in are taken in `input`, `transfer_in` and `detach_in`, those that go
//! out are made in `transmit` and `transfer_out`; channels and the scope of errors are left to the
//! connection. Section 2.5.

mod detach_in;
mod input;
mod links;
mod receive;
mod resume;
mod send;
mod stream;
#[cfg(test)]
mod tests;
mod transfer_in;
mod transfer_out;
mod transmit;

use std::collections::VecDeque;

use amqp_types::transport::{Begin, Error, ErrorCondition, Fields, Handle, Role, TransferNumber};
use amqp_types::{Str, Symbol};

use super::arena::{Arena, Key};
use super::delivery::{Held, Load, Sent};
use super::disposition::Dispositions;
use super::event::LinkKey;
use super::link::Link;
use super::tally::Tally;
use super::violation::Violation;

pub(crate) use transmit::Transmit;

/// How many transfer frames we say that we are going to send: no limit of our own. Section 2.5.6.
const OUTGOING_WINDOW: u32 = i32::MAX as u32;

/// What a session is created with.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// How many transfer frames may wait for the application. Section 2.5.6.
    pub incoming_window: u32,
    /// How many octets may wait for the application, whatever the window says. One frame is always
    /// taken. Default 64 MiB.
    pub incoming_octets: usize,
    /// The highest handle that the partner may use. Section 2.7.2.
    pub handle_max: u32,
    /// How many deliveries of the partner may be unsettled; above it the session is ended. Default
    /// 262,144.
    pub max_unsettled: usize,
    /// The first transfer-id; any number will do. [SES-16]
    pub next_outgoing_id: u32,
    /// The first delivery-id; any number will do. [SES-35]
    pub next_delivery_id: u32,
    /// Capabilities that we offer. Section 2.7.2.
    pub offered_capabilities: Vec<Symbol>,
    /// Capabilities that we would like to use. Section 2.7.2.
    pub desired_capabilities: Vec<Symbol>,
    /// Capabilities without which a session of ours is of no use: it is ended when the partner does not
    /// offer one. Section 2.7.2. [CON-46]
    pub required_capabilities: Vec<Symbol>,
    /// Session properties. Section 2.7.2.
    pub properties: Option<Fields>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            incoming_window: 4096,
            incoming_octets: 64 * 1024 * 1024,
            handle_max: 4095,
            max_unsettled: 262_144,
            next_outgoing_id: 0,
            next_delivery_id: 0,
            offered_capabilities: Vec::new(),
            desired_capabilities: Vec::new(),
            required_capabilities: Vec::new(),
            properties: None,
        }
    }
}

/// How far our side of the session has come. Section 2.5.5.
///
/// ```text
/// BeginOwed ──▶ Begun ──▶ EndOwed ──▶ Ended
/// ```
#[derive(Debug)]
pub(crate) enum LocalSession {
    BeginOwed,
    Begun,
    EndOwed(Option<Box<Error>>),
    Ended,
}

/// How far the partner's side has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemoteSession {
    Unmapped,
    Begun,
    Ended,
}

/// A link that is detached and may be attached again. Section 2.6.4.
#[derive(Debug)]
struct Former {
    key: Key,
    name: Str,
    role: Role,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) key: Key,
    /// The channel on which we send. [CON-14]
    pub(crate) output: u16,
    /// The channel on which the partner sends.
    pub(crate) input: Option<u16>,
    pub(crate) local: LocalSession,
    pub(crate) remote: RemoteSession,
    /// Whether our begin has been written.
    pub(crate) begun: bool,
    /// After an error end everything but the partner's end is dropped. [SES-11]
    pub(crate) discarding: bool,
    /// Whether the session stands in the connection's list of sessions that owe frames.
    pub(crate) listed: bool,
    config: SessionConfig,
    /// The largest frame that the partner may send.
    max_frame_size: usize,

    initial_outgoing_id: u32,
    next_outgoing_id: u32,
    remote_incoming_window: u32,
    remote_handle_max: Option<u32>,

    next_incoming_id: u32,
    /// What the partner may still send of the window that it was last told.
    incoming_window: u32,
    /// The window when nothing waits for the application.
    whole_window: u32,
    /// How many frames came beyond it, to end a delivery that had begun before.
    beyond_window: u32,
    /// What came and has not been taken by the application.
    load: Load,
    remote_outgoing_window: u32,

    /// Credit that was given by our receivers and to our senders, since somebody last took account.
    pub(crate) credit_granted: u64,
    pub(crate) credit_received: u64,

    next_delivery_id: u32,
    /// The delivery-id that the next new delivery has to carry, once one has come. [SES-36]
    expected_delivery_id: Option<u32>,

    links: Arena<Link>,
    /// Links that the partner began, and the octets of their attaches.
    offered: (usize, usize),
    /// Links that are detached and whose deliveries are still open. [PRF-23]
    detached: Vec<Former>,
    /// Links by the partner's handle.
    inputs: Vec<Option<Key>>,
    /// Links by our handle.
    outputs: Vec<Option<Key>>,

    sent: super::ring::Ring<Sent>,
    held: super::ring::Ring<Held>,
    /// Deliveries that may be open at the partner and are not held here lie between these two ids: their
    /// links went while they were on their way. [PRF-20]
    astray: Option<(u32, u32)>,
    /// The same of deliveries that we sent.
    sent_astray: Option<(u32, u32)>,
    /// What we report as the receiver of deliveries.
    received_dispositions: Dispositions,
    /// What we report as the sender of deliveries.
    sent_dispositions: Dispositions,

    /// Links that owe an attach, a flow or a detach.
    owing: Vec<Key>,
    /// Whether one of them waited for a link of its name to be gone, and that is.
    woken: bool,
    /// Links with messages, credit and an attached partner, in turn.
    ready: VecDeque<Key>,
    flow_owed: bool,
}

impl Session {
    pub(crate) fn new(output: u16, mut config: SessionConfig, max_frame_size: u32) -> Self {
        let max_frame_size = max_frame_size as usize;
        config.incoming_octets = config.incoming_octets.max(max_frame_size);
        let mut session = Self {
            max_frame_size,
            key: Arena::<()>::default().insert(()),
            output,
            input: None,
            local: LocalSession::BeginOwed,
            remote: RemoteSession::Unmapped,
            begun: false,
            discarding: false,
            listed: false,
            initial_outgoing_id: config.next_outgoing_id,
            next_outgoing_id: config.next_outgoing_id,
            remote_incoming_window: 0,
            remote_handle_max: None,
            next_incoming_id: 0,
            incoming_window: config.incoming_window,
            whole_window: 0,
            beyond_window: 0,
            credit_granted: 0,
            credit_received: 0,
            load: Load::default(),
            remote_outgoing_window: 0,
            next_delivery_id: config.next_delivery_id,
            expected_delivery_id: None,
            links: Arena::default(),
            offered: (0, 0),
            detached: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            sent: Default::default(),
            held: Default::default(),
            astray: None,
            sent_astray: None,
            received_dispositions: Dispositions::default(),
            sent_dispositions: Dispositions::default(),
            owing: Vec::new(),
            woken: false,
            ready: VecDeque::new(),
            flow_owed: false,
            config,
        };
        session.whole_window = session.window_of(Load::default());
        session.incoming_window = session.open_window();
        session
    }

    pub(crate) fn tally(&self, tally: &mut Tally) {
        tally.sessions += 1;
        tally.links += self.links.len();
        tally.unsettled_sent += self.sent.len();
        tally.unsettled_received += self.held.len();
        tally.received_octets += self.load.octets;
        let sent = self.sent.iter().map(|(_, sent)| sent.message.payload.len());
        tally.queued_octets += sent.sum::<usize>();
        for (_, link) in self.links.iter() {
            if let super::link::End::Sender(sender) = &link.end {
                let (messages, octets) = sender.queued();
                tally.queued += messages;
                tally.queued_octets += octets;
            }
        }
    }

    /// The partner's begin. [SES-17] [SES-22]
    pub(crate) fn on_begin(&mut self, channel: u16, begin: &Begin) {
        self.input = Some(channel);
        self.remote = RemoteSession::Begun;
        self.next_incoming_id = begin.next_outgoing_id.0;
        self.remote_outgoing_window = begin.outgoing_window;
        self.remote_handle_max = Some(begin.handle_max.0);
        // Nothing was sent before: there was no window.
        self.remote_incoming_window = begin.incoming_window;
    }

    fn begin_frame(&self) -> Begin {
        let mut begin = Begin::new(
            TransferNumber(self.next_outgoing_id),
            self.incoming_window,
            OUTGOING_WINDOW,
        );
        begin.remote_channel = self.input;
        begin.handle_max = Handle(self.config.handle_max);
        begin.offered_capabilities = self.config.offered_capabilities.clone();
        begin.desired_capabilities = wished(
            &self.config.desired_capabilities,
            &self.config.required_capabilities,
        );
        begin.properties = self.config.properties.clone();
        begin
    }

    /// Whether the partner's begin offers what we can not do without. [CON-46]
    pub(crate) fn check_offer(&self, begin: &Begin) -> Result<(), Violation> {
        match missing(
            &self.config.required_capabilities,
            &begin.offered_capabilities,
        ) {
            None => Ok(()),
            Some(missing) => Err(Violation::session(
                ErrorCondition::NotImplemented,
                "2.7.2",
                format!("the capability {missing} is required and not offered"),
            )),
        }
    }

    /// Whether frames of the session may be written at all. [SES-06] [SES-14]
    fn may_send(&self) -> bool {
        matches!(self.local, LocalSession::Begun | LocalSession::EndOwed(_))
    }

    /// Ends the session; only the first call counts. Answers whether this was it.
    pub(crate) fn end(&mut self, error: Option<Box<Error>>) -> bool {
        match self.local {
            LocalSession::BeginOwed | LocalSession::Begun => {
                self.discarding |= error.is_some();
                self.local = LocalSession::EndOwed(error);
                true
            }
            LocalSession::EndOwed(_) | LocalSession::Ended => false,
        }
    }

    /// Whether both sides have ended. [SES-09]
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.local, LocalSession::Ended) && self.remote == RemoteSession::Ended
    }

    /// Whether we have ended the session, or are about to.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.local, LocalSession::EndOwed(_) | LocalSession::Ended)
    }

    /// Whether a delivery that came is not settled.
    pub(crate) fn holds(&self, id: u32) -> bool {
        self.held.get(id).is_some()
    }

    /// How many deliveries are unsettled: sent, received.
    pub(crate) fn unsettled(&self) -> (usize, usize) {
        (self.sent.len(), self.held.len())
    }

    /// How many links the partner began, and the octets of their attaches.
    pub(crate) fn offered(&self) -> (usize, usize) {
        self.offered
    }

    /// How many links there are.
    pub(crate) fn link_count(&self) -> usize {
        self.links.len()
    }
}

/// What is asked for: what is desired, and what is required.
pub(crate) fn wished(desired: &[Symbol], required: &[Symbol]) -> Vec<Symbol> {
    let mut wished = desired.to_vec();
    for required in required {
        if !wished.contains(required) {
            wished.push(required.clone());
        }
    }
    wished
}

/// The first capability that is required and not offered. [CON-46]
pub(crate) fn missing<'a>(required: &'a [Symbol], offered: &[Symbol]) -> Option<&'a Symbol> {
    required.iter().find(|required| !offered.contains(required))
}
