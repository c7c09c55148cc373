//! What goes wrong while all is open: connections closed from outside, queues deleted, a broker that stops answering.
//! Sections 2.4.5, 2.4.3, 2.6.5.

use std::time::Duration;

use amqp_client::types::transport::ErrorCondition;
use amqp_client::{ConnectionOptions, ErrorKind, Initiator};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::control;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::wire;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("forced close", forced),
    scenario!("queue deleted under a receiver", deleted_under_receiver),
    scenario!("queue deleted under a sender", deleted_under_sender),
    scenario!("stopped broker: idle time-out", frozen),
    scenario!("stopped broker: connect, deadline", frozen_connect),
];

/// Everybody who waits learns the reason, and other connections know nothing of it.
async fn forced(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("forced").await?;
    let other = peer.connect().await?;
    let container = peer.name("ok-forced");
    let recording = wire::record();
    let connection = peer.connect_as(&container).await?;
    let receiver = check::receiver(&connection, &address, 1).await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    control::close_connections(peer, &container).await?;
    let ended = check::soon("end the connection", connection.closed()).await?;
    let error = ended.err().ok_or("closed without a reason")?;
    let received = check::soon("receive", receiver.recv()).await?;
    let sent = sender.send(content::message(0, SMALL)).await;
    for (who, seen) in [("receiver", received.err()), ("sender", sent.err())] {
        let seen = seen.ok_or_else(|| format!("the {who} knows of nothing"))?;
        if seen.condition() != error.condition() || seen.initiator() != Initiator::Remote {
            return Err(format!(
                "the {who} is told {seen:?}, the connection {error:?}"
            ));
        }
    }
    check::fill(&other, &address, 0..1, SMALL).await?;
    other.close().await.during("close the other connection")?;
    // Management's own connection, of Artemis, was closed by us.
    let reason = recording.last(&["<- 0 close(", "error="]);
    match peer.kind {
        Kind::Artemis => {
            if let Some(reason) = reason {
                return Err(format!("it does close: {reason}"));
            }
            recording.frame(&["<- EOS"])?;
        }
        Kind::Rabbit | Kind::BrokerJ => {
            reason.ok_or("no close came")?;
        }
    }
    match peer.kind {
        Kind::Artemis if error.kind() == ErrorKind::Io => Ok(Verdict::NotSupported(format!(
            "it cuts instead of closing: {error}"
        ))),
        _ if error.kind() != ErrorKind::ConnectionClosed => Err(format!("{error:?}")),
        // By its management: its own word for forced, with the text to say so.
        Kind::Rabbit => check::condition(&error, &ErrorCondition::InternalError)
            .map(|()| Verdict::NotSupported(error.to_string())),
        _ if !error.is_retryable() => Err(format!("{error:?} should be worth another try")),
        _ => check::condition(&error, &ErrorCondition::ConnectionForced).map(|()| Verdict::Pass),
    }
}

async fn deleted_under_receiver(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("deleted-receiver").await?;
    let connection = peer.connect().await?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    control::delete_queue(peer, peer.bare(&address)).await?;
    let received = check::soon("receive", receiver.recv()).await?;
    let error = received.err().ok_or("a message out of nothing")?;
    check::condition(&error, &ErrorCondition::ResourceDeleted)?;
    if error.kind() != ErrorKind::LinkDetached {
        return Err(format!("{error:?}"));
    }
    after_deletion(peer, &connection).await
}

/// Artemis does not tell a sender: it makes the queue anew.
async fn deleted_under_sender(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("deleted-sender").await?;
    let recording = wire::record();
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    check::send(&sender, 0..1, SMALL).await?;
    control::delete_queue(peer, peer.bare(&address)).await?;
    if peer.kind == Kind::BrokerJ {
        // A transfer that crosses the detach would cost the session.
        let error = check::soon("detach", sender.closed()).await?;
        check::condition(&error, &ErrorCondition::ResourceDeleted)?;
    }
    let sent = check::soon("send", sender.send(content::message(1, SMALL))).await?;
    after_deletion(peer, &connection).await?;
    match sent {
        Err(error) => {
            check::condition(&error, &ErrorCondition::ResourceDeleted)?;
            Ok(Verdict::Pass)
        }
        Ok(outcome) if peer.kind == Kind::Artemis => {
            match recording.last(&["<- ", " detach(", "resource-deleted"]) {
                Some(frame) => Err(format!("the sender is told: {frame}")),
                None => Ok(Verdict::NotSupported(format!(
                    "the sender is not told, the next message gets {outcome:?}"
                ))),
            }
        }
        Ok(outcome) => Err(format!("the next message gets {outcome:?}")),
    }
}

/// The session has other links.
async fn after_deletion(
    peer: &Peer,
    connection: &amqp_client::Connection,
) -> Result<Verdict, String> {
    let address = peer.fresh("after-deletion").await?;
    check::fill(connection, &address, 0..1, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// A broker that says nothing ends a connection with an idle time-out, with the right error, and leaves one without alone.
async fn frozen(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("frozen").await?;
    let short = ConnectionOptions::new().idle_time_out(Some(Duration::from_secs(2)));
    let impatient = peer.connect_with(CONTAINER, short).await?;
    let patient = peer.connect().await?;
    let receiver = check::receiver(&impatient, &address, 1).await?;
    let sender = patient.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let guard = peer.freeze().await?;
    let receipt = sender.enqueue(content::message(0, SMALL)).await;
    let receipt = receipt.during("enqueue")?;
    let ended = check::soon("end the connection", impatient.closed()).await;
    let received = check::soon("receive", receiver.recv()).await;
    drop(guard);
    let error = ended?.err().ok_or("closed without a reason")?;
    let seen = received?.err().ok_or("a message out of nothing")?;
    for error in [&error, &seen] {
        if error.kind() != ErrorKind::TimedOut || !error.is_retryable() {
            return Err(format!("{error:?}"));
        }
    }
    // The other connection has waited, and goes on as if nothing had been.
    let outcome = check::soon("send", receipt).await?.during("send")?;
    check::is(&outcome, "accepted")?;
    check::send(&sender, 1..10, SMALL).await?;
    let receiver = patient.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 0..10, SMALL).await?;
    patient.close().await.during("close")?;
    // A new connection has nothing to do with the one that was given up.
    let fresh = peer.connect().await?;
    check::fill(&fresh, &address, 10..20, SMALL).await?;
    let receiver = fresh.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 10..20, SMALL).await?;
    fresh.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The socket is accepted by the system; nobody answers.
async fn frozen_connect(peer: &Peer) -> Result<Verdict, String> {
    let guard = peer.freeze().await?;
    let deadlines = amqp_client::Deadlines {
        sasl: Duration::from_secs(1),
        ..amqp_client::Deadlines::default()
    };
    let options = ConnectionOptions::new().deadlines(deadlines);
    let made = amqp_client::Container::new(CONTAINER)
        .connect_with(&peer.url("guest:guest@"), options)
        .await;
    drop(guard);
    let error = made.err().ok_or("connected to a stopped broker")?;
    if error.kind() != ErrorKind::TimedOut {
        return Err(format!("{error:?}"));
    }
    peer.connect().await?.close().await.during("close")?;
    Ok(Verdict::Pass)
}
