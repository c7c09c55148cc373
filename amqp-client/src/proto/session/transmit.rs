//! The frames of a session that go out.
//!
//! Decides the order in which what is owed is written: begin, attaches and flows, dispositions,
//! the session's flow, transfers link by link, detaches, end. Frames are made nowhere else.
//! Sections 2.5.6, 2.6.7, 2.6.14.

use std::collections::VecDeque;

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{
    Detach, Disposition, End as EndFrame, Error, ErrorCondition, Flow, Handle, Role, SequenceNo,
    TransferNumber,
};

use super::super::arena::Key;
use super::super::delivery::{Outgoing, Sent, StreamEnd, TransferKind};
use super::super::event::{Event, LinkKey};
use super::super::frame::{
    AMQP_FRAME, FirstTransfer, TransferHead, begin_frame, end_frame, put_frame,
};
use super::super::link::{DetachOwed, End, Local, Progress};
use super::super::violation::shortened;
use super::super::write_buf::WriteBuf;
use super::{LocalSession, OUTGOING_WINDOW, RemoteSession, Session};
use amqp_types::Encode;

/// How many transfer frames one link may write before the next one has its turn.
const QUANTUM: usize = 64;
/// What the fields of a first transfer take at most, beside its tag.
const HEAD_BOUND: usize = 48;

/// What the connection lends to a session that writes.
pub(crate) struct Transmit<'a> {
    pub(crate) out: &'a mut WriteBuf,
    pub(crate) events: &'a mut VecDeque<Event>,
    /// The largest frame that may be written. [FRM-12] [FRM-16]
    pub(crate) max_frame: usize,
    /// How much may lie in `out` before the rest waits for the next turn.
    pub(crate) budget: usize,
    /// Whether the partner's open has come: before it, only what surely fits may be written. [CON-23]
    pub(crate) opened: bool,
}

impl Transmit<'_> {
    /// Writes one frame unless it is too large. [FRM-19]
    fn frame(&mut self, channel: u16, performative: &impl Encode) -> bool {
        let out = self.out.flat();
        let start = out.len();
        if put_frame(out, AMQP_FRAME, channel, performative) > self.max_frame {
            out.truncate(start);
            return false;
        }
        true
    }

    fn is_full(&self) -> bool {
        self.out.len() >= self.budget
    }
}

impl Session {
    /// Writes what is owed; answers whether more could be written in another turn.
    pub(crate) fn transmit(&mut self, cx: &mut Transmit<'_>) -> bool {
        if !self.begun {
            if !cx.frame(self.output, &self.begin_frame()) {
                return false;
            }
            self.begun = true;
            if matches!(self.local, LocalSession::BeginOwed) {
                self.local = LocalSession::Begun;
            }
        }
        if !self.may_send() {
            return false;
        }
        if !matches!(self.local, LocalSession::EndOwed(_)) {
            let mut owing = std::mem::take(&mut self.owing);
            owing.retain(|key| self.write_attach_and_flow(*key, cx));
            self.write_dispositions(cx);
            if self.flow_owed {
                self.flow_owed = false;
                let flow = self.flow();
                cx.frame(self.output, &flow);
            }
            let more = self.write_transfers(cx);
            // A drain that the last transfer has finished is answered behind it.
            let mut late = std::mem::take(&mut self.owing);
            late.retain(|key| self.write_attach_and_flow(*key, cx));
            owing.append(&mut late);
            owing.retain(|key| self.write_detach(*key, cx));
            // What was put on the list meanwhile stays behind what was there.
            owing.append(&mut self.owing);
            self.owing = owing;
            if more {
                return true;
            }
        }
        if let LocalSession::EndOwed(error) = &mut self.local {
            let mut frame = EndFrame {
                error: error.take(),
            };
            if !cx.frame(self.output, &frame) {
                frame.error = frame.error.map(|error| shortened(&error));
                cx.frame(self.output, &frame);
            }
            self.local = LocalSession::Ended;
        }
        false
    }

    /// Whether anything would be written now.
    pub(crate) fn owes(&self) -> bool {
        matches!(
            self.local,
            LocalSession::BeginOwed | LocalSession::EndOwed(_)
        ) || (self.may_send()
            && (!self.owing.is_empty()
                || self.flow_owed
                || !self.received_dispositions.is_empty()
                || !self.sent_dispositions.is_empty()
                || (!self.ready.is_empty() && self.remote_incoming_window > 0)))
    }

