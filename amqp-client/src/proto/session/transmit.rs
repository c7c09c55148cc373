//! The frames of a session that go out.
//!
//! Decides the order in which what is owed is written: begin, attaches and flows, dispositions,
//! the session's flow, transfers link by link, detaches, end. Frames are made nowhere else; transfers
//! are left to `transfer_out`.
//! Sections 2.5.6, 2.6.7, 2.6.14.

use std::collections::VecDeque;

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{
    Detach, Disposition, End as EndFrame, Error, ErrorCondition, Flow, Handle, Role, SequenceNo,
    TransferNumber,
};

use super::super::arena::Key;
use super::super::event::Event;
use super::super::frame::{AMQP_FRAME, put_frame};
use super::super::link::{DetachOwed, End, Local};
use super::super::violation::shortened;
use super::super::write_buf::WriteBuf;
use super::receive::overlaps;
use super::resume::fit_unsettled;
use super::{LocalSession, OUTGOING_WINDOW, RemoteSession, Session};
use amqp_types::Encode;

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
        self.out.count_frame();
        true
    }

    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= self.budget
    }
}

impl Session {
    /// Writes what is owed; answers whether more could be written in another turn.
    pub(crate) fn transmit(&mut self, cx: &mut Transmit<'_>) -> bool {
        if !self.begun {
            self.write_begin(cx);
            self.begun = true;
            if matches!(self.local, LocalSession::BeginOwed) {
                self.local = LocalSession::Begun;
            }
        }
        if !self.may_send() {
            return false;
        }
        // An end in good order goes behind what was settled and sent before it.
        let last_words = matches!(self.local, LocalSession::EndOwed(None))
            && self.remote == RemoteSession::Begun;
        if last_words && self.discarding {
            // Behind a mistake nothing is counted any more, so that no flow would be right.
            self.write_dispositions(cx);
        } else if last_words || !matches!(self.local, LocalSession::EndOwed(_)) {
            let mut owing = std::mem::take(&mut self.owing);
            owing.retain(|key| cx.is_full() || self.write_attach_and_flow(*key, cx));
            self.write_dispositions(cx);
            if self.flow_owed {
                self.flow_owed = false;
                let flow = self.flow();
                cx.frame(self.output, &flow);
            }
            let more = self.write_transfers(cx);
            // A drain that the last transfer has finished is answered behind it.
            let mut late = std::mem::take(&mut self.owing);
            late.retain(|key| cx.is_full() || self.write_attach_and_flow(*key, cx));
            owing.append(&mut late);
            owing.retain(|key| self.write_detach(*key, cx));
            // What was put on the list meanwhile stays behind what was there.
            owing.append(&mut self.owing);
            self.owing = owing;
            let woken = std::mem::take(&mut self.woken);
            if more || woken || (cx.is_full() && !self.owing.is_empty()) {
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

    /// Writes the begin. What is only information is left out where it would not fit. [FRM-16]
    fn write_begin(&self, cx: &mut Transmit<'_>) {
        let mut begin = self.begin_frame();
        if cx.frame(self.output, &begin) {
            return;
        }
        begin.properties = None;
        if cx.frame(self.output, &begin) {
            return;
        }
        begin.offered_capabilities = Vec::new();
        if !cx.frame(self.output, &begin) {
            begin.desired_capabilities = Vec::new();
            cx.frame(self.output, &begin);
        }
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
        let before = self.links.get(key).and_then(|link| link.after);
        let waits = before.is_some_and(|before| self.links.get(before).is_some());
        let Some(link) = self.links.get_mut(key) else {
            return false;
        };
        if let Local::AttachOwed { attach, then } = &mut link.local {
            if waits || (early && link.output > 0) {
                return true;
            }
            if self.remote_handle_max.is_some_and(|max| link.output > max) {
                // [SES-30]
                return self.abandon(key, ErrorCondition::ResourceLimitExceeded, cx);
            }
            let mut written = cx.frame(channel, &**attach);
            if !written && cx.opened {
                let partial = fit_unsettled(attach, channel, cx.max_frame);
                written = partial.is_some() && cx.frame(channel, &**attach);
                link.partial = partial;
            }
            if !written {
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
        self.judge_round(key, cx.events);
        let flow = match self.links.get_mut(key) {
            // Not before the partner's answer: a broker that refuses the link may know nothing of it any
            // more when the flow comes, and end the session for that. [LNK-09]
            Some(link) if link.flow_owed && link.may_transfer() => {
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
        self.beyond_window = 0;
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
        match &mut link.end {
            End::Sender(sender) => {
                // [PRF-06]
                flow.delivery_count = Some(SequenceNo(sender.credit.delivery_count()));
                flow.link_credit = Some(sender.credit.credit());
                flow.available = Some(u32::try_from(sender.queue.len()).unwrap_or(u32::MAX));
                flow.drain = sender.credit.draining();
            }
            End::Receiver(receiver) => {
                self.credit_granted += u64::from(receiver.credit.announce());
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
        let mut received = std::mem::take(&mut self.received_dispositions);
        received.drain(Role::Receiver, self.open_between(), |frame| {
            fits &= write_disposition(channel, frame, cx);
        });
        self.received_dispositions = received;
        let (sent, astray) = (&self.sent, self.sent_astray);
        self.sent_dispositions.drain(
            Role::Sender,
            |after, before| sent.any_between(after, before) || overlaps(astray, after, before),
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
