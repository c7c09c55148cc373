//! How sessions begin and end, at either end's wish.

use amqp_client::handler::HandlerOptions;
use amqp_client::types::transport::{self, Begin, End, ErrorCondition, Performative};
use amqp_client::{ConnectionOptions, Container, SessionOptions};

use crate::peer::{Waiting, plain};
use crate::recorder::{Recorder, ended, stop};

/// What is called when the peer ends the session of a connection that a link is attached in.
async fn peer_ends(end: End, options: HandlerOptions) -> Vec<String> {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let mut recorder = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        let link = amqp_client::SenderOptions::new().name("l");
        connection.create_sender_with("q", link)?;
        Ok(())
    });
    recorder.options = options;
    let (log, running) = recorder.run();
    let mut peer = waiting.begin().await;
    peer.attach().await;
    log.has("link_opened l", 1).await;
    peer.write(&end).await;
    log.has("session_closed", 1).await;
    running.container().stop();
    peer.close().await;
    let lines = ended(&log, running).await;
    assert_eq!(
        lines[..4],
        [
            "start",
            "connection_opened",
            "session_opened",
            "link_opened l"
        ]
    );
    lines[4..].to_vec()
}

#[tokio::test]
async fn a_session_that_the_peer_ends_in_peace_tells_nothing_of_its_links() {
    let lines = peer_ends(End::default(), HandlerOptions::default()).await;
    assert_eq!(
        lines,
        [
            "session_closed",
            "connection_closed",
            "transport_closed",
            "stop"
        ]
    );
}

#[tokio::test]
async fn a_session_whose_end_counts_as_an_error_closes_its_connection() {
    let options = HandlerOptions {
        peer_close_is_error: true,
        ..HandlerOptions::default()
    };
    let lines = peer_ends(End::default(), options).await;
    assert_eq!(lines[..2], ["session_error", "session_closed"]);
}

#[tokio::test]
async fn a_session_that_ends_with_an_error_closes_its_connection() {
    let end = End {
        error: Some(Box::new(transport::Error::new(ErrorCondition::NotAllowed))),
    };
    let lines = peer_ends(end, HandlerOptions::default()).await;
    assert_eq!(
        lines,
        [
            "session_error",
            "session_closed",
            "connection_closed",
            "transport_closed",
            "stop"
        ]
    );
}

#[tokio::test]
async fn a_session_that_the_peer_begins_is_opening_first() {
    let (tell, address) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        tell.send(container.listen("127.0.0.1:0")?.local_addr())?;
        Ok(())
    })
    .run();
    let url = format!("amqp://{}", address.recv().unwrap());
    let client = Container::new("client").connect(&url).await.unwrap();
    log.has("session_opened", 1).await;
    let session = client.create_session(SessionOptions::new()).await.unwrap();
    log.has("session_opened", 2).await;
    session.end().await.unwrap();
    log.has("session_closed", 1).await;
    client.close().await.unwrap();
    let lines = stop(&log, running).await;
    let of_sessions: Vec<_> = lines.iter().filter(|l| l.starts_with("session")).collect();
    // The client begins its first session with the open; it goes with the connection, untold.
    assert_eq!(
        of_sessions,
        [
            "session_opening",
            "session_opened",
            "session_opening",
            "session_opened",
            "session_closed"
        ]
    );
}

#[tokio::test]
async fn the_first_session_is_begun_as_the_connections_options_say() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let options: ConnectionOptions = plain().session(SessionOptions::new().incoming_window(17));
    let (log, running) = Recorder::new(move |container| {
        let connection = container.connect_with(&url, options)?;
        connection.create_receiver("q")?;
        connection.create_session(SessionOptions::new().incoming_window(5))?;
        Ok(())
    })
    .run();
    let mut peer = waiting
        .open(amqp_client::types::transport::Open::new("peer"))
        .await;
    let mut windows = Vec::new();
    while windows.len() < 2 {
        if let Performative::Begin(begin) = peer.next().await {
            let begin: Begin = *begin;
            windows.push(begin.incoming_window);
        }
    }
    assert_eq!(windows, [17, 5]);
    running.container().stop();
    peer.close().await;
    ended(&log, running).await;
}
