//! Frames of 512 octets and of 4 KiB, a session window of 3 frames, many sessions and many links. Sections 2.3.2, 2.5.6, 2.7.1.

use amqp_client::{ConnectionOptions, ReceiverOptions, SessionOptions};

use crate::check::{self, During};
use crate::content::SMALL;
use crate::control::Shape;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("frames of 512 octets", smallest),
    scenario!("frames of 4 KiB", four_kib),
    scenario!("session window of 3 frames", window),
    scenario!("30 sessions", sessions),
    scenario!("100 links in a session", links),
    scenario!("idle, heartbeats both ways", idle),
];

async fn smallest(peer: &Peer) -> Result<Verdict, String> {
    // Broker-J answers no attach in 512 octets; below that the whole broker ends.
    let octets = if peer.kind == Kind::BrokerJ {
        1_024
    } else {
        512
    };
    framed(peer, octets).await
}

async fn four_kib(peer: &Peer) -> Result<Verdict, String> {
    framed(peer, 4_096).await
}

/// Messages below, at and far above the size of a frame, both ways.
async fn framed(peer: &Peer, octets: u32) -> Result<Verdict, String> {
    let address = peer.fresh("framed").await?;
    let options = ConnectionOptions::new().max_frame_size(octets);
    let connection = peer.connect_with(CONTAINER, options).await?;
    let frame = usize::try_from(octets).during("count")?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    for size in [SMALL, frame - 60, frame, 10_000, 300_000] {
        check::fill(&connection, &address, 0..20, size).await?;
        check::take(&receiver, 0..20, size).await?;
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Each message has about as many frames as the window; many of them wait at the peer.
async fn window(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("window").await?;
    let options = ConnectionOptions::new().max_frame_size(4_096);
    let connection = peer.connect_with(CONTAINER, options).await?;
    check::fill(&connection, &address, 0..100, 10_000).await?;
    let session = connection
        .create_session(SessionOptions::new().incoming_window(3))
        .await
        .during("begin a session")?;
    let receiver = session
        .create_receiver_with(&address, ReceiverOptions::new().prefetch(50))
        .await
        .during("attach a receiver")?;
    check::take(&receiver, 0..100, 10_000).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Channels and handles need not be the same at both ends: each session gets its own messages.
async fn sessions(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let mut all = Vec::new();
    let mut hole = None;
    for number in 0..30 {
        let shape = Shape {
            classic: true,
            ..Shape::default()
        };
        let address = peer
            .shaped(&format!("auto.session-{number}"), shape)
            .await?;
        let session = connection.create_session(SessionOptions::new()).await;
        let session = session.during("begin a session")?;
        // A session that ends in between, so that channels are used again.
        if let Some(hole) = hole.replace(connection.create_session(SessionOptions::new()).await) {
            hole.during("begin a session")?.end().await.during("end")?;
        }
        let sender = session.create_sender(&address).await;
        let sender = sender.during("attach a sender")?;
        let receiver = session.create_receiver(&address).await;
        all.push((number, sender, receiver.during("attach a receiver")?));
    }
    for (number, sender, _) in all.iter().rev() {
        check::send(sender, *number..number + 1, SMALL).await?;
    }
    for (number, _, receiver) in &all {
        check::take(receiver, *number..number + 1, SMALL).await?;
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Fifty senders and fifty receivers at one queue: each message arrives at one of them.
async fn links(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("links").await?;
    let connection = peer.connect().await?;
    let mut receivers = Vec::new();
    for number in 0..50 {
        receivers.push(check::receiver(&connection, &address, 1).await?);
        check::fill(&connection, &address, number..number + 1, SMALL).await?;
    }
    let mut numbers = Vec::new();
    for receiver in &receivers {
        let delivery = check::next(receiver).await?;
        let properties = delivery.message().during("decode")?.properties;
        numbers.push(format!("{:?}", properties.and_then(|all| all.message_id)));
        delivery.accept();
    }
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.len() != receivers.len() {
        return Err(format!("{} of 50 messages arrived", numbers.len()));
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Nobody says anything for three idle time-outs of ours, and the connection is still there.
async fn idle(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("idle").await?;
    let time_out = std::time::Duration::from_secs(2);
    let options = ConnectionOptions::new().idle_time_out(Some(time_out));
    let connection = peer.connect_with(CONTAINER, options).await?;
    if let Ok(ended) = tokio::time::timeout(3 * time_out, connection.closed()).await {
        return Err(format!("the connection ended: {ended:?}"));
    }
    check::fill(&connection, &address, 0..1, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
