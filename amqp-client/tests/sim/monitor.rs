//! A naive observer at one end of the wire, independent of the engine that it observes.
//!
//! Reads every frame that its end sends and receives and counts windows, credit and ids the way the
//! text of the standard does, one by one. It sees what the end has been told so far, so a frame that
//! the end may not send is found where it is sent. Sections 2.5.6, 2.6.7, 2.6.12.

use std::collections::{BTreeMap, BTreeSet};

use amqp_client::types::transport::{Begin, Flow, Performative, Role, Transfer};
use amqp_client::types::{Decode, Decoder};
use bytes::{Buf, Bytes, BytesMut};

/// What one end may do, as far as it has been told.
#[derive(Debug, Default)]
pub(crate) struct Monitor {
    sent: BytesMut,
    received: BytesMut,
    max_frame_size: Option<u32>,
    /// Sessions by the channel that this end sends on, and by the one it receives on.
    sessions: Vec<Session>,
    outputs: BTreeMap<u16, usize>,
    /// The last session begun on each channel; its answer may come after its end was sent.
    begun: BTreeMap<u16, usize>,
    /// The last session that came on each channel, for the same reason.
    came: BTreeMap<u16, usize>,
    inputs: BTreeMap<u16, usize>,
    /// Links that this end detached without closing them. [LNK-22]
    kept: BTreeSet<String>,
    closed: bool,
    trace: bool,
}

#[derive(Debug, Default)]
struct Session {
    /// Whether this end began it.
    is_own: bool,
    ended: bool,
    remote_begun: bool,
    remote_ended: bool,
    initial_outgoing: u32,
    next_outgoing: u32,
    /// How many more transfer frames may be sent.
    window: u32,
    /// The incoming-window that was announced, less what has come since.
    announced: u32,
    most_announced: u32,
    next_incoming: u32,
    next_delivery: Option<u32>,
    next_incoming_delivery: Option<u32>,
    handles: BTreeMap<u32, Link>,
    remote_handles: BTreeMap<u32, RemoteLink>,
    /// Links that this end attached and detached under a handle, and whose answer has not come.
    left: Vec<(String, Role, u32)>,
    /// Links that the other end attached and detached, and that this end has not answered.
    deserted: Vec<(String, Role)>,
    /// Deliveries that were sent and not settled: their link's name and their tag.
    sent: BTreeMap<u32, (String, Vec<u8>)>,
}

/// This end of a link.
#[derive(Debug)]
struct Link {
    name: String,
    role: Role,
    /// The handle of the other end, as long as that is attached.
    partner: Partner,
    initial: Option<u32>,
    delivery_count: Option<u32>,
    /// A sender: the delivery-count up to which it may send. [LNK-26]
    limit: Option<u32>,
    /// A sender: the mode that the last flow asked for. [PRF-09]
    draining: bool,
    /// A sender: the limits of the flows that asked to drain and have not been answered. Those that
    /// came at once are answered by one flow, which may give the credit of any of them back.
    drains: Vec<u32>,
    /// The delivery whose transfers are not all written.
    open: Option<u32>,
}

/// The other end of a link.
#[derive(Debug)]
struct RemoteLink {
    name: String,
    role: Role,
    /// The handle of this end, as long as that is attached.
    partner: Partner,
    /// The handle that this end has or had.
    mine: Option<u32>,
    initial: Option<u32>,
    /// The delivery whose transfers have not all come.
    open: Option<u32>,
}

/// What an end of a link has for an other end: a name may come again, a pair never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Partner {
    Awaited,
    Attached(u32),
    Gone,
}

impl Monitor {
    pub(crate) fn new(trace: bool) -> Self {
        Self {
            trace,
            ..Self::default()
        }
    }

    /// Whether a link of this name is attached by this end, so that its deliveries may be spoken of.
    /// [LNK-38]
    pub(crate) fn speaks_of(&self, name: &str) -> bool {
        let live = self.outputs.values().map(|at| &self.sessions[*at]);
        live.flat_map(|session| session.handles.values())
            .any(|link| link.name == name)
    }

    /// Whether this end has written a detach for the link that did not close it. [LNK-22]
    pub(crate) fn has_kept(&self, name: &str) -> bool {
        self.kept.contains(name)
    }

