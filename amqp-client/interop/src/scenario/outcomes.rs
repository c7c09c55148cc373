//! Outcomes that we give as a receiver, and what the broker then does with the message; and drain. Sections 2.6.7, 3.4.

use amqp_client::types::messaging::Modified;
use amqp_client::types::transport::{Error, ErrorCondition, Fields};
use amqp_client::types::{AnnotationKey, Symbol, Value};
use amqp_client::{Connection, Delivery};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::peer::{Kind, Peer};
use crate::report::Verdict;

pub(super) async fn accepted(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = sent(peer, "accepted").await?;
    take(&connection, &address, |delivery| delivery.accept()).await?;
    gone(&connection, &address).await
}

pub(super) async fn rejected(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = sent(peer, "rejected").await?;
    let mut error = Error::new(ErrorCondition::PreconditionFailed);
    error.description = Some("as the scenario wants it".into());
    take(&connection, &address, |delivery| delivery.reject(error)).await?;
    gone(&connection, &address).await
}

pub(super) async fn released(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = sent(peer, "released").await?;
    take(&connection, &address, |delivery| delivery.release()).await?;
    let count = take(&connection, &address, |delivery| delivery.accept())
        .await?
        .count;
    if count != 0 {
        return Err(format!("released, and yet the delivery count is {count}"));
    }
    gone(&connection, &address).await
}

pub(super) async fn modified(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = sent(peer, "modified").await?;
    let failed = Modified {
        delivery_failed: Some(true),
        ..Modified::default()
    };
    take(&connection, &address, |delivery| delivery.modify(failed)).await?;
    let count = take(&connection, &address, |delivery| delivery.accept())
        .await?
        .count;
    if count != 1 {
        return Err(format!(
            "modified with delivery-failed, and the delivery count is {count}, not 1"
        ));
    }
    gone(&connection, &address).await
}

/// Another link gets the message, or nobody.
pub(super) async fn undeliverable_here(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = sent(peer, "undeliverable").await?;
    let modified = Modified {
        undeliverable_here: Some(true),
        ..Modified::default()
    };
    take(&connection, &address, |delivery| delivery.modify(modified)).await?;
    if peer.kind == Kind::Rabbit {
        check::empty(&connection, &address).await?;
        return Ok(Verdict::NotSupported(
            "the message is dropped instead of offered to another link".into(),
        ));
    }
    take(&connection, &address, |delivery| delivery.accept()).await?;
    gone(&connection, &address).await
}

pub(super) async fn annotations(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = sent(peer, "annotations").await?;
    let key = Symbol::from_static("x-opt-interop");
    let mut fields = Fields::default();
    fields.insert(key.clone(), Value::from("seen"));
    let modified = Modified {
        message_annotations: Some(fields),
        ..Modified::default()
    };
    take(&connection, &address, |delivery| delivery.modify(modified)).await?;
    let taken = take(&connection, &address, |delivery| delivery.accept()).await?;
    let value = taken
        .message
        .message_annotations
        .as_ref()
        .and_then(|all| all.get(&AnnotationKey::Symbol(key)));
    match value {
        Some(Value::String(text)) if text == "seen" => gone(&connection, &address).await,
        None if peer.kind == Kind::Artemis => Ok(Verdict::NotSupported(
            "annotations of modified are ignored".into(),
        )),
        other => Err(format!("the annotation came back as {other:?}")),
    }
}

/// More credit than messages: the drain gives what there is, and the rest of the credit back.
pub(super) async fn drain(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.queue("drain");
    let connection = peer.connect().await?;
    check::empty(&connection, &address).await?;
    let sender = connection
        .create_sender(&address)
        .await
        .during("attach a sender")?;
    for number in 0..3 {
        let outcome = sender
            .send(content::message(number, SMALL))
            .await
            .during("send")?;
        check::is(&outcome, "accepted")?;
    }
    let receiver = check::receiver(&connection, &address, 10).await?;
    receiver.drain().await.during("drain")?;
    for number in 0..3 {
        let delivery = receiver
            .try_recv()
            .during("receive")?
            .ok_or("the drain was over before all messages came")?;
        content::check(&delivery, number, SMALL)?;
        delivery.accept();
    }
    // The credit is used up now, and can be granted again.
    let outcome = sender
        .send(content::message(3, SMALL))
        .await
        .during("send")?;
    check::is(&outcome, "accepted")?;
    receiver.set_credit(1);
    let delivery = check::next(&receiver).await?;
    content::check(&delivery, 3, SMALL)?;
    delivery.accept();
    receiver.close().await.during("close the receiver")?;
    gone(&connection, &address).await
}

/// A connection, and a queue with message 0 in it.
async fn sent(peer: &Peer, queue: &str) -> Result<(Connection, String), String> {
    let address = peer.queue(queue);
    let connection = peer.connect().await?;
    let sender = connection
        .create_sender(&address)
        .await
        .during("attach a sender")?;
    let outcome = sender
        .send(content::message(0, SMALL))
        .await
        .during("send")?;
    check::is(&outcome, "accepted")?;
    sender.close().await.during("close the sender")?;
    Ok((connection, address))
}

/// What was received.
struct Taken {
    message: amqp_client::Message,
    count: u32,
}

/// Receives message 0 on a link of its own and settles it.
async fn take(
    connection: &Connection,
    address: &str,
    settle: impl FnOnce(&Delivery),
) -> Result<Taken, String> {
    let receiver = check::receiver(connection, address, 1).await?;
    let delivery = check::next(&receiver).await?;
    let message = content::check(&delivery, 0, SMALL)?;
    settle(&delivery);
    receiver.close().await.during("close the receiver")?;
    let count = content::delivery_count(&message);
    Ok(Taken { message, count })
}

/// The queue is empty, and the connection can be closed.
async fn gone(connection: &Connection, address: &str) -> Result<Verdict, String> {
    check::empty(connection, address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
