//! Events: what a log says of a connection that goes wrong, and at which level.

use std::time::Duration;

use amqp_client::listener::Access;
use amqp_client::types::transport::{self, ErrorCondition};
use amqp_client::{ConnectionOptions, Container, Message, ReceiverOptions, SessionOptions};
use tokio::io::AsyncReadExt;
use tracing::Level;

use crate::pair;
use crate::recorder::{Line, Recorder};

fn broken(condition: ErrorCondition) -> transport::Error {
    transport::Error {
        description: Some("for a test".into()),
        ..transport::Error::new(condition)
    }
}

/// Level, target and condition of an event.
fn told(line: &Line) -> (Level, &str, &str) {
    let condition = line
        .fields
        .get("condition")
        .map_or("", |found| found.as_str());
    (line.level, line.target, condition)
}

#[tokio::test]
async fn what_comes_and_goes_in_good_order_is_no_more_than_debug() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (client, listener) = pair().await;
    let session = client.create_session(SessionOptions::new()).await.unwrap();
    let (receiver, link) = tokio::join!(
        session.create_receiver_with("q", ReceiverOptions::new().manual_credit()),
        async { listener.next_link().await.unwrap().accept() }
    );
    let receiver = receiver.unwrap();
    receiver.set_credit(5);
    receiver.drain().await.unwrap();
    receiver.close().await.unwrap();
    session.end().await.unwrap();
    let (closed, _) = tokio::join!(client.close(), listener.closed());
    closed.unwrap();
    drop(link);
    let messages = [
        ("connection opened", "amqp_client::connection"),
        ("session begun", "amqp_client::session"),
        ("link attached", "amqp_client::link"),
        ("drain asked for", "amqp_client::link"),
        ("credit drained", "amqp_client::link"),
        ("link detached", "amqp_client::link"),
        ("session ended", "amqp_client::session"),
        ("connection closed", "amqp_client::connection"),
        ("connection closed by the peer", "amqp_client::connection"),
    ];
    for (message, target) in messages {
        let found = recorder.events(message);
        assert!(!found.is_empty(), "{message}");
        for line in found {
            assert_eq!(told(&line), (Level::DEBUG, target, ""), "{message}");
            assert!(line.span.is_some());
        }
    }
    let loud: Vec<_> = recorder
        .lock()
        .events
        .iter()
        .filter(|line| line.level <= Level::INFO)
        .cloned()
        .collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

#[tokio::test]
async fn what_ends_with_an_error_is_a_warning_with_its_condition() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (client, listener) = pair().await;
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.unwrap().accept()
    });
    let sender = sender.unwrap();
    let amqp_client::listener::Link::Receiver(receiver) = link else {
        panic!("the peer sends")
    };
    receiver
        .close_with_error(broken(ErrorCondition::ResourceDeleted))
        .await
        .unwrap();
    sender.closed().await;
    listener
        .close_with_error(broken(ErrorCondition::ConnectionForced))
        .await
        .unwrap();
    client.closed().await.unwrap_err();
    let detached = recorder.event("link detached with an error");
    assert_eq!(
        told(&detached),
        (Level::WARN, "amqp_client::link", "amqp:resource-deleted")
    );
    assert!(
        detached.fields["error"].contains("for a test"),
        "{detached:?}"
    );
    assert_eq!(detached.fields["by_peer"], "true");
    let lost = recorder.event("connection lost");
    assert_eq!(
        told(&lost),
        (
            Level::WARN,
            "amqp_client::connection",
            "amqp:connection:forced"
        )
    );
}