    /// How many sessions that this end began are over at both ends, as far as it knows.
    pub(crate) fn sessions_over(&self) -> usize {
        let over = |session: &&Session| session.is_own && session.ended && session.remote_ended;
        self.sessions.iter().filter(over).count()
    }

    /// The end wrote these octets.
    pub(crate) fn on_sent(&mut self, octets: &[u8]) {
        self.sent.extend_from_slice(octets);
        while let Some((size, channel, performative, payload)) = next(&mut self.sent) {
            if self.trace {
                eprintln!("    {channel}: {performative:?} + {}", payload.len());
            }
            let limit = self.max_frame_size.unwrap_or(512);
            assert!(size <= limit as usize, "a frame of {size} above {limit}");
            assert!(!self.closed, "a frame after the close");
            self.sent_frame(channel, performative);
        }
    }

    /// The end was given these octets.
    pub(crate) fn on_received(&mut self, octets: &[u8]) {
        self.received.extend_from_slice(octets);
        while let Some((_, channel, performative, _)) = next(&mut self.received) {
            self.received_frame(channel, performative);
        }
    }

    fn sent_frame(&mut self, channel: u16, performative: Performative) {
        match performative {
            Performative::Open(_) => return,
            Performative::Close(_) => {
                self.closed = true;
                return;
            }
            Performative::Begin(begin) => return self.sent_begin(channel, &begin),
            _ => {}
        }
        let at = self.outputs.get(&channel).copied();
        let at =
            at.unwrap_or_else(|| panic!("{performative:?} on channel {channel} without begin"));
        let session = &mut self.sessions[at];
        match performative {
            Performative::Attach(attach) => {
                let name = attach.name.to_string();
                // [LNK-13]: what a receiver says of it means nothing.
                let initial = attach.initial_delivery_count.map(|n| n.0);
                let initial = initial.filter(|_| attach.role == Role::Sender);
                self.kept.remove(&name);
                if attach.role == Role::Sender {
                    // A new attachment: what counts is what comes under it. [LNK-58]
                    session.sent.retain(|_, (of, _)| *of != name);
                }
                let asks = |left: &(String, Role)| left.0 == name && left.1 != attach.role;
                let asked = session.deserted.iter().position(asks);
                let link = Link {
                    role: attach.role,
                    partner: match asked.map(|at| session.deserted.remove(at)) {
                        Some(_) => Partner::Gone,
                        None => Partner::Awaited,
                    },
                    initial,
                    delivery_count: initial,
                    limit: None,
                    draining: false,
                    drains: Vec::new(),
                    open: None,
                    name,
                };
                // A handle is free once both ends have detached. [LNK-23]
                let handle = Some(attach.handle.0);
                let mut detached = session.remote_handles.values().map(|link| link.mine);
                let mut left = session.left.iter().map(|left| Some(left.2));
                let busy = detached.any(|mine| mine == handle) || left.any(|mine| mine == handle);
                assert!(!busy, "handle {} is not free", attach.handle.0);
                let before = session.handles.insert(attach.handle.0, link);
                assert!(before.is_none(), "handle {} is in use", attach.handle.0);
                session.join();
            }
            Performative::Detach(detach) => {
                let gone = session.handles.remove(&detach.handle.0);
                let gone = gone.expect("a detach of nothing");
                match detach.closed {
                    true => self.kept.remove(&gone.name),
                    false => self.kept.insert(gone.name.clone()),
                };
                if let Partner::Attached(remote) = gone.partner
                    && let Some(remote) = session.remote_handles.get_mut(&remote)
                {
                    remote.partner = Partner::Gone;
                }
                if gone.partner == Partner::Awaited {
                    session.left.push((gone.name, gone.role, detach.handle.0));
                }
            }
            Performative::Flow(flow) => session.sent_flow(&flow),
            Performative::Transfer(transfer) => session.sent_transfer(&transfer),
            Performative::Disposition(disposition) => {
                let first = disposition.first.0;
                let last = disposition.last.map_or(first, |id| id.0);
                assert!(last.wrapping_sub(first) < 1 << 31, "a range turned round");
                // [PRF-20]
                let next = match disposition.role {
                    Role::Sender => session.next_delivery,
                    Role::Receiver => session.next_incoming_delivery,
                };
                let known = next.is_some_and(|next| (next.wrapping_sub(last) as i32) > 0);
                assert!(known, "{last} is settled, {next:?} is the next to come");
                if disposition.settled && disposition.role == Role::Sender {
                    session.sent.retain(|id, _| !within(first, last, *id));
                }
            }
            Performative::End(_) => {
                session.ended = true;
                self.outputs.remove(&channel);
            }
            other => panic!("not expected here: {other:?}"),
        }
    }

