//! Who is let in: SASL ANONYMOUS and PLAIN, and a password that is refused. Section 5.3.

use amqp_client::{Container, ErrorKind};

use crate::check::During;
use crate::peer::{CONTAINER, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("SASL ANONYMOUS", anonymous),
    scenario!("SASL PLAIN", plain),
    scenario!("SASL PLAIN refused", refused),
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
