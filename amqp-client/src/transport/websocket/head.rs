//! The stream below the opening handshake of a WebSocket.
//!
//! Decides that not an octet behind the handshake is taken for a part of it, and that header lines
//! which are secrets reach the wire without passing through a library that logs what it sends.
//! RFC 6455, 4.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zeroize::Zeroizing;

use crate::transport::BoxedStream;

/// No head of a request or of an answer is longer.
const MAX_HEAD: usize = 16 * 1024;

/// Lets one head pass each way.
pub(super) struct Head {
    stream: BoxedStream,
    read: BytesMut,
    /// How much of what was read is the head, once its end is known, and not yet handed on.
    head: Option<usize>,
    /// Lines that are put at the end of the head that is written.
    lines: Zeroizing<Vec<u8>>,
    written: Zeroizing<Vec<u8>>,
    /// How much of it the stream has taken.
    sent: usize,
}

impl Head {
    /// Adds these lines, each with its end, to the head that is written.
    pub(super) fn new(stream: BoxedStream, lines: Zeroizing<Vec<u8>>) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            head: None,
            lines,
            written: Zeroizing::default(),
            sent: 0,
        }
    }

    /// The stream, and what was read of it behind the head.
    pub(super) fn into_parts(self) -> (BoxedStream, BytesMut) {
        (self.stream, self.read)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.written.len() {
            let left = &self.written[self.sent..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// How long a head is, once its empty line has come.
fn end(read: &[u8]) -> Option<usize> {
    let line = |end: &[u8]| read.windows(end.len()).position(|w| w == end);
    let ends = [
        line(b"\n\r\n").map(|at| at + 3),
        line(b"\n\n").map(|at| at + 2),
    ];
    ends.into_iter().flatten().min()
}

impl AsyncRead for Head {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Whole, since many small pieces look like an attack to who reads them.
        while this.head.is_none() {
            if this.read.len() >= MAX_HEAD {
                return Poll::Ready(Err(io::Error::other("a head that does not end")));
            }
            let mut chunk = [0; 2048];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.read.extend_from_slice(chunk.filled());
            this.head = end(&this.read);
        }
        let head = this.head.get_or_insert(0);
        let n = (*head).min(buf.remaining());
        buf.put_slice(&this.read[..n]);
        this.read.advance(n);
        *head -= n;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Head {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_send(cx))?;
        let mut whole = Zeroizing::new(Vec::with_capacity(buf.len() + this.lines.len()));
        match buf.strip_suffix(b"\r\n") {
            // The empty line at the end.
            Some(before) if before.ends_with(b"\r\n") => {
                whole.extend_from_slice(before);
                whole.extend_from_slice(&std::mem::take(&mut this.lines));
                whole.extend_from_slice(b"\r\n");
            }
            _ => whole.extend_from_slice(buf),
        }
        (this.written, this.sent) = (whole, 0);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn lines_are_put_in_front_of_the_empty_one_and_what_follows_a_head_is_left() {
        let (ours, mut peer) = tokio::io::duplex(16);
        let lines = Zeroizing::new(b"x: secret\r\n".to_vec());
        let mut head = Head::new(Box::new(ours), lines);
        let peer = async {
            let mut seen = vec![0; 32];
            peer.read_exact(&mut seen).await.expect("a request");
            assert_eq!(seen, b"GET / HTTP/1.1\r\na: b\r\nx: secret\r\n\r\n"[..32]);
            peer.read_exact(&mut [0; 3]).await.expect("the rest");
            peer.write_all(b"HTTP/1.1 101\r\n\r\n\x82\x01x")
                .await
                .expect("written");
        };
        let ours = async {
            head.write_all(b"GET / HTTP/1.1\r\na: b\r\n\r\n")
                .await
                .expect("written");
            head.flush().await.expect("sent");
            let mut answer = vec![0; 64];
            let n = head.read(&mut answer).await.expect("an answer");
            assert_eq!(&answer[..n], b"HTTP/1.1 101\r\n\r\n");
        };
        tokio::join!(ours, peer);
        let (mut stream, mut rest) = head.into_parts();
        while rest.len() < 3 {
            assert_ne!(stream.read_buf(&mut rest).await.expect("octets"), 0);
        }
        assert_eq!(rest, b"\x82\x01x"[..]);
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_refused() {
        let (ours, mut peer) = tokio::io::duplex(2 * MAX_HEAD);
        let mut head = Head::new(Box::new(ours), Zeroizing::default());
        peer.write_all(&vec![b'x'; 2 * MAX_HEAD])
            .await
            .expect("written");
        assert!(head.read(&mut [0; 8]).await.is_err());
    }
}