    fn sent_begin(&mut self, channel: u16, begin: &Begin) {
        assert!(!self.outputs.contains_key(&channel), "a second begin");
        let at = match begin.remote_channel {
            Some(theirs) => self.came.get(&theirs).copied(),
            None => None,
        };
        let at = at.unwrap_or_else(|| {
            assert!(begin.remote_channel.is_none(), "an answer to no begin");
            self.sessions.push(Session {
                is_own: true,
                ..Session::default()
            });
            self.sessions.len() - 1
        });
        let session = &mut self.sessions[at];
        session.initial_outgoing = begin.next_outgoing_id.0;
        session.next_outgoing = begin.next_outgoing_id.0;
        session.announced = begin.incoming_window;
        session.most_announced = begin.incoming_window;
        self.outputs.insert(channel, at);
        self.begun.insert(channel, at);
    }

    fn received_frame(&mut self, channel: u16, performative: Performative) {
        match performative {
            Performative::Open(open) => {
                self.max_frame_size = Some(open.max_frame_size);
                return;
            }
            Performative::Close(_) => return,
            Performative::Begin(begin) => {
                let at = match begin.remote_channel {
                    Some(mine) => self.begun[&mine],
                    None => {
                        self.sessions.push(Session::default());
                        self.sessions.len() - 1
                    }
                };
                let session = &mut self.sessions[at];
                session.remote_begun = true;
                session.next_incoming = begin.next_outgoing_id.0;
                session.window = begin.incoming_window;
                self.inputs.insert(channel, at);
                self.came.insert(channel, at);
                return;
            }
            Performative::End(_) => {
                if let Some(at) = self.inputs.remove(&channel) {
                    self.sessions[at].remote_ended = true;
                }
                return;
            }
            _ => {}
        }
        let session = &mut self.sessions[self.inputs[&channel]];
        match performative {
            Performative::Attach(attach) => {
                let name = attach.name.to_string();
                let answers = |left: &(String, Role, u32)| left.0 == name && left.1 != attach.role;
                let left = session.left.iter().position(answers);
                let left = left.map(|at| session.left.remove(at));
                let end = RemoteLink {
                    role: attach.role,
                    partner: match left {
                        Some(_) => Partner::Gone,
                        None => Partner::Awaited,
                    },
                    mine: left.map(|left| left.2),
                    name,
                    initial: attach.initial_delivery_count.map(|n| n.0),
                    open: None,
                };
                session.remote_handles.insert(attach.handle.0, end);
                session.join();
            }
            Performative::Detach(detach) => {
                let gone = session.remote_handles.remove(&detach.handle.0);
                let gone = gone.expect("a detach of nothing");
                match gone.partner {
                    Partner::Attached(mine) => {
                        if let Some(link) = session.handles.get_mut(&mine) {
                            link.partner = Partner::Gone;
                        }
                    }
                    Partner::Awaited => session.deserted.push((gone.name, gone.role)),
                    Partner::Gone => {}
                }
            }
            Performative::Flow(flow) => session.received_flow(&flow),
            Performative::Transfer(transfer) => session.received_transfer(&transfer),
            Performative::Disposition(disposition)
                if disposition.settled && disposition.role == Role::Receiver =>
            {
                let first = disposition.first.0;
                let last = disposition.last.map_or(first, |id| id.0);
                session.sent.retain(|id, _| !within(first, last, *id));
            }
            _ => {}
        }
    }
}

