//! Messages larger than memory should hold: sent as they come, read while they arrive.
//!
//! Decides how a body becomes data sections and back. Transfers and windows are the engine's.
//! Sections 2.6.14, 3.2.6.

use std::sync::Arc;

use amqp_types::{Body, Decode, Decoder, Descriptor, Encode, Message};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::delivery::Delivery;
use super::receipt::Receipt;
use super::receiver::{Receiver, ReceiverInner};
use super::sendable::{SendSettings, Sendable};
use super::sender::Sender;
use crate::driver::{PartReader, SendOptions, Ticket};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::StreamEnd;
use amqp_types::messaging::Outcome;

/// How much is read from a source at once.
const READ: usize = 64 * 1024;

impl Sender {
    /// Begins a message whose body is written afterwards, piece by piece: each piece becomes one data
    /// section. The body of `head` is left out. Messages that are enqueued later wait until this one
    /// is finished, as the standard demands; other links go on. Sections 2.6.14, 3.2.6.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Cancel safety
    /// When the future is dropped nothing has been sent.
    pub async fn stream(
        &self,
        head: Message,
        settings: SendSettings,
    ) -> Result<MessageStream, Error> {
        let mut head = head;
        head.body = Body::Empty;
        let footer = head.footer.take().map(|footer| {
            let mut octets = BytesMut::new();
            footer.encode(&mut octets);
            octets.freeze()
        });
        let mut octets = BytesMut::new();
        head.encode(&mut octets);
        let options = SendOptions {
            stream: true,
            ..settings.options(self.is_settled())
        };
        let ticket = self.wait_and_put(&Later, &options).await?;
        let stream = MessageStream {
            sender: self.clone(),
            ticket,
            footer,
            open: true,
        };
        self.shared()
            .push_part(ticket.seq, Some(octets.freeze()), None)?;
        Ok(stream)
    }

    /// Sends a message whose body is read from `source` until it ends, and waits for the outcome. If
    /// reading fails the delivery is aborted: the peer forgets what it has of it.
    ///
    /// # Errors
    /// I/O when reading fails; otherwise as [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Dropping the future before the source has ended aborts the delivery; afterwards it goes on.
    pub async fn send_from(
        &self,
        head: Message,
        mut source: impl AsyncRead + Unpin,
    ) -> Result<Outcome, Error> {
        let mut stream = self.stream(head, SendSettings::default()).await?;
        loop {
            let mut piece = BytesMut::with_capacity(READ);
            let n = source
                .read_buf(&mut piece)
                .await
                .map_err(|error| Error::io("read the body", error))?;
            if n == 0 {
                return stream.finish()?.await;
            }
            stream.write(piece.freeze()).await?;
        }
    }
}

/// Stands for a message whose octets follow in parts.
struct Later;

impl Sendable for Later {
    fn encode_message(&self, _out: &mut BytesMut) {}
}

/// A message that is being sent. Dropping it before [`finish`](Self::finish) aborts the delivery.
#[derive(Debug)]
pub struct MessageStream {
    sender: Sender,
    ticket: Ticket,
    footer: Option<Bytes>,
    open: bool,
}

impl MessageStream {
    /// Adds a piece to the body, as soon as what was written before leaves room: at most 256 KiB wait
    /// for the peer.
    ///
    /// # Errors
    /// Whatever ended the link.
    ///
    /// # Cancel safety
    /// When the future is dropped the piece has not been added.
    pub async fn write(&mut self, piece: impl Into<Bytes>) -> Result<(), Error> {
        let piece = piece.into();
        let mut section = BytesMut::with_capacity(piece.len() + 8);
        section.put_slice(&[0x00, 0x53, 0x75]);
        match u8::try_from(piece.len()) {
            Ok(len) => section.put_slice(&[0xa0, len]),
            Err(_) => {
                let len = u32::try_from(piece.len())
                    .map_err(|_| Error::configuration("a piece has less than 4 GiB"))?;
                section.put_u8(0xb0);
                section.put_u32(len);
            }
        }
        section.put_slice(&piece);
        self.sender
            .shared()
            .stream(self.ticket.seq, Some(section.freeze()), None)
            .await
    }

    /// Ends the message; the receipt tells its outcome.
    ///
    /// # Errors
    /// Whatever ended the link.
    pub fn finish(mut self) -> Result<Receipt, Error> {
        self.open = false;
        let end = Some(StreamEnd::Complete);
        self.sender
            .shared()
            .push_part(self.ticket.seq, self.footer.take(), end)?;
        Ok(self.sender.receipt(self.ticket))
    }
}

impl Drop for MessageStream {
    fn drop(&mut self) {
        if self.open {
            let shared = self.sender.shared();
            shared.abandon(self.ticket);
            // On a link that is over there is nothing left to abort.
            let _ = shared.push_part(self.ticket.seq, None, Some(StreamEnd::Aborted));
        }
    }
}

impl Receiver {
    /// The next delivery as soon as its first transfer has come, on a link with
    /// [`ReceiverOptions::streaming`](super::ReceiverOptions::streaming). What is not read holds the
    /// peer back.
    ///
    /// # Errors
    /// Whatever ended the link.
    ///
    /// # Cancel safety
    /// No delivery is lost when the future is dropped.
    pub async fn recv_stream(&self) -> Result<StreamingDelivery, Error> {
        let reader = self.shared().take_stream().await?;
        Ok(StreamingDelivery::new(self.inner(), reader))
    }
}