#[tokio::test]
async fn a_refusal_is_what_was_asked_for_and_no_warning() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (client, listener) = pair().await;
    let (sender, ()) = tokio::join!(client.create_sender("q"), async {
        let link = listener.next_link().await.unwrap();
        link.refuse(broken(ErrorCondition::NotFound));
    });
    sender.unwrap_err();
    let refused = recorder.events("link refused");
    assert_eq!(refused.len(), 2, "one at either end");
    for line in &refused {
        assert_eq!(
            told(line),
            (Level::DEBUG, "amqp_client::link", "amqp:not-found")
        );
    }
    // A peer that is not there, and one that speaks something else.
    let container = Container::new("client");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("amqp://alice:hunter2@{nobody},amqp://alice:hunter2@{nobody}");
    container.connect(&url).await.unwrap_err();
    let tried = recorder.events("not connected");
    assert_eq!(tried.len(), 2);
    for line in &tried {
        assert_eq!(told(line), (Level::DEBUG, "amqp_client::connection", ""));
        assert!(line.fields["address"].contains(&nobody.to_string()));
        assert!(!format!("{line:?}").contains("hunter2"));
    }
    let (ours, theirs) = tokio::io::duplex(1024);
    drop(theirs);
    container
        .connect_stream(ours, ConnectionOptions::new())
        .await
        .unwrap_err();
    assert_eq!(recorder.event("connection refused").level, Level::DEBUG);
}

#[tokio::test]
async fn a_client_that_is_not_let_in_is_told_of_where_it_is_not() {
    let (recorder, _guard) = Recorder::install(Level::INFO);
    let container = Container::new("listener");
    let access = Access::plain(|_, _| async { false }).allow_plain_without_tls();
    let listener = container.listen("127.0.0.1:0", access).await.unwrap();
    let options = ConnectionOptions::new().credentials("alice", "hunter3");
    let url = format!("amqp://{}", listener.local_addr());
    Container::new("client")
        .connect_with(&url, options)
        .await
        .unwrap_err();
    let line = loop {
        if let Some(line) = recorder.events("a connection was not opened").pop() {
            break line;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(told(&line), (Level::INFO, "amqp_client::listener", ""));
}

#[tokio::test]
async fn messages_that_are_not_accepted_are_told_at_either_end() {
    let (recorder, _guard) = Recorder::install(Level::DEBUG);
    let (client, listener) = pair().await;
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.unwrap().accept()
    });
    let (sender, amqp_client::listener::Link::Receiver(receiver)) = (sender.unwrap(), link) else {
        panic!("the peer sends")
    };
    for n in 0..3 {
        let receipt = sender.enqueue(Message::from(n.to_string())).await.unwrap();
        let delivery = receiver.recv().await.unwrap();
        match n {
            0 => delivery.accept(),
            1 => delivery.release(),
            _ => delivery.reject(broken(ErrorCondition::DecodeError)),
        }
        receipt.await.unwrap();
    }
    let lines = recorder.events("message not accepted");
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                told(line),
                &*line.fields["number"],
                &*line.fields["outcome"],
            )
        })
        .collect();
    let target = "amqp_client::delivery";
    let released = ((Level::DEBUG, target, ""), "1", "released");
    let rejected = ((Level::DEBUG, target, "amqp:decode-error"), "2", "rejected");
    assert_eq!(said, [released, released, rejected, rejected]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_is_an_idle_time_out() {
    let (recorder, _guard) = Recorder::install(Level::INFO);
    let (ours, mut near) = tokio::io::duplex(64 * 1024);
    let (mut far, theirs) = tokio::io::duplex(64 * 1024);
    let options = ConnectionOptions::new().idle_time_out(Some(Duration::from_secs(5)));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let cable = tokio::spawn(async move {
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            _ = stopped => {}
        }
        // Both ends stay connected to somebody who says nothing.
        let mut nothing = Vec::new();
        near.read_to_end(&mut nothing).await.ok();
        far
    });
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    );
    let (client, _listener) = (client.unwrap(), listener.unwrap());
    stop.send(()).unwrap();
    client.closed().await.unwrap_err();
    drop(cable);
    let line = recorder.event("idle time-out");
    assert_eq!(told(&line), (Level::WARN, "amqp_client::connection", ""));
    let connection = recorder.span("connection", &[("side", "client")]);
    assert_eq!(line.span, Some(connection.0));
}
