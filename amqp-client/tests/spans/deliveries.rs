//! Spans of deliveries: those that somebody asks for, with what became of each.

use amqp_client::listener::{AcceptOptions, Link};
use amqp_client::{
    Connection, Message, Receiver, SendSettings, Sender, SenderOptions, SessionOptions,
};
use tracing::Level;

use crate::pair;
use crate::recorder::{Recorder, Span};

/// A client's sender with these options and the listener's receiver.
async fn sending(
    client: &Connection,
    listener: &Connection,
    options: SenderOptions,
) -> (Sender, Receiver) {
    let (sender, link) = tokio::join!(client.create_sender_with("q", options), async {
        let link = listener.next_link().await.unwrap();
        let answer = link.answer();
        let resumable = AcceptOptions {
            resumable: true,
            ..AcceptOptions::default()
        };
        link.accept_as(answer, resumable)
    });
    let Link::Receiver(receiver) = link else {
        panic!("the peer sends")
    };
    (sender.unwrap(), receiver)
}

/// The deliveries of the links of a role, in the order of their numbers.
fn deliveries(recorder: &Recorder, role: &str) -> Vec<Span> {
    let links: Vec<usize> = recorder
        .spans("link", &[("role", role)])
        .iter()
        .map(|(at, _)| *at)
        .collect();
    let all = recorder.spans("delivery", &[]);
    let of_role = all.into_iter().map(|(_, span)| span);
    of_role
        .filter(|span| span.parent.is_some_and(|link| links.contains(&link)))
        .collect()
}

/// What became of each, and whether its span is over.
fn outcomes(spans: &[Span]) -> Vec<(&str, bool)> {
    spans
        .iter()
        .map(|span| (outcome(span), span.closed.is_some()))
        .collect()
}

fn outcome(span: &Span) -> &str {
    span.fields.get("outcome").map_or("", |told| told)
}

#[tokio::test]
async fn a_span_says_what_became_of_its_delivery_at_either_end() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (client, listener) = pair().await;
    let (sender, receiver) = sending(&client, &listener, SenderOptions::new()).await;
    let mut receipts = Vec::new();
    for n in 0..5 {
        receipts.push(sender.enqueue(Message::from(n.to_string())).await.unwrap());
    }
    let mut came = Vec::new();
    for _ in 0..5 {
        came.push(receiver.recv().await.unwrap());
    }
    assert_eq!(
        outcomes(&deliveries(&recorder, "receiver")),
        [("", false); 5]
    );
    came[1].accept_up_to();
    came[2].reject(None);
    came[3].release();
    for receipt in receipts.drain(..4) {
        receipt.await.unwrap();
    }
    let settled = [
        ("accepted", true),
        ("accepted", true),
        ("rejected", true),
        ("released", true),
        ("", false),
    ];
    assert_eq!(outcomes(&deliveries(&recorder, "receiver")), settled);
    assert_eq!(outcomes(&deliveries(&recorder, "sender")), settled);
    // What nobody decided on is over with its link.
    let (closed, _) = tokio::join!(client.close(), listener.closed());
    closed.unwrap();
    for role in ["sender", "receiver"] {
        let spans = deliveries(&recorder, role);
        assert_eq!(outcomes(&spans)[4], ("unsettled", true));
        assert_eq!(spans[3].fields["number"], "3");
        assert_eq!(spans[3].fields["tag"], "Tag(03)");
        assert!(spans[3].fields["octets"].parse::<usize>().unwrap() > 0);
    }
}

#[tokio::test]
async fn what_is_sent_settled_is_over_once_it_is_written() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (client, listener) = pair().await;
    let (sender, receiver) = sending(&client, &listener, SenderOptions::new()).await;
    let settled = SendSettings::default().settled(true);
    let first = sender.enqueue(Message::from("open")).await.unwrap();
    let second = sender
        .enqueue_with(Message::from("over"), settled)
        .await
        .unwrap();
    second.await.unwrap();
    assert_eq!(
        outcomes(&deliveries(&recorder, "sender")),
        [("", false), ("settled", true)]
    );
    receiver.recv().await.unwrap().accept();
    receiver.recv().await.unwrap();
    assert_eq!(
        first.await.unwrap(),
        amqp_client::types::messaging::Accepted::default().into()
    );
    for role in ["sender", "receiver"] {
        let spans = deliveries(&recorder, role);
        assert_eq!(outcomes(&spans), [("accepted", true), ("settled", true)]);
        assert_eq!(spans[1].fields["settled"], "true");
    }
}

