//! Connections that the broker does not want: what it says in its close is what the user is told. Sections 2.4.1, 2.4.3.

use std::time::Duration;

use amqp_client::types::transport::{ErrorCondition, Fields};
use amqp_client::types::{Symbol, Value};
use amqp_client::{Connection, ConnectionOptions, Container, Error, ErrorKind, SessionOptions};

use crate::check::{self, During};
use crate::content::SMALL;
use crate::control;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::wire::{self, Recording};

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

/// Artemis lets in at one port only those whose name begins with `ok`. The others look at no name: even one without letters, which
/// goes out as it is, is welcome.
async fn container_id(peer: &Peer) -> Result<Verdict, String> {
    if peer.kind != Kind::Artemis {
        let recording = wire::record();
        let connection = peer.connect_with("", ConnectionOptions::new()).await?;
        recording.frame(&["-> 0 open(", "container-id=\"\""])?;
        let answer = recording.frame(&["<- 0 open("])?;
        connection.close().await.during("close")?;
        return Ok(Verdict::NotSupported(format!(
            "any container-id is welcome: {answer}"
        )));
    }
    let url = peer.url_at("guest:guest@", 7);
    let welcome = Container::new(CONTAINER).connect(&url).await;
    welcome.during("connect")?.close().await.during("close")?;
    let recording = wire::record();
    let made = Container::new("somebody").connect(&url).await;
    let verdict = closed_with(made, &ErrorCondition::ConnectionForced)?;
    recording.frame(&[
        "<- 0 open(",
        "container-id=\"\"",
        ":amqp:connection-establishment-failed",
    ])?;
    Ok(verdict)
}

/// The user `low` may have two connections. Broker-J refuses the third with an open that has a max-frame-size of 0, and a close.
async fn limit(peer: &Peer) -> Result<Verdict, String> {
    control::limit_user(peer).await?;
    let container = Container::new(CONTAINER);
    let url = peer.url("low:low@");
    let mut kept = Vec::new();
    for _ in 0..2 {
        kept.push(container.connect(&url).await.during("connect")?);
    }
    let recording = wire::record();
    let made = container.connect(&url).await;
    let verdict = match (peer.kind, made) {
        // Its limit is told by sessions, which it does not count where they are AMQP's.
        (Kind::Artemis, Ok(third)) => {
            kept.push(third);
            for connection in &kept {
                let address = peer.fresh("limit").await?;
                check::fill(connection, &address, 0..1, SMALL).await?;
            }
            let answer = recording.frame(&["<- 0 attach("])?;
            Verdict::NotSupported(format!("three are in use where two may be: {answer}"))
        }
        (Kind::Rabbit, Err(error)) => {
            check_kind(&error, ErrorKind::Io)?;
            recording.frame(&["-> 0 open("])?;
            match recording.last(&["<- 0 "]) {
                Some(frame) => return Err(format!("it answers {frame}")),
                None => Verdict::NotSupported(format!("it cuts instead of closing: {error}")),
            }
        }
        (_, made) => {
            let verdict = closed_with(made, &ErrorCondition::ResourceLimitExceeded)?;
            recording.frame(&["<- 0 open(", "max-frame-size=0,"])?;
            recording.frame(&["<- 0 close(", "resource-limit-exceeded"])?;
            verdict
        }
    };
    // The two are as good as before, and leave their places to others.
    for connection in kept {
        connection
            .create_session(SessionOptions::new())
            .await
            .during("begin")?;
        connection.close().await.during("close")?;
    }
    let again = async {
        loop {
            match container.connect(&url).await {
                Ok(connection) => return connection.close().await,
                // The broker may not have seen yet that the others are gone.
                Err(error) if error.kind() != ErrorKind::Authentication => {}
                Err(error) => return Err(error),
            }
        }
    };
    check::soon("connect again", again)
        .await?
        .during("connect again")?;
    Ok(verdict)
}

