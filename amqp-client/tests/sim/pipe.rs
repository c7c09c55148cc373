//! One direction of the virtual wire.
//!
//! Decides when octets arrive: they wait, come in pieces of any size, and stop coming while the
//! wire is stalled. The order is kept, as TCP keeps it. No section of the standard.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::rng::Rng;

/// Octets on their way.
#[derive(Debug)]
pub(crate) struct Pipe {
    octets: BytesMut,
    /// How many octets are taken before the writer has to wait.
    capacity: usize,
    stalled_until: Instant,
}

impl Pipe {
    pub(crate) fn new(now: Instant, capacity: usize) -> Self {
        Self {
            octets: BytesMut::new(),
            capacity,
            stalled_until: now,
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.octets.len() < self.capacity
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    pub(crate) fn stall(&mut self, now: Instant, time: Duration) {
        self.stalled_until = now + time;
    }

    /// A piece off the front, if one has arrived.
    pub(crate) fn pull(&mut self, now: Instant, rng: &mut Rng) -> Option<Bytes> {
        if self.octets.is_empty() || now < self.stalled_until {
            return None;
        }
        let len = self.octets.len();
        let piece = match rng.below(4) {
            0 => rng.range(1, len.min(9)),
            1 => rng.range(1, len),
            _ => len,
        };
        Some(self.octets.split_to(piece).freeze())
    }

    /// Nothing of what is on its way ever arrives.
    pub(crate) fn cut(&mut self) {
        self.octets.clear();
    }

    /// Everything at once, whatever the wire is like.
    pub(crate) fn flush(&mut self) -> Bytes {
        self.octets.split().freeze()
    }
}
