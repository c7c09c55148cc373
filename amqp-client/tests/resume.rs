//! Links that are attached again: after a detach, and on another connection after a loss.

use amqp_client::listener::{AcceptOptions, Access, IncomingLink, Link};
use amqp_client::types::messaging::Outcome;
use amqp_client::types::transport::Role;
use amqp_client::{
    Body, Connection, ConnectionOptions, Container, Message, Receiver, ReceiverOptions, Sender,
    SenderOptions, SessionOptions, Value,
};

/// A client and a listener that are connected to each other.
async fn pair() -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    (
        client.expect("the client opens"),
        listener.expect("the listener opens"),
    )
}

fn message(n: u32) -> Message {
    Message::from(Value::from(n))
}

fn number(delivery: &amqp_client::Delivery) -> u32 {
    match delivery.message().expect("it decodes").body {
        Body::Value(Value::Uint(n)) => n,
        other => panic!("{other:?}"),
    }
}

fn resumable() -> AcceptOptions {
    AcceptOptions {
        resumable: true,
        ..AcceptOptions::default()
    }
}

fn accept(link: IncomingLink) -> Link {
    let answer = link.answer();
    link.accept_as(answer, resumable())
}

/// A resumable sender at the client and its resumable receiver at the listener.
async fn sending(client: &Connection, listener: &Connection) -> (Sender, Receiver) {
    let options = SenderOptions::new().name("link").resumable();
    let (sender, link) = tokio::join!(client.create_sender_with("q", options), async {
        accept(listener.next_link().await.expect("a link"))
    });
    let Link::Receiver(receiver) = link else {
        panic!("the peer sends")
    };
    (sender.expect("attached"), receiver)
}

/// Attaches the sender again, and lets the listener's receiver go on.
async fn again(sender: &Sender, receiver: &Receiver, client: &Connection, listener: &Connection) {
    let session = client
        .create_session(SessionOptions::new())
        .await
        .expect("a session");
    let (resumed, ()) = tokio::join!(sender.resume(&session, true), async {
        let link = listener.next_link().await.expect("a link");
        assert_eq!(link.role(), Role::Receiver);
        assert!(
            link.attach().unsettled.is_some(),
            "a resumed link tells its unsettled map"
        );
        link.resume_receiver(receiver).expect("it can be resumed");
    });
    resumed.expect("it is attached again");
}

#[tokio::test(start_paused = true)]
async fn deliveries_of_all_ages_survive_a_detach() {
    // tests: [LNK-15] [LNK-17] [LNK-58] [LNK-62] [LNK-63] [RES-03] [RES-04]
    let (client, listener) = pair().await;
    let (sender, receiver) = sending(&client, &listener).await;
    let mut receipts = Vec::new();
    for n in 0..5 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let mut deliveries = Vec::new();
    for n in 0..4 {
        let delivery = receiver.recv().await.expect("a delivery");
        assert_eq!(number(&delivery), n);
        deliveries.push(delivery);
    }
    // 0 is settled before, 1 while detached, 2 and 3 afterwards; 4 was never taken.
    deliveries[0].accept();
    sender.detach().await.expect("detached");
    receipts.push(sender.enqueue(message(5)).await.expect("room"));
    deliveries[1].release();
    again(&sender, &receiver, &client, &listener).await;
    receipts.push(sender.enqueue(message(6)).await.expect("room"));
    for n in 4..7 {
        let delivery = receiver.recv().await.expect("a delivery");
        assert_eq!(number(&delivery), n, "nothing comes twice, nothing is lost");
        delivery.accept();
    }
    deliveries[2].accept();
    deliveries[3].reject(None);
    let mut outcomes = Vec::new();
    for receipt in receipts {
        outcomes.push(receipt.await.expect("an outcome"));
    }
    assert!(matches!(outcomes[1], Outcome::Released(_)), "{outcomes:?}");
    assert!(matches!(outcomes[3], Outcome::Rejected(_)), "{outcomes:?}");
    for n in [0, 2, 4, 5, 6] {
        assert!(
            matches!(outcomes[n], Outcome::Accepted(_)),
            "{n}: {outcomes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn deliveries_survive_the_loss_of_the_connection() {
    // tests: [LNK-03] [RES-16]: the name is the link, whatever connection and handle it has.
    let (client, listener) = pair().await;
    let (sender, receiver) = sending(&client, &listener).await;
    let mut receipts = Vec::new();
    for n in 0..3 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let first = receiver.recv().await.expect("a delivery");
    let second = receiver.recv().await.expect("a delivery");
    let error = amqp_client::types::transport::Error::new(
        amqp_client::types::transport::ErrorCondition::ConnectionForced,
    );
    listener.close_with_error(error).await.expect("it closes");
    assert!(client.closed().await.is_err());
    first.accept();
    let (client, listener) = pair().await;
    again(&sender, &receiver, &client, &listener).await;
    let third = receiver.recv().await.expect("a delivery");
    assert_eq!(number(&third), 2);
    third.accept();
    second.accept();
    for receipt in receipts {
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_resume_gets_everything_again_or_leaves_it_unknown() {
    for resend in [true, false] {
        let (client, listener) = pair().await;
        let (sender, receiver) = sending(&client, &listener).await;
        let receipt = sender.enqueue(message(1)).await.expect("room");
        let held = receiver.recv().await.expect("a delivery");
        sender.detach().await.expect("detached");
        let session = client
            .create_session(SessionOptions::new())
            .await
            .expect("a session");
        let (resumed, link) = tokio::join!(sender.resume(&session, resend), async {
            accept(listener.next_link().await.expect("a link"))
        });
        resumed.expect("it is attached again");
        let Link::Receiver(fresh) = link else {
            panic!("the peer sends")
        };
        drop(held);
        if resend {
            let delivery = fresh.recv().await.expect("it comes again");
            assert_eq!(number(&delivery), 1);
            delivery.accept();
            assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
        } else {
            assert!(receipt.await.is_err(), "the outcome is not known");
        }
        let (sent, ()) = tokio::join!(sender.send(message(2)), async {
            fresh.recv().await.expect("a delivery").accept();
        });
        assert!(matches!(sent, Ok(Outcome::Accepted(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_resumes_and_the_sender_learns_what_was_decided() {
    let (client, listener) = pair().await;
    let options = ReceiverOptions::new().name("link").resumable();
    let (receiver, link) = tokio::join!(client.create_receiver_with("q", options), async {
        accept(listener.next_link().await.expect("a link"))
    });
    let receiver = receiver.expect("attached");
    let Link::Sender(sender) = link else {
        panic!("the peer receives")
    };
    let mut receipts = Vec::new();
    for n in 0..3 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let first = receiver.recv().await.expect("a delivery");
    let second = receiver.recv().await.expect("a delivery");
    receiver.detach().await.expect("detached");
    first.accept();
    let session = client
        .create_session(SessionOptions::new())
        .await
        .expect("a session");
    let (resumed, ()) = tokio::join!(receiver.resume(&session), async {
        let link = listener.next_link().await.expect("a link");
        link.resume_sender(&sender, false)
            .expect("it can be resumed");
    });
    resumed.expect("it is attached again");
    second.accept();
    let third = receiver.recv().await.expect("a delivery");
    assert_eq!(number(&third), 2);
    third.accept();
    for receipt in receipts {
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
}
