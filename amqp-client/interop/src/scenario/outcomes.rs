//! Outcomes that we give as a receiver, and what the broker then does with the message. Section 3.4.

use amqp_client::types::messaging::Modified;
use amqp_client::types::transport::{Error, ErrorCondition, Fields};
use amqp_client::types::{AnnotationKey, Symbol, Value};
use amqp_client::{Connection, Delivery};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::control::Shape;
use crate::peer::{Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("accepted", accepted),
    scenario!("rejected", rejected),
    scenario!("released", released),
    scenario!("modified", modified),
    scenario!("modified, undeliverable here", undeliverable_here),
    scenario!("modified, annotations", annotations),
    scenario!("no outcome is released", dropped),
    scenario!("accepted up to", accepted_up_to),
];

async fn accepted(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = sent(peer, "accepted").await?;
    take(&connection, &address, |delivery| delivery.accept()).await?;
    gone(&connection, &address).await
}

/// Dropped or sent to a dead-letter queue; Broker-J offers the message again and counts, and needs a limit for that.
async fn rejected(peer: &Peer) -> Result<Verdict, String> {
    let shape = Shape {
        attempts: Some(2),
        ..Shape::default()
    };
    let address = peer.shaped("rejected", shape).await?;
    let connection = peer.connect().await?;
    if peer.kind == Kind::BrokerJ {
        let dead = peer.queue(&peer.name("auto.dead"));
        let sender = connection.create_sender(&dead).await;
        sender.during("make the dead-letter queue")?;
    }
    check::fill(&connection, &address, 0..1, SMALL).await?;
    let mut error = Error::new(ErrorCondition::PreconditionFailed);
    error.description = Some("as the scenario wants it".into());
    let mut info = Fields::default();
    info.insert(Symbol::from_static("x-opt-why"), Value::from("no reason"));
    error.info = Some(info);
    take(&connection, &address, |delivery| {
        delivery.reject(error.clone())
    })
    .await?;
    if peer.kind == Kind::BrokerJ {
        let again = take(&connection, &address, |delivery| delivery.reject(error)).await?;
        if again.count != 1 {
            return Err(format!("rejected, the delivery count is {}", again.count));
        }
    }
    gone(&connection, &address).await
}

async fn released(peer: &Peer) -> Result<Verdict, String> {
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

async fn modified(peer: &Peer) -> Result<Verdict, String> {
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
async fn undeliverable_here(peer: &Peer) -> Result<Verdict, String> {
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

async fn annotations(peer: &Peer) -> Result<Verdict, String> {
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
        None if peer.kind != Kind::Rabbit => Ok(Verdict::NotSupported(
            "the message comes back without the annotations".into(),
        )),
        other => Err(format!("the annotation came back as {other:?}")),
    }
}

/// A delivery that is dropped without an outcome is free for others.
async fn dropped(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = sent(peer, "dropped").await?;
    let first = check::receiver(&connection, &address, 1).await?;
    let second = check::receiver(&connection, &address, 0).await?;
    drop(check::next(&first).await?);
    second.set_credit(1);
    let delivery = check::next(&second).await?;
    content::check(&delivery, 0, SMALL)?;
    delivery.accept();
    for receiver in [first, second] {
        receiver.close().await.during("close a receiver")?;
    }
    gone(&connection, &address).await
}

/// One disposition for a hundred deliveries, but for one that was released before.
async fn accepted_up_to(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("up-to").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..100, SMALL).await?;
    let receiver = check::receiver(&connection, &address, 100).await?;
    let mut deliveries = Vec::new();
    for number in 0..100 {
        let delivery = check::next(&receiver).await?;
        content::check(&delivery, number, SMALL)?;
        deliveries.push(delivery);
    }
    deliveries[50].release();
    deliveries[99].accept_up_to();
    drop(deliveries);
    receiver.set_credit(1);
    check::take(&receiver, 50..51, SMALL).await?;
    receiver.close().await.during("close the receiver")?;
    gone(&connection, &address).await
}

/// A connection, and a queue with message 0 in it.
async fn sent(peer: &Peer, queue: &str) -> Result<(Connection, String), String> {
    let address = peer.fresh(queue).await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..1, SMALL).await?;
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
