//! Who is let in: SASL ANONYMOUS and PLAIN, and a password that is refused. Section 5.3.

use amqp_client::{Container, ErrorKind};

use crate::check::During;
use crate::peer::Peer;
use crate::report::Verdict;

pub(super) async fn anonymous(peer: &Peer) -> Result<Verdict, String> {
    open_and_close(&peer.url("")).await
}

pub(super) async fn plain(peer: &Peer) -> Result<Verdict, String> {
    open_and_close(&peer.url("guest:guest@")).await
}

pub(super) async fn refused(peer: &Peer) -> Result<Verdict, String> {
    match Container::new("amqp-interop")
        .connect(&peer.url("guest:wrong@"))
        .await
    {
        Ok(_) => Err("the peer let us in".into()),
        Err(error) if error.kind() == ErrorKind::Authentication => Ok(Verdict::Pass),
        Err(error) => Err(format!("not refused by SASL: {error}")),
    }
}

async fn open_and_close(url: &str) -> Result<Verdict, String> {
    let connection = Container::new("amqp-interop")
        .connect(url)
        .await
        .during("connect")?;
    if connection.remote_container_id().is_empty() {
        return Err("the peer's open has no container-id".into());
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
