//! A stream of octets in the binary messages of a WebSocket.
//!
//! Decides how frames are written and read once the handshake is over. The borders of messages and
//! frames mean nothing, so none is ever held whole, whatever length a peer announces. RFC 6455, 5
//! to 7; section 2.4 of the binding. [WS-04] [WS-05]
//!
//! The library that shakes hands reads and writes the heads of frames. It could carry their payload
//! too, but logs it, passwords included; so what flows behind a head passes it by.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::transport::BoxedStream;

/// The most that one of our frames carries.
const FRAME: usize = 64 * 1024;
/// With so much unwritten no more is taken.
const BACKLOG: usize = 2 * FRAME;
/// No control frame carries more. RFC 6455, 5.5.
const MAX_CONTROL: usize = 125;

/// Which side of the handshake this is: a client masks what it sends, a server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// Octets in binary messages, from the first protocol header on. [WS-03]
pub(super) struct Octets {
    stream: BoxedStream,
    role: Role,
    /// What was read and not yet understood.
    read: BytesMut,
    /// The data frame that is arriving.
    frame: Option<Frame>,
    /// Whether its message goes on behind it.
    within_message: bool,
    write: BytesMut,
    close_sent: bool,
    close_seen: bool,
}

/// What is left of a frame's payload.
struct Frame {
    left: u64,
    /// Taken in turn, beginning at the first.
    mask: Option<[u8; 4]>,
}

impl Frame {
    fn unmask(&mut self, octets: &mut [u8]) {
        self.left -= octets.len() as u64;
        if let Some(mask) = &mut self.mask {
            xor(octets, *mask);
            mask.rotate_left(octets.len() % 4);
        }
    }
}

/// RFC 6455, 5.3.
fn xor(octets: &mut [u8], mask: [u8; 4]) {
    let mut fours = octets.chunks_exact_mut(4);
    for four in &mut fours {
        for (octet, mask) in four.iter_mut().zip(mask) {
            *octet ^= mask;
        }
    }
    for (octet, mask) in fours.into_remainder().iter_mut().zip(mask) {
        *octet ^= mask;
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("WebSocket: {what}"))
}

impl Octets {
    /// Goes on where the handshake has ended; `read` is what came behind it.
    pub(super) fn new(stream: BoxedStream, role: Role, read: BytesMut) -> Self {
        Self {
            stream,
            role,
            read,
            frame: None,
            within_message: false,
            write: BytesMut::new(),
            close_sent: false,
            close_seen: false,
        }
    }

