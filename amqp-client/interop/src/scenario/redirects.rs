//! Brokers that send us elsewhere: followed on request, as often as the user allows. Section 2.8.16.

use amqp_client::types::transport::ErrorCondition;
use amqp_client::{Connection, ConnectionOptions, Container, ReceiverOptions, SenderOptions};

use crate::check::{self, During};
use crate::content::SMALL;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::wire;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("redirect, not followed", not_followed),
    scenario!("redirect, followed", followed),
    scenario!("redirect, links behind it", links),
    scenario!("redirect, too many", too_many),
];

/// Where redirects come from, and what to ask for there; RabbitMQ sends none.
fn origin(peer: &Peer, hostname: &str) -> Option<(String, ConnectionOptions)> {
    let options = ConnectionOptions::new();
    match peer.kind {
        Kind::Artemis => Some((peer.url_at("guest:guest@", 8), options)),
        Kind::BrokerJ => Some((peer.url("guest:guest@"), options.hostname(hostname))),
        Kind::Rabbit => None,
    }
}

/// RabbitMQ has nothing that redirects: connection and links are opened where they are asked for, and that is all that it says.
async fn none(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("not-redirected").await?;
    let recording = wire::record();
    let url = format!("{}/{address}", peer.url("guest:guest@"));
    let options = ConnectionOptions::new();
    let sender = Container::new(CONTAINER)
        .sender_following(&url, options, SenderOptions::new(), 3)
        .await
        .during("connect")?;
    check::send(&sender, 0..1, SMALL).await?;
    sender.close().await.during("close the sender")?;
    let answer = recording.frame(&["<- 0 open("])?;
    let opens = recording.count(&["-> 0 open("]);
    if opens != 1 || recording.last(&["<- ", ":redirect"]).is_some() {
        return Err(format!("{opens} connections, and it said {answer}"));
    }
    Ok(Verdict::NotSupported(format!(
        "it opens where it is asked to: {answer}"
    )))
}

/// The user who does not follow learns where to go.
async fn not_followed(peer: &Peer) -> Result<Verdict, String> {
    let Some((url, options)) = origin(peer, "redir") else {
        return none(peer).await;
    };
    let made = Container::new(CONTAINER).connect_with(&url, options).await;
    let error = made.err().ok_or("the peer let us in")?;
    check::condition(&error, &ErrorCondition::ConnectionRedirect)?;
    let redirect = error.redirect().ok_or("the redirect does not say where")?;
    if redirect.network_host.as_deref() != Some("127.0.0.1") || redirect.port.is_none() {
        return Err(format!("{redirect:?}"));
    }
    Ok(Verdict::Pass)
}

async fn followed(peer: &Peer) -> Result<Verdict, String> {
    let Some((url, options)) = origin(peer, "redir") else {
        return none(peer).await;
    };
    let connection = Container::new(CONTAINER)
        .connect_following(&url, options, 1)
        .await
        .during("follow")?;
    use_it(peer, &connection).await?;
    Ok(Verdict::Pass)
}

/// A sender and a receiver by the path of a URL.
async fn links(peer: &Peer) -> Result<Verdict, String> {
    let Some((url, options)) = origin(peer, "redir") else {
        return none(peer).await;
    };
    let address = peer.fresh("redirected").await?;
    let url = format!("{url}/{address}");
    let container = Container::new(CONTAINER);
    let sender = container
        .sender_following(&url, options.clone(), SenderOptions::new(), 1)
        .await
        .during("follow with a sender")?;
    check::send(&sender, 0..10, SMALL).await?;
    let receiver = container
        .receiver_following(&url, options, ReceiverOptions::new(), 1)
        .await
        .during("follow with a receiver")?;
    check::take(&receiver, 0..10, SMALL).await?;
    sender.close().await.during("close the sender")?;
    receiver.close().await.during("close the receiver")?;
    Ok(Verdict::Pass)
}

/// One redirect more than the user allows; Broker-J's second one leads back to itself.
async fn too_many(peer: &Peer) -> Result<Verdict, String> {
    let Some((url, options)) = origin(peer, "loop") else {
        return none(peer).await;
    };
    let limit = if peer.kind == Kind::BrokerJ { 3 } else { 0 };
    let made = Container::new(CONTAINER)
        .connect_following(&url, options, limit)
        .await;
    let error = made.err().ok_or("the peer let us in")?;
    check::condition(&error, &ErrorCondition::ConnectionRedirect)?;
    Ok(Verdict::Pass)
}

async fn use_it(peer: &Peer, connection: &Connection) -> Result<(), String> {
    let address = peer.fresh("redirected").await?;
    check::fill(connection, &address, 0..10, SMALL).await?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 0..10, SMALL).await?;
    connection.close().await.during("close")
}
