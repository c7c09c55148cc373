//! What a connection counts, to the last frame and octet, and that all that was opened is closed.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use amqp_client::broker::Broker;
use amqp_client::listener::{Access, Link};
use amqp_client::metrics::{ConnectionInfo, Counts, Metrics};
use amqp_client::types::transport::{self, ErrorCondition, Role};
use amqp_client::{
    Connection, ConnectionOptions, Container, Error, Message, ReceiverOptions, SendSettings,
    SenderOptions, SessionOptions,
};

/// Adds everything up.
#[derive(Default)]
struct Sums(Mutex<Kept>);

#[derive(Clone, Default)]
struct Kept {
    counts: Counts,
    calls: usize,
    told: Vec<String>,
}

impl Sums {
    fn kept(&self) -> Kept {
        self.0.lock().unwrap().clone()
    }

    fn tell(&self, what: String) {
        self.0.lock().unwrap().told.push(what);
    }
}

fn condition(error: Option<&Error>) -> &str {
    match error {
        None => "",
        Some(error) => error
            .condition()
            .map_or("no condition", |found| found.as_str()),
    }
}

impl Metrics for Sums {
    fn connection_opened(&self, connection: &ConnectionInfo) {
        let peer = connection.peer.as_deref().unwrap_or_default();
        let side = if connection.listener { "from" } else { "to" };
        self.tell(format!("opened {side} {peer}"));
    }

    fn connection_refused(&self, connection: &ConnectionInfo, _: &Error) {
        assert_eq!(connection.peer, None);
        self.tell("refused".to_owned());
    }

    fn connection_closed(&self, _: &ConnectionInfo, error: Option<&Error>) {
        self.tell(format!("closed {}", condition(error)));
    }

    fn session_begun(&self, _: &ConnectionInfo) {
        self.tell("begun".to_owned());
    }

    fn session_ended(&self, _: &ConnectionInfo, error: Option<&Error>) {
        self.tell(format!("ended {}", condition(error)));
    }

    fn link_attached(&self, _: &ConnectionInfo, role: Role) {
        self.tell(format!("attached {role:?}"));
    }

    fn link_refused(&self, _: &ConnectionInfo, role: Role) {
        self.tell(format!("no {role:?}"));
    }

    fn link_detached(&self, _: &ConnectionInfo, role: Role, error: Option<&Error>) {
        self.tell(format!("detached {role:?} {}", condition(error)));
    }

    fn counted(&self, _: &ConnectionInfo, counts: &Counts) {
        let mut kept = self.0.lock().unwrap();
        kept.calls += 1;
        let sum = &mut kept.counts;
        sum.frames_in += counts.frames_in;
        sum.frames_out += counts.frames_out;
        sum.octets_in += counts.octets_in;
        sum.octets_out += counts.octets_out;
        sum.messages_in += counts.messages_in;
        sum.messages_out += counts.messages_out;
        for (sum, more) in [
            (&mut sum.sent, counts.sent),
            (&mut sum.received, counts.received),
        ] {
            sum.accepted += more.accepted;
            sum.rejected += more.rejected;
            sum.released += more.released;
            sum.modified += more.modified;
            sum.other += more.other;
        }
        sum.credit_granted += counts.credit_granted;
        sum.credit_received += counts.credit_received;
        sum.unsettled_sent += counts.unsettled_sent;
        sum.unsettled_received += counts.unsettled_received;
    }
}

/// Options that count, and where.
fn counted() -> (Arc<Sums>, ConnectionOptions) {
    let sums = Arc::new(Sums::default());
    let options = ConnectionOptions::new().metrics(sums.clone());
    (sums, options)
}

/// Waits until the connection has told what it has done so far.
async fn settle(connection: &Connection) {
    // What is counted in the turn that answers is told at its end.
    connection.stats().await.unwrap();
    connection.stats().await.unwrap();
}

