//! Links that the broker refuses, and links that it gives to somebody else. The session goes on wherever the broker lets it.
//! Sections 2.6.1, 2.6.3.

use amqp_client::link_option::{Filter, Selector};
use amqp_client::types::transport::ErrorCondition;
use amqp_client::types::{Described, Symbol, Value};
use amqp_client::{
    Connection, Container, Error, ErrorKind, Receiver, ReceiverOptions, SenderOptions,
};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::control::Shape;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::wire;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("refused link: no such node, sender", unknown_target),
    scenario!("refused link: no such node, receiver", unknown_source),
    scenario!("refused link: no permission to send", no_send),
    scenario!("refused link: no permission to receive", no_receive),
    scenario!("refused link: a queue, asked for as a topic", other_kind),
    scenario!("refused link: unknown filter", unknown_filter),
    scenario!("refused link: broken selector", broken_selector),
    scenario!("refused link: exclusive queue", exclusive),
    scenario!("link stolen", stolen),
    scenario!("link names of both directions", both_directions),
];

/// An address without a node, which the broker makes none for.
fn nowhere(peer: &Peer) -> &'static str {
    match peer.kind {
        Kind::Artemis => "none.x",
        Kind::Rabbit => "/queues/none",
        Kind::BrokerJ => "none",
    }
}

async fn unknown_target(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let made = connection.create_sender(nowhere(peer)).await;
    refused(peer, made.err(), &ErrorCondition::NotFound)?;
    goes_on(peer, &connection).await
}

async fn unknown_source(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let made = connection.create_receiver(nowhere(peer)).await;
    refused(peer, made.err(), &ErrorCondition::NotFound)?;
    goes_on(peer, &connection).await
}

/// Of Artemis' addresses the first link decides for good whether they are queues; the others know no such capability.
async fn other_kind(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("no-topic").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..1, SMALL).await?;
    let mut source = amqp_client::types::messaging::Source::default();
    source.capabilities.push(Symbol::from_static("topic"));
    let recording = wire::record();
    let other = peer.connect().await?;
    let options = ReceiverOptions::new().source(source);
    let made = other.create_receiver_with(&address, options).await;
    let verdict = match made {
        Ok(receiver) if peer.kind != Kind::Artemis => {
            check::take(&receiver, 0..1, SMALL).await?;
            let answer = recording.frame(&["<- ", " attach("])?;
            Verdict::NotSupported(format!("it attaches to the queue: {answer}"))
        }
        made => {
            refused(peer, made.err(), &ErrorCondition::IllegalState)?;
            Verdict::Pass
        }
    };
    connection.close().await.during("close")?;
    goes_on(peer, &other).await?;
    Ok(verdict)
}

/// A user who may do little: `limited`, of Broker-J `low`.
async fn limited(peer: &Peer) -> Result<(Connection, String), String> {
    let user = match peer.kind {
        Kind::BrokerJ => "low:low@",
        Kind::Artemis | Kind::Rabbit => "limited:limited@",
    };
    // The queue is there before somebody comes who may not make it.
    let guest = peer.connect().await?;
    let address = peer.fresh("private").await?;
    let sender = guest.create_sender(&address).await;
    sender
        .during("make the queue")?
        .close()
        .await
        .during("close")?;
    guest.close().await.during("close")?;
    let connection = Container::new(CONTAINER).connect(&peer.url(user)).await;
    Ok((connection.during("connect")?, address))
}

