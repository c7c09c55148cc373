//! Readers that are slower than the sender: what they have not taken waits at the peer, in order, and hinders nobody else.
//! Sections 2.5.6, 2.6.7.

use amqp_client::{ConnectionOptions, ReceiverOptions, SessionOptions};

use crate::check::{self, During};
use crate::content::{HUGE, LARGE, SMALL};
use crate::control::Shape;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::{Scenario, large};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("slow reader, credit 10", credit),
    scenario!("slow reader, session window 3", window),
    scenario!("slow reader, 50 of 1 MiB", octets),
    scenario!("slow reader of a stream", stream),
];

async fn credit(peer: &Peer) -> Result<Verdict, String> {
    waits(peer, SessionOptions::new(), 10, 1_000, 1_000).await
}

async fn window(peer: &Peer) -> Result<Verdict, String> {
    let session = SessionOptions::new().incoming_window(3);
    waits(peer, session, 500, 500, 10_000).await
}

/// The window follows from the octets that may wait: far fewer than are sent.
async fn octets(peer: &Peer) -> Result<Verdict, String> {
    let session = SessionOptions::new().incoming_octets(4 * LARGE);
    waits(peer, session, 500, 50, LARGE).await
}

/// The reader takes nothing until all is sent and accepted, on the same connection; then all of it is there.
async fn waits(
    peer: &Peer,
    session: SessionOptions,
    credit: u32,
    count: u64,
    size: usize,
) -> Result<Verdict, String> {
    let shape = Shape {
        classic: true,
        ..Shape::default()
    };
    let address = peer.shaped("auto.slow", shape).await?;
    let connection = peer.connect().await?;
    let session = connection.create_session(session).await;
    let session = session.during("begin a session")?;
    let receiver = session
        .create_receiver_with(&address, ReceiverOptions::new().prefetch(credit))
        .await
        .during("attach a receiver")?;
    check::fill(&connection, &address, 0..count, size).await?;
    check::take(&receiver, 0..count, size).await?;
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The beginning of a message is read; while the rest waits, others come and go.
async fn stream(peer: &Peer) -> Result<Verdict, String> {
    let shape = Shape {
        classic: true,
        ..Shape::default()
    };
    let address = peer.shaped("auto.slow-stream", shape).await?;
    let other = peer.shaped("auto.quick", shape).await?;
    let connection = peer
        .connect_with(CONTAINER, ConnectionOptions::new())
        .await?;
    check::fill(&connection, &address, 0..3, HUGE).await?;
    // Broker-J ends a message that it has begun, whatever the window.
    let octets = if peer.kind == Kind::BrokerJ {
        HUGE
    } else {
        LARGE
    };
    let options = SessionOptions::new().incoming_octets(octets);
    let session = connection.create_session(options).await;
    let session = session.during("begin a session")?;
    let receiver = session
        .create_receiver_with(&address, ReceiverOptions::new().streaming())
        .await
        .during("attach a receiver")?;
    for number in 0..3 {
        let stream = check::soon("receive", receiver.recv_stream()).await?;
        let mut stream = stream.during("receive")?;
        check::soon("read", stream.head()).await?.during("read")?;
        let quick = connection.create_receiver(&other).await;
        let quick = quick.during("attach a receiver")?;
        check::fill(&connection, &other, 0..100, SMALL).await?;
        check::take(&quick, 0..100, SMALL).await?;
        large::read(&mut stream, number, HUGE).await?;
        stream.delivery().accept();
    }
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