    /// Writes a link's attach and flow. Answers whether the link still owes something.
    fn write_attach_and_flow(&mut self, key: Key, cx: &mut Transmit<'_>) -> bool {
        let channel = self.output;
        // Before the partner's begin only handle 0 is sure to be within its range. [SES-30]
        let early = self.remote_handle_max.is_none();
        let Some(link) = self.links.get_mut(key) else {
            return false;
        };
        if let Local::AttachOwed { attach, then } = &mut link.local {
            if early && link.output > 0 {
                return true;
            }
            if self.remote_handle_max.is_some_and(|max| link.output > max) {
                // [SES-30]
                return self.abandon(key, ErrorCondition::ResourceLimitExceeded, cx);
            }
            if !cx.frame(channel, &**attach) {
                if !cx.opened {
                    return true;
                }
                return self.abandon(key, ErrorCondition::FrameSizeTooSmall, cx);
            }
            link.local = match then.take() {
                Some(owed) => Local::DetachOwed(owed),
                None => Local::Attached,
            };
            if let Some(receiver) = link.receiver()
                && receiver.credit.top_up()
            {
                link.flow_owed = true;
            }
            self.make_ready(key);
        }
        let flow = match self.links.get_mut(key) {
            Some(link) if link.flow_owed && link.is_attached() => {
                link.flow_owed = false;
                let echo = std::mem::take(&mut link.echo);
                self.link_flow(key, echo)
            }
            _ => None,
        };
        if let Some(flow) = flow {
            self.flow_owed = false;
            cx.frame(channel, &flow);
        }
        match self.links.get_mut(key) {
            Some(link) if matches!(link.local, Local::DetachOwed(_)) => true,
            Some(link) => {
                link.listed = false;
                false
            }
            None => false,
        }
    }

    /// A link whose attach can not be written is over before it began. [FRM-19]
    fn abandon(&mut self, key: Key, condition: ErrorCondition, cx: &mut Transmit<'_>) -> bool {
        cx.events.push_back(Event::LinkDetached {
            link: self.name(key),
            closed: true,
            error: Some(Box::new(Error::new(condition))),
            by_peer: false,
        });
        self.free_link(key);
        false
    }

    /// Writes a link's detach. Answers whether the link still owes something.
    fn write_detach(&mut self, key: Key, cx: &mut Transmit<'_>) -> bool {
        let channel = self.output;
        let Some(link) = self.links.get_mut(key) else {
            return false;
        };
        let Local::DetachOwed(DetachOwed { closed, error }) = &mut link.local else {
            return true;
        };
        let closed = *closed;
        // [PRF-26]
        let mut frame = Detach::new(Handle(link.output));
        frame.closed = closed;
        frame.error = error.take();
        if !cx.frame(channel, &frame) {
            frame.error = frame.error.map(|error| shortened(&error));
            cx.frame(channel, &frame);
        }
        link.local = Local::Detached { closed };
        link.listed = false;
        if link.is_gone() {
            self.free_link(key);
        }
        false
    }

    /// The session's part of every flow; telling the window renews it. [SES-27] [SES-28]
    fn flow(&mut self) -> Flow {
        // What was announced is never taken back: it may be on its way. [SES-24]
        self.incoming_window = self.open_window().max(self.incoming_window);
        let mut flow = Flow::new(
            self.incoming_window,
            TransferNumber(self.next_outgoing_id),
            OUTGOING_WINDOW,
        );
        if self.remote != RemoteSession::Unmapped {
            flow.next_incoming_id = Some(TransferNumber(self.next_incoming_id));
        }
        flow
    }

    /// A link's part of a flow: a sender tells its mode and what is available, a receiver its wish. [PRF-09]
    fn link_flow(&mut self, key: Key, echo: bool) -> Option<Flow> {
        let mut flow = self.flow();
        let link = self.links.get_mut(key)?;
        flow.handle = Some(Handle(link.output));
        flow.echo = echo;
        match &link.end {
            End::Sender(sender) => {
                // [PRF-06]
                flow.delivery_count = Some(SequenceNo(sender.credit.delivery_count()));
                flow.link_credit = Some(sender.credit.credit());
                flow.available = Some(u32::try_from(sender.queue.len()).unwrap_or(u32::MAX));
                flow.drain = sender.credit.draining();
            }
            End::Receiver(receiver) => {
                flow.delivery_count = receiver.credit.delivery_count().map(SequenceNo);
                flow.link_credit = Some(receiver.credit.credit());
                flow.drain = receiver.credit.draining();
            }
        }
        Some(flow)
    }

