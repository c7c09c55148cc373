//! Frames of 512 octets and of 4 KiB, a session window of 3 frames, many sessions and many links. Sections 2.3.2, 2.5.6, 2.7.1.

use amqp_client::{
    ConnectionOptions, Container, ErrorKind, Initiator, ReceiverOptions, SessionOptions,
};

use crate::check::{self, During};
use crate::content::SMALL;
use crate::control::Shape;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::wire;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("frames of 512 octets", smallest),
    scenario!("frames of 4 KiB", four_kib),
    scenario!("session window of 3 frames", window),
    scenario!("30 sessions", sessions),
    scenario!("as many sessions as there may be", all_sessions),
    scenario!("100 links in a session", links),
    scenario!("idle, heartbeats both ways", idle),
    scenario!("idle, the peer waits for two seconds", impatient),
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

/// The smaller channel-max of the two opens counts: RabbitMQ's, else ours. One more is refused here, and costs nothing.
async fn all_sessions(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let mut sessions = Vec::new();
    let error = loop {
        match connection.create_session(SessionOptions::new()).await {
            Ok(session) => sessions.push(session),
            Err(error) => break error,
        }
    };
    if error.kind() != ErrorKind::Limit || error.initiator() != Initiator::Library {
        return Err(format!("session {}: {error:?}", sessions.len()));
    }
    // The one that links without a session use has a channel too.
    let channels = usize::from(connection.remote().channel_max).min(255) + 1;
    if sessions.len() + 1 != channels {
        return Err(format!("{} sessions, {channels} channels", sessions.len()));
    }
    let last = sessions.pop().ok_or("no session")?;
    last.end().await.during("end")?;
    let again = connection.create_session(SessionOptions::new()).await;
    let address = peer.fresh("all-sessions").await?;
    let sender = again.during("begin again")?.create_sender(&address).await;
    check::send(&sender.during("attach a sender")?, 0..1, SMALL).await?;
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

/// We have nothing to say for three times as long as the peer waits, but that we are there. RabbitMQ waits longer than a row should.
async fn impatient(peer: &Peer) -> Result<Verdict, String> {
    let offset = match peer.kind {
        Kind::Artemis => 7,
        Kind::Rabbit => 0,
        Kind::BrokerJ => 6,
    };
    let recording = wire::record();
    let connection = Container::new(CONTAINER)
        .connect(&peer.url_at("guest:guest@", offset))
        .await
        .during("connect")?;
    let time_out = connection.remote().idle_time_out;
    let time_out = time_out.map_or(0, |time_out| u64::from(time_out.0));
    if time_out == 0 || time_out > 2_000 {
        connection.close().await.during("close")?;
        return Ok(Verdict::NotSupported(recording.frame(&["<- 0 open("])?));
    }
    let wait = std::time::Duration::from_millis(2 * 3 * time_out);
    if let Ok(ended) = tokio::time::timeout(wait, connection.closed()).await {
        return Err(format!("the connection ended: {ended:?}"));
    }
    let address = peer.fresh("impatient").await?;
    check::fill(&connection, &address, 0..1, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