#[tokio::test]
async fn a_message_there_and_back_is_so_many_frames() {
    let broker = Broker::builder().credit(10).start().await.unwrap();
    let (sums, options) = counted();
    let container = Container::with_options("counted", options);
    let connection = container.connect(&broker.url()).await.unwrap();
    let sender = connection.create_sender("q").await.unwrap();
    for n in 0..3 {
        sender.send(Message::from(n.to_string())).await.unwrap();
    }
    let manual = ReceiverOptions::new().manual_credit();
    let receiver = connection.create_receiver_with("q", manual).await.unwrap();
    receiver.set_credit(2);
    let (first, second) = (
        receiver.recv().await.unwrap(),
        receiver.recv().await.unwrap(),
    );
    settle(&connection).await;
    let counts = sums.kept().counts;
    assert_eq!((counts.messages_out, counts.messages_in), (3, 2));
    assert_eq!((counts.sent.accepted, counts.received.accepted), (3, 0));
    assert_eq!((counts.credit_received, counts.credit_granted), (10, 2));
    assert_eq!((counts.unsettled_sent, counts.unsettled_received), (0, 2));
    // Open, begin, two attaches, three transfers, a flow of the receiver.
    assert_eq!(counts.frames_out, 8);
    // Open, begin, two attaches, a flow, three dispositions, two transfers.
    assert_eq!(counts.frames_in, 10);

    let stats = connection.stats().await.unwrap();
    assert_eq!((stats.frames_out, stats.frames_in), (8, 10));
    assert_eq!((stats.messages_out, stats.messages_in), (3, 2));
    assert_eq!(
        (stats.octets_out, stats.octets_in),
        (counts.octets_out, counts.octets_in)
    );

    first.accept();
    second.release();
    receiver.close().await.unwrap();
    connection.close().await.unwrap();
    let kept = sums.kept();
    assert_eq!(
        (kept.counts.received.accepted, kept.counts.received.released),
        (1, 1)
    );
    assert_eq!(
        (kept.counts.unsettled_sent, kept.counts.unsettled_received),
        (0, 0)
    );
    // Two dispositions, a detach, a close on top of it; a detach and a close came.
    assert_eq!((kept.counts.frames_out, kept.counts.frames_in), (12, 12));
    assert_eq!(
        kept.told,
        [
            &format!("opened to {}", connection.remote_container_id()),
            "begun",
            "attached Sender",
            "attached Receiver",
            "detached Receiver ",
            "detached Sender ",
            "ended ",
            "closed ",
        ]
    );
}

/// A client and a listener, both of which count.
async fn pair() -> (Arc<Sums>, Arc<Sums>, Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let ((ours_sums, ours_options), (their_sums, their_options)) = (counted(), counted());
    let listener = Container::with_options("listener", their_options);
    let access = Access::anyone();
    let client = Container::new("client");
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ours_options),
        listener.accept_stream(theirs, &access),
    );
    (ours_sums, their_sums, client.unwrap(), listener.unwrap())
}

