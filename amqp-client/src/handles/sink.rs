//! A sender as a `Sink` of messages.
//!
//! Decides when the sink is ready, what flushing means and how refusals are told. Section 2.6.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use amqp_types::messaging::Outcome;
use futures_sink::Sink;

use super::receipt::Receipt;
use super::sendable::{Encodable, SendSettings, Sendable};
use super::sender::Sender;
use crate::driver::Refusal;
use crate::error::Error;

type Waiting = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Why a [`MessageSink`] stops.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SinkError {
    /// The link is over, or a message is larger than the peer takes. What was put in and is not
    /// settled may have arrived all the same.
    Failed(Error),
    /// The receiver settled a message with another outcome than accepted. The link and the sink go on.
    Refused {
        /// Which message it was, counted from 0 in the order in which they were put in.
        number: u64,
        /// What the receiver said.
        outcome: Outcome,
    },
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Refused { number, outcome } => {
                write!(f, "message {number} was not accepted: {outcome:?}")
            }
        }
    }
}

impl std::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Refused { .. } => None,
        }
    }
}

impl From<Error> for SinkError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A [`Sender`] that takes messages as a `Sink`: [`Sender::into_sink`].
///
/// It is ready while the sender has room; messages beyond the peer's credit
/// wait there. Flushing waits until everything that was put in is settled, so that `send` of
/// `SinkExt` is one round trip and `feed` is none. A message that was not accepted is an error of the
/// next call, told once. Closing flushes and then closes the link.
///
/// # Cancel safety
/// A message that the sink has taken goes out when the sink is asked again; dropping a future of the
/// sink loses none. Dropping the sink before it was flushed may lose the last one.
#[must_use = "a sink does nothing unless messages are put in"]
pub struct MessageSink<M> {
    sender: Sender,
    /// A message that was taken while another handle took the room for it.
    slot: Option<M>,
    room: Option<Waiting>,
    closing: Option<Waiting>,
    closed: bool,
    /// What is not settled, oldest first.
    receipts: VecDeque<Receipt>,
    /// The number of the oldest one.
    number: u64,
}

// Messages are moved, never pinned.
impl<M> Unpin for MessageSink<M> {}

impl<M> fmt::Debug for MessageSink<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSink")
            .field("sender", &self.sender)
            .field("unsettled", &self.receipts.len())
            .finish_non_exhaustive()
    }
}

impl<M> MessageSink<M> {
    pub(super) fn new(sender: Sender) -> Self {
        Self {
            sender,
            slot: None,
            room: None,
            closing: None,
            closed: false,
            receipts: VecDeque::new(),
            number: 0,
        }
    }

    /// The sender below.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Takes outcomes, oldest first, as far as they have come.
    fn poll_outcomes(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        while let Some(oldest) = self.receipts.front_mut() {
            let outcome = ready!(Pin::new(oldest).poll(cx));
            self.receipts.pop_front();
            let number = self.number;
            self.number += 1;
            match outcome? {
                Outcome::Accepted(_) => {}
                outcome => return Poll::Ready(Err(SinkError::Refused { number, outcome })),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<M: Sendable> MessageSink<M> {
    /// Hands a message over; it stays in the slot where there is no room.
    fn put(&mut self, message: M) -> Result<(), Error> {
        let options = SendSettings::default().options(self.sender.is_settled());
        let shared = self.sender.shared();
        match shared.try_enqueue(&Encodable(&message), &options) {
            Ok(ticket) => self.receipts.push_back(self.sender.receipt(ticket)),
            Err(Refusal::Full) => self.slot = Some(message),
            Err(Refusal::Over(error)) => return Err(error),
        }
        Ok(())
    }

    /// Waits until the slot is empty.
    fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while let Some(message) = self.slot.take() {
            if self.room.is_none() {
                self.put(message)?;
                if self.slot.is_none() {
                    break;
                }
                let shared = self.sender.shared().clone();
                self.room = Some(Box::pin(async move { shared.wait_room().await }));
            } else {
                self.slot = Some(message);
            }
            if let Some(room) = &mut self.room {
                let room = ready!(room.as_mut().poll(cx));
                self.room = None;
                room?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<M: Sendable> Sink<M> for MessageSink<M> {
    type Error = SinkError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        if let Poll::Ready(Err(error)) = self.poll_outcomes(cx) {
            return Poll::Ready(Err(error));
        }
        self.poll_slot(cx).map_err(SinkError::Failed)
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), SinkError> {
        if self.slot.is_some() {
            let error = Error::configuration("a sink takes a message only when it is ready");
            return Err(SinkError::Failed(error));
        }
        Ok(self.put(message)?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        ready!(self.poll_slot(cx))?;
        self.poll_outcomes(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        if self.closing.is_none() {
            ready!(self.as_mut().poll_flush(cx))?;
            let sender = self.sender.clone();
            self.closing = Some(Box::pin(async move { sender.close().await }));
        }
        if let Some(closing) = &mut self.closing {
            let closing = ready!(closing.as_mut().poll(cx));
            self.closed = true;
            self.closing = None;
            closing?;
        }
        Poll::Ready(Ok(()))
    }
}
