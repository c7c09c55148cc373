//! Transfers that go out: deliveries are cut into frames, one at a time.
//!
//! Decides whose turn it is and what of a delivery one frame takes, where the window is counted.
//! Sections 2.5.6, 2.6.7, 2.6.14.

use std::collections::VecDeque;

use amqp_types::Encode;

use super::super::arena::Key;
use super::super::delivery::{Outgoing, Sent, StreamEnd, TransferKind};
use super::super::event::{Event, LinkKey};
use super::super::frame::{AMQP_FRAME, FirstTransfer, TransferHead, begin_frame, end_frame};
use super::super::link::{End, Link, Progress};
use super::{Session, Transmit};

/// How many transfer frames one link may write before the next one has its turn.
const QUANTUM: usize = 64;
/// What the fields of a first transfer take at most, beside its tag.
const HEAD_BOUND: usize = 48;

impl Session {
    /// Serves the links that have something to send, a quantum each. [SES-18] [SES-25]
    pub(super) fn write_transfers(&mut self, cx: &mut Transmit<'_>) -> bool {
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
    pub(super) fn idle(&mut self, key: Key, events: &mut VecDeque<Event>) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let Some(sender) = link.sender() else {
            return;
        };
        sender.ready = false;
        if link.round.is_some() {
            // What was to be resumed may all have been sent.
            self.owe(key);
        }
        self.finish_drain(key, events);
    }

    /// Writes one transfer frame of a link. Answers `false` when the link has nothing to send or
    /// no credit. [LNK-24] [SES-17] [SES-35]
    pub(super) fn write_transfer(&mut self, key: Key, cx: &mut Transmit<'_>) -> bool {
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
            self.count_frame(cx);
            return true;
        }
        if link.round.is_some() && !sender.queue.front().is_some_and(Outgoing::is_resumed) {
            // [LNK-64]
            return false;
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
            self.count_frame(cx);
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
            if let Some(sender) = self.links.get_mut(key).and_then(Link::sender) {
                sender.progress = progress;
            }
        }
        self.count_frame(cx);
        true
    }

    pub(super) fn count_frame(&mut self, cx: &mut Transmit<'_>) {
        cx.out.count_frame();
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

/// Counts a message whose first transfer has been written; neighbours share an event.
fn note_sent(events: &mut VecDeque<Event>, name: LinkKey, message: &Outgoing) {
    // A delivery of an earlier attachment that is told as settled has its outcome by itself.
    let (one, octets) = match message.settled && !message.is_resumed() {
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