    /// Appends one frame whose payload is the first octets of some pieces.
    fn put<'a>(
        &mut self,
        opcode: OpCode,
        octets: usize,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        let mut head = FrameHeader {
            opcode,
            ..FrameHeader::default()
        };
        if self.role == Role::Client {
            let mut mask = [0; 4];
            getrandom::fill(&mut mask).map_err(io::Error::other)?;
            head.mask = Some(mask);
        }
        self.write.reserve(head.len(octets as u64) + octets);
        let mut writer = (&mut self.write).writer();
        let written = head.format(octets as u64, &mut writer);
        written.map_err(io::Error::other)?;
        let (start, mut left) = (self.write.len(), octets);
        for piece in pieces {
            let n = piece.len().min(left);
            self.write.put_slice(&piece[..n]);
            left -= n;
        }
        if let Some(mask) = head.mask {
            xor(&mut self.write[start..], mask);
        }
        Ok(())
    }

    /// Has the stream take what is written.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.write.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.write))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.write.advance(n),
            }
        }
        // Nothing is kept for what may never come.
        self.write = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Writes so many octets, or as many of them as there is room for.
    fn poll_data<'a>(
        &mut self,
        cx: &mut Context<'_>,
        octets: usize,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Poll<io::Result<usize>> {
        if self.close_sent {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.write.len() >= BACKLOG {
            ready!(self.poll_send(cx))?;
        }
        let octets = octets.min(FRAME);
        self.put(OpCode::Data(Data::Binary), octets, pieces)?;
        // What the socket does not take now goes with the flush.
        if let Poll::Ready(sent) = self.poll_send(cx) {
            sent?;
        }
        Poll::Ready(Ok(octets))
    }

    /// Says goodbye, once.
    fn close(&mut self) -> io::Result<()> {
        if self.close_sent {
            return Ok(());
        }
        self.close_sent = true;
        let code = u16::from(CloseCode::Normal).to_be_bytes();
        let opcode = OpCode::Control(Control::Close);
        self.put(opcode, code.len(), [&code[..]].into_iter())
    }

    /// Takes the next frame's head; a control frame is taken whole. Answers whether there was one.
    fn next_frame(&mut self) -> io::Result<bool> {
        let mut cursor = io::Cursor::new(&self.read);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|error| broken(&error.to_string()))?;
        let Some((head, left)) = parsed else {
            return Ok(false);
        };
        // invariant: a head of 14 octets at most has been read
        let size = usize::try_from(cursor.position()).expect("a short head");
        if head.rsv1 || head.rsv2 || head.rsv3 {
            return Err(broken("a reserved bit is set"));
        }
        if head.mask.is_some() != (self.role == Role::Server) {
            return Err(broken("the mask is on the wrong side"));
        }
        let mask = head.mask;
        let frame = Frame { left, mask };
        match (head.opcode, self.within_message) {
            (OpCode::Data(Data::Continue), true) | (OpCode::Data(Data::Binary), false) => {
                self.read.advance(size);
                self.within_message = !head.is_final;
                self.frame = Some(frame);
                Ok(true)
            }
            (OpCode::Data(Data::Text), _) => Err(broken("the peer sent a text message")),
            (OpCode::Data(_), _) => Err(broken("messages are mixed up")),
            (OpCode::Control(control), _) if head.is_final => self.control(control, size, frame),
            (OpCode::Control(_), _) => Err(broken("a control frame in pieces")),
        }
    }

    /// [WS-09]
    fn control(&mut self, control: Control, size: usize, mut frame: Frame) -> io::Result<bool> {
        let octets = usize::try_from(frame.left).unwrap_or(usize::MAX);
        if octets > MAX_CONTROL {
            return Err(broken("a control frame that is too long"));
        }
        if self.read.len() < size + octets {
            return Ok(false);
        }
        self.read.advance(size);
        let mut payload = self.read.split_to(octets);
        frame.unmask(&mut payload);
        match control {
            // Who pings faster than it reads is answered less often: RFC 6455, 5.5.3.
            Control::Ping if !self.close_sent && self.write.len() < FRAME => {
                let pong = OpCode::Control(Control::Pong);
                self.put(pong, octets, [&payload[..]].into_iter())?;
            }
            Control::Close => {
                self.close_seen = true;
                self.close()?;
            }
            _ => {}
        }
        Ok(true)
    }

    /// Reads more of what has to be understood before it is handed on; answers whether there was any.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut chunk = [0; 4096];
        let mut chunk = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut chunk))?;
        self.read.extend_from_slice(chunk.filled());
        Poll::Ready(Ok(!chunk.filled().is_empty()))
    }

    /// Goes on to the next data; `false` when there is none any more.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            // What was to be answered goes out, and is gone on with once the socket has room.
            if let Poll::Ready(sent) = self.poll_send(cx) {
                sent?;
            }
            if self.close_seen {
                return Poll::Ready(Ok(false));
            }
            if self.frame.as_ref().is_some_and(|frame| frame.left > 0) {
                return Poll::Ready(Ok(true));
            }
            if !self.next_frame()? && !ready!(self.poll_more(cx))? {
                return Poll::Ready(Ok(false));
            }
        }
    }
}