/// Broker-J attaches, and refuses the first message: with a detach, whatever the outcomes.
async fn no_send(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = limited(peer).await?;
    let made = connection.create_sender(&address).await;
    if peer.kind == Kind::BrokerJ {
        let sender = made.during("attach")?;
        let error = sender
            .send(content::message(0, SMALL))
            .await
            .err()
            .ok_or("the message was taken")?;
        refused(peer, Some(error), &ErrorCondition::NotAllowed)?;
    } else {
        refused(peer, made.err(), &ErrorCondition::UnauthorizedAccess)?;
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn no_receive(peer: &Peer) -> Result<Verdict, String> {
    let (connection, address) = limited(peer).await?;
    let made = connection.create_receiver(&address).await;
    refused(peer, made.err(), &ErrorCondition::UnauthorizedAccess)?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Either the peer refuses the link, or it leaves the filter out of its answer, and we do: a filter that is not applied is
/// an error, unless the user says otherwise.
async fn unknown_filter(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("unknown-filter").await?;
    let connection = peer.connect().await?;
    let filter = || {
        let described = Described {
            descriptor: Value::Symbol(Symbol::from_static("example.com:no-such-filter")),
            value: Value::from("x"),
        };
        ReceiverOptions::new().with(Filter::new(Symbol::from_static("mine"), described))
    };
    let error = match connection.create_receiver_with(&address, filter()).await {
        Ok(receiver) => return unfiltered(peer, &connection, &address, &receiver).await,
        Err(error) => error,
    };
    let refused = error.condition() == Some(&ErrorCondition::NotImplemented)
        && error.kind() == ErrorKind::LinkDetached;
    if !refused && error.kind() != ErrorKind::Unsupported {
        return Err(format!("{error:?}"));
    }
    if error.kind() == ErrorKind::Unsupported {
        let options = filter().ignore_missing_filters();
        let receiver = connection.create_receiver_with(&address, options).await;
        let receiver = receiver.during("attach without the filter")?;
        check::fill(&connection, &address, 0..1, SMALL).await?;
        check::take(&receiver, 0..1, SMALL).await?;
    }
    goes_on(peer, &connection).await
}

async fn broken_selector(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("broken-selector").await?;
    let connection = peer.connect().await?;
    let options = ReceiverOptions::new().with(Selector::new("colour = = 'green'"));
    let error = match connection.create_receiver_with(&address, options).await {
        Ok(receiver) => return unfiltered(peer, &connection, &address, &receiver).await,
        Err(error) => error,
    };
    refused(peer, Some(error), &ErrorCondition::InvalidField)?;
    goes_on(peer, &connection).await
}

/// RabbitMQ names any filter in its answer, and then sends everything.
async fn unfiltered(
    peer: &Peer,
    connection: &Connection,
    address: &str,
    receiver: &Receiver,
) -> Result<Verdict, String> {
    if peer.kind != Kind::Rabbit {
        return Err("the filter is taken".into());
    }
    check::fill(connection, address, 0..1, SMALL).await?;
    check::take(receiver, 0..1, SMALL).await?;
    goes_on(peer, connection).await?;
    Ok(Verdict::NotSupported(
        "its answer names the filter, and everything is sent".into(),
    ))
}

async fn exclusive(peer: &Peer) -> Result<Verdict, String> {
    let shape = Shape {
        exclusive: true,
        ..Shape::default()
    };
    let address = peer.shaped("exclusive", shape).await?;
    let connection = peer.connect().await?;
    let first = check::receiver(&connection, &address, 1).await?;
    match connection.create_receiver(&address).await {
        Ok(second) if peer.kind != Kind::BrokerJ => {
            second.close().await.during("close")?;
            return Ok(Verdict::NotSupported(
                "the queue has room for another receiver".into(),
            ));
        }
        made => refused(peer, made.err(), &ErrorCondition::ResourceLocked)?,
    }
    check::fill(&connection, &address, 0..1, SMALL).await?;
    check::take(&first, 0..1, SMALL).await?;
    goes_on(peer, &connection).await
}

/// The same container attaches the same link on another connection.
async fn stolen(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("stolen").await?;
    let first = peer.connect().await?;
    let options = || SenderOptions::new().name("the-one");
    let before = first.create_sender_with(&address, options()).await;
    let before = before.during("attach")?;
    check::send(&before, 0..1, SMALL).await?;
    let second = peer.connect().await?;
    let after = second.create_sender_with(&address, options()).await;
    let after = after.during("attach on the second connection")?;
    if peer.kind == Kind::BrokerJ {
        let error = check::soon("detach", before.closed()).await?;
        check::condition(&error, &ErrorCondition::Stolen)?;
        let sent = before.send(content::message(1, SMALL)).await;
        check::condition(&sent.err().ok_or("sent")?, &ErrorCondition::Stolen)?;
    } else {
        check::send(&before, 1..2, SMALL).await?;
    }
    check::send(&after, 2..3, SMALL).await?;
    first.close().await.during("close")?;
    second.close().await.during("close")?;
    match peer.kind {
        Kind::BrokerJ => Ok(Verdict::Pass),
        Kind::Artemis | Kind::Rabbit => Ok(Verdict::NotSupported(
            "both connections have a link of that name".into(),
        )),
    }
}

/// One name for a sender and for a receiver of the same session: two links.
async fn both_directions(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("both-directions").await?;
    let connection = peer.connect().await?;
    let sender = connection
        .create_sender_with(&address, SenderOptions::new().name("both"))
        .await
        .during("attach the sender")?;
    let receiver = connection
        .create_receiver_with(&address, ReceiverOptions::new().name("both"))
        .await
        .during("attach the receiver")?;
    check::send(&sender, 0..10, SMALL).await?;
    check::take(&receiver, 0..10, SMALL).await?;
    sender.close().await.during("close the sender")?;
    check::fill(&connection, &address, 10..20, SMALL).await?;
    check::take(&receiver, 10..20, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Fails unless the attach was refused with this condition; RabbitMQ ends the session instead of refusing the link.
fn refused(peer: &Peer, error: Option<Error>, wanted: &ErrorCondition) -> Result<(), String> {
    let error = error.ok_or("the link was attached")?;
    let kind = match peer.kind {
        Kind::Rabbit => ErrorKind::SessionEnded,
        Kind::Artemis | Kind::BrokerJ => ErrorKind::LinkDetached,
    };
    if error.kind() != kind {
        return Err(format!("{error:?}, not {kind:?}"));
    }
    check::condition(&error, wanted)
}

/// Links can be attached all the same: in the same session, or in another one where the broker has ended that.
async fn goes_on(peer: &Peer, connection: &Connection) -> Result<Verdict, String> {
    let address = peer.fresh("goes-on").await?;
    check::fill(connection, &address, 0..1, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