/// Everybody is closed and nobody let in, until the host is started again.
async fn stopped_host(peer: &Peer) -> Result<Verdict, String> {
    let (url, options) = control::host_of(peer);
    let connect = || {
        let container = Container::new(CONTAINER);
        let (url, options) = (url.clone(), options.clone());
        async move { container.connect_with(&url, options).await }
    };
    if peer.kind == Kind::Rabbit {
        control::host(peer, true).await?;
    }
    let before = connect().await.during("connect")?;
    control::host(peer, false).await?;
    let closed = check::soon("close", before.closed()).await?;
    let made = connect().await;
    control::host(peer, true).await?;
    let closed = closed.err().ok_or("closed without a reason")?;
    let refused = made.err().ok_or("the peer let us in")?;
    match peer.kind {
        Kind::BrokerJ => {
            check::condition(&closed, &ErrorCondition::ConnectionForced)?;
            check_kind(&refused, ErrorKind::ConnectionClosed)?;
            check::condition(&refused, &ErrorCondition::ConnectionForced)?;
        }
        // It is a listener that is gone, without a word to those who were connected.
        Kind::Artemis => {
            check_kind(&closed, ErrorKind::Io)?;
            check_kind(&refused, ErrorKind::Io)?;
        }
        // The host is deleted: that is said to those who are there, and to nobody else.
        Kind::Rabbit => {
            check_kind(&closed, ErrorKind::ConnectionClosed)?;
            check::condition(&closed, &ErrorCondition::InternalError)?;
            check_kind(&refused, ErrorKind::Io)?;
        }
    }
    connect()
        .await
        .during("connect again")?
        .close()
        .await
        .during("close")?;
    Ok(Verdict::Pass)
}

/// A host of Broker-J of its own: where one limits connections, container-ids are not always looked at.
async fn sole_connect(peer: &Peer, container: &str, policy: u32) -> Result<Connection, Error> {
    let options = match peer.kind {
        Kind::BrokerJ => sole(policy).hostname("free"),
        Kind::Artemis | Kind::Rabbit => sole(policy),
    };
    let container = Container::new(container.to_owned());
    container
        .connect_with(&peer.url("guest:guest@"), options)
        .await
}

async fn sole_refused(peer: &Peer) -> Result<Verdict, String> {
    let recording = wire::record();
    let name = "ok-sole-0";
    let first = sole_connect(peer, name, 0).await.during("connect")?;
    if !offers_sole(&first) {
        return several(peer, name, 0, &recording).await;
    }
    let made = sole_connect(peer, name, 0).await;
    let verdict = closed_with(made, &ErrorCondition::InvalidField)?;
    recording.frame(&["<- 0 open(", ":amqp:connection-establishment-failed"])?;
    recording.frame(&["<- 0 close(", "info={:invalid-field: :container-id}"])?;
    first.close().await.during("close the first one")?;
    let other = sole_connect(peer, name, 0).await.during("connect again")?;
    other.close().await.during("close the other one")?;
    Ok(verdict)
}

/// Broker-J closes the old one, and while it does takes the begin that comes with our open for a mistake: the next attempt is let in.
async fn sole_closes(peer: &Peer) -> Result<Verdict, String> {
    let recording = wire::record();
    let name = "ok-sole-1";
    let first = sole_connect(peer, name, 1).await.during("connect")?;
    if !offers_sole(&first) {
        return several(peer, name, 1, &recording).await;
    }
    let second = match sole_connect(peer, name, 1).await {
        Err(error) if peer.kind == Kind::BrokerJ => {
            check::condition(&error, &ErrorCondition::InternalError)?;
            sole_connect(peer, name, 1).await
        }
        made => made,
    };
    // Artemis knows one policy only.
    if peer.kind == Kind::Artemis {
        let error = second.err().ok_or("both connections are open")?;
        check::condition(&error, &ErrorCondition::InvalidField)?;
        first.close().await.during("close the first one")?;
        return Ok(Verdict::NotSupported(format!(
            "the new one goes all the same: {error}"
        )));
    }
    let second = second.during("connect the second one")?;
    let closed = check::soon("close the first one", first.closed()).await?;
    let error = closed.err().ok_or("closed without a reason")?;
    check::condition(&error, &ErrorCondition::ResourceLocked)?;
    second.close().await.during("close the second one")?;
    Ok(Verdict::Pass)
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
    name: &str,
    policy: u32,
    recording: &Recording,
) -> Result<Verdict, String> {
    let second = sole_connect(peer, name, policy).await.during("connect")?;
    second.close().await.during("close")?;
    let answer = recording.frame(&["<- 0 open("])?;
    Ok(Verdict::NotSupported(format!(
        "two connections of one container are open, and the capability is not offered: {answer}"
    )))
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
