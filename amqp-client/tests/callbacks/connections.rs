//! How connections open, close, fail and are lost.

use amqp_client::Container;
use amqp_client::handler::HandlerOptions;
use amqp_client::types::transport::{self, Close, ErrorCondition, Open};
use tokio::io::AsyncWriteExt;

use crate::peer::{Waiting, plain};
use crate::recorder::{Recorder, ended, stop};

fn close(condition: ErrorCondition) -> Close {
    Close {
        error: Some(Box::new(transport::Error::new(condition))),
    }
}

/// What is called when the peer opens, and then writes this.
async fn peer_writes(octets: &[u8], options: HandlerOptions) -> Vec<String> {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let mut recorder = Recorder::new(move |container| {
        container.connect_with(&url, plain())?;
        Ok(())
    });
    recorder.options = options;
    let (log, running) = recorder.run();
    let mut peer = waiting.open(Open::new("peer")).await;
    peer.stream.write_all(octets).await.unwrap();
    let lines = ended(&log, running).await;
    assert_eq!(lines[..2], ["start", "connection_opened"]);
    assert_eq!(lines[lines.len() - 2..], ["transport_closed", "stop"]);
    lines[2..lines.len() - 2].to_vec()
}

#[tokio::test]
async fn a_peer_that_closes_in_peace() {
    let close = crate::peer::frame(&Close::default(), &[]);
    let lines = peer_writes(&close, HandlerOptions::default()).await;
    assert_eq!(lines, ["connection_closed"]);
}

#[tokio::test]
async fn a_peer_whose_close_counts_as_an_error() {
    let close = crate::peer::frame(&Close::default(), &[]);
    let options = HandlerOptions {
        peer_close_is_error: true,
        ..HandlerOptions::default()
    };
    let lines = peer_writes(&close, options).await;
    assert_eq!(lines, ["error", "connection_closed"]);
}

#[tokio::test]
async fn a_peer_that_closes_with_an_error() {
    let close = crate::peer::frame(&close(ErrorCondition::InvalidField), &[]);
    let lines = peer_writes(&close, HandlerOptions::default()).await;
    assert_eq!(lines, ["error amqp:invalid-field", "connection_closed"]);
}

#[tokio::test]
async fn a_peer_that_is_forced_to_close_is_a_loss() {
    let close = crate::peer::frame(&close(ErrorCondition::ConnectionForced), &[]);
    let lines = peer_writes(&close, HandlerOptions::default()).await;
    assert_eq!(lines, ["disconnected"]);
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_is_a_transport_error_and_a_loss() {
    // A frame that is shorter than its own header.
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        container.connect_with(&url, plain())?;
        Ok(())
    })
    .run();
    let mut peer = waiting.open(Open::new("peer")).await;
    peer.stream
        .write_all(&[0, 0, 0, 1, 2, 0, 0, 0])
        .await
        .unwrap();
    peer.close().await;
    let lines = ended(&log, running).await;
    assert_eq!(
        lines[2..],
        [
            "error amqp:connection:framing-error",
            "disconnected",
            "transport_closed",
            "stop"
        ]
    );
}

#[tokio::test]
async fn many_wakes_are_one_until_it_is_heard() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (tell, connection) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        // The callbacks' thread is busy with this one: all three come before the first is heard.
        for _ in 0..3 {
            connection.wake();
        }
        tell.send(connection)?;
        Ok(())
    })
    .run();
    let peer = waiting.open(Open::new("peer")).await;
    log.has("connection_wake", 1).await;
    log.has("connection_opened", 1).await;
    let connection = connection.recv().unwrap();
    std::thread::spawn(move || connection.wake());
    log.has("connection_wake", 2).await;
    running.container().stop();
    peer.close().await;
    let lines = ended(&log, running).await;
    let wakes = lines.iter().filter(|line| *line == "connection_wake");
    assert_eq!(wakes.count(), 2);
}

#[tokio::test]
async fn a_listener_hears_of_opening_before_opened() {
    let (tell, address) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        tell.send(container.listen("127.0.0.1:0")?.local_addr())?;
        Ok(())
    })
    .run();
    let url = format!("amqp://{}", address.recv().unwrap());
    let client = Container::new("client").connect(&url).await.unwrap();
    log.has("session_opened", 1).await;
    client.close().await.unwrap();
    log.has("transport_closed", 1).await;
    let lines = stop(&log, running).await;
    assert_eq!(
        lines,
        [
            "start",
            "connection_opening",
            "connection_opened",
            // The client begins its first session with the open.
            "session_opening",
            "session_opened",
            "connection_closed",
            "transport_closed",
            "stop"
        ]
    );
}

#[tokio::test]
async fn a_client_that_is_gone_before_the_handler_looks_has_closed_in_peace() {
    let (tell, address) = std::sync::mpsc::channel();
    let (wait, gate) = std::sync::mpsc::channel::<()>();
    let (log, running) = Recorder::new(move |container| {
        tell.send(container.listen("127.0.0.1:0")?.local_addr())?;
        assert!(gate.recv().is_err());
        Ok(())
    })
    .run();
    let url = format!("amqp://{}", address.recv().unwrap());
    let client = Container::new("client").connect(&url).await.unwrap();
    client.close().await.unwrap();
    drop(wait);
    log.has("transport_closed", 1).await;
    let mut lines = stop(&log, running).await;
    // Its session was there for a moment, and may not have been seen.
    lines.retain(|line| !line.starts_with("session_"));
    assert_eq!(
        lines,
        [
            "start",
            "connection_opening",
            "connection_opened",
            "connection_closed",
            "transport_closed",
            "stop"
        ]
    );
}

#[tokio::test]
async fn a_close_from_here_is_no_closing() {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        container.connect_with(&url, plain())?;
        Ok(())
    })
    .run();
    let peer = waiting.open(Open::new("peer")).await;
    log.has("connection_opened", 1).await;
    running.container().stop();
    peer.close().await;
    let lines = ended(&log, running).await;
    assert_eq!(
        lines[2..],
        ["connection_closed", "transport_closed", "stop"]
    );
}