impl Session {
    /// Two ends of one name find each other, whoever attached first, and the sender's
    /// initial-delivery-count reaches the receiving end. [LNK-07] [LNK-28]
    fn join(&mut self) {
        for (theirs, remote) in &mut self.remote_handles {
            for (mine, link) in &mut self.handles {
                if (remote.partner, link.partner) != (Partner::Awaited, Partner::Awaited)
                    || link.name != remote.name
                    || link.role == remote.role
                {
                    continue;
                }
                (remote.partner, link.partner) =
                    (Partner::Attached(*mine), Partner::Attached(*theirs));
                remote.mine = Some(*mine);
                if link.role == Role::Receiver {
                    link.delivery_count = remote.initial;
                    link.initial = remote.initial;
                }
            }
        }
    }

    fn sent_flow(&mut self, flow: &Flow) {
        // [SES-27] [SES-28]
        assert_eq!(flow.next_incoming_id.is_some(), self.remote_begun);
        if let Some(id) = flow.next_incoming_id {
            assert_eq!(id.0, self.next_incoming, "next-incoming-id");
        }
        assert_eq!(flow.next_outgoing_id.0, self.next_outgoing);
        assert!(flow.incoming_window <= self.most_announced);
        // [SES-24]: what was announced may be on its way.
        assert!(
            flow.incoming_window >= self.announced,
            "a window taken back"
        );
        self.announced = flow.incoming_window;
        let Some(handle) = flow.handle else { return };
        let link = self.handles.get_mut(&handle.0);
        let link = link.unwrap_or_else(|| panic!("a flow on handle {}", handle.0));
        // The engine's own choice: a partner that refuses may know nothing of the link. [LNK-09]
        assert_ne!(link.partner, Partner::Awaited, "a flow ahead of the answer");
        let count = flow.delivery_count.map(|n| n.0);
        if link.role == Role::Receiver {
            assert_eq!(count, link.delivery_count, "delivery-count");
            assert!(flow.link_credit.is_some(), "a receiver tells its credit");
            assert_eq!(flow.available, None, "that is the sender's to say"); // [PRF-09]
            return;
        }
        let (Some(count), Some(before)) = (count, link.delivery_count) else {
            panic!("a sender's flow without delivery-count");
        };
        // [LNK-31]: credit is given back to a drain alone, and then all that the drain was about.
        assert!(
            count == before || (link.drains.contains(&count) && is_before(before, count)),
            "{before} becomes {count}, asked to drain up to {:?}",
            link.drains
        );
        link.delivery_count = Some(count);
        assert_eq!(flow.link_credit, Some(link.credit()), "link-credit"); // [LNK-26]
        assert_eq!(flow.drain, link.draining, "the mode"); // [PRF-09]
        assert!(flow.available.is_some());
        link.drains = link
            .draining
            .then_some(link.limit)
            .flatten()
            .into_iter()
            .collect();
    }

    fn received_flow(&mut self, flow: &Flow) {
        let from = flow.next_incoming_id.map_or(self.initial_outgoing, |n| n.0);
        let in_flight = self.next_outgoing.wrapping_sub(from);
        assert!(in_flight < 1 << 31, "acknowledged before it was sent");
        self.window = flow.incoming_window.saturating_sub(in_flight);
        let Some(handle) = flow.handle else { return };
        let Some(link) = self.mine(handle.0) else {
            return;
        };
        let theirs = flow.delivery_count.map(|n| n.0);
        if link.role == Role::Receiver {
            link.delivery_count = theirs;
            return;
        }
        // [LNK-26] [LNK-27]
        if let (Some(theirs), Some(credit)) = (theirs.or(link.initial), flow.link_credit) {
            link.limit = Some(theirs.wrapping_add(credit));
        }
        link.draining = flow.drain;
        if link.draining {
            link.drains.extend(link.limit);
        }
    }

    /// This end of a link, unless it is detached: what comes for one that was is on its way still.
    fn mine(&mut self, remote_handle: u32) -> Option<&mut Link> {
        match self.remote_handles[&remote_handle].partner {
            Partner::Attached(mine) => self.handles.get_mut(&mine),
            // The partner does not send anything ahead of the answer, either.
            Partner::Awaited => panic!("ahead of the answer"),
            Partner::Gone => None,
        }
    }

