//! Small steps that scenarios are made of, each with an error that says which step it was.

use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use amqp_client::types::messaging::Outcome;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{Connection, Delivery, Error, Receiver, ReceiverOptions, Sender};

use crate::content;

/// How long a single delivery may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Adds to an error what was being done.
pub(crate) trait During<T> {
    fn during(self, what: &str) -> Result<T, String>;
}

impl<T, E: Display> During<T> for Result<T, E> {
    fn during(self, what: &str) -> Result<T, String> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}

/// A receiver with exactly so much credit.
pub(crate) async fn receiver(
    connection: &Connection,
    address: &str,
    credit: u32,
) -> Result<Receiver, String> {
    let options = ReceiverOptions::new().manual_credit();
    let receiver = connection
        .create_receiver_with(address, options)
        .await
        .during("attach a receiver")?;
    receiver.set_credit(credit);
    Ok(receiver)
}

/// The next delivery, or an error if none comes.
pub(crate) async fn next(receiver: &Receiver) -> Result<Delivery, String> {
    let delivery = tokio::time::timeout(PATIENCE, receiver.recv()).await;
    delivery
        .map_err(|_| "no delivery came".to_owned())?
        .during("receive")
}

/// Waits for something that must come soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .map_err(|_| format!("{what}: not within {} s", PATIENCE.as_secs()))
}

/// Sends messages, all of them before the first outcome is waited for; each must be accepted.
pub(crate) async fn send(sender: &Sender, numbers: Range<u64>, size: usize) -> Result<(), String> {
    let mut receipts = Vec::new();
    for number in numbers.clone() {
        let enqueued = sender.enqueue(content::message(number, size));
        receipts.push(soon("enqueue", enqueued).await?.during("enqueue")?);
    }
    for (number, receipt) in numbers.zip(receipts) {
        let what = format!("send message {number}");
        let outcome = soon(&what, receipt).await?.during(&what)?;
        is(&outcome, "accepted").during(&what)?;
    }
    Ok(())
}

/// Attaches a sender, sends messages with it and closes it.
pub(crate) async fn fill(
    connection: &Connection,
    address: &str,
    numbers: Range<u64>,
    size: usize,
) -> Result<(), String> {
    let sender = connection
        .create_sender(address)
        .await
        .during("attach a sender")?;
    send(&sender, numbers, size).await?;
    sender.close().await.during("close the sender")
}

/// Receives messages in order and accepts them.
pub(crate) async fn take(
    receiver: &Receiver,
    numbers: Range<u64>,
    size: usize,
) -> Result<(), String> {
    for number in numbers {
        let delivery = next(receiver).await.during(&format!("message {number}"))?;
        content::check(&delivery, number, size)?;
        delivery.accept();
    }
    Ok(())
}

/// Fails unless the error has this condition.
pub(crate) fn condition(error: &Error, wanted: &ErrorCondition) -> Result<(), String> {
    match error.condition() {
        Some(condition) if condition == wanted => Ok(()),
        _ => Err(format!("{error:?}, not {}", wanted.as_str())),
    }
}

/// Fails if the node has a message for us.
pub(crate) async fn empty(connection: &Connection, address: &str) -> Result<(), String> {
    let receiver = receiver(connection, address, 1).await?;
    let drained = tokio::time::timeout(PATIENCE, receiver.drain()).await;
    drained
        .map_err(|_| "the drain was not answered".to_owned())?
        .during("drain")?;
    if let Some(delivery) = receiver.try_recv().during("look for a delivery")? {
        let message = delivery.message().during("decode")?;
        return Err(format!(
            "the node is not empty, it has {:?}",
            message.properties
        ));
    }
    receiver.close().await.during("close the receiver")
}

/// Fails unless the outcome is the one that is named.
pub(crate) fn is(outcome: &Outcome, name: &str) -> Result<(), String> {
    let is = match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::Rejected(_) => "rejected",
        Outcome::Released(_) => "released",
        Outcome::Modified(_) => "modified",
        _ => "something else",
    };
    if is == name {
        Ok(())
    } else {
        Err(format!("the outcome is {outcome:?}, not {name}"))
    }
}
