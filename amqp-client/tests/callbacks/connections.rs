//! How connections open, close, fail and are lost.

use amqp_client::Container;
use amqp_client::handler::HandlerOptions;
use amqp_client::types::transport::{
    self, Attach, Begin, Close, Detach, End, ErrorCondition, Handle, Open, Performative, Role,
    SequenceNo, TransferNumber,
};
use tokio::io::AsyncWriteExt;

use crate::peer::{Peer, Waiting, plain};
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
    let lines = stop(&log, running).await;
    assert_eq!(
        lines,
        [
            "start",
            "connection_opening",
            "connection_opened",
            "session_opening",
            "session_opened",
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

#[tokio::test]
async fn what_came_and_went_before_the_handler_looked_is_told_in_order() {
    let (tell, address) = std::sync::mpsc::channel();
    let (wait, gate) = std::sync::mpsc::channel::<()>();
    let (log, running) = Recorder::new(move |container| {
        tell.send(container.listen("127.0.0.1:0")?.local_addr())?;
        assert!(gate.recv().is_err());
        Ok(())
    })
    .run();
    let mut client = Peer::connect(address.recv().unwrap()).await;
    client.write(&Open::new("client")).await;
    client
        .write(&Begin::new(TransferNumber(0), 2048, 2048))
        .await;
    let mut attach = Attach::new("l", Handle(0), Role::Sender);
    attach.initial_delivery_count = Some(SequenceNo(0));
    client.write(&attach).await;
    let mut detach = Detach::new(Handle(0));
    detach.closed = true;
    client.write(&detach).await;
    client.write(&End::default()).await;
    client.write(&Close::default()).await;
    client
        .until(|frame| matches!(frame, Performative::Close(_)))
        .await;
    drop(wait);
    log.has("transport_closed", 1).await;
    let lines = stop(&log, running).await;
    assert_eq!(
        lines,
        [
            "start",
            "connection_opening",
            "connection_opened",
            "session_opening",
            "session_opened",
            "link_opening l",
            "link_opened l",
            "session_closed",
            "connection_closed",
            "transport_closed",
            "stop"
        ]
    );
}

#[tokio::test]
async fn a_link_that_went_before_the_handler_looked_is_closed_after_it_was_opened() {
    let (tell, address) = std::sync::mpsc::channel();
    let (wait, gate) = std::sync::mpsc::channel::<()>();
    let (log, running) = Recorder::new(move |container| {
        tell.send(container.listen("127.0.0.1:0")?.local_addr())?;
        assert!(gate.recv().is_err());
        Ok(())
    })
    .run();
    let mut client = Peer::connect(address.recv().unwrap()).await;
    client.write(&Open::new("client")).await;
    client
        .write(&Begin::new(TransferNumber(0), 2048, 2048))
        .await;
    let mut attach = Attach::new("l", Handle(0), Role::Sender);
    attach.initial_delivery_count = Some(SequenceNo(0));
    client.write(&attach).await;
    let mut detach = Detach::new(Handle(0));
    detach.closed = true;
    client.write(&detach).await;
    client
        .until(|frame| matches!(frame, Performative::Detach(_)))
        .await;
    drop(wait);
    log.has("link_closed l", 1).await;
    running.container().stop();
    client.close().await;
    let lines = ended(&log, running).await;
    let links: Vec<_> = lines.iter().filter(|l| l.starts_with("link")).collect();
    assert_eq!(links, ["link_opening l", "link_opened l", "link_closed l"]);
}

#[tokio::test]
async fn a_connection_that_is_refused_tells_nothing_of_what_is_in_it() {
    let (tell, address) = std::sync::mpsc::channel();
    let mut handler = Recorder::new(move |container| {
        tell.send(container.listen("127.0.0.1:0")?.local_addr())?;
        Ok(())
    });
    handler.on_connection_opening = |event| {
        event.connection().close();
        Ok(())
    };
    let (log, running) = handler.run();
    let mut client = Peer::connect(address.recv().unwrap()).await;
    client.write(&Open::new("client")).await;
    client
        .write(&Begin::new(TransferNumber(0), 2048, 2048))
        .await;
    client.close().await;
    log.has("transport_closed", 1).await;
    let lines = stop(&log, running).await;
    let expected = [
        "connection_opening",
        "connection_closed",
        "transport_closed",
        "stop",
    ];
    assert_eq!(lines[1..], expected);
}