#[tokio::test]
async fn a_sender_that_has_the_last_word_ends_the_span() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (client, listener) = pair().await;
    let (sender, receiver) =
        sending(&client, &listener, SenderOptions::new().settle_second()).await;
    let receipt = sender.enqueue(Message::from("twice")).await.unwrap();
    let delivery = receiver.recv().await.unwrap();
    delivery.modify(Default::default());
    receipt.await.unwrap();
    delivery.settled().await.unwrap();
    for role in ["sender", "receiver"] {
        assert_eq!(outcomes(&deliveries(&recorder, role)), [("modified", true)]);
    }
}

#[tokio::test]
async fn a_stream_that_is_given_up_was_aborted() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (client, listener) = pair().await;
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        let link = listener.next_link().await.unwrap();
        let answer = link.answer();
        let streaming = AcceptOptions {
            streaming: true,
            ..AcceptOptions::default()
        };
        link.accept_as(answer, streaming)
    });
    let (sender, Link::Receiver(receiver)) = (sender.unwrap(), link) else {
        panic!("the peer sends")
    };
    let head = Message {
        body: amqp_client::Body::Empty,
        ..Message::default()
    };
    let mut writer = sender.stream(head, SendSettings::default()).await.unwrap();
    writer.write(vec![7; 100]).await.unwrap();
    let mut reading = receiver.recv_stream().await.unwrap();
    drop(writer);
    while reading.next().await.is_ok() {}
    for role in ["sender", "receiver"] {
        assert_eq!(outcomes(&deliveries(&recorder, role)), [("aborted", true)]);
    }
}

#[tokio::test]
async fn a_delivery_that_is_resumed_has_a_span_in_each_attachment() {
    let (recorder, _guard) = Recorder::install(Level::TRACE);
    let (client, listener) = pair().await;
    let options = SenderOptions::new().name("link").resumable();
    let (sender, receiver) = sending(&client, &listener, options).await;
    let receipt = sender.enqueue(Message::from("twice")).await.unwrap();
    let delivery = receiver.recv().await.unwrap();
    sender.detach().await.unwrap();
    for role in ["sender", "receiver"] {
        assert_eq!(
            outcomes(&deliveries(&recorder, role)),
            [("unsettled", true)]
        );
    }
    let session = client.create_session(SessionOptions::new()).await.unwrap();
    let (resumed, ()) = tokio::join!(sender.resume(&session, false), async {
        let link = listener.next_link().await.unwrap();
        link.resume_receiver(&receiver).unwrap();
    });
    resumed.unwrap();
    delivery.accept();
    receipt.await.unwrap();
    for role in ["sender", "receiver"] {
        let spans = deliveries(&recorder, role);
        assert_eq!(
            outcomes(&spans),
            [("unsettled", true), ("accepted", true)],
            "{role}"
        );
        assert_eq!(
            (&*spans[0].fields["resumed"], &*spans[1].fields["resumed"]),
            ("false", "true")
        );
        assert_eq!(
            recorder
                .spans("link", &[("role", role), ("name", "link")])
                .len(),
            2
        );
    }
    let resumed = recorder.events("link attached");
    assert_eq!(
        resumed
            .iter()
            .filter(|line| line.fields["resumed"] == "true")
            .count(),
        2
    );
}

#[tokio::test]
async fn no_message_says_anything_unless_it_is_asked() {
    let (recorder, _guard) = Recorder::install(Level::DEBUG);
    let (client, listener) = pair().await;
    let (sender, receiver) = sending(&client, &listener, SenderOptions::new()).await;
    let before = recorder.lock().events.len();
    for n in 0..100 {
        let receipt = sender.enqueue(Message::from(n.to_string())).await.unwrap();
        receiver.recv().await.unwrap().accept();
        receipt.await.unwrap();
    }
    assert_eq!(
        recorder.lock().events.len(),
        before,
        "{:#?}",
        recorder.lock().events
    );
    assert!(recorder.spans("delivery", &[]).is_empty());
}
