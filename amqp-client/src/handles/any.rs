//! Receiving from whichever of several receivers has something.
//!
//! Decides who is asked first: each in turn, so that a busy one does not keep others waiting.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use super::delivery::Delivery;
use super::receiver::Receiver;
use crate::error::Error;

impl Receiver {
    /// The next delivery of any of several receivers, with the index of the one that it came from.
    /// Without receivers it waits for ever.
    ///
    /// # Errors
    /// Whatever ended one of the links, with its index.
    ///
    /// # Cancel safety
    /// No delivery is lost when the future is dropped.
    pub async fn recv_any(receivers: &[&Self]) -> Result<(usize, Delivery), (usize, Error)> {
        static TURN: AtomicUsize = AtomicUsize::new(0);
        let mut waiting: Vec<Pin<Box<_>>> = receivers.iter().map(|r| Box::pin(r.recv())).collect();
        let start = TURN.fetch_add(1, Ordering::Relaxed);
        let count = waiting.len();
        poll_fn(|cx| {
            for step in 0..count {
                let index = start.wrapping_add(step) % count;
                if let Poll::Ready(result) = waiting[index].as_mut().poll(cx) {
                    return Poll::Ready(match result {
                        Ok(delivery) => Ok((index, delivery)),
                        Err(error) => Err((index, error)),
                    });
                }
            }
            Poll::Pending
        })
        .await
    }
}
