//! Messages that a sender hands over part by part.
//!
//! Decides how much of one may be under way before its writer waits. Section 2.6.14.

use std::sync::Arc;

use bytes::Bytes;

use super::command::Command;
use super::link::Status;
use super::sender::SenderShared;
use crate::error::Error;
use crate::proto::StreamEnd;

/// How many octets of a streamed message may be handed over before they are written.
const STREAM_AHEAD: usize = 256 * 1024;

impl SenderShared {
    /// Hands over a part of a streamed message once what is under way leaves room, or ends it.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        seq: u64,
        part: Option<Bytes>,
        end: Option<StreamEnd>,
    ) -> Result<(), Error> {
        let octets = part.as_ref().map_or(0, Bytes::len);
        if octets > 0 {
            self.wait(|state| {
                (state.streams.get(&seq).is_none_or(|n| *n < STREAM_AHEAD)).then_some(())
            })
            .await?;
        }
        self.push_part(seq, part, end)
    }

    /// Hands over a part of a streamed message, or its end, at once.
    pub(crate) fn push_part(
        self: &Arc<Self>,
        seq: u64,
        part: Option<Bytes>,
        end: Option<StreamEnd>,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        if let Status::Over(error) | Status::Suspended(error) = &state.status {
            return Err(error.clone());
        }
        if end.is_some() {
            state.streams.remove(&seq);
        } else {
            *state.streams.entry(seq).or_default() += part.as_ref().map_or(0, Bytes::len);
        }
        state.connection.push(Command::Stream {
            link: self.clone(),
            seq,
            part,
            end,
        });
        Ok(())
    }

    /// Octets of a streamed message have been written.
    pub(crate) fn stream_written(&self, seq: u64, octets: usize) {
        if let Some(waiting) = self.lock().streams.get_mut(&seq) {
            *waiting = waiting.saturating_sub(octets);
        }
        self.changed.notify_waiters();
    }
}
