//! The deliveries of one link that wait for their outcomes.
//!
//! Decides how thousands of receipts are watched without a task or an allocation for each: they stand
//! in blocks, a block shares one waker, and only blocks in which something happened are looked
//! through. What an outcome means is left to the link task. Section 2.6.12.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use amqp_types::messaging::Outcome;
use tokio::sync::Notify;

use super::stored::Stored;
use crate::error::Error;
use crate::handles::Receipt;

/// How many receipts share a waker.
const BLOCK: usize = 64;

/// How a delivery ended: with an outcome, or with the end of its link.
pub(super) type Ended = (Stored, Result<Outcome, Error>);

/// Receipts and the messages they are for.
#[derive(Debug)]
pub(super) struct Unsettled {
    blocks: VecDeque<Block>,
    /// The number of the first block.
    first: u64,
    raised: Arc<Raised>,
    /// Blocks to be looked through, kept from time to time.
    numbers: Vec<u64>,
}

#[derive(Debug)]
struct Block {
    flag: Arc<Flag>,
    waker: Waker,
    entries: Vec<Option<(Receipt, Stored)>>,
    left: usize,
}

/// Which blocks something happened in.
#[derive(Debug)]
struct Raised {
    blocks: Mutex<Vec<u64>>,
    wake: Arc<Notify>,
}

#[derive(Debug)]
struct Flag {
    number: u64,
    up: AtomicBool,
    raised: Arc<Raised>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.up.swap(true, Ordering::AcqRel) {
            self.raised
                .blocks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(self.number);
            self.raised.wake.notify_one();
        }
    }
}

impl Unsettled {
    /// Nothing yet; `wake` is notified when outcomes come.
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self {
            blocks: VecDeque::new(),
            first: 0,
            raised: Arc::new(Raised {
                blocks: Mutex::default(),
                wake,
            }),
            numbers: Vec::new(),
        }
    }

    /// Adds a delivery.
    pub(super) fn push(&mut self, mut receipt: Receipt, message: Stored, ended: &mut Vec<Ended>) {
        if self
            .blocks
            .back()
            .is_none_or(|block| block.entries.len() == BLOCK)
        {
            let flag = Arc::new(Flag {
                number: self.first + self.blocks.len() as u64,
                up: AtomicBool::new(false),
                raised: self.raised.clone(),
            });
            self.blocks.push_back(Block {
                waker: flag.clone().into(),
                flag,
                entries: Vec::with_capacity(BLOCK),
                left: 0,
            });
        }
        let Some(block) = self.blocks.back_mut() else {
            return;
        };
        match Pin::new(&mut receipt).poll(&mut Context::from_waker(&block.waker)) {
            Poll::Ready(result) => ended.push((message, result)),
            Poll::Pending => {
                block.entries.push(Some((receipt, message)));
                block.left += 1;
            }
        }
    }

    /// Moves the deliveries whose outcomes have come to `ended`.
    pub(super) fn collect(&mut self, ended: &mut Vec<Ended>) {
        let mut numbers = std::mem::take(&mut self.numbers);
        {
            let mut raised = self
                .raised
                .blocks
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *raised, &mut numbers);
        }
        for number in numbers.drain(..) {
            let at = number.checked_sub(self.first).map(|at| at as usize);
            if let Some(block) = at.and_then(|at| self.blocks.get_mut(at)) {
                block.collect(ended);
            }
        }
        self.numbers = numbers;
        while self
            .blocks
            .front()
            .is_some_and(|block| block.left == 0 && block.entries.len() == BLOCK)
        {
            self.blocks.pop_front();
            self.first += 1;
        }
    }
}

impl Block {
    fn collect(&mut self, ended: &mut Vec<Ended>) {
        // Lowered first: what happens from here on raises it again.
        self.flag.up.store(false, Ordering::Release);
        let mut context = Context::from_waker(&self.waker);
        for entry in &mut self.entries {
            if let Some((receipt, _)) = entry
                && let Poll::Ready(result) = Pin::new(receipt).poll(&mut context)
                && let Some((_, message)) = entry.take()
            {
                ended.push((message, result));
                self.left -= 1;
            }
        }
    }
}
