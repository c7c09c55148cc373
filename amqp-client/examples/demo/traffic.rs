//! The messages of the demo: one task sends, one awaits the outcomes, one receives.
//!
//! Each body starts with the run's mark, the message's number and the time at which it was sent.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use amqp_client::types::messaging::Outcome;
use amqp_client::{
    Container, Error, Message, Receipt, Receiver, ReceiverOptions, Sender, SenderOptions,
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use crate::Options;

/// Octets in front of a body: mark, number, time.
const HEAD: usize = 24;
/// How long the receiver waits for a message before it gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many messages pass between two movements of the progress bar.
const STEP: usize = 500;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: usize,
    pub(crate) received: usize,
    pub(crate) doubled: usize,
    /// Bodies that are not as they were sent.
    pub(crate) broken: usize,
    /// Messages of somebody else, for example of an earlier run.
    pub(crate) foreign: usize,
    pub(crate) outcomes: Outcomes,
    /// From the first message sent to the last one received and settled.
    pub(crate) elapsed: Duration,
    /// In microseconds.
    pub(crate) to_received: Vec<u32>,
    pub(crate) to_settled: Vec<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) accepted: usize,
    pub(crate) rejected: usize,
    pub(crate) released: usize,
    pub(crate) modified: usize,
    pub(crate) other: usize,
}

impl Tally {
    /// Messages that were taken from us and never came.
    pub(crate) fn lost(&self) -> usize {
        let refused = self.outcomes.rejected + self.outcomes.released + self.outcomes.modified;
        (self.sent - refused).saturating_sub(self.received)
    }
}

/// Sends everything and receives it.
pub(crate) async fn run(url: &str, options: &Options) -> Result<Tally, Box<dyn std::error::Error>> {
    let size = options.size.max(HEAD);
    let container = Container::new(format!("demo-{}", std::process::id()));
    let sending = container.connect(url).await?;
    let receiving = container.connect(url).await?;
    let receiver = receiving
        .create_receiver_with(
            &options.address,
            ReceiverOptions::new().prefetch(options.credit),
        )
        .await?;
    let mut link = SenderOptions::new().max_queued_messages(options.credit as usize);
    if options.settled {
        link = link.at_most_once();
    }
    let sender = sending.create_sender_with(&options.address, link).await?;

    let bar = ProgressBar::new(options.messages as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} messages, {per_sec}, {eta} to go",
    )?);
    let run = Run {
        mark: SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64,
        start: Instant::now(),
        messages: options.messages,
        size,
    };
    let (receipts, to_await) = mpsc::channel(options.credit as usize);
    let sent = tokio::spawn(run.clone().send(sender.clone(), receipts));
    let settled = tokio::spawn(run.clone().settle(to_await));
    let received = tokio::spawn(run.clone().receive(receiver, bar.clone()));

    let sent = sent.await??;
    let (outcomes, to_settled) = settled.await??;
    let received = received.await??;
    let elapsed = run.start.elapsed();
    bar.finish_and_clear();
    sender.close().await?;
    sending.close().await?;
    receiving.close().await?;
    Ok(Tally {
        sent,
        outcomes,
        to_settled,
        elapsed,
        ..received
    })
}

/// What all tasks know.
#[derive(Clone, Debug)]
struct Run {
    mark: u64,
    start: Instant,
    messages: usize,
    size: usize,
}

impl Run {
    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Sends all messages; what becomes of them is for others to see.
    async fn send(
        self,
        sender: Sender,
        receipts: mpsc::Sender<(u64, Receipt)>,
    ) -> Result<usize, Error> {
        for number in 0..self.messages {
            let mut body = vec![b'.'; self.size];
            let now = self.now();
            body[..8].copy_from_slice(&self.mark.to_be_bytes());
            body[8..16].copy_from_slice(&(number as u64).to_be_bytes());
            body[16..24].copy_from_slice(&now.to_be_bytes());
            let receipt = sender.enqueue(Message::from(body)).await?;
            if receipts.send((now, receipt)).await.is_err() {
                break;
            }
        }
        Ok(self.messages)
    }

    /// Awaits the outcomes in the order of sending.
    async fn settle(
        self,
        mut receipts: mpsc::Receiver<(u64, Receipt)>,
    ) -> Result<(Outcomes, Vec<u32>), Error> {
        let mut outcomes = Outcomes::default();
        let mut latencies = Vec::with_capacity(self.messages);
        while let Some((sent, receipt)) = receipts.recv().await {
            match receipt.await? {
                Outcome::Accepted(_) => outcomes.accepted += 1,
                Outcome::Rejected(_) => outcomes.rejected += 1,
                Outcome::Released(_) => outcomes.released += 1,
                Outcome::Modified(_) => outcomes.modified += 1,
                _ => outcomes.other += 1,
            }
            latencies.push(self.micros_since(sent));
        }
        Ok((outcomes, latencies))
    }

    /// Receives until every message has come, or none comes any more.
    async fn receive(self, receiver: Receiver, bar: ProgressBar) -> Result<Tally, Error> {
        let mut seen = vec![false; self.messages];
        let mut tally = Tally {
            to_received: Vec::with_capacity(self.messages),
            ..Tally::default()
        };
        while tally.received < self.messages {
            let Ok(delivery) = tokio::time::timeout(PATIENCE, receiver.recv()).await else {
                break;
            };
            let delivery = delivery?;
            let body = delivery.encoded()?.body_data()?;
            delivery.accept();
            let Some(body) = body.filter(|body| body.len() >= HEAD && word(body, 0) == self.mark)
            else {
                tally.foreign += 1;
                continue;
            };
            match seen.get_mut(word(&body, 8) as usize) {
                Some(true) => tally.doubled += 1,
                Some(seen)
                    if body.len() == self.size
                        && body[HEAD..].iter().all(|octet| *octet == b'.') =>
                {
                    *seen = true;
                    tally.received += 1;
                    tally.to_received.push(self.micros_since(word(&body, 16)));
                    if tally.received.is_multiple_of(STEP) {
                        bar.inc(STEP as u64);
                    }
                }
                _ => tally.broken += 1,
            }
        }
        // Whatever comes twice has come by now: the sender has its outcomes, the queue is empty.
        while let Some(delivery) = receiver.try_recv()? {
            delivery.accept();
            tally.doubled += 1;
        }
        receiver.close().await?;
        Ok(tally)
    }

    fn micros_since(&self, nanos: u64) -> u32 {
        u32::try_from(self.now().saturating_sub(nanos) / 1000).unwrap_or(u32::MAX)
    }
}

/// Eight octets as a number.
fn word(body: &[u8], at: usize) -> u64 {
    body[at..at + 8]
        .iter()
        .fold(0, |word, octet| word << 8 | u64::from(*octet))
}
