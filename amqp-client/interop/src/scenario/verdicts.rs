//! Outcomes that the broker gives to what we send. Sections 3.4.3 to 3.4.5.

use amqp_client::types::Symbol;
use amqp_client::types::messaging::{Outcome, Source};
use amqp_client::{Connection, Container, SenderOptions};

use crate::check::{self, During};
use crate::content;
use crate::peer::{Kind, Peer};
use crate::report::Verdict;

/// Enough to fill the queues that are meant to be full.
const ENOUGH: u64 = 100;

/// A queue that is full.
pub(super) async fn rejected(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let outcome = fill(&connection, &peer.queue("fail.full"), SenderOptions::new()).await?;
    check::is(&outcome, "rejected")?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// An exchange without a queue behind it.
pub(super) async fn released(peer: &Peer) -> Result<Verdict, String> {
    if peer.kind == Kind::Artemis {
        return Ok(Verdict::NotSupported("it accepts or rejects".into()));
    }
    let connection = peer.connect().await?;
    let sender = connection
        .create_sender("/exchanges/amq.direct/nobody")
        .await
        .during("attach a sender")?;
    let outcome = sender
        .send(content::message(0, content::SMALL))
        .await
        .during("send")?;
    check::is(&outcome, "released")?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// A full queue behind a listener that counts that as passing, for a sender that says it understands modified.
pub(super) async fn modified(peer: &Peer) -> Result<Verdict, String> {
    if peer.kind == Kind::Rabbit {
        return Ok(Verdict::NotSupported(
            "it accepts, rejects or releases".into(),
        ));
    }
    let connection = Container::new("amqp-interop")
        .connect(&peer.lenient_url())
        .await
        .during("connect")?;
    let outcomes = [
        "amqp:accepted:list",
        "amqp:rejected:list",
        "amqp:modified:list",
    ]
    .map(Symbol::from_static);
    let source = Source {
        outcomes: outcomes.to_vec(),
        ..Source::default()
    };
    let outcome = fill(
        &connection,
        &peer.queue("fail.modified"),
        SenderOptions::new().source(source),
    )
    .await?;
    check::is(&outcome, "modified")?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
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
