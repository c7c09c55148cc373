//! Deliveries in parts: payloads that are sent as they come, and received as they come.
//!
//! Decides how parts become transfers and the other way round. Back-pressure is the window's, which
//! counts what the application has not taken. Section 2.6.14.

use std::collections::VecDeque;

use amqp_types::Encode;
use amqp_types::transport::ErrorCondition;
use bytes::Bytes;

use super::super::arena::Key;
use super::super::delivery::{Assembly, Held, Load, StreamEnd, Tag};
use super::super::event::Event;
use super::super::frame::{AMQP_FRAME, FirstTransfer, TransferHead, begin_frame, end_frame};
use super::super::link::{Link, Progress};
use super::super::violation::Violation;
use super::{Session, Transmit};

impl Session {
    /// Writes one transfer of a streamed delivery, the first with its tag. Answers `false` when the
    /// next part has not come.
    pub(super) fn write_stream(
        &mut self,
        key: Key,
        progress: Progress,
        first: Option<Tag>,
        cx: &mut Transmit<'_>,
    ) -> bool {
        let name = self.name(key);
        let channel = self.output;
        let Some(link) = self.links.get_mut(key) else {
            return false;
        };
        let handle = link.output;
        let Some(sender) = link.sender() else {
            return false;
        };
        let (message, delivery_id) = (&progress.message, progress.delivery_id);
        let seq = message.seq;
        let stream = sender.streams.entry(seq).or_default();
        if first.is_none() && stream.parts.is_empty() && stream.end.is_none() {
            sender.progress = Some(progress);
            return false;
        }
        let mut head = TransferHead {
            handle,
            first: first.as_ref().map(|tag| FirstTransfer {
                delivery_id,
                tag: tag.as_bytes(),
                message_format: message.message_format,
            }),
            settled: message.settled,
            more: true,
            aborted: stream.end == Some(StreamEnd::Aborted),
            ..TransferHead::default()
        };
        let out = cx.out.flat();
        let start = begin_frame(out, AMQP_FRAME, channel);
        head.encode(out);
        let room = cx.max_frame.saturating_sub(out.len() - start);
        let waiting: usize = stream.parts.iter().map(Bytes::len).sum();
        let over = head.aborted || (stream.end.is_some() && waiting <= room);
        if over {
            out.truncate(start);
            begin_frame(out, AMQP_FRAME, channel);
            // [PRF-14]
            head.more = false;
            head.encode(out);
        }
        let octets = if head.aborted { 0 } else { waiting.min(room) };
        end_frame(out, start, octets);
        let mut left = octets;
        while left > 0
            && let Some(part) = stream.parts.front_mut()
        {
            let piece = part.split_to(part.len().min(left));
            left -= piece.len();
            cx.out.put_payload(&piece);
            if part.is_empty() {
                stream.parts.pop_front();
            }
        }
        cx.events.push_back(Event::StreamWritten {
            link: name,
            seq,
            octets,
        });
        let (aborted, settled) = (head.aborted, message.settled);
        if over {
            sender.streams.remove(&seq);
        } else {
            sender.progress = Some(progress);
        }
        self.count_frame(cx);
        if aborted && (settled || self.sent.remove(delivery_id).is_some()) {
            // [LNK-55]: an aborted delivery is settled on both sides. Of one that was settled before,
            // while it was being written, the outcome is known. [OUT-06]
            cx.events.push_back(Event::Settled {
                link: name,
                seq,
                state: None,
            });
        }
        true
    }

    /// A streamed delivery was given up before anything of it was written.
    pub(super) fn forget_stream(&mut self, key: Key, seq: u64, cx: &mut Transmit<'_>) -> bool {
        let name = self.name(key);
        if let Some(sender) = self.links.get_mut(key).and_then(Link::sender) {
            sender.streams.remove(&seq);
        }
        cx.events.push_back(Event::Sent {
            link: name,
            count: 1,
            settled: 0,
            settled_bytes: 0,
        });
        cx.events.push_back(Event::Settled {
            link: name,
            seq,
            state: None,
        });
        true
    }

    /// One transfer on a link whose application is told of parts.
    pub(super) fn on_part(
        &mut self,
        key: Key,
        mut assembly: Assembly,
        (aborted, more): (bool, bool),
        payload: Bytes,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        let name = self.name(key);
        let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) else {
            return Ok(());
        };
        let id = assembly.head.id;
        let is_first = assembly.head.frames == 0;
        if aborted {
            // With one that came settled, or was settled before its end, the application is done already
            // or will say so. [LNK-30]
            let fresh = is_first || self.release(id).is_some_and(|held| held.is_unfinished());
            if !is_first {
                let end = Some(StreamEnd::Aborted);
                events.push_back(Event::Part {
                    link: name,
                    first: None,
                    payload: Bytes::new(),
                    end,
                });
            }
            if fresh {
                self.consumed(key, 1);
            }
            self.judge_window();
            return Ok(());
        }
        let load = Load {
            frames: 1,
            octets: payload.len(),
        };
        assembly.push(payload.clone());
        receiver.load.add(load);
        self.load.add(load);
        if receiver.max_message_size != 0 && assembly.len() as u64 > receiver.max_message_size {
            // [LNK-40]
            let detail = format!(
                "a message of more than {} octets",
                receiver.max_message_size
            );
            return Err(Violation::link(
                key,
                ErrorCondition::MessageSizeExceeded,
                "2.7.3",
                detail,
            ));
        }
        if is_first && !assembly.head.settled {
            receiver.tags.add(assembly.head.tag);
            let held = Held {
                link: key,
                tag: assembly.head.tag,
                counts: true,
                local: None,
            };
            self.held.push(id, held);
        } else if assembly.head.settled && self.release(id).is_some_and(|held| held.is_unfinished())
        {
            // Settled after all, on a later frame. [LNK-56]
            self.consumed(key, 1);
        }
        let first = is_first.then(|| Box::new(assembly.head.copy_head()));
        let end = (!more).then_some(StreamEnd::Complete);
        events.push_back(Event::Part {
            link: name,
            first,
            payload,
            end,
        });
        if more && let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) {
            receiver.assembly = Some(assembly);
        }
        self.judge_window();
        Ok(())
    }
}