impl AsyncRead for Octets {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buf.remaining() == 0 || !ready!(this.poll_frame(cx))? {
            return Poll::Ready(Ok(()));
        }
        let Some(frame) = &mut this.frame else {
            return Poll::Ready(Ok(()));
        };
        let room = usize::try_from(frame.left).unwrap_or(usize::MAX);
        let room = room.min(buf.remaining());
        if !this.read.is_empty() {
            let mut octets = this.read.split_to(room.min(this.read.len()));
            frame.unmask(&mut octets);
            buf.put_slice(&octets);
            return Poll::Ready(Ok(()));
        }
        // The rest of the payload needs no stop in between.
        let mut direct = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut direct))?;
        frame.unmask(direct.filled_mut());
        let n = direct.filled().len();
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Octets {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_data(cx, buf.len(), [buf].into_iter())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let octets = bufs.iter().map(|buf| buf.len()).sum();
        self.poll_data(cx, octets, bufs.iter().map(|buf| &**buf))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Our half of the closing handshake. Whoever is done waits for the other half no longer than for
    /// anything else of the socket's: not at all. [WS-08]
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close()?;
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    fn octets(role: Role) -> (Octets, DuplexStream) {
        let (ours, peer) = tokio::io::duplex(1024);
        (Octets::new(Box::new(ours), role, BytesMut::new()), peer)
    }

    #[tokio::test]
    async fn masks_and_lengths_are_as_in_the_rfcs_examples() {
        // RFC 6455, 5.7: "Hello" masked, in two frames with a ping between, and 256 octets.
        let (mut server, mut peer) = octets(Role::Server);
        peer.write_all(b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
            .await
            .expect("written");
        let mut read = [0; 5];
        server.read_exact(&mut read).await.expect("a message");
        assert_eq!(&read, b"Hello");
        let (mut client, mut peer) = octets(Role::Client);
        peer.write_all(b"\x02\x03Hel\x89\x05Hello\x80\x02lo\x82\x7e\x01\x00")
            .await
            .expect("written");
        peer.write_all(&[7; 256]).await.expect("written");
        client.read_exact(&mut read).await.expect("a message");
        assert_eq!(&read, b"Hello");
        let mut long = [0; 256];
        client.read_exact(&mut long).await.expect("a message");
        assert_eq!(long, [7; 256]);
        // The pong, masked.
        let mut pong = [0; 11];
        peer.read_exact(&mut pong).await.expect("an answer");
        assert_eq!(pong[..2], [0x8a, 0x85]);
        let mask = [pong[2], pong[3], pong[4], pong[5]];
        xor(&mut pong[6..], mask);
        assert_eq!(&pong[6..], b"Hello");
    }

    #[tokio::test]
    async fn what_one_side_writes_the_other_reads_whatever_the_length() {
        let (ours, theirs) = tokio::io::duplex(100);
        let mut client = Octets::new(Box::new(ours), Role::Client, BytesMut::new());
        let mut server = Octets::new(Box::new(theirs), Role::Server, BytesMut::new());
        for length in [1, 3, 125, 126, 65_535, 65_536, 200_001] {
            let sent: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let mut seen = vec![0; length];
            let write = async {
                client.write_all(&sent).await.expect("written");
                client.flush().await.expect("flushed");
            };
            let ((), read) = tokio::join!(write, server.read_exact(&mut seen));
            read.expect("read");
            assert!(seen == sent, "{length}");
            let mut seen = vec![0; length];
            let write = async {
                server.write_all(&sent).await.expect("written");
                server.flush().await.expect("flushed");
            };
            let ((), read) = tokio::join!(write, client.read_exact(&mut seen));
            read.expect("read");
            assert!(seen == sent, "{length}");
        }
        let (one, other) = tokio::join!(client.shutdown(), server.shutdown());
        one.expect("closed");
        other.expect("closed");
    }

    #[tokio::test]
    async fn what_is_no_frame_of_a_peer_is_an_error() {
        for (role, frame) in [
            (Role::Client, &b"\x81\x01x"[..]),
            (Role::Client, b"\x80\x01x"),
            (Role::Client, b"\x02\x01x\x82\x01y"),
            (Role::Client, b"\xc2\x01x"),
            (Role::Client, b"\x83\x01x"),
            (Role::Client, b"\x09\x01x"),
            (Role::Client, b"\x89\x7e\x00\x7e"),
            (Role::Client, b"\x82\x81\0\0\0\0x"),
            (Role::Server, b"\x82\x01x"),
        ] {
            let (mut octets, mut peer) = octets(role);
            peer.write_all(frame).await.expect("written");
            let error = octets
                .read_to_end(&mut Vec::new())
                .await
                .expect_err("broken");
            assert_eq!(
                error.kind(),
                io::ErrorKind::InvalidData,
                "{}",
                frame.escape_ascii()
            );
        }
    }

    #[tokio::test]
    async fn an_announced_length_costs_nothing_and_a_close_is_answered() {
        let (mut client, mut peer) = octets(Role::Client);
        peer.write_all(b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffab")
            .await
            .expect("written");
        let mut two = [0; 2];
        client.read_exact(&mut two).await.expect("read");
        assert_eq!(&two, b"ab");
        let (mut client, mut peer) = octets(Role::Client);
        peer.write_all(b"\x88\x02\x03\xe9").await.expect("written");
        assert_eq!(client.read(&mut two).await.expect("an end"), 0);
        let mut answer = [0; 8];
        peer.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer[..2], [0x88, 0x82]);
        assert!(client.write_all(b"x").await.is_err());
    }

    #[tokio::test]
    async fn who_pings_and_does_not_read_is_not_answered_without_end() {
        let (mut client, mut peer) = octets(Role::Client);
        let pings = async {
            for _ in 0..10_000 {
                peer.write_all(b"\x89\x05Hello").await.expect("written");
            }
            peer.write_all(b"\x82\x01x").await.expect("written");
        };
        let mut one = [0];
        let ((), read) = tokio::join!(pings, client.read_exact(&mut one));
        read.expect("the data behind them");
        assert!(client.write.len() < FRAME + 64, "{}", client.write.len());
    }
}