    fn sent_transfer(&mut self, transfer: &Transfer) {
        // [SES-18]
        assert!(self.window > 0, "a transfer without window");
        self.window -= 1;
        self.next_outgoing = self.next_outgoing.wrapping_add(1);
        let link = self.handles.get_mut(&transfer.handle.0);
        let link = link.unwrap_or_else(|| panic!("a transfer on handle {}", transfer.handle.0));
        assert_eq!(link.role, Role::Sender);
        let id = match (link.open, transfer.delivery_id) {
            (None, Some(id)) => {
                // [LNK-24] [SES-35]
                assert!(link.credit() > 0, "a delivery without credit");
                link.delivery_count = link.delivery_count.map(|n| n.wrapping_add(1));
                assert!(
                    self.next_delivery.is_none_or(|next| next == id.0),
                    "a gap in the ids"
                );
                self.next_delivery = Some(id.0.wrapping_add(1));
                // [PRF-11]
                let tag = transfer.delivery_tag.as_ref().map(|t| t.as_ref().to_vec());
                let tag = tag.unwrap_or_else(|| panic!("a delivery without tag"));
                if transfer.settled != Some(true) {
                    let sent = (link.name.clone(), tag);
                    // [LNK-42]
                    assert!(
                        self.sent.values().all(|known| *known != sent),
                        "a tag twice"
                    );
                    self.sent.insert(id.0, sent);
                }
                id.0
            }
            (Some(open), id) => {
                assert!(id.is_none_or(|id| id.0 == open), "deliveries interleave");
                open
            }
            (None, None) => panic!("a first transfer without delivery-id"),
        };
        if transfer.settled == Some(true) || transfer.aborted {
            // [LNK-55] [LNK-56]
            self.sent.remove(&id);
        }
        link.open = transfer.more.then_some(id);
    }

    fn received_transfer(&mut self, transfer: &Transfer) {
        self.next_incoming = self.next_incoming.wrapping_add(1);
        self.announced = self.announced.saturating_sub(1);
        let remote = self.remote_handles.get_mut(&transfer.handle.0);
        let remote = remote.expect("a transfer on an attached handle");
        let begins = remote.open.is_none();
        if begins {
            remote.open = transfer.delivery_id.map(|id| id.0);
            let next = self.next_incoming_delivery;
            assert!(next.is_none() || next == remote.open, "a gap in what came");
            self.next_incoming_delivery = remote.open.map(|id| id.wrapping_add(1));
        }
        if !transfer.more {
            remote.open = None;
        }
        if begins && let Some(link) = self.mine(transfer.handle.0) {
            link.delivery_count = link.delivery_count.map(|n| n.wrapping_add(1));
        }
    }
}

impl Link {
    /// What a sender may send: nothing where the limit lies behind what was sent. [LNK-26]
    fn credit(&self) -> u32 {
        let left = self.limit.zip(self.delivery_count);
        let left = left.map_or(0, |(limit, count)| limit.wrapping_sub(count));
        if left < 1 << 31 { left } else { 0 }
    }
}

fn is_before(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) > 0
}

fn within(first: u32, last: u32, id: u32) -> bool {
    id.wrapping_sub(first) <= last.wrapping_sub(first)
}

/// Takes one frame off the front; protocol headers, SASL frames and heartbeats are passed over.
fn next(octets: &mut BytesMut) -> Option<(usize, u16, Performative, Bytes)> {
    loop {
        if octets.len() < 8 {
            return None;
        }
        if &octets[..4] == b"AMQP" {
            octets.advance(8);
            continue;
        }
        let size = u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]) as usize;
        if octets.len() < size {
            return None;
        }
        let frame = octets.split_to(size).freeze();
        if size == 8 || frame[5] == 1 {
            continue;
        }
        let channel = u16::from_be_bytes([frame[6], frame[7]]);
        let body = frame.slice(8..);
        let mut decoder = Decoder::new(&body);
        let performative = Performative::decode(&mut decoder);
        let performative = performative.unwrap_or_else(|e| panic!("{e} in {body:?}"));
        let payload = body.slice(decoder.position()..);
        return Some((size, channel, performative, payload));
    }
}
