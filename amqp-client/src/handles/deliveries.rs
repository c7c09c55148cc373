//! The deliveries of a receiver as a `Stream`.
//!
//! Decides how the stream waits and how it ends. What a delivery is and how credit is given is the
//! receiver's. Section 2.6.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::delivery::Delivery;
use super::receiver::Receiver;
use crate::error::Error;

type Waiting = Pin<Box<dyn Future<Output = Result<Delivery, Error>> + Send>>;

/// The deliveries of a [`Receiver`], one after the other: [`Receiver::into_stream`].
///
/// What ends the link comes as one error, also when it is this side that closed it; after it the
/// stream is over and gives `None` for ever. How many deliveries will come is not known before.
///
/// # Cancel safety
/// Dropping a future of the stream, such as that of `next`, loses no delivery: it comes with the next
/// call. A stream that waits and is not asked again may hold up other handles of its receiver until
/// it is dropped.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Deliveries {
    receiver: Receiver,
    /// The wait for the next delivery, where none was there. Only a wait costs an allocation.
    waiting: Option<Waiting>,
    over: bool,
}

impl Deliveries {
    pub(super) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            waiting: None,
            over: false,
        }
    }

    /// The receiver whose deliveries these are.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("receiver", &self.receiver)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl Stream for Deliveries {
    type Item = Result<Delivery, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let next = match self.waiting.as_mut() {
            Some(waiting) => {
                let next = ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
                next
            }
            None => match self.receiver.try_recv() {
                Ok(Some(delivery)) => Ok(delivery),
                Err(error) => Err(error),
                Ok(None) => {
                    let receiver = self.receiver.clone();
                    let mut waiting: Waiting = Box::pin(async move { receiver.recv().await });
                    match waiting.as_mut().poll(cx) {
                        Poll::Ready(next) => next,
                        Poll::Pending => {
                            self.waiting = Some(waiting);
                            return Poll::Pending;
                        }
                    }
                }
            },
        };
        self.over = next.is_err();
        Poll::Ready(Some(next))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.over.then_some(0))
    }
}

impl FusedStream for Deliveries {
    fn is_terminated(&self) -> bool {
        self.over
    }
}
