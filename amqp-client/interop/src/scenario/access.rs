//! Who is let in: SASL ANONYMOUS and PLAIN, and a password that is refused. Section 5.3.

use amqp_client::{ConnectionOptions, Container, ErrorKind};

use crate::check::During;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::wire;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("SASL ANONYMOUS", anonymous),
    scenario!("SASL PLAIN", plain),
    scenario!("SASL PLAIN refused", refused),
    scenario!("no SASL at all", bare),
];

async fn anonymous(peer: &Peer) -> Result<Verdict, String> {
    open_and_close(&peer.url("")).await
}

async fn plain(peer: &Peer) -> Result<Verdict, String> {
    open_and_close(&peer.url("guest:guest@")).await
}

async fn refused(peer: &Peer) -> Result<Verdict, String> {
    match Container::new(CONTAINER)
        .connect(&peer.url("guest:wrong@"))
        .await
    {
        Ok(_) => Err("the peer let us in".into()),
        Err(error) if error.kind() == ErrorKind::Authentication => Ok(Verdict::Pass),
        Err(error) => Err(format!("not refused by SASL: {error}")),
    }
}

/// Artemis and Broker-J take it for ANONYMOUS where they offer that; RabbitMQ answers with the header that it wants instead.
async fn bare(peer: &Peer) -> Result<Verdict, String> {
    let recording = wire::record();
    let made = Container::new(CONTAINER)
        .connect_with(&peer.url(""), ConnectionOptions::new().without_sasl())
        .await;
    recording.frame(&["-> header AMQP"])?;
    match made {
        Ok(connection) if peer.kind != Kind::Rabbit => {
            recording.frame(&["<- header AMQP"])?;
            connection.close().await.during("close")?;
            Ok(Verdict::Pass)
        }
        Err(error) if peer.kind == Kind::Rabbit => {
            let header = recording.frame(&["<- header SASL"])?;
            match error.kind() {
                ErrorKind::Protocol => Ok(Verdict::NotSupported(format!("{error}: {header}"))),
                _ => Err(format!("{error:?}")),
            }
        }
        made => Err(format!("{made:?}")),
    }
}

async fn open_and_close(url: &str) -> Result<Verdict, String> {
    let connection = Container::new(CONTAINER)
        .connect(url)
        .await
        .during("connect")?;
    if connection.remote_container_id().is_empty() {
        return Err("the peer's open has no container-id".into());
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
