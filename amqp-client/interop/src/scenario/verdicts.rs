//! Outcomes that the broker gives to what we send. Sections 3.4.3 to 3.4.5.

use amqp_client::types::messaging::Outcome;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{Connection, Container, SenderOptions};

use crate::check::During;
use crate::content;
use crate::control::Shape;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

/// Enough to fill the queues that are meant to be full.
const ENOUGH: u64 = 100;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("peer rejects", rejected),
    scenario!("peer releases", released),
    scenario!("peer modifies", modified),
];

/// A queue that is full.
async fn rejected(peer: &Peer) -> Result<Verdict, String> {
    let shape = Shape {
        limit: Some(1),
        classic: true,
        ..Shape::default()
    };
    let address = peer.shaped("fail.full", shape).await?;
    let connection = peer.connect().await?;
    let outcome = fill(&connection, &address, SenderOptions::new()).await?;
    let condition = match &outcome {
        Outcome::Rejected(rejected) => rejected.error.as_ref().map(|error| &error.condition),
        other => return Err(format!("the outcome is {other:?}")),
    };
    let wanted = match peer.kind {
        // It gives no reason.
        Kind::Rabbit => None,
        Kind::Artemis | Kind::BrokerJ => Some(&ErrorCondition::ResourceLimitExceeded),
    };
    if condition != wanted {
        return Err(format!("rejected with {condition:?}"));
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// An exchange or a topic without a queue behind it.
async fn released(peer: &Peer) -> Result<Verdict, String> {
    let address = match peer.kind {
        Kind::Artemis => "topic.nobody",
        Kind::Rabbit => "/exchanges/amq.direct/nobody",
        Kind::BrokerJ => "amq.direct/nobody",
    };
    let connection = peer.connect().await?;
    let sender = connection
        .create_sender(address)
        .await
        .during("attach a sender")?;
    let outcome = sender
        .send(content::message(0, content::SMALL))
        .await
        .during("send")?;
    connection.close().await.during("close")?;
    match (&outcome, peer.kind) {
        (Outcome::Released(_), _) => Ok(Verdict::Pass),
        (Outcome::Accepted(_), Kind::Artemis | Kind::BrokerJ) => Ok(Verdict::NotSupported(
            "a message that nobody wants is accepted".into(),
        )),
        _ => Err(format!("the outcome is {outcome:?}")),
    }
}

/// A full queue behind a listener that counts that as passing; a sender says by itself that it understands modified.
async fn modified(peer: &Peer) -> Result<Verdict, String> {
    let shape = Shape {
        limit: Some(1),
        classic: true,
        ..Shape::default()
    };
    let address = peer.shaped("fail.modified", shape).await?;
    let connection = match peer.kind {
        Kind::Artemis => Container::new(CONTAINER)
            .connect(&peer.lenient_url())
            .await
            .during("connect")?,
        Kind::Rabbit | Kind::BrokerJ => peer.connect().await?,
    };
    let outcome = fill(&connection, &address, SenderOptions::new()).await?;
    connection.close().await.during("close")?;
    match (&outcome, peer.kind) {
        (Outcome::Modified(_), _) => Ok(Verdict::Pass),
        (Outcome::Rejected(_), Kind::Rabbit | Kind::BrokerJ) => Ok(Verdict::NotSupported(
            "a message for a full queue is rejected instead".into(),
        )),
        _ => Err(format!("the outcome is {outcome:?}")),
    }
}

/// Sends until a message is not accepted; the outcome of that one.
async fn fill(
    connection: &Connection,
    address: &str,
    options: SenderOptions,
) -> Result<Outcome, String> {
    let sender = connection
        .create_sender_with(address, options)
        .await
        .during("attach a sender")?;
    for number in 0..ENOUGH {
        let outcome = sender
            .send(content::message(number, 1_000))
            .await
            .during("send")?;
        if !matches!(outcome, Outcome::Accepted(_)) {
            return Ok(outcome);
        }
    }
    Err(format!("all of {ENOUGH} messages were accepted"))
}
