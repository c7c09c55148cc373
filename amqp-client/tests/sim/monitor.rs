//! A naive observer at one end of the wire, independent of the engine that it observes.
//!
//! Reads every frame that its end sends and receives and counts windows, credit and ids the way the
//! text of the standard does, one by one. It sees what the end has been told so far, so a frame that
//! the end may not send is found where it is sent. Sections 2.5.6, 2.6.7, 2.6.12.

use std::collections::BTreeMap;

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
    closed: bool,
    trace: bool,
}

#[derive(Debug, Default)]
struct Session {
    remote_begun: bool,
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
    /// Deliveries that were sent and not settled, and those that were received and not settled.
    sent: BTreeMap<u32, Vec<u8>>,
    held: BTreeMap<u32, ()>,
}

#[derive(Debug)]
struct Link {
    name: String,
    role: Role,
    initial: Option<u32>,
    delivery_count: Option<u32>,
    credit: u32,
    /// The most credit that a drain may give back: flows that came at once are answered by one.
    drainable: u32,
    /// The delivery whose transfers are not all written.
    open: Option<u32>,
}

#[derive(Debug)]
struct RemoteLink {
    name: String,
    role: Role,
    initial: Option<u32>,
    /// Credit that came before this end attached.
    early: u32,
    most_early: u32,
    /// The delivery whose transfers have not all come.
    open: Option<u32>,
    open_settled: bool,
}

impl Monitor {
    pub(crate) fn new(trace: bool) -> Self {
        Self {
            trace,
            ..Self::default()
        }
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
            self.sent_frame(channel, performative, payload);
        }
    }

    /// The end was given these octets.
    pub(crate) fn on_received(&mut self, octets: &[u8]) {
        self.received.extend_from_slice(octets);
        while let Some((_, channel, performative, payload)) = next(&mut self.received) {
            self.received_frame(channel, performative, payload);
        }
    }

    fn sent_frame(&mut self, channel: u16, performative: Performative, payload: Bytes) {
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
                let link = Link {
                    role: attach.role,
                    initial,
                    delivery_count: initial,
                    credit: 0,
                    drainable: 0,
                    open: None,
                    name,
                };
                let before = session.handles.insert(attach.handle.0, link);
                assert!(before.is_none(), "handle {} is in use", attach.handle.0);
                session.join();
            }
            Performative::Detach(detach) => {
                let gone = session.handles.remove(&detach.handle.0);
                assert!(gone.is_some(), "a detach of nothing");
            }
            Performative::Flow(flow) => session.sent_flow(&flow),
            Performative::Transfer(transfer) => session.sent_transfer(&transfer, &payload),
            Performative::Disposition(disposition) => {
                let first = disposition.first.0;
                let last = disposition.last.map_or(first, |id| id.0);
                assert!(last.wrapping_sub(first) < 1 << 31, "a range turned round");
                if disposition.settled {
                    match disposition.role {
                        Role::Sender => session.sent.retain(|id, _| !within(first, last, *id)),
                        Role::Receiver => session.held.retain(|id, ()| !within(first, last, *id)),
                    }
                }
            }
            Performative::End(_) => {
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
            self.sessions.push(Session::default());
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

    fn received_frame(&mut self, channel: u16, performative: Performative, payload: Bytes) {
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
                self.inputs.remove(&channel);
                return;
            }
            _ => {}
        }
        let session = &mut self.sessions[self.inputs[&channel]];
        match performative {
            Performative::Attach(attach) => {
                let end = RemoteLink {
                    name: attach.name.to_string(),
                    role: attach.role,
                    initial: attach.initial_delivery_count.map(|n| n.0),
                    early: 0,
                    most_early: 0,
                    open: None,
                    open_settled: false,
                };
                session.remote_handles.insert(attach.handle.0, end);
                session.join();
            }
            Performative::Detach(detach) => {
                session.remote_handles.remove(&detach.handle.0);
            }
            Performative::Flow(flow) => session.received_flow(&flow),
            Performative::Transfer(transfer) => session.received_transfer(&transfer, &payload),
            Performative::Disposition(disposition) if disposition.settled => {
                let first = disposition.first.0;
                let last = disposition.last.map_or(first, |id| id.0);
                match disposition.role {
                    Role::Receiver => session.sent.retain(|id, _| !within(first, last, *id)),
                    Role::Sender => session.held.retain(|id, ()| !within(first, last, *id)),
                }
            }
            _ => {}
        }
    }
}

