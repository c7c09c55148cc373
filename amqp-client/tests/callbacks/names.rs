//! Names of links that are in use, and other links that are never opened. Section 2.6.1.

use amqp_client::handler::{ActiveContainer, Connection, HandlerResult};
use amqp_client::types::Symbol;
use amqp_client::types::transport::{End, Open, Performative};
use amqp_client::{SenderOptions, SessionOptions};

use crate::peer::{Waiting, plain};
use crate::recorder::{Recorder, ended};

fn named(connection: &Connection) -> HandlerResult {
    let options = SenderOptions::new().name("l");
    connection.create_sender_with("q", options)?;
    Ok(())
}

fn connect(container: &ActiveContainer, url: &str) -> Result<Connection, amqp_client::Error> {
    container.connect_with(url, plain())
}

#[tokio::test]
async fn a_name_in_use_is_an_error_where_the_peer_is_known() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (tell, connection) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        let connection = connect(container, &url)?;
        named(&connection)?;
        tell.send(connection)?;
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    log.has("link_opened l", 1).await;
    let connection = connection.recv().unwrap();
    let again = connection.create_sender_with("q", SenderOptions::new().name("l"));
    // tests: [LNK-01]
    let error = again.expect_err("a sender has the name");
    assert_eq!(error.kind(), amqp_client::ErrorKind::Configuration);
    running.container().stop();
    peer.close().await;
    let lines = ended(&log, running).await;
    let links: Vec<_> = lines.iter().filter(|l| l.starts_with("link")).collect();
    assert_eq!(links, ["link_opened l"]);
}

#[tokio::test]
async fn a_name_in_use_is_told_once_the_peer_is_known() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (tell, asked) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        let connection = connect(container, &url)?;
        named(&connection)?;
        named(&connection)?;
        Ok(tell.send(())?)
    })
    .run();
    // Before that the peer does not open.
    asked.recv().unwrap();
    let mut peer = waiting.begin().await;
    // tests: [LNK-01]
    // One attach comes. It is not answered: the error closes the connection, and an answer could be faster.
    peer.until(|frame| matches!(frame, Performative::Attach(_)))
        .await;
    peer.close().await;
    let lines = ended(&log, running).await;
    let links: Vec<_> = lines.iter().filter(|l| l.starts_with("link")).collect();
    assert_eq!(links, ["link_error l", "link_closed l"]);
}

#[tokio::test]
async fn a_name_waits_for_the_open_and_what_follows_keeps_its_order() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (tell, asked) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        let connection = connect(container, &url)?;
        let options = amqp_client::ReceiverOptions::new()
            .name("l")
            .manual_credit();
        let receiver = connection.create_receiver_with("q", options)?;
        receiver.add_credit(5);
        receiver.drain();
        Ok(tell.send(())?)
    })
    .run();
    // Before that the peer does not open.
    asked.recv().unwrap();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    let frame = peer
        .until(|frame| matches!(frame, Performative::Flow(flow) if flow.handle.is_some()))
        .await;
    let Performative::Flow(flow) = frame else {
        unreachable!()
    };
    assert_eq!((flow.link_credit, flow.drain), (Some(5), true));
    log.has("link_opened l", 1).await;
    running.container().stop();
    peer.close().await;
    ended(&log, running).await;
}

#[tokio::test]
async fn a_session_for_which_no_channel_is_left_is_an_error() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (tell, connection) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        let connection = connect(container, &url)?;
        connection.session()?;
        tell.send(connection)?;
        Ok(())
    })
    .run();
    let mut open = Open::new("peer");
    open.channel_max = 0;
    let peer = waiting.begin_with(open).await;
    log.has("session_opened", 1).await;
    let connection = connection.recv().unwrap();
    // tests: [CON-15]
    connection.create_session(SessionOptions::new()).unwrap();
    log.has("session_error", 1).await;
    peer.close().await;
    let lines = ended(&log, running).await;
    let sessions: Vec<_> = lines.iter().filter(|l| l.starts_with("session")).collect();
    assert_eq!(
        sessions,
        ["session_opened", "session_error", "session_closed"]
    );
}

#[tokio::test]
async fn a_capability_that_the_peer_does_not_offer_is_an_error() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        let connection = connect(container, &url)?;
        let options = SenderOptions::new()
            .name("l")
            .require_capabilities([Symbol::from_static("queue")]);
        connection.create_sender_with("q", options)?;
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    // tests: [CON-46]
    peer.attach().await;
    peer.close().await;
    let lines = ended(&log, running).await;
    let links: Vec<_> = lines.iter().filter(|l| l.starts_with("link")).collect();
    assert_eq!(links, ["link_error l"]);
}

#[tokio::test]
async fn a_link_in_a_session_that_is_over_is_an_error() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (tell, session) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        tell.send(connect(container, &url)?.session()?)?;
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    peer.write(&End::default()).await;
    log.has("session_closed", 1).await;
    let session = session.recv().unwrap();
    let options = SenderOptions::new().name("l");
    session.create_sender_with("q", options).unwrap();
    log.has("link_closed l", 1).await;
    peer.close().await;
    let lines = ended(&log, running).await;
    let links: Vec<_> = lines.iter().filter(|l| l.starts_with("link")).collect();
    assert_eq!(links, ["link_error l", "link_closed l"]);
}
