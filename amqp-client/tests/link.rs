//! Client and listener over an in-memory pipe: links, outcomes, large messages, ends.

use amqp_client::listener::{Access, Link};
use amqp_client::types::messaging::Outcome;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{
    Body, Connection, ConnectionOptions, Container, ErrorKind, Message, ReceiverOptions,
    SenderOptions,
};

/// A client and a listener that are connected to each other.
async fn pair(options: ConnectionOptions) -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let client = Container::new("client");
    let listener = Container::new("listener");
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    );
    (
        client.expect("the client opens"),
        listener.expect("the listener opens"),
    )
}

fn data(octets: usize) -> Message {
    Message::from(vec![7u8; octets])
}

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_received_and_accepted() {
    let (client, listener) = pair(ConnectionOptions::new()).await;
    assert_eq!(client.remote_container_id(), "listener");
    assert_eq!(listener.remote_container_id(), "client");
    let accepted = tokio::spawn({
        let listener = listener.clone();
        async move {
            let link = listener.next_link().await.expect("a link is attached");
            assert_eq!(link.address(), Some("orders"));
            let Link::Receiver(receiver) = link.accept() else {
                panic!("the peer sends")
            };
            let delivery = receiver.recv().await.expect("a delivery comes");
            let message = delivery.message().expect("it decodes");
            delivery.accept();
            (receiver, message)
        }
    });
    let sender = client
        .create_sender("orders")
        .await
        .expect("it is attached");
    let outcome = sender
        .send(Message::from("hello"))
        .await
        .expect("it is settled");
    assert!(matches!(outcome, Outcome::Accepted(_)));
    let (_receiver, message) = accepted.await.expect("the receiving task ends");
    assert_eq!(message, Message::from("hello"));
    client.close().await.expect("the connection closes");
    assert!(listener.closed().await.is_err());
}

/// A sender at the client, and the receiver at the listener that it is attached to.
async fn sender_and_receiver(
    client: &Connection,
    listener: &Connection,
    options: SenderOptions,
    receive: ReceiverOptions,
) -> (amqp_client::Sender, amqp_client::Receiver) {
    let accept = async {
        let link = listener.next_link().await.expect("a link is attached");
        link.accept_receiver(receive).expect("the peer sends")
    };
    let (sender, receiver) = tokio::join!(client.create_sender_with("q", options), accept);
    (sender.expect("the sender is attached"), receiver)
}

#[tokio::test(start_paused = true)]
async fn thousands_of_pipelined_messages_arrive_in_order() {
    for frame in [512, 65_536] {
        let (client, listener) = pair(ConnectionOptions::new().max_frame_size(frame)).await;
        let (sender, receiver) = sender_and_receiver(
            &client,
            &listener,
            SenderOptions::new(),
            ReceiverOptions::new(),
        )
        .await;
        let count = 5000u32;
        let receiving = tokio::spawn(async move {
            for n in 0..count {
                let delivery = receiver.recv().await.expect("a delivery comes");
                assert_eq!(
                    delivery.message().expect("it decodes").body,
                    Body::Value(n.into())
                );
                delivery.accept();
            }
            receiver
        });
        let mut receipts = Vec::new();
        for n in 0..count {
            receipts.push(
                sender
                    .enqueue(Message::from(amqp_client::Value::from(n)))
                    .await
                    .expect("room"),
            );
        }
        for receipt in receipts {
            assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
        }
        receiving.await.expect("the receiving task ends");
        client.close().await.expect("the connection closes");
    }
}

#[tokio::test(start_paused = true)]
async fn large_messages_take_many_frames_and_windows() {
    for (frame, size) in [(512, 1_000_000), (4096, 3_000_000), (65_536, 10_000_000)] {
        let (client, listener) = pair(ConnectionOptions::new().max_frame_size(frame)).await;
        let (sender, receiver) = sender_and_receiver(
            &client,
            &listener,
            SenderOptions::new(),
            ReceiverOptions::new().prefetch(2),
        )
        .await;
        let receiving = tokio::spawn(async move {
            for _ in 0..3 {
                let delivery = receiver.recv().await.expect("a delivery comes");
                assert_eq!(delivery.message().expect("it decodes"), data(size));
                delivery.accept();
            }
            receiver
        });
        for _ in 0..3 {
            assert!(matches!(
                sender.send(data(size)).await,
                Ok(Outcome::Accepted(_))
            ));
        }
        receiving.await.expect("the receiving task ends");
    }
}

