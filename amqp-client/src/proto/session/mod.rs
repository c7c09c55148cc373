//! One session: windows, delivery-ids, the unsettled maps and the links.
//!
//! Decides what a session owes and what it accepts. The frames that come in are taken in `input`,
//! those that go out are made in `transmit`; channels and the scope of errors are left to the
//! connection. Section 2.5.

mod input;
mod resume;
mod stream;
mod transmit;

use amqp_types::messaging::DeliveryState;
use std::collections::VecDeque;

use amqp_types::Str;
use amqp_types::transport::{
    Attach, Begin, Error, ErrorCondition, Handle, Role, SequenceNo, TransferNumber,
};

use bytes::Bytes;

use super::arena::{Arena, Key};
use super::delivery::{Held, Load, Outgoing, Sent, StreamEnd};
use super::disposition::Dispositions;
use super::event::{Event, LinkKey};
use super::link::{End, Link, LinkConfig, Local, Remote, opposite};
use super::resume::is_terminal;

use resume::tell_unsettled;
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
    /// The first transfer-id; any number will do. [SES-16]
    pub next_outgoing_id: u32,
    /// The first delivery-id; any number will do. [SES-35]
    pub next_delivery_id: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            incoming_window: 4096,
            incoming_octets: 64 * 1024 * 1024,
            handle_max: 4095,
            next_outgoing_id: 0,
            next_delivery_id: 0,
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
    /// What came and has not been taken by the application.
    load: Load,
    remote_outgoing_window: u32,

    next_delivery_id: u32,
    /// The delivery-id that the next new delivery has to carry, once one has come. [SES-36]
    expected_delivery_id: Option<u32>,

    links: Arena<Link>,
    /// Links by the partner's handle.
    inputs: Vec<Option<Key>>,
    /// Links by our handle.
    outputs: Vec<Option<Key>>,

    sent: super::ring::Ring<Sent>,
    held: super::ring::Ring<Held>,
    /// What we report as the receiver of deliveries.
    received_dispositions: Dispositions,
    /// What we report as the sender of deliveries.
    sent_dispositions: Dispositions,

    /// Links that owe an attach, a flow or a detach.
    owing: Vec<Key>,
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
            load: Load::default(),
            remote_outgoing_window: 0,
            next_delivery_id: config.next_delivery_id,
            expected_delivery_id: None,
            links: Arena::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            sent: Default::default(),
            held: Default::default(),
            received_dispositions: Dispositions::default(),
            sent_dispositions: Dispositions::default(),
            owing: Vec::new(),
            ready: VecDeque::new(),
            flow_owed: false,
            config,
        };
        session.incoming_window = session.open_window();
        session
    }

    /// The partner's begin. [SES-17] [SES-22]
    pub(crate) fn on_begin(&mut self, channel: u16, begin: &Begin) {
        self.input = Some(channel);
        self.remote = RemoteSession::Begun;
        self.next_incoming_id = begin.next_outgoing_id.0;
        self.remote_outgoing_window = begin.outgoing_window;
        self.remote_handle_max = Some(begin.handle_max.0);
        // What was pipelined before this begin counts against its window.
        let pipelined = self.next_outgoing_id.wrapping_sub(self.initial_outgoing_id);
        self.remote_incoming_window = begin.incoming_window.saturating_sub(pipelined);
    }

    fn begin_frame(&self) -> Begin {
        let mut begin = Begin::new(
            TransferNumber(self.next_outgoing_id),
            self.incoming_window,
            OUTGOING_WINDOW,
        );
        begin.remote_channel = self.input;
        begin.handle_max = Handle(self.config.handle_max);
        begin
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

    // ---- links -------------------------------------------------------------------------------

    /// Attaches a link under the lowest free handle. `None` when the handles are used up. [LNK-04] [SES-30]
    pub(crate) fn attach(&mut self, mut attach: Box<Attach>, config: LinkConfig) -> Option<Key> {
        let output = self.free_output()?;
        attach.handle = Handle(output);
        tell_unsettled(&mut attach, config.resume.as_ref());
        if attach.role == Role::Sender && attach.initial_delivery_count.is_none() {
            attach.initial_delivery_count = Some(SequenceNo(0));
        }
        let key = self.links.insert(Link::outgoing(attach, output, config));
        self.outputs[output as usize] = Some(key);
        self.owe(key);
        Some(key)
    }

    /// Accepts a link that the partner attached. Credit that came before is told again.
    pub(crate) fn accept_link(
        &mut self,
        key: Key,
        mut attach: Box<Attach>,
        config: LinkConfig,
        events: &mut VecDeque<Event>,
    ) {
        let name = self.name(key);
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        if !matches!(link.local, Local::Offered) {
            return;
        }
        attach.handle = Handle(link.output);
        tell_unsettled(&mut attach, config.resume.as_ref());
        if attach.role == Role::Sender && attach.initial_delivery_count.is_none() {
            attach.initial_delivery_count = Some(SequenceNo(0));
        }
        link.accept(attach, config);
        if let Some(sender) = link.sender()
            && (sender.credit.credit() > 0 || sender.credit.draining())
        {
            events.push_back(Event::Credit {
                link: name,
                credit: sender.credit.credit(),
                drain: sender.credit.draining(),
            });
        }
        self.reconcile(key, events);
        self.finish_drain(key, events);
        self.owe(key);
    }

    /// Refuses a link: an attach without our terminus, and a closing detach behind it. [LNK-08]
    pub(crate) fn refuse_link(
        &mut self,
        key: Key,
        mut attach: Box<Attach>,
        error: Box<Error>,
        events: &mut VecDeque<Event>,
    ) {
        match attach.role {
            Role::Sender => attach.source = None,
            Role::Receiver => attach.target = None,
        }
        self.accept_link(key, attach, LinkConfig::default(), events);
        self.detach(key, true, Some(error));
    }

    pub(crate) fn detach(&mut self, key: Key, closed: bool, error: Option<Box<Error>>) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        link.discarding |= error.is_some();
        if link.detach(closed, error) {
            if let Some(receiver) = link.receiver()
                && let Some(assembly) = receiver.assembly.take()
            {
                receiver.load.sub(assembly.load());
                self.load.sub(assembly.load());
            }
            self.owe(key);
        }
    }

    fn free_output(&mut self) -> Option<u32> {
        let free = self.outputs.iter().position(Option::is_none);
        let handle = free.unwrap_or(self.outputs.len()) as u32;
        // Before the partner's begin only handle 0 is sure to be within its range.
        if handle > self.remote_handle_max.unwrap_or(u32::MAX) || handle > self.config.handle_max {
            return None;
        }
        if free.is_none() {
            self.outputs.push(None);
        }
        Some(handle)
    }

    fn free_link(&mut self, key: Key) {
        if let Some(link) = self.links.remove(key) {
            if let Some(slot) = self.outputs.get_mut(link.output as usize)
                && *slot == Some(key)
            {
                *slot = None;
            }
            if let End::Receiver(receiver) = &link.end {
                // What nobody will take any more is no reason to hold the partner back.
                self.load.sub(receiver.load);
                self.judge_window();
            }
            self.sent.extract(|_, sent| sent.link == key);
            self.held.extract(|_, held| held.link == key);
        }
    }

    fn link_by_input(&self, handle: u32) -> Option<Key> {
        self.inputs.get(handle as usize).copied().flatten()
    }

    /// Whether a link of ours waits for an attach of this name. [LNK-02]
    pub(crate) fn awaits(&self, name: &Str, mine: Role) -> bool {
        self.find_link(name, mine).is_some()
    }

    /// Whether an attach is legal and no answer to ours, so that it may take a link over. [LNK-05]
    pub(crate) fn takes_over(&self, attach: &Attach) -> bool {
        !self.discarding
            && !self.is_ending()
            && attach.handle.0 <= self.config.handle_max
            && self.link_by_input(attach.handle.0).is_none()
            && !self.awaits(&attach.name, opposite(attach.role))
    }

    /// Whether we have ended the session, or are about to.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.local, LocalSession::EndOwed(_) | LocalSession::Ended)
    }

    /// Gives up a link that the partner attaches anew elsewhere. [LNK-05]
    pub(crate) fn steal(&mut self, attach: &Attach, events: &mut VecDeque<Event>) {
        let mine = opposite(attach.role);
        let taken = self
            .links
            .iter()
            .find(|(_, link)| link.role() == mine && link.name == attach.name && link.is_whole());
        if let Some((key, _)) = taken {
            let mut error = Error::new(ErrorCondition::Stolen);
            error.description = Some("the link is attached elsewhere (section 2.6.1)".into());
            let error = Box::new(error);
            self.detach(key, true, Some(error.clone()));
            events.push_back(Event::LinkDetached {
                link: self.name(key),
                closed: true,
                error: Some(error),
                by_peer: false,
            });
        }
    }

    fn find_link(&self, name: &Str, role: Role) -> Option<Key> {
        self.links
            .iter()
            .find(|(_, link)| {
                link.role() == role && link.name == *name && link.remote == Remote::Unattached
            })
            .map(|(key, _)| key)
    }

    fn owe(&mut self, key: Key) {
        if let Some(link) = self.links.get_mut(key)
            && !link.listed
        {
            link.listed = true;
            self.owing.push(key);
        }
    }

    /// Puts a sender into the queue of those that are served, if it has work.
    fn make_ready(&mut self, key: Key) {
        if let Some(link) = self.links.get_mut(key)
            && let End::Sender(sender) = &mut link.end
            && !sender.ready
            && (sender.progress.is_some() || !sender.queue.is_empty())
            && matches!(link.local, Local::Attached)
            && link.remote == Remote::Attached
        {
            sender.ready = true;
            self.ready.push_back(key);
        }
    }

    fn name(&self, link: Key) -> LinkKey {
        LinkKey {
            session: self.key,
            link,
        }
    }

    // ---- sending -----------------------------------------------------------------------------

    /// Queues messages on a sending link.
    pub(crate) fn send(&mut self, key: Key, messages: impl IntoIterator<Item = Outgoing>) {
        if let Some(sender) = self.links.get_mut(key).and_then(Link::sender) {
            sender.queue.extend(messages);
            self.make_ready(key);
        }
    }

    /// A part of a message that is streamed, or its end.
    pub(crate) fn stream(
        &mut self,
        key: Key,
        seq: u64,
        part: Option<Bytes>,
        end: Option<StreamEnd>,
    ) {
        let Some(sender) = self.links.get_mut(key).and_then(Link::sender) else {
            return;
        };
        let begun = sender
            .progress
            .as_ref()
            .is_some_and(|p| p.message.seq == seq);
        if !begun
            && sender
                .queue
                .binary_search_by_key(&seq, |message| message.seq)
                .is_err()
        {
            return;
        }
        let stream = sender.streams.entry(seq).or_default();
        if stream.end.is_none() {
            stream.parts.extend(part.filter(|part| !part.is_empty()));
            stream.end = end;
            if end == Some(StreamEnd::Aborted) {
                stream.parts.clear();
            }
        }
        self.make_ready(key);
    }

    /// The application has nothing more to send: a drain that waits for that is done once what is
    /// queued has been written. [LNK-31]
    pub(crate) fn drained(&mut self, key: Key, events: &mut VecDeque<Event>) {
        if let Some(link) = self.links.get_mut(key)
            && let Some(sender) = link.sender()
            && sender.credit.draining()
        {
            sender.nothing_more = true;
            self.finish_drain(key, events);
        }
    }

    /// Gives the rest of the credit back and answers, when a drain has come to that.
    fn finish_drain(&mut self, key: Key, events: &mut VecDeque<Event>) {
        let name = self.name(key);
        if let Some(link) = self.links.get_mut(key)
            && link.may_finish_drain()
            && let Some(sender) = link.sender()
        {
            // Also when the last message used the last credit: the partner waits for an answer.
            sender.credit.drained();
            sender.nothing_more = false;
            sender.drain_answered = true;
            link.flow_owed = true;
            events.push_back(Event::Credit {
                link: name,
                credit: 0,
                drain: true,
            });
            self.owe(key);
        }
    }

    /// Owes the partner the link's flow state.
    fn answer_flow(&mut self, key: Key) {
        if let Some(link) = self.links.get_mut(key) {
            link.flow_owed = true;
            self.owe(key);
        }
    }

    /// Takes a message back that has not been handed to the transport. Answers whether it was there.
    pub(crate) fn withdraw(&mut self, key: Key, seq: u64) -> bool {
        let Some(sender) = self.links.get_mut(key).and_then(Link::sender) else {
            return false;
        };
        let before = sender.queue.len();
        if let Ok(at) = sender
            .queue
            .binary_search_by_key(&seq, |message| message.seq)
        {
            sender.queue.remove(at);
        }
        sender.queue.len() < before
    }

    // ---- receiving ---------------------------------------------------------------------------

    /// The application took deliveries of this weight off a link's queue.
    pub(crate) fn taken(&mut self, key: Key, load: Load) {
        if let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) {
            receiver.load.sub(load);
            self.load.sub(load);
            self.judge_window();
        }
    }

    /// The application is done with `n` deliveries of a link: credit may be topped up.
    pub(crate) fn consumed(&mut self, key: Key, n: u32) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let may_flow = !matches!(
            link.local,
            Local::DetachOwed(_) | Local::Detached { .. } | Local::Offered
        ) && !link.refused;
        let Some(receiver) = link.receiver() else {
            return;
        };
        receiver.credit.consumed(n);
        if may_flow && receiver.credit.top_up() {
            link.flow_owed = true;
            self.owe(key);
        }
    }

    /// Reports an outcome for a delivery and, unless it stays open, settles it. The application is
    /// done with it then: credit may be topped up. [LNK-44] [LNK-47] [LNK-48]
    pub(crate) fn settle(&mut self, id: u32, state: Option<DeliveryState>, settled: bool) {
        let detached = |link| {
            let link = self.links.get(link);
            link.is_none_or(|link| matches!(link.local, Local::Detached { .. }))
        };
        if self.held.get(id).is_none_or(|held| detached(held.link)) {
            // Nothing is said of a link behind its detach. [LNK-38]
            return;
        }
        let (link, first) = if settled {
            match self.held.remove(id) {
                Some(held) => (held.link, held.local.is_none()),
                None => return,
            }
        } else {
            // A terminal state that was told does not change any more. [LNK-52] [OUT-02]
            let told = |held: &Held| matches!(&held.local, Some(Some(told)) if is_terminal(told));
            if self.held.get(id).is_some_and(told) {
                return;
            }
            match self.held.get_mut(id) {
                Some(held) => (held.link, held.local.replace(state.clone()).is_none()),
                None => return,
            }
        };
        self.received_dispositions.push(id, settled, state);
        if first {
            self.consumed(link, 1);
        }
    }

    /// Settles every delivery of a link up to one, in order, with the same outcome.
    pub(crate) fn settle_up_to(
        &mut self,
        key: Key,
        last: u32,
        state: &DeliveryState,
        settled: bool,
    ) {
        let Some(first) = self.held.iter().next().map(|(id, _)| id) else {
            return;
        };
        if (last.wrapping_sub(first) as i32) < 0 {
            return;
        }
        let mut ids = Vec::new();
        self.held.drain_range(first, last, |id, held| {
            if held.link == key && held.local.is_none() {
                ids.push(id);
            }
            false
        });
        for id in ids {
            self.settle(id, Some(state.clone()), settled);
        }
    }

    /// Grants exactly `credit`, by hand from now on. What is in flight when it is less than before
    /// still arrives. [LNK-34]
    pub(crate) fn set_credit(&mut self, key: Key, credit: u32) {
        if let Some(link) = self.links.get_mut(key)
            && let Some(receiver) = link.receiver()
        {
            receiver.credit.set_auto(None);
            if receiver.credit.set(credit) {
                link.flow_owed = true;
                self.owe(key);
            }
        }
    }

    /// Grants `more` beside what is granted, by hand from now on.
    pub(crate) fn add_credit(&mut self, key: Key, more: u32) {
        if let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) {
            let credit = receiver.credit.credit().saturating_add(more);
            self.set_credit(key, credit);
        }
    }

    /// Keeps `window` granted by itself from now on.
    pub(crate) fn set_auto_credit(&mut self, key: Key, window: u32) {
        if let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) {
            receiver.credit.set_auto(Some(window));
            self.consumed(key, 0);
        }
    }

    /// Asks the sender to use up or give back the credit that it has.
    pub(crate) fn drain(&mut self, key: Key, events: &mut VecDeque<Event>) {
        let name = self.name(key);
        if let Some(link) = self.links.get_mut(key)
            && let Some(receiver) = link.receiver()
        {
            if receiver.credit.credit() == 0 {
                events.push_back(Event::Drained { link: name });
                return;
            }
            receiver.credit.start_drain();
            link.flow_owed = true;
            self.owe(key);
        }
    }

    /// Announces the incoming window again before it starves the partner. [SES-26]
    fn judge_window(&mut self) {
        let (open, whole) = (self.open_window(), self.window_of(Load::default()));
        let starved = self.incoming_window <= whole / 2;
        if starved && open > self.incoming_window.saturating_add(whole / 4) {
            self.flow_owed = true;
        }
    }

    /// How many frames the partner may send now. When nothing but parts of messages are held, they
    /// may go on whatever they weigh: nobody can take them before they are whole. [SES-26]
    fn open_window(&self) -> u32 {
        match self.load.frames {
            0 => {
                let least = self.window_of(Load::default()) / 4 + 1;
                self.window_of(self.load).max(least)
            }
            _ => self.window_of(self.load),
        }
    }

    /// The window under a load: so many frames, and never more than the octets allow should every
    /// one of them be as large as a frame may be.
    fn window_of(&self, load: Load) -> u32 {
        let frames = self.config.incoming_window.saturating_sub(load.frames);
        let octets = self.config.incoming_octets.saturating_sub(load.octets);
        let by_octets = u32::try_from(octets / self.max_frame_size).unwrap_or(u32::MAX);
        frames.min(by_octets)
    }

    /// How many deliveries are unsettled: sent, received.
    pub(crate) fn unsettled(&self) -> (usize, usize) {
        (self.sent.len(), self.held.len())
    }

    /// How many links there are.
    pub(crate) fn link_count(&self) -> usize {
        self.links.len()
    }
}
