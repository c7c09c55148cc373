//! Messages that the broker may give to nobody any more, and those that it may not give to anybody yet. Section 3.2.1.
//!
//! Delivery time and delay are not the standard's: brokers agree on two annotations.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use amqp_client::types::{AnnotationKey, Symbol, Timestamp, Value};
use amqp_client::{Connection, Receiver};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::control::Shape;
use crate::peer::{Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::wire;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("time to live", ttl),
    scenario!("delivery delay", delay),
    scenario!("delivery time", time),
    scenario!("delivery time as a timestamp", timestamp),
];

const DELAY: Duration = Duration::from_millis(1_500);

/// Until it expires the message is offered and released again; then it is gone, or where the broker keeps such messages.
async fn ttl(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("ttl").await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let started = Instant::now();
    // Artemis' queue for these is everybody's: the number says whose it is.
    let short = 2_000_000 + u64::from(std::process::id());
    let lifetime = Duration::from_millis(200);
    let message = content::message(short, SMALL).with_ttl(lifetime);
    let outcome = sender.send(message).await.during("send")?;
    check::is(&outcome, "accepted")?;
    check::send(&sender, 1..2, SMALL).await?;
    let receiver = check::receiver(&connection, &address, 0).await?;
    check::soon("expiry", expired(&receiver, short, started, lifetime)).await??;
    check::empty(&connection, &address).await?;
    if peer.kind == Kind::Artemis {
        kept(&connection, short).await?;
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Asks for one message at a time until the short-lived one comes no more and the other has come.
async fn expired(
    receiver: &Receiver,
    short: u64,
    started: Instant,
    lifetime: Duration,
) -> Result<(), String> {
    let mut rest = false;
    loop {
        receiver.set_credit(1);
        receiver.drain().await.during("drain")?;
        let Some(delivery) = receiver.try_recv().during("look for a delivery")? else {
            // What was just released may not be in the queue again.
            if rest && started.elapsed() > lifetime {
                return Ok(());
            }
            continue;
        };
        if content::number(&delivery)? == short {
            let header = delivery.message().during("decode")?.header;
            let left = header.and_then(|header| header.ttl);
            if left.is_some_and(|left| u128::from(left.0) > lifetime.as_millis()) {
                return Err(format!("it lives for {left:?} now"));
            }
            delivery.release();
        } else {
            content::check(&delivery, 1, SMALL)?;
            delivery.accept();
            rest = true;
        }
    }
}

/// Artemis moves what expires to a queue, and says when that was.
async fn kept(connection: &Connection, number: u64) -> Result<(), String> {
    let receiver = connection.create_receiver("ExpiryQueue").await;
    let receiver = receiver.during("attach to what has expired")?;
    loop {
        let delivery = check::next(&receiver).await?;
        let found = content::number(&delivery)?;
        let message = delivery.message().during("decode")?;
        delivery.accept();
        if found == number {
            let key = AnnotationKey::Symbol(Symbol::from_static("x-opt-ACTUAL-EXPIRY"));
            let annotations = message.message_annotations.unwrap_or_default();
            let when = annotations.get(&key);
            return when.map(drop).ok_or("it does not say when".into());
        }
    }
}

async fn delay(peer: &Peer) -> Result<Verdict, String> {
    let delay = DELAY.as_millis() as u64;
    later(peer, "delay", "x-opt-delivery-delay", |_| {
        Value::Ulong(delay)
    })
    .await
}

async fn time(peer: &Peer) -> Result<Verdict, String> {
    later(peer, "time", "x-opt-delivery-time", Value::Long).await
}

/// The type that the value has by its meaning.
async fn timestamp(peer: &Peer) -> Result<Verdict, String> {
    let time = |then| Value::Timestamp(Timestamp(then));
    later(peer, "timestamp", "x-opt-delivery-time", time).await
}

/// A message that is overtaken by the one behind it, and comes when its time has come: the value is made of the delivery time in
/// milliseconds since 1970. Where it comes at once that is told with what
/// the broker offers.
async fn later(
    peer: &Peer,
    name: &str,
    annotation: &'static str,
    value: impl FnOnce(i64) -> Value,
) -> Result<Verdict, String> {
    let recording = wire::record();
    let shape = Shape {
        hold: true,
        ..Shape::default()
    };
    let address = peer.shaped(name, shape).await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    let started = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let then = now.during("read the clock")? + DELAY;
    let value = value(then.as_millis() as i64);
    let as_agreed = !matches!(value, Value::Timestamp(_));
    let key = Symbol::from_static(annotation);
    let message = content::message(0, SMALL).with_message_annotation(key, value);
    let outcome = check::soon("send", sender.send(message)).await?;
    check::is(&outcome.during("send")?, "accepted")?;
    check::send(&sender, 1..2, SMALL).await?;
    let mut came = Vec::new();
    for _ in 0..2 {
        let delivery = check::next(&receiver).await?;
        came.push((content::number(&delivery)?, started.elapsed()));
        delivery.accept();
    }
    connection.close().await.during("close")?;
    match came.as_slice() {
        // The time was told in whole milliseconds.
        [(1, _), (0, waited)] if *waited + Duration::from_millis(1) >= DELAY => Ok(Verdict::Pass),
        [(0, waited), (1, _)] if *waited < DELAY => {
            let opened = recording.frame(&["<- 0 open(", "offered-capabilities"])?;
            if as_agreed && opened.contains("DELAYED_DELIVERY") {
                return Err(format!("it promised to wait: {opened}"));
            }
            Ok(Verdict::NotSupported(format!(
                "the message came after {} ms; the broker said {opened}",
                waited.as_millis()
            )))
        }
        other => Err(format!("number and time are {other:?}")),
    }
}