#[tokio::test(start_paused = true)]
async fn settled_messages_arrive_without_an_answer() {
    let (client, listener) = pair(ConnectionOptions::new()).await;
    let (sender, receiver) = sender_and_receiver(
        &client,
        &listener,
        SenderOptions::new().at_most_once(),
        ReceiverOptions::new().prefetch(10),
    )
    .await;
    let receiving = tokio::spawn(async move {
        for _ in 0..1000 {
            let delivery = receiver.recv().await.expect("a delivery comes");
            assert!(delivery.is_settled());
        }
        receiver
    });
    for _ in 0..1000 {
        assert!(matches!(
            sender.send(data(10)).await,
            Ok(Outcome::Accepted(_))
        ));
    }
    receiving.await.expect("the receiving task ends");
    sender.close().await.expect("the link closes");
}

#[tokio::test(start_paused = true)]
async fn every_outcome_comes_back_with_its_fields() {
    let (client, listener) = pair(ConnectionOptions::new()).await;
    let (sender, receiver) = sender_and_receiver(
        &client,
        &listener,
        SenderOptions::new(),
        ReceiverOptions::new(),
    )
    .await;
    let mut receipts = Vec::new();
    for _ in 0..5 {
        receipts.push(sender.enqueue(data(1)).await.expect("room"));
    }
    let mut deliveries = Vec::new();
    for _ in 0..5 {
        deliveries.push(receiver.recv().await.expect("a delivery comes"));
    }
    let error = amqp_client::types::transport::Error::new(ErrorCondition::NotAllowed);
    let modified = amqp_client::types::messaging::Modified {
        delivery_failed: Some(true),
        ..Default::default()
    };
    drop(receiver);
    deliveries[4].accept();
    deliveries[3].reject(error.clone());
    deliveries[2].modify(modified.clone());
    deliveries[1].release();
    drop(deliveries);
    let mut outcomes = Vec::new();
    for receipt in receipts {
        outcomes.push(receipt.await.expect("an outcome"));
    }
    assert!(
        matches!(outcomes[0], Outcome::Released(_)),
        "dropped without an outcome"
    );
    assert!(matches!(outcomes[1], Outcome::Released(_)));
    assert_eq!(outcomes[2], Outcome::Modified(modified));
    let Outcome::Rejected(rejected) = &outcomes[3] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(rejected.error.as_deref(), Some(&error));
    assert!(matches!(outcomes[4], Outcome::Accepted(_)));
}

#[tokio::test(start_paused = true)]
async fn a_refused_link_tells_why_and_the_session_goes_on() {
    // tests: [LNK-08] [LNK-09]
    let (client, listener) = pair(ConnectionOptions::new()).await;
    let refuse = async {
        let link = listener.next_link().await.expect("a link is attached");
        link.refuse(amqp_client::types::transport::Error::new(
            ErrorCondition::NotFound,
        ));
        let link = listener
            .next_link()
            .await
            .expect("another link is attached");
        drop(link);
        listener.next_link().await.expect("a third one").accept()
    };
    let attach = async {
        let refused = client
            .create_sender("nowhere")
            .await
            .expect_err("it is refused");
        assert_eq!(refused.condition(), Some(&ErrorCondition::NotFound));
        assert_eq!(refused.kind(), ErrorKind::LinkDetached);
        let dropped = client
            .create_receiver("nowhere")
            .await
            .expect_err("it is refused");
        assert_eq!(dropped.condition(), Some(&ErrorCondition::NotAllowed));
        client
            .create_receiver("somewhere")
            .await
            .expect("it is accepted")
    };
    let (link, receiver) = tokio::join!(refuse, attach);
    let Link::Sender(sender) = link else {
        panic!("the peer receives")
    };
    let (sent, delivery) = tokio::join!(sender.send(data(1)), async {
        receiver.recv().await.expect("a delivery comes").accept();
    });
    assert!(sent.is_ok());
    let () = delivery;
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let (ours, _theirs) = tokio::io::duplex(1024);
    let error = Container::new("client")
        .connect_stream(ours, ConnectionOptions::new())
        .await
        .expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_ends_everything_that_waits() {
    let (client, listener) = pair(ConnectionOptions::new()).await;
    let (sender, receiver) = sender_and_receiver(
        &client,
        &listener,
        SenderOptions::new(),
        ReceiverOptions::new(),
    )
    .await;
    let receipt = sender.enqueue(data(1)).await.expect("room");
    let delivery = receiver.recv().await.expect("a delivery comes");
    let forced = amqp_client::types::transport::Error::new(ErrorCondition::ConnectionForced);
    listener.close_with_error(forced).await.expect("it closes");
    let error = receipt.await.expect_err("the outcome is not known");
    assert_eq!(error.condition(), Some(&ErrorCondition::ConnectionForced));
    assert!(error.is_retryable());
    assert!(sender.send(data(1)).await.is_err());
    delivery.accept();
    assert!(client.closed().await.is_err());
    assert!(client.create_sender("q").await.is_err());
}
