//! What is to be written in one turn: small frames flattened into one buffer, large payloads chained.
//!
//! Decides what is copied (payloads below a threshold) and what is passed by reference, and how far
//! the writing has come. The socket is left to the driver. No section of the standard.

use std::io::IoSlice;

use bytes::{Bytes, BytesMut};

/// Payloads of at least this many octets are chained instead of copied.
const CHAIN_FROM: usize = 2048;

/// Octets ready to be written, with insertion points for chained payloads.
#[derive(Debug, Default)]
pub struct WriteBuf {
    flat: BytesMut,
    /// Chained payloads, each with its position in `flat`, ascending.
    chained: Vec<(usize, Bytes)>,
    chained_len: usize,
    /// How many entries of `chained` have been written whole.
    chained_done: usize,
    /// How much of `flat` has been written.
    flat_done: usize,
    /// How much of the payload `chained[chained_done]` has been written.
    payload_done: usize,
    /// How many frames were ever put in.
    frames: u64,
}

impl WriteBuf {
    /// An empty buffer; allocates when first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Octets that have not been written yet.
    pub fn len(&self) -> usize {
        self.flat.len() - self.flat_done + self.chained_len
    }

    /// Whether everything has been written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many AMQP frames have been put in so far, heartbeats included.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// A frame is complete.
    pub(crate) fn count_frame(&mut self) {
        self.frames += 1;
    }

    /// The flat buffer, to append to.
    pub(crate) fn flat(&mut self) -> &mut BytesMut {
        &mut self.flat
    }

    /// Appends a payload behind what is there, by reference when it is large.
    pub(crate) fn put_payload(&mut self, payload: &Bytes) {
        if payload.len() < CHAIN_FROM {
            self.flat.extend_from_slice(payload);
        } else {
            self.chained_len += payload.len();
            self.chained.push((self.flat.len(), payload.clone()));
        }
    }

    /// Fills `slices` with what is next to be written; answers how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let mut at = self.flat_done;
        let mut skip = self.payload_done;
        for (position, payload) in &self.chained[self.chained_done..] {
            if *position > at && filled < slices.len() {
                slices[filled] = IoSlice::new(&self.flat[at..*position]);
                filled += 1;
            }
            at = *position;
            if filled == slices.len() {
                return filled;
            }
            slices[filled] = IoSlice::new(&payload[skip..]);
            skip = 0;
            filled += 1;
        }
        if at < self.flat.len() && filled < slices.len() {
            slices[filled] = IoSlice::new(&self.flat[at..]);
            filled += 1;
        }
        filled
    }

    /// Notes that the first `n` unwritten octets have been written.
    pub fn advance(&mut self, mut n: usize) {
        while n > 0 {
            let Some((position, payload)) = self.chained.get(self.chained_done) else {
                self.flat_done += n.min(self.flat.len() - self.flat_done);
                break;
            };
            let before = position - self.flat_done;
            if before > 0 {
                let step = n.min(before);
                self.flat_done += step;
                n -= step;
                continue;
            }
            let step = n.min(payload.len() - self.payload_done);
            self.payload_done += step;
            self.chained_len -= step;
            n -= step;
            if self.payload_done == payload.len() {
                self.chained[self.chained_done].1 = Bytes::new();
                self.chained_done += 1;
                self.payload_done = 0;
            }
        }
        if self.is_empty() {
            self.reset();
        }
    }

    /// Everything as one contiguous piece, for tests and in-memory pipes; the buffer is empty afterwards.
    pub fn take(&mut self) -> Bytes {
        let mut all = BytesMut::with_capacity(self.len());
        while !self.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = self.slices(&mut slices);
            let mut n = 0;
            for slice in &slices[..filled] {
                all.extend_from_slice(slice);
                n += slice.len();
            }
            self.advance(n);
        }
        all.freeze()
    }

    /// Gives memory back when a connection falls idle.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.flat.capacity() > 4096 {
            self.flat = BytesMut::new();
            self.chained = Vec::new();
        }
    }

    fn reset(&mut self) {
        self.flat.clear();
        self.chained.clear();
        self.chained_done = 0;
        self.flat_done = 0;
        self.payload_done = 0;
        self.chained_len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> (WriteBuf, Vec<u8>) {
        let mut buf = WriteBuf::new();
        let mut expected = Vec::new();
        for round in 0..5u8 {
            buf.flat().extend_from_slice(&[round; 10]);
            expected.extend_from_slice(&[round; 10]);
            let payload = vec![round + 100; 1000 * usize::from(round)];
            expected.extend_from_slice(&payload);
            buf.put_payload(&payload.into());
        }
        (buf, expected)
    }

    #[test]
    fn any_sequence_of_partial_writes_gives_the_same_octets() {
        for step in [1, 7, 999, 2048, 5000, 100_000] {
            let (mut buf, expected) = filled();
            assert_eq!(buf.len(), expected.len());
            let mut written = Vec::new();
            while !buf.is_empty() {
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = buf.slices(&mut slices);
                assert!(filled > 0);
                let next: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
                let n = step.min(next.len());
                written.extend_from_slice(&next[..n]);
                buf.advance(n);
            }
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn taking_gives_everything_once() {
        let (mut buf, expected) = filled();
        assert_eq!(buf.take(), expected);
        assert!(buf.is_empty() && buf.take().is_empty());
    }
}
