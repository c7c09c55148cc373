//! What an end hears and writes by the clock.
//!
//! Decides when a heartbeat is due and when a silent partner is to be given up, from the frames on the
//! wire alone. Section 2.4.5.

use std::time::{Duration, Instant};

/// The clocks of one end, kept apart from its engine.
#[derive(Debug)]
pub(crate) struct Watch {
    /// How long the partner may be silent.
    limit: Option<Duration>,
    /// What the partner allows, once its open has been read.
    pub(crate) allowed: Option<Duration>,
    /// Whether the own open has been written.
    pub(crate) open: bool,
    heard: Instant,
    wrote: Instant,
    /// The beginning of what is being read, and how much of it is still to come.
    head: Vec<u8>,
    rest: usize,
}

impl Watch {
    pub(crate) fn new(now: Instant, limit: Option<Duration>) -> Self {
        Self {
            limit,
            allowed: None,
            open: false,
            heard: now,
            wrote: now,
            head: Vec::new(),
            rest: 0,
        }
    }

    /// Octets have come: only a whole frame, or a whole header, is a sign of life. [CON-39]
    pub(crate) fn on_received(&mut self, now: Instant, mut octets: &[u8]) {
        while !octets.is_empty() {
            if self.rest == 0 {
                let (head, more) = octets.split_at(octets.len().min(8 - self.head.len()));
                self.head.extend_from_slice(head);
                octets = more;
                if self.head.len() < 8 {
                    return;
                }
                if !self.head.starts_with(b"AMQP") {
                    let size = [self.head[0], self.head[1], self.head[2], self.head[3]];
                    self.rest = u32::from_be_bytes(size) as usize - 8;
                }
                self.head.clear();
            } else {
                let part = self.rest.min(octets.len());
                self.rest -= part;
                octets = &octets[part..];
            }
            if self.rest == 0 {
                self.heard = now;
            }
        }
    }

    pub(crate) fn on_sent(&mut self, now: Instant) {
        self.wrote = now;
    }

    /// When the partner is given up. [CON-38]
    pub(crate) fn silence(&self) -> Option<Instant> {
        self.limit.map(|limit| self.heard + limit)
    }

    /// When something has to be written. [CON-37] [CON-42]
    pub(crate) fn heartbeat(&self) -> Option<Instant> {
        let allowed = self.allowed.filter(|_| self.open)?;
        Some(self.wrote + allowed / 2)
    }

    /// When the engine has to be told of the time.
    pub(crate) fn due(&self) -> Option<Instant> {
        [self.silence(), self.heartbeat()]
            .into_iter()
            .flatten()
            .min()
    }
}