    fn write_dispositions(&mut self, cx: &mut Transmit<'_>) {
        let channel = self.output;
        let mut fits = true;
        let held = &self.held;
        self.received_dispositions.drain(
            Role::Receiver,
            |after, before| held.any_between(after, before),
            |frame| fits &= write_disposition(channel, frame, cx),
        );
        let sent = &self.sent;
        self.sent_dispositions.drain(
            Role::Sender,
            |after, before| sent.any_between(after, before),
            |frame| fits &= write_disposition(channel, frame, cx),
        );
        if !fits {
            // The outcome can not be told, and the deliveries can not stay open for ever.
            let error = Box::new(Error::new(ErrorCondition::FrameSizeTooSmall));
            self.end(Some(error.clone()));
            cx.events.push_back(Event::SessionEnded {
                session: self.key,
                error: Some(error),
                by_peer: false,
            });
        }
    }

    /// Serves the links that have something to send, a quantum each. [SES-18] [SES-25]
    fn write_transfers(&mut self, cx: &mut Transmit<'_>) -> bool {
        while let Some(key) = self.ready.front().copied() {
            let mut left = QUANTUM;
            loop {
                if self.remote_incoming_window == 0 {
                    return false;
                }
                if cx.is_full() {
                    return true;
                }
                if left == 0 {
                    self.ready.rotate_left(1);
                    break;
                }
                left -= 1;
                if !self.write_transfer(key, cx) {
                    self.ready.pop_front();
                    self.idle(key, cx.events);
                    break;
                }
            }
        }
        false
    }

    /// A sender has nothing more to send for now: it leaves the queue, and a drain is answered. [LNK-31]
    fn idle(&mut self, key: Key, events: &mut VecDeque<Event>) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let Some(sender) = link.sender() else {
            return;
        };
        sender.ready = false;
        self.finish_drain(key, events);
    }

    /// Writes one transfer frame of a link. Answers `false` when the link has nothing to send or
    /// no credit. [LNK-24] [SES-17] [SES-35]
    fn write_transfer(&mut self, key: Key, cx: &mut Transmit<'_>) -> bool {
        let name = self.name(key);
        let Some(link) = self.links.get_mut(key) else {
            return false;
        };
        if !link.may_transfer() {
            return false;
        }
        let handle = link.output;
        let End::Sender(sender) = &mut link.end else {
            return false;
        };
        if let Some(progress) = sender.progress.take_if(|progress| progress.message.stream) {
            return self.write_stream(key, progress, None, cx);
        }
        if let Some(progress) = sender.progress.take() {
            let head = TransferHead {
                handle,
                ..TransferHead::default()
            };
            sender.progress = write_part(progress, head, self.output, cx);
            self.count_frame();
            return true;
        }
        if let Some(waits) = sender.queue.front().filter(|message| message.stream) {
            let seq = waits.seq;
            match sender.streams.get(&seq) {
                Some(stream) if stream.end == Some(StreamEnd::Aborted) => {
                    // Nothing of it has been written: nobody ever hears of it.
                    sender.queue.pop_front();
                    return self.forget_stream(key, seq, cx);
                }
                Some(stream) if !stream.parts.is_empty() || stream.end.is_some() => {}
                _ => return false,
            }
        }
        if sender.queue.is_empty() || !sender.credit.take() {
            return false;
        }
        // invariant: the queue was just seen not to be empty.
        let message = sender.queue.pop_front().expect("a message is queued");
        let delivery_id = self.next_delivery_id;
        self.next_delivery_id = delivery_id.wrapping_add(1);
        let tag = message.wire_tag();
        let head = TransferHead {
            handle,
            first: Some(FirstTransfer {
                delivery_id,
                tag: tag.as_bytes(),
                message_format: message.message_format,
            }),
            settled: message.settled,
            state: message.state.as_deref(),
            resume: message.kind != TransferKind::New,
            aborted: message.kind == TransferKind::Aborted,
            ..TransferHead::default()
        };
        if message.kind == TransferKind::Aborted {
            // Nothing is expected of it; what it was is sent behind it, or told already.
            let out = cx.out.flat();
            let start = begin_frame(out, AMQP_FRAME, self.output);
            head.encode(out);
            end_frame(out, start, 0);
            self.count_frame();
            return true;
        }
        note_sent(cx.events, name, &message);
        if message.stream {
            if !message.settled {
                let sent = Sent {
                    link: key,
                    message: message.clone(),
                    remote: None,
                };
                self.sent.push(delivery_id, sent);
            }
            let progress = Progress {
                message,
                delivery_id,
                sent: 0,
            };
            return self.write_stream(key, progress, Some(tag), cx);
        }
        let small = message.state.is_none()
            && message.payload.len() + HEAD_BOUND + tag.as_bytes().len() <= cx.max_frame;
        if small {
            let out = cx.out.flat();
            let start = begin_frame(out, AMQP_FRAME, self.output);
            head.encode(out);
            end_frame(out, start, message.payload.len());
            cx.out.put_payload(&message.payload);
            if !message.settled {
                self.sent.push(
                    delivery_id,
                    Sent {
                        link: key,
                        message,
                        remote: None,
                    },
                );
            }
        } else {
            let progress = Progress {
                message: message.clone(),
                delivery_id,
                sent: 0,
            };
            let progress = write_part(progress, head, self.output, cx);
            if !message.settled {
                self.sent.push(
                    delivery_id,
                    Sent {
                        link: key,
                        message,
                        remote: None,
                    },
                );
            }
            if let Some(sender) = self.links.get_mut(key).and_then(super::Link::sender) {
                sender.progress = progress;
            }
        }
        self.count_frame();
        true
    }

    pub(super) fn count_frame(&mut self) {
        self.next_outgoing_id = self.next_outgoing_id.wrapping_add(1);
        self.remote_incoming_window -= 1;
    }
}