/// A message that is arriving. Dropping it skips what has not been read, and releases it unless it
/// was given an outcome.
#[derive(Debug)]
pub struct StreamingDelivery {
    delivery: Delivery,
    reader: PartReader,
    /// Octets that have been read and not understood yet.
    buffer: BytesMut,
    /// Octets of the current data section that are still to come.
    data: usize,
    /// The sections in front of the body, and the footer once it has come.
    head: BytesMut,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    Data,
    End,
}

impl StreamingDelivery {
    fn new(receiver: Arc<ReceiverInner>, mut reader: PartReader) -> Self {
        // invariant: a reader has its head until somebody takes it, which nobody else does.
        let head = reader.take_head().expect("a reader has its head");
        let report = receiver.shared.known_report(head.id);
        Self {
            delivery: Delivery::new(receiver, head, report),
            reader,
            buffer: BytesMut::new(),
            data: 0,
            head: BytesMut::new(),
            place: Place::Head,
        }
    }

    /// The delivery: its tag, and the right to settle it, even before all of it has come.
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The message without its body: the sections in front of it and, once the body has been read,
    /// the footer. Waits for the body to begin.
    ///
    /// # Errors
    /// Codec for octets that are no message; when the sender gave up or the link was lost.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn head(&mut self) -> Result<Message, Error> {
        while self.place == Place::Head && self.data == 0 && !self.advance().await? {}
        let octets = self.head.clone().freeze();
        let mut decoder = Decoder::new(&octets);
        let message = Message::decode(&mut decoder)?;
        Ok(message)
    }

    /// The next piece of the body, as the data sections hold it; `None` at the end. Pieces are as
    /// large as they come.
    ///
    /// # Errors
    /// Codec for octets that are no message, and for a body that is not made of data sections; when
    /// the sender gave up or the link was lost.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if self.data > 0 && !self.buffer.is_empty() {
                let piece = self.buffer.split_to(self.data.min(self.buffer.len()));
                self.data -= piece.len();
                return Ok(Some(piece.freeze()));
            }
            if self.place == Place::End {
                return Ok(None);
            }
            self.advance().await?;
        }
    }

    /// Reads the rest of the body into memory.
    ///
    /// # Errors
    /// As [`next`](Self::next); Limit when it has more than `limit` octets.
    ///
    /// # Cancel safety
    /// What was read is lost when the future is dropped.
    pub async fn read_all(&mut self, limit: usize) -> Result<Bytes, Error> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if body.len() + piece.len() > limit {
                return Err(Error::new(
                    ErrorKind::Limit,
                    ErrorScope::Delivery,
                    Initiator::Library,
                    format!("the body has more than {limit} octets"),
                ));
            }
            body.put_slice(&piece);
        }
        Ok(body.freeze())
    }

    /// Understands one more section, or fetches more octets. Answers whether the message has ended.
    async fn advance(&mut self) -> Result<bool, Error> {
        if self.data == 0 && self.section()? {
            return Ok(self.place == Place::End);
        }
        match self.reader.next().await? {
            Some(part) => self.buffer.put_slice(&part),
            None if self.data == 0 && self.buffer.is_empty() => self.place = Place::End,
            None => return Err(malformed("the message ends within a section")),
        }
        Ok(self.place == Place::End)
    }

    /// Takes a section off the buffer, of a data section its start. Answers `false` when more octets
    /// are needed.
    fn section(&mut self) -> Result<bool, Error> {
        if self.buffer.is_empty() {
            return Ok(false);
        }
        if let [0x00, 0x53, 0x75, ..] = self.buffer[..] {
            return self.data_section(3);
        }
        let octets = self.buffer.clone().freeze();
        let mut decoder = Decoder::new(&octets);
        let truncated = |error: amqp_types::DecodeError| match error.kind() {
            amqp_types::DecodeErrorKind::Truncated => Ok(false),
            _ => Err(Error::from(error)),
        };
        let descriptor = match decoder.descriptor() {
            Ok(descriptor) => descriptor,
            Err(error) => return truncated(error),
        };
        let is = |code: u64, name: &str| match &descriptor {
            Descriptor::Code(found) => *found == code,
            Descriptor::Name(found) => *found == name,
            Descriptor::Other(_) => false,
        };
        if is(0x75, "amqp:data:binary") {
            let at = decoder.position();
            return self.data_section(at);
        }
        let body = is(0x76, "amqp:amqp-sequence:list") || is(0x77, "amqp:amqp-value:*");
        if body || (self.place == Place::Data && !is(0x78, "amqp:footer:map")) {
            return Err(malformed("the body is not made of data sections"));
        }
        if let Err(error) = decoder.skip_value() {
            return truncated(error);
        }
        let section = self.buffer.split_to(decoder.position());
        self.head.put_slice(&section);
        Ok(true)
    }
}

impl StreamingDelivery {
    /// Takes the start of a data section off the buffer; its binary begins at `at`.
    fn data_section(&mut self, at: usize) -> Result<bool, Error> {
        let (len, width) = match self.buffer[at..] {
            [0xa0, len, ..] => (usize::from(len), 2),
            [0xb0, a, b, c, d, ..] => (u32::from_be_bytes([a, b, c, d]) as usize, 5),
            [0xa0] | [0xb0, ..] | [] => return Ok(false),
            _ => return Err(malformed("a data section without binary")),
        };
        self.buffer.advance(at + width);
        self.data = len;
        self.place = Place::Data;
        Ok(true)
    }
}

fn malformed(what: &str) -> Error {
    Error::new(
        ErrorKind::Codec,
        ErrorScope::Delivery,
        Initiator::Remote,
        what,
    )
}
