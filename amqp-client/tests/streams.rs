//! Messages that are sent as they come and read while they arrive.

use amqp_client::listener::{AcceptOptions, Access, Link};
use amqp_client::types::messaging::Outcome;
use amqp_client::{
    Connection, ConnectionOptions, Container, ErrorKind, Message, Receiver, SendSettings, Sender,
    SessionOptions,
};

const BODY: usize = 3_000_000;

/// A sender at the client and a receiver at the listener, which reads while messages arrive if
/// `streaming`. Frames and windows are small, so that they matter.
async fn linked(streaming: bool) -> (Connection, Connection, Sender, Receiver) {
    let session = SessionOptions::new().incoming_window(8);
    let options = ConnectionOptions::new()
        .max_frame_size(4096)
        .session(session);
    let (ours, theirs) = tokio::io::duplex(16 * 1024);
    let listener = Container::with_options("listener", options.clone());
    let access = Access::anyone();
    let client = Container::new("client");
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        let link = listener.next_link().await.expect("a link");
        let answer = link.answer();
        link.accept_as(
            answer,
            AcceptOptions {
                streaming,
                ..AcceptOptions::default()
            },
        )
    });
    let Link::Receiver(receiver) = link else {
        panic!("the peer sends")
    };
    (client, listener, sender.expect("attached"), receiver)
}

fn body() -> Vec<u8> {
    (0..BODY).map(|n| (n % 251) as u8).collect()
}

fn head() -> Message {
    let mut message = Message::from("").with_subject("large");
    message.body = amqp_client::Body::Empty;
    message
}

#[tokio::test(start_paused = true)]
async fn a_body_is_read_from_a_source_and_arrives_while_it_is_sent() {
    let (_client, _listener, sender, receiver) = linked(true).await;
    let reading = tokio::spawn(async move {
        let mut delivery = receiver.recv_stream().await.expect("it begins");
        let head = delivery
            .head()
            .await
            .expect("sections in front of the body");
        let subject = head.properties.and_then(|p| p.subject);
        let read = delivery.read_all(BODY).await.expect("all of it");
        delivery.delivery().accept();
        (subject, read, receiver)
    });
    let source = std::io::Cursor::new(body());
    let outcome = sender.send_from(head(), source).await.expect("settled");
    assert!(matches!(outcome, Outcome::Accepted(_)));
    let (subject, read, _receiver) = reading.await.expect("the reading task ends");
    assert_eq!(subject.as_deref(), Some("large"));
    assert!(read == body(), "the octets are the same");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_read_holds_the_sender_back_and_a_dropped_reader_does_not() {
    let (_client, _listener, sender, receiver) = linked(true).await;
    let mut stream = sender
        .stream(head(), SendSettings::default())
        .await
        .expect("room");
    let writing = async {
        for _ in 0..100 {
            stream.write(vec![0u8; 30_000]).await?;
        }
        stream.finish()?.await
    };
    tokio::pin!(writing);
    let limit = std::time::Duration::from_secs(10);
    let blocked = tokio::time::timeout(limit, &mut writing).await;
    assert!(blocked.is_err(), "nobody reads");
    let mut delivery = receiver.recv_stream().await.expect("it has begun");
    let (outcome, ()) = tokio::join!(writing, async {
        delivery
            .next()
            .await
            .expect("a piece")
            .expect("not the end");
        drop(delivery);
    });
    assert!(matches!(outcome, Ok(Outcome::Released(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_aborts_the_delivery_and_the_link_goes_on() {
    // tests: [LNK-55]
    for streaming in [true, false] {
        let (_client, _listener, sender, receiver) = linked(streaming).await;
        for started in [true, false] {
            let mut stream = sender
                .stream(head(), SendSettings::default())
                .await
                .expect("room");
            if started {
                stream.write(vec![0u8; 10_000]).await.expect("room");
                sender.flush().await.expect("its first transfer is written");
            }
            drop(stream);
            if streaming && started {
                let mut delivery = receiver.recv_stream().await.expect("it has begun");
                let error = delivery.read_all(BODY).await.expect_err("it was given up");
                assert_eq!(error.kind(), ErrorKind::LinkDetached);
            }
        }
        let (outcome, ()) = tokio::join!(sender.send(Message::from(vec![1u8; 9000])), async {
            if streaming {
                let mut delivery = loop {
                    let mut delivery = receiver.recv_stream().await.expect("the next one");
                    if delivery.head().await.is_ok() {
                        break delivery;
                    }
                };
                assert_eq!(
                    delivery.read_all(BODY).await.expect("all of it").len(),
                    9000
                );
                delivery.delivery().accept();
            } else {
                receiver.recv().await.expect("the next one").accept();
            }
        });
        assert!(matches!(outcome, Ok(Outcome::Accepted(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_message_is_an_ordinary_one_to_others() {
    let (_client, _listener, sender, receiver) = linked(false).await;
    let mut stream = sender
        .stream(head(), SendSettings::default())
        .await
        .expect("room");
    stream.write(&b"one"[..]).await.expect("room");
    stream.write(&b"two"[..]).await.expect("room");
    let receipt = stream.finish().expect("the link is there");
    let delivery = receiver.recv().await.expect("it arrives");
    let message = delivery.message().expect("it decodes");
    let amqp_client::Body::Data(sections) = message.body else {
        panic!("data")
    };
    let sections: Vec<&[u8]> = sections.iter().map(|section| &section[..]).collect();
    assert_eq!(sections, [b"one", b"two"]);
    delivery.accept();
    assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_ends_the_reading() {
    let (client, _listener, sender, receiver) = linked(true).await;
    let mut stream = sender
        .stream(head(), SendSettings::default())
        .await
        .expect("room");
    stream.write(vec![0u8; 10_000]).await.expect("room");
    let mut delivery = receiver.recv_stream().await.expect("it begins");
    delivery.next().await.expect("a piece");
    client.close().await.expect("closed");
    assert!(delivery.read_all(BODY).await.is_err());
    assert!(stream.write(vec![0u8; 10]).await.is_err());
}
