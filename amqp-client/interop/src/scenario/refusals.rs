//! Connections that the broker does not want: what it says in its close is what the user is told. Sections 2.4.1, 2.4.3.

use std::time::Duration;

use amqp_client::types::transport::{ErrorCondition, Fields};
use amqp_client::types::{Symbol, Value};
use amqp_client::{Connection, ConnectionOptions, Container, Error, ErrorKind};

use crate::check::{self, During};
use crate::control;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("refused: unknown user", unknown_user),
    scenario!("refused: unknown hostname", unknown_hostname),
    scenario!("refused: container-id", container_id),
    scenario!("refused: limit of a user", limit),
    scenario!("refused: stopped host", stopped_host),
    scenario!("sole connection, the new one goes", sole_refused),
    scenario!("sole connection, the old one goes", sole_closes),
    scenario!("idle time-out below a second", idle),
];

async fn unknown_user(peer: &Peer) -> Result<Verdict, String> {
    let made = Container::new(CONTAINER)
        .connect(&peer.url("nobody:guest@"))
        .await;
    match made {
        Ok(_) => Err("the peer let us in".into()),
        Err(error) if error.kind() == ErrorKind::Authentication => Ok(Verdict::Pass),
        Err(error) => Err(format!("not refused by SASL: {error}")),
    }
}

/// Broker-J's open has a max-frame-size of 0, which nobody may judge before the close has been read.
async fn unknown_hostname(peer: &Peer) -> Result<Verdict, String> {
    let hostname = match peer.kind {
        Kind::Rabbit => "vhost:nowhere",
        Kind::Artemis | Kind::BrokerJ => "nowhere",
    };
    let options = ConnectionOptions::new().hostname(hostname);
    match peer.connect_with(CONTAINER, options.clone()).await {
        Ok(connection) if peer.kind == Kind::Artemis => {
            connection.close().await.during("close")?;
            return Ok(Verdict::NotSupported("it lets in any hostname".into()));
        }
        Ok(_) => return Err("the peer let us in".into()),
        Err(_) => {}
    }
    let made = Container::new(CONTAINER)
        .connect_with(&peer.url("guest:guest@"), options)
        .await;
    match made {
        Err(error) if peer.kind == Kind::Rabbit && error.kind() == ErrorKind::Io => Ok(
            Verdict::NotSupported(format!("it cuts instead of closing: {error}")),
        ),
        made => closed_with(made, &ErrorCondition::NotFound),
    }
}

/// Artemis lets in at one port only those whose name begins with `ok`.
async fn container_id(peer: &Peer) -> Result<Verdict, String> {
    if peer.kind != Kind::Artemis {
        let connection = peer.connect_with("", ConnectionOptions::new()).await;
        return match connection {
            Ok(connection) => {
                connection.close().await.during("close")?;
                Ok(Verdict::NotSupported("any container-id is welcome".into()))
            }
            Err(error) => Err(error),
        };
    }
    let url = peer.url_at("guest:guest@", 7);
    let welcome = Container::new(CONTAINER).connect(&url).await;
    welcome.during("connect")?.close().await.during("close")?;
    let made = Container::new("somebody").connect(&url).await;
    closed_with(made, &ErrorCondition::ConnectionForced)
}