/// Writes as much of a message as one frame takes. Answers what is left, if anything. [FRM-12]
fn write_part(
    mut progress: Progress,
    mut head: TransferHead<'_>,
    channel: u16,
    cx: &mut Transmit<'_>,
) -> Option<Progress> {
    let rest = progress.message.payload.len() - progress.sent;
    let out = cx.out.flat();
    let start = begin_frame(out, AMQP_FRAME, channel);
    head.encode(out);
    let mut part = rest;
    if out.len() - start + rest > cx.max_frame {
        out.truncate(start);
        begin_frame(out, AMQP_FRAME, channel);
        head.more = true;
        head.encode(out);
        // A head always leaves room: it has at most 48 octets, a tag and a small state, a frame 512.
        part = cx
            .max_frame
            .saturating_sub(out.len() - start)
            .clamp(1, rest);
    }
    end_frame(out, start, part);
    let from = progress.sent;
    cx.out
        .put_payload(&progress.message.payload.slice(from..from + part));
    progress.sent += part;
    head.more.then_some(progress)
}

/// Writes a disposition; the reason of a rejection is shortened where it would not fit. Answers
/// `false` when nothing helps. [FRM-19]
fn write_disposition(channel: u16, frame: &Disposition, cx: &mut Transmit<'_>) -> bool {
    if cx.frame(channel, frame) {
        return true;
    }
    let Some(DeliveryState::Rejected(rejected)) = &frame.state else {
        return false;
    };
    let mut short = rejected.clone();
    short.error = short.error.map(|error| shortened(&error));
    let mut frame = frame.clone();
    frame.state = Some(DeliveryState::Rejected(short));
    cx.frame(channel, &frame)
}

/// Counts a message whose first transfer has been written; neighbours share an event.
fn note_sent(events: &mut VecDeque<Event>, name: LinkKey, message: &Outgoing) {
    let (one, octets) = match message.settled {
        true => (1, message.payload.len()),
        false => (0, 0),
    };
    match events.back_mut() {
        Some(Event::Sent {
            link,
            count,
            settled,
            settled_bytes,
        }) if *link == name => {
            *count += 1;
            *settled += one;
            *settled_bytes += octets;
        }
        _ => events.push_back(Event::Sent {
            link: name,
            count: 1,
            settled: one,
            settled_bytes: octets,
        }),
    }
}
