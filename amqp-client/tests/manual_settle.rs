//! Senders that settle by hand what their receivers leave to them. Sections 2.6.12, 2.8.3.

use amqp_client::listener::{Access, Link};
use amqp_client::types::messaging::{DeliveryState, Outcome};
use amqp_client::{
    Connection, ConnectionOptions, Container, Message, Receiver, Sender, SenderOptions,
    SessionOptions,
};

/// A client's sender that asks for settle mode second, and the listener's receiver.
async fn sending(options: SenderOptions) -> (Connection, Connection, Sender, Receiver) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    let options = options.settle_second();
    let (sender, link) = tokio::join!(client.create_sender_with("q", options), async {
        listener.next_link().await.expect("a link").accept()
    });
    let Link::Receiver(receiver) = link else {
        panic!("the peer sends")
    };
    (client, listener, sender.expect("attached"), receiver)
}

async fn unsettled(connection: &Connection) -> usize {
    let stats = connection.stats().await.expect("the connection is open");
    stats.unsettled_sent
}

#[tokio::test(start_paused = true)]
async fn an_outcome_settles_by_itself_and_is_forgotten() {
    // tests: [LNK-48]
    let (client, _listener, sender, receiver) = sending(SenderOptions::new()).await;
    let mut receipt = sender.enqueue(Message::from("x")).await.expect("room");
    let delivery = receiver.recv().await.expect("a delivery");
    delivery.accept();
    delivery.settled().await.expect("settled by the sender");
    assert_eq!(unsettled(&client).await, 0);
    assert!(receipt.updated().await.is_none(), "nothing comes before it");
    assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_waits_for_the_program_that_settles_by_hand() {
    // tests: [LNK-48]
    let options = SenderOptions::new().manual_settle();
    let (client, _listener, sender, receiver) = sending(options).await;
    let mut receipt = sender.enqueue(Message::from("x")).await.expect("room");
    // There is no outcome yet.
    receipt.settle();
    let delivery = receiver.recv().await.expect("a delivery");
    delivery.release();
    let told = receipt.updated().await;
    assert!(matches!(told, Some(DeliveryState::Released(_))), "{told:?}");
    assert_eq!(unsettled(&client).await, 1);
    receipt.settle();
    receipt.settle();
    assert!(matches!(receipt.await, Ok(Outcome::Released(_))));
    delivery.settled().await.expect("settled by the sender");
    assert_eq!(unsettled(&client).await, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_unsettled_that_nobody_can_settle() {
    let options = SenderOptions::new().manual_settle();
    let (client, _listener, sender, receiver) = sending(options).await;
    // Before the outcome is told, and after.
    drop(sender.enqueue(Message::from("x")).await.expect("room"));
    let delivery = receiver.recv().await.expect("a delivery");
    delivery.accept();
    delivery.settled().await.expect("settled by the sender");

    let mut receipt = sender.enqueue(Message::from("y")).await.expect("room");
    let delivery = receiver.recv().await.expect("a delivery");
    delivery.accept();
    receipt.updated().await.expect("the outcome");
    drop(receipt);
    delivery.settled().await.expect("settled by the sender");

    // A call that waits for the outcome has no receipt to settle with.
    let sent = tokio::join!(sender.send(Message::from("z")), async {
        let delivery = receiver.recv().await.expect("a delivery");
        delivery.accept();
        delivery.settled().await.expect("settled by the sender");
    });
    assert!(matches!(sent.0, Ok(Outcome::Accepted(_))));
    assert_eq!(unsettled(&client).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_receiver_settles_is_settled() {
    let options = SenderOptions::new().manual_settle();
    let (client, listener, _, _) = sending(options.clone()).await;
    // The peer's answer to the wish for mode second is first.
    let (sender, receiver) = tokio::join!(client.create_sender_with("q", options), async {
        match listener.next_link().await.expect("a link").accept() {
            Link::Receiver(receiver) => receiver,
            Link::Sender(_) => panic!("the peer sends"),
        }
    });
    let sender = sender.expect("attached");
    let receipt = sender.enqueue(Message::from("x")).await.expect("room");
    receiver.recv().await.expect("a delivery").accept();
    assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    assert_eq!(unsettled(&client).await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_was_told_before_a_detach_settles_when_the_link_is_resumed() {
    // tests: [RES-16]
    let options = SenderOptions::new()
        .name("link")
        .resumable()
        .manual_settle();
    let (client, listener, sender, receiver) = sending(options).await;
    let mut receipt = sender.enqueue(Message::from("x")).await.expect("room");
    let delivery = receiver.recv().await.expect("a delivery");
    delivery.accept();
    receipt.updated().await.expect("the outcome");
    sender.detach().await.expect("detached");
    let session = client.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let (resumed, attach) = tokio::join!(sender.resume(&session, false), async {
        let link = listener.next_link().await.expect("a link");
        let attach = link.attach().clone();
        link.accept();
        attach
    });
    resumed.expect("resumed");
    let map = attach.unsettled.expect("a map");
    let states: Vec<_> = map.iter().map(|(_, state)| state.clone()).collect();
    assert!(
        matches!(states[..], [Some(DeliveryState::Accepted(_))]),
        "{states:?}"
    );
    assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    assert_eq!(unsettled(&client).await, 0);
}
