//! Spans stand in one another as their things do, and end with them.

use amqp_client::broker::Broker;
use amqp_client::{ConnectionOptions, Container, Message, SessionOptions};
use tracing::Level;

use crate::pair;
use crate::recorder::{Recorder, Span};

/// The one around and the one within, and that the one within ended first.
fn assert_within(outer: &(usize, Span), inner: &(usize, Span)) {
    assert_eq!(inner.1.parent, Some(outer.0), "{inner:#?}");
    assert!(inner.1.closed.unwrap() < outer.1.closed.unwrap());
}

#[tokio::test]
async fn a_delivery_stands_in_its_link_in_its_session_in_its_connection() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let broker = Broker::start().await.unwrap();
    let container = Container::new("watched");
    let connection = container.connect(&broker.url()).await.unwrap();
    let sender = connection.create_sender("q").await.unwrap();
    sender.send(Message::from("hello")).await.unwrap();
    let receiver = connection.create_receiver("q").await.unwrap();
    receiver.recv().await.unwrap().accept();
    receiver.close().await.unwrap();
    let session = connection.create_session(SessionOptions::new()).await;
    session.unwrap().end().await.unwrap();
    connection.close().await.unwrap();

    let client = recorder.span("connection", &[("container", "watched")]);
    assert_eq!(client.1.target, "amqp_client::connection");
    assert_eq!((client.1.level, client.1.parent), (Level::INFO, None));
    assert_eq!(client.1.fields["side"], "client");
    assert_eq!(
        client.1.fields["address"],
        format!("127.0.0.1:{}", broker.local_addr().port())
    );
    assert_eq!(client.1.fields["peer"], connection.remote_container_id());

    let channels = ["0", "1"].map(|channel| {
        let all = recorder.spans("session", &[("channel", channel), ("by_peer", "false")]);
        let ours: Vec<_> = all
            .into_iter()
            .filter(|(_, s)| s.parent == Some(client.0))
            .collect();
        assert_eq!(ours.len(), 1, "{ours:#?}");
        ours[0].clone()
    });
    for session in &channels {
        assert_within(&client, session);
        assert_eq!(
            (session.1.target, session.1.level),
            ("amqp_client::session", Level::INFO)
        );
    }
    assert!(
        channels[1].1.closed < channels[0].1.closed,
        "it was ended before"
    );

    for (role, link) in [("sender", sender.name()), ("receiver", receiver.name())] {
        let by = [("name", link), ("role", role), ("by_peer", "false")];
        let link = recorder.span("link", &by);
        assert_within(&channels[0], &link);
        assert_eq!(
            (link.1.target, link.1.level),
            ("amqp_client::link", Level::INFO)
        );
        let node = if role == "sender" { "target" } else { "source" };
        assert_eq!(link.1.fields[node], "q");
        let all = recorder.spans("delivery", &[]);
        let within: Vec<_> = all
            .iter()
            .filter(|(_, s)| s.parent == Some(link.0))
            .collect();
        assert_eq!(within.len(), 1, "{all:#?}");
        assert_within(&link, within[0]);
        let delivery = &within[0].1;
        assert_eq!(
            (delivery.target, delivery.level),
            ("amqp_client::delivery", Level::TRACE)
        );
        assert_eq!(delivery.fields["outcome"], "accepted");
        assert_eq!(delivery.fields["settled"], "false");
        assert_eq!(delivery.fields["number"], "0");
    }
    // The broker's ends of both links, as far as they go.
    assert_eq!(
        recorder.spans("connection", &[("side", "listener")]).len(),
        1
    );
    assert_eq!(recorder.spans("link", &[("by_peer", "true")]).len(), 2);
    assert_eq!(recorder.spans("delivery", &[]).len(), 4);
}

#[tokio::test]
async fn a_cut_ends_all_spans() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (ours, mut near) = tokio::io::duplex(64 * 1024);
    let (mut far, theirs) = tokio::io::duplex(64 * 1024);
    let cable = tokio::spawn(async move {
        tokio::io::copy_bidirectional(&mut near, &mut far)
            .await
            .ok();
    });
    let listener = Container::new("listener");
    let access = amqp_client::listener::Access::anyone();
    let client = Container::new("client");
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.unwrap(), listener.unwrap());
    let (sender, _receiver) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.unwrap().accept()
    });
    let sender = sender.unwrap();
    let receipt = sender.enqueue(Message::from("lost?")).await.unwrap();
    sender.flush().await.unwrap();
    cable.abort();
    assert!(receipt.await.is_err());
    assert!(client.closed().await.is_err());

    let connection = recorder.span("connection", &[("side", "client")]);
    let lost = recorder.events("connection lost");
    let lost = lost
        .iter()
        .find(|line| line.span == Some(connection.0))
        .unwrap();
    assert_eq!((lost.level, lost.span), (Level::WARN, Some(connection.0)));
    let link = recorder.span("link", &[("role", "sender")]);
    let delivery = recorder.spans("delivery", &[("outcome", "unsettled")]);
    let delivery: Vec<_> = delivery
        .into_iter()
        .filter(|(_, s)| s.parent == Some(link.0))
        .collect();
    assert_eq!(delivery.len(), 1);
    assert_within(&link, &delivery[0]);
    let session = recorder.span("session", &[("by_peer", "false")]);
    assert_within(&session, &link);
    assert_within(&connection, &session);
}

#[tokio::test]
async fn a_runtime_that_is_shut_down_ends_all_spans() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    tokio::task::spawn_blocking({
        let recorder = recorder.clone();
        move || {
            let _guard = tracing::subscriber::set_default(recorder);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.unwrap();
            let kept = runtime.block_on(async {
                let (client, listener) = pair().await;
                let (sender, link) = tokio::join!(client.create_sender("q"), async {
                    listener.next_link().await.unwrap().accept()
                });
                (client, listener, sender.unwrap(), link)
            });
            drop(runtime);
            drop(kept);
        }
    })
    .await
    .unwrap();
    let all = recorder.lock();
    assert_eq!(
        all.spans.iter().filter(|span| span.name == "link").count(),
        2
    );
    for span in &all.spans {
        assert!(span.closed.is_some(), "{span:#?}");
    }
}

#[tokio::test]
async fn the_nearest_span_that_is_taken_is_the_one_around() {
    // Sessions are left out, as a filter of a target does it.
    let (recorder, _guard) = Recorder::without(Level::INFO, "amqp_client::session");
    let (client, listener) = pair().await;
    let (sender, _link) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.unwrap().accept()
    });
    drop(sender);
    let connection = recorder.span("connection", &[("side", "client")]);
    let link = recorder.span("link", &[("role", "sender")]);
    assert_eq!(link.1.parent, Some(connection.0));
    assert!(recorder.spans("session", &[]).is_empty());
}