#[tokio::test]
async fn every_outcome_is_counted_at_either_end() {
    let (client_sums, listener_sums, client, listener) = pair().await;
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.unwrap().accept()
    });
    let (sender, Link::Receiver(receiver)) = (sender.unwrap(), link) else {
        panic!("the peer sends")
    };
    let mut receipts = Vec::new();
    for n in 0..10 {
        receipts.push(sender.enqueue(Message::from(n.to_string())).await.unwrap());
    }
    let settled = SendSettings::default().settled(true);
    let last = sender
        .enqueue_with(Message::from("settled"), settled)
        .await
        .unwrap();
    last.await.unwrap();
    let mut came = Vec::new();
    for _ in 0..11 {
        came.push(receiver.recv().await.unwrap());
    }
    // Five by one decision, then one each; two stay open.
    came[4].accept_up_to();
    came[5].reject(None);
    came[6].release();
    came[7].modify(Default::default());
    for receipt in receipts.drain(..8) {
        receipt.await.unwrap();
    }
    settle(&client).await;
    settle(&listener).await;
    let (sent, received) = (client_sums.kept().counts, listener_sums.kept().counts);
    assert_eq!(sent.sent, received.received);
    let outcomes = received.received;
    assert_eq!((outcomes.accepted, outcomes.rejected), (5, 1));
    assert_eq!(
        (outcomes.released, outcomes.modified, outcomes.other),
        (1, 1, 0)
    );
    assert_eq!((sent.messages_out, received.messages_in), (11, 11));
    assert_eq!((sent.unsettled_sent, received.unsettled_received), (2, 2));
    assert_eq!(sent.credit_received, received.credit_granted);
    assert_eq!(
        (sent.octets_out, sent.octets_in),
        (received.octets_in, received.octets_out)
    );
    assert_eq!(
        (sent.frames_out, sent.frames_in),
        (received.frames_in, received.frames_out)
    );
    // What is open when the connection ends is so no more.
    let (closed, _) = tokio::join!(client.close(), listener.closed());
    closed.unwrap();
    assert_eq!(client_sums.kept().counts.unsettled_sent, 0);
    assert_eq!(listener_sums.kept().counts.unsettled_received, 0);
}

#[tokio::test]
async fn messages_are_counted_by_the_turn_and_not_one_by_one() {
    let (sums, _, client, listener) = pair().await;
    let options = SenderOptions::new().at_most_once();
    let (sender, link) = tokio::join!(client.create_sender_with("q", options), async {
        listener.next_link().await.unwrap().accept()
    });
    let (sender, Link::Receiver(receiver)) = (sender.unwrap(), link) else {
        panic!("the peer sends")
    };
    sender.wait_credit().await.unwrap();
    settle(&client).await;
    let before = sums.kept().calls;
    for n in 0..400 {
        drop(sender.enqueue(Message::from(n.to_string())).await.unwrap());
    }
    sender.flush().await.unwrap();
    for _ in 0..400 {
        receiver.recv().await.unwrap();
    }
    settle(&client).await;
    let kept = sums.kept();
    assert_eq!(kept.counts.messages_out, 400);
    assert!(kept.calls - before < 20, "{} calls", kept.calls - before);
}

#[tokio::test]
async fn all_that_was_opened_is_closed_and_says_why() {
    let (sums, _, client, listener) = pair().await;
    let session = client.create_session(SessionOptions::new()).await.unwrap();
    let (sender, link) = tokio::join!(session.create_sender("q"), async {
        listener.next_link().await.unwrap().accept()
    });
    let (sender, Link::Receiver(receiver)) = (sender.unwrap(), link) else {
        panic!("the peer sends")
    };
    let refusal = transport::Error::new(ErrorCondition::NotFound);
    let (refused, ()) = tokio::join!(session.create_receiver("nowhere"), async {
        listener.next_link().await.unwrap().refuse(refusal)
    });
    refused.unwrap_err();
    let error = transport::Error::new(ErrorCondition::ResourceDeleted);
    receiver.close_with_error(error).await.unwrap();
    sender.closed().await;
    let error = transport::Error::new(ErrorCondition::ConnectionForced);
    listener.close_with_error(error).await.unwrap();
    client.closed().await.unwrap_err();
    let forced = "amqp:connection:forced";
    assert_eq!(
        sums.kept().told,
        [
            "opened to listener",
            "begun",
            "begun",
            "attached Sender",
            "no Receiver",
            "detached Sender amqp:resource-deleted",
            &format!("ended {forced}"),
            &format!("ended {forced}"),
            &format!("closed {forced}"),
        ]
    );
    // One that never came to be.
    let (sums, options) = counted();
    let (ours, theirs) = tokio::io::duplex(1024);
    drop(theirs);
    let container = Container::new("client");
    container.connect_stream(ours, options).await.unwrap_err();
    assert_eq!(sums.kept().told, ["refused"]);
}