/// The user `low` of Broker-J may have two connections.
async fn limit(peer: &Peer) -> Result<Verdict, String> {
    let container = Container::new(CONTAINER);
    let url = peer.url("low:low@");
    let mut kept = Vec::new();
    for _ in 0..2 {
        match container.connect(&url).await {
            Ok(connection) => kept.push(connection),
            Err(error) if peer.kind != Kind::BrokerJ => {
                check_kind(&error, ErrorKind::Authentication)?;
                return Ok(Verdict::NotSupported("no user has a limit".into()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    let verdict = closed_with(
        container.connect(&url).await,
        &ErrorCondition::ResourceLimitExceeded,
    );
    for connection in kept {
        connection.close().await.during("close")?;
    }
    verdict
}

/// Everybody is closed and nobody let in, until the host is started again.
async fn stopped_host(peer: &Peer) -> Result<Verdict, String> {
    if peer.kind != Kind::BrokerJ {
        return match control::host(peer, false).await {
            Ok(()) => Err("the host is stopped".into()),
            Err(error) => Ok(Verdict::NotSupported(format!(
                "no host of it can be stopped: {error}"
            ))),
        };
    }
    let before = peer.connect().await?;
    control::host(peer, false).await?;
    let closed = check::soon("close", before.closed()).await?;
    let made = Container::new(CONTAINER)
        .connect(&peer.url("guest:guest@"))
        .await;
    control::host(peer, true).await?;
    match closed {
        Ok(()) => return Err("closed without a reason".into()),
        Err(error) => check::condition(&error, &ErrorCondition::ConnectionForced)?,
    }
    let verdict = closed_with(made, &ErrorCondition::ConnectionForced)?;
    peer.connect().await?.close().await.during("close")?;
    Ok(verdict)
}

async fn sole_refused(peer: &Peer) -> Result<Verdict, String> {
    let options = sole(0);
    let first = peer.connect_with("ok-sole-0", options.clone()).await?;
    if !offers_sole(&first) {
        return several(peer, "ok-sole-0", options).await;
    }
    let made = Container::new("ok-sole-0")
        .connect_with(&peer.url("guest:guest@"), options)
        .await;
    if made.is_ok() && peer.kind == Kind::BrokerJ {
        return Ok(limited_host());
    }
    let verdict = closed_with(made, &ErrorCondition::InvalidField)?;
    first.close().await.during("close the first one")?;
    Ok(verdict)
}

async fn sole_closes(peer: &Peer) -> Result<Verdict, String> {
    let options = sole(1);
    let first = peer.connect_with("ok-sole-1", options.clone()).await?;
    if !offers_sole(&first) {
        return several(peer, "ok-sole-1", options).await;
    }
    let made = Container::new("ok-sole-1")
        .connect_with(&peer.url("guest:guest@"), options)
        .await;
    let second = match made {
        Ok(second) => second,
        // Artemis knows one policy only.
        Err(error) if peer.kind == Kind::Artemis => {
            check::condition(&error, &ErrorCondition::InvalidField)?;
            first.close().await.during("close the first one")?;
            return Ok(Verdict::NotSupported(format!(
                "the new one goes all the same: {error}"
            )));
        }
        // While it closes the old one it takes the begin that comes with our open for a mistake.
        Err(error) if peer.kind == Kind::BrokerJ => {
            check::condition(&error, &ErrorCondition::InternalError)?;
            return Ok(Verdict::NotSupported(error.to_string()));
        }
        Err(error) => return Err(error.to_string()),
    };
    match tokio::time::timeout(Duration::from_secs(2), first.closed()).await {
        Ok(Ok(())) => return Err("closed without a reason".into()),
        Ok(Err(error)) => check::condition(&error, &ErrorCondition::ResourceLocked)?,
        Err(_) if peer.kind == Kind::BrokerJ => return Ok(limited_host()),
        Err(_) => return Err("both connections are open".into()),
    }
    second.close().await.during("close the second one")?;
    Ok(Verdict::Pass)
}

/// Seen with Broker-J 9.2.1: a host without a limit of connections does as it says.
fn limited_host() -> Verdict {
    Verdict::NotSupported(
        "where a host limits connections, it forgets to look at container-ids".into(),
    )
}

/// The capability and the policy of the extension "sole connection".
fn sole(policy: u32) -> ConnectionOptions {
    let mut properties = Fields::default();
    let key = Symbol::from_static("sole-connection-enforcement-policy");
    properties.insert(key, Value::Uint(policy));
    ConnectionOptions::new()
        .desired_capabilities([Symbol::from_static("sole-connection-for-container")])
        .properties(properties)
}

fn offers_sole(connection: &Connection) -> bool {
    let offered = &connection.remote().offered_capabilities;
    offered
        .iter()
        .any(|capability| capability.as_str() == "sole-connection-for-container")
}

/// A peer that does not offer it has two connections of one container.
async fn several(
    peer: &Peer,
    container: &str,
    options: ConnectionOptions,
) -> Result<Verdict, String> {
    let second = peer.connect_with(container, options).await?;
    second.close().await.during("close")?;
    Ok(Verdict::NotSupported(
        "it does not offer the capability".into(),
    ))
}

/// Broker-J will not be as quick as that.
async fn idle(peer: &Peer) -> Result<Verdict, String> {
    let time_out = Duration::from_millis(600);
    let options = ConnectionOptions::new().idle_time_out(Some(time_out));
    let made = Container::new(CONTAINER)
        .connect_with(&peer.url("guest:guest@"), options)
        .await;
    match made {
        Ok(connection) => {
            let quiet = tokio::time::timeout(3 * time_out, connection.closed()).await;
            match quiet {
                Err(_) => connection
                    .close()
                    .await
                    .during("close")
                    .map(|()| Verdict::Pass),
                Ok(ended) => {
                    let error = ended.err().ok_or("closed without a reason")?;
                    Ok(Verdict::NotSupported(error.to_string()))
                }
            }
        }
        Err(error) if peer.kind == Kind::BrokerJ => {
            check::condition(&error, &ErrorCondition::ConnectionForced)?;
            Ok(Verdict::NotSupported(error.to_string()))
        }
        // Before the first attempt to use the connection.
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            Ok(Verdict::NotSupported(error.to_string()))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn closed_with(
    made: Result<Connection, Error>,
    wanted: &ErrorCondition,
) -> Result<Verdict, String> {
    match made {
        Ok(_) => Err("the peer let us in".into()),
        Err(error) => {
            check_kind(&error, ErrorKind::ConnectionClosed)?;
            check::condition(&error, wanted).map(|()| Verdict::Pass)
        }
    }
}

fn check_kind(error: &Error, kind: ErrorKind) -> Result<(), String> {
    match error.kind() == kind {
        true => Ok(()),
        false => Err(format!("{error:?}, not {kind:?}")),
    }
}
