//! The socket of a connection, with what was read from it and what it has yet to take.
//!
//! Decides how much is read at once, how much may wait for the socket, and when a layer below is
//! flushed. When to read and what the octets mean is the driver's and the engine's. No section of the
//! standard.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::frames::FrameTrace;
use crate::proto::WriteBuf;
use crate::transport::BoxedStream;

/// The room a read is offered at first, and at most; it grows while reads fill it.
const READ_MIN: usize = 4 * 1024;
const READ_MAX: usize = 64 * 1024;
/// How much may wait for the socket before the engine writes no more. What is owed waits in the engine
/// then, where it merges: a peer that reads nothing costs no more than this, whatever it sends.
const WRITE_BACKLOG: usize = 256 * 1024;
/// How many pieces one vectored write takes.
const SLICES: usize = 64;

/// Both directions of a socket.
pub(super) struct Wire {
    stream: BoxedStream,
    /// What was read and the engine has not taken: less than a frame.
    pub(super) input: BytesMut,
    read_size: usize,
    /// What the engine wrote and the socket has not taken.
    pub(super) output: WriteBuf,
    /// Something was written since the last flush that went through.
    flush_owed: bool,
    pub(super) octets_in: u64,
    pub(super) octets_out: u64,
    /// There is nothing more to read.
    pub(super) eof: bool,
    /// Prints what crosses the socket, where somebody wants to read it.
    frames: Option<Box<FrameTrace>>,
}

impl Wire {
    pub(super) fn new(stream: BoxedStream, number: u64) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            read_size: READ_MIN,
            output: WriteBuf::new(),
            flush_owed: false,
            octets_in: 0,
            octets_out: 0,
            eof: false,
            frames: FrameTrace::when_wanted(number),
        }
    }

    /// Reads once, onto the end of `input`; 0 octets are the end of what the peer sends.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() - self.input.len() < self.read_size / 4 {
            self.input.reserve(self.read_size);
        }
        let before = self.input.len();
        let room = self.input.capacity() - before;
        match pin!(self.stream.read_buf(&mut self.input)).poll(cx) {
            Poll::Pending => {
                if self.input.is_empty() && self.read_size == READ_MIN {
                    // Idle: nothing is kept for what may never come.
                    self.input = BytesMut::new();
                }
                Poll::Pending
            }
            Poll::Ready(Ok(0)) => {
                self.eof = true;
                if let Some(frames) = &self.frames {
                    frames.saw_end();
                }
                Poll::Ready(Ok(0))
            }
            Poll::Ready(Ok(n)) => {
                self.octets_in += n as u64;
                if n >= room && self.read_size < READ_MAX {
                    self.read_size = (self.read_size * 4).min(READ_MAX);
                } else if n < self.read_size / 16 {
                    self.read_size = (self.read_size / 2).max(READ_MIN);
                }
                if let Some(frames) = &mut self.frames {
                    frames.received(&self.input[before..]);
                }
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(error)) => {
                self.eof = true;
                Poll::Ready(Err(error))
            }
        }
    }

    /// Whether so much waits for the socket that nothing may be added.
    pub(super) fn is_full(&self) -> bool {
        self.output.len() >= WRITE_BACKLOG
    }

    /// Lets the socket take all of `output`, and pushes on what layers such as TLS keep. Pending when
    /// the socket takes no more.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            self.flush_owed = true;
            let n = ready!(self.write_once(cx))?;
            self.octets_out += n as u64;
            self.output.advance(n);
        }
        if self.flush_owed
            && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx)
        {
            flushed?;
            self.flush_owed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.output.slices(&mut slices);
        let n = match filled {
            1 => ready!(Pin::new(&mut self.stream).poll_write(cx, &slices[0]))?,
            _ => ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..filled]))?,
        };
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        if let Some(frames) = &mut self.frames {
            frames.sent(&slices[..filled], n);
        }
        Poll::Ready(Ok(n))
    }

    /// A last flush and FIN, whose failure changes nothing: both have said goodbye.
    /// [TLS-05] [TLS-06]: the layer says it as well, and the socket's half with it.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        if let Some(frames) = &self.frames {
            frames.ended();
        }
        Poll::Ready(())
    }
}
