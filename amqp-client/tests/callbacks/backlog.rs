//! A handler that is slower than its peer: what it has not heard is bounded, the connection lives.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use amqp_client::handler::SenderEvent;
use amqp_client::listener::Access;
use amqp_client::transport::ListenOptions;
use amqp_client::types::transport::Performative;
use amqp_client::{ConnectionOptions, Container, Deadlines, Message, SenderOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peer::{Waiting, flow, frame, plain};
use crate::recorder::{Recorder, ended, stop};

/// Far more than sockets and the connection take.
const FLOWS: usize = 2_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_heard_is_bounded_and_heartbeats_go_on() {
    static GATE: std::sync::Mutex<Option<mpsc::Receiver<()>>> = std::sync::Mutex::new(None);
    let (open, gate) = mpsc::channel();
    *GATE.lock().unwrap() = Some(gate);
    /// Waits, the first time, and sends then.
    fn slow(event: &SenderEvent) -> amqp_client::handler::HandlerResult {
        let gate = GATE.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.recv()?;
            event.sender().send(Message::from("late"))?;
        }
        Ok(())
    }

    let waiting = Waiting::new().await;
    let url = waiting.url();
    // The client closes when it hears nothing for a while; what it does not read is not silence.
    let options = plain().idle_time_out(Some(Duration::from_millis(100)));
    let mut recorder = Recorder::new(move |container| {
        let connection = container.connect_with(&url, options)?;
        connection.create_sender_with("q", SenderOptions::new().name("l"))?;
        Ok(())
    });
    recorder.on_sendable = slow;
    let (log, running) = recorder.run();
    let mut open_frame = amqp_client::types::transport::Open::new("peer");
    open_frame.idle_time_out = Some(amqp_client::types::transport::Milliseconds(50));
    let mut peer = waiting.begin_with(open_frame).await;
    peer.attach().await;
    peer.flow(0, 10, false).await;
    log.has("sendable 10", 1).await;

    // The peer writes until nobody takes it any more.
    let flow = frame(&flow(0, 10, false), &[]);
    let (mut read, mut write) = peer.stream.split();
    let written = AtomicUsize::new(0);
    let writing = async {
        for _ in 0..FLOWS {
            write.write_all(&flow).await.unwrap();
            written.fetch_add(1, Ordering::Relaxed);
        }
    };
    // Heartbeats come all the while, until nothing has been taken for longer than the client bears
    // silence: each comes after 25 ms.
    let reading = async {
        let (mut before, mut still) = (0, 0);
        while still < 8 {
            let mut octets = [0; 8];
            read.read_exact(&mut octets).await.unwrap();
            assert_eq!(octets, [0, 0, 0, 8, 2, 0, 0, 0]);
            let now = written.load(Ordering::Relaxed);
            still = if now == before { still + 1 } else { 0 };
            before = now;
        }
    };
    tokio::select! {
        () = writing => panic!("all {FLOWS} flows were taken"),
        () = reading => {}
    }

    // The callback is let go: what it sends arrives, the rest is heard, and all ends well. What was
    // cut off when the writing ended is finished first.
    open.send(()).unwrap();
    let _ = peer
        .until(|frame| matches!(frame, Performative::Transfer(_)))
        .await;
    drop(peer);
    log.has("transport_closed", 1).await;
    ended(&log, running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_wait_while_the_handler_is_busy() {
    let (tell, address) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let (log, running) = Recorder::new(move |container| {
        let options = ListenOptions::new().max_opening(1);
        let acceptor = container.listen_with("127.0.0.1:0", Access::anyone(), options)?;
        tell.send(acceptor.local_addr())?;
        // Nothing is heard until the test says so.
        assert!(gate.recv().is_err());
        Ok(())
    })
    .run();
    let url = format!("amqp://{}", address.recv().unwrap());
    let hasty = Deadlines {
        sasl: Duration::from_secs(1),
        ..Deadlines::default()
    };
    let options = ConnectionOptions::new().deadlines(hasty);
    let client = Container::new("client");
    let mut connections = Vec::new();
    while let Ok(connection) = client.connect_with(&url, options.clone()).await {
        connections.push(connection);
        assert!(connections.len() < 80, "there is no end to it");
    }
    // 64 that are told of; one has opened and is not accepted, and holds the only place.
    assert_eq!(connections.len(), 65);
    drop(open);
    log.has("connection_opened", 65).await;
    connections.push(client.connect(&url).await.unwrap());
    log.has("connection_opened", 66).await;
    drop(connections);
    stop(&log, running).await;
}