impl Session {
    /// The sender's initial-delivery-count reaches the receiving end, whoever attached first, and so
    /// does credit that came early.
    fn join(&mut self) {
        for remote in self.remote_handles.values_mut() {
            for link in self.handles.values_mut() {
                if remote.role == Role::Receiver
                    && link.role == Role::Sender
                    && link.name == remote.name
                {
                    link.credit += std::mem::take(&mut remote.early);
                    link.drainable = link.drainable.max(std::mem::take(&mut remote.most_early));
                }
                if remote.role == Role::Sender
                    && link.role == Role::Receiver
                    && link.name == remote.name
                    && link.delivery_count.is_none()
                {
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
        self.announced = flow.incoming_window;
        let Some(handle) = flow.handle else { return };
        let link = self.handles.get_mut(&handle.0);
        let link = link.unwrap_or_else(|| panic!("a flow on handle {}", handle.0));
        match link.role {
            Role::Receiver => {
                assert_eq!(flow.delivery_count.map(|n| n.0), link.delivery_count);
                link.credit = flow.link_credit.unwrap_or(link.credit);
            }
            Role::Sender => {
                let count = flow.delivery_count.map(|n| n.0);
                let (Some(count), Some(before)) = (count, link.delivery_count) else {
                    panic!("a sender's flow without delivery-count");
                };
                let given_back = count.wrapping_sub(before);
                let most = link.drainable;
                assert!(
                    given_back <= most,
                    "{given_back} is given back, {most} granted"
                );
                link.credit = link.credit.saturating_sub(given_back);
                link.drainable = if flow.drain { link.credit } else { 0 };
                link.delivery_count = Some(count);
                assert_eq!(flow.link_credit, Some(link.credit), "link-credit");
            }
        }
    }

    fn received_flow(&mut self, flow: &Flow) {
        let from = flow.next_incoming_id.map_or(self.initial_outgoing, |n| n.0);
        let in_flight = self.next_outgoing.wrapping_sub(from);
        assert!(in_flight < 1 << 31, "acknowledged before it was sent");
        self.window = flow.incoming_window.saturating_sub(in_flight);
        let Some(handle) = flow.handle else { return };
        let Some(link) = self.mine(handle.0) else {
            let remote = self.remote_handles.get_mut(&handle.0);
            let remote = remote.expect("a flow on an attached handle");
            remote.early = flow.link_credit.unwrap_or(remote.early);
            remote.most_early = remote.most_early.max(remote.early);
            return;
        };
        match link.role {
            Role::Sender => {
                // [LNK-26] [LNK-27]
                let theirs = flow.delivery_count.map(|n| n.0).or(link.initial);
                let (Some(theirs), Some(mine)) = (theirs, link.delivery_count) else {
                    return;
                };
                if let Some(credit) = flow.link_credit {
                    let left = i64::from(credit) - i64::from(mine.wrapping_sub(theirs));
                    link.credit = u32::try_from(left).unwrap_or(0);
                    if flow.drain {
                        link.drainable = link.drainable.max(link.credit);
                    }
                }
            }
            Role::Receiver => link.delivery_count = flow.delivery_count.map(|n| n.0),
        }
    }

    fn mine(&mut self, remote_handle: u32) -> Option<&mut Link> {
        let remote = self.remote_handles.get(&remote_handle)?;
        self.handles
            .values_mut()
            .find(|link| link.name == remote.name && link.role != remote.role)
    }

    fn sent_transfer(&mut self, transfer: &Transfer, _payload: &Bytes) {
        // [SES-18]
        assert!(self.window > 0, "a transfer without window");
        self.window -= 1;
        self.next_outgoing = self.next_outgoing.wrapping_add(1);
        let link = self.handles.get_mut(&transfer.handle.0);
        let link = link.unwrap_or_else(|| panic!("a transfer on handle {}", transfer.handle.0));
        assert_eq!(link.role, Role::Sender);
        match (link.open, transfer.delivery_id) {
            (None, Some(id)) => {
                // [LNK-24] [SES-35]
                assert!(link.credit > 0, "a delivery without credit");
                link.credit -= 1;
                link.delivery_count = link.delivery_count.map(|n| n.wrapping_add(1));
                assert!(
                    self.next_delivery.is_none_or(|next| next == id.0),
                    "a gap in the ids"
                );
                self.next_delivery = Some(id.0.wrapping_add(1));
                if transfer.settled != Some(true) {
                    let tag = transfer.delivery_tag.as_ref().map(|t| t.as_ref().to_vec());
                    let mut tag = tag.unwrap_or_else(|| panic!("a delivery without tag"));
                    tag.extend_from_slice(link.name.as_bytes());
                    // [LNK-42]
                    assert!(self.sent.values().all(|known| *known != tag), "a tag twice");
                    self.sent.insert(id.0, tag);
                }
                link.open = transfer.more.then_some(id.0);
            }
            (Some(open), id) => {
                assert!(id.is_none_or(|id| id.0 == open), "deliveries interleave");
                link.open = transfer.more.then_some(open);
            }
            (None, None) => panic!("a first transfer without delivery-id"),
        }
    }

    fn received_transfer(&mut self, transfer: &Transfer, _payload: &Bytes) {
        self.next_incoming = self.next_incoming.wrapping_add(1);
        self.announced = self.announced.saturating_sub(1);
        let remote = self.remote_handles.get_mut(&transfer.handle.0);
        let remote = remote.expect("a transfer on an attached handle");
        let begins = remote.open.is_none();
        if begins {
            remote.open = transfer.delivery_id.map(|id| id.0);
            remote.open_settled = false;
            let next = self.next_incoming_delivery;
            assert!(next.is_none() || next == remote.open, "a gap in what came");
            self.next_incoming_delivery = remote.open.map(|id| id.wrapping_add(1));
        }
        remote.open_settled |= transfer.settled == Some(true);
        if let (false, Some(id)) = (transfer.more, remote.open) {
            remote.open = None;
            if !remote.open_settled {
                self.held.insert(id, ());
            }
        }
        if begins && let Some(link) = self.mine(transfer.handle.0) {
            link.delivery_count = link.delivery_count.map(|n| n.wrapping_add(1));
            link.credit = link.credit.saturating_sub(1);
        }
    }
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
