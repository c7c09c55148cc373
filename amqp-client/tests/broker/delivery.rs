//! Messages arrive: once, in order, whole, in either settle mode.

use amqp_client::types::messaging::Outcome;
use amqp_client::{
    Connection, ConnectionOptions, Container, Message, ReceiverOptions, SenderOptions,
    SessionOptions, Value,
};

use crate::{broker, connect, connect_with, next, put, receiver, sender, soon, text};

#[tokio::test]
async fn a_message_goes_through_the_broker_over_tcp() {
    let broker = broker().await;
    let connection = Container::new("client")
        .connect(&broker.url())
        .await
        .unwrap();
    assert_eq!(connection.remote_container_id(), "broker");
    put(&sender(&connection, "q").await, Message::from("hello")).await;
    let receiver = receiver(&connection, "q").await;
    let delivery = next(&receiver).await;
    assert_eq!(text(&delivery), "hello");
    delivery.accept();
    connection.close().await.unwrap();
    broker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn messages_at_most_once_are_settled_all_the_way() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = connection
        .create_sender_with("q", SenderOptions::new().at_most_once())
        .await
        .unwrap();
    for text in ["one", "two", "three"] {
        let outcome = soon(sender.send(Message::from(text))).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(_)));
    }
    let receiver = connection
        .create_receiver_with("q", ReceiverOptions::new().at_most_once())
        .await
        .unwrap();
    for expected in ["one", "two", "three"] {
        let delivery = next(&receiver).await;
        assert!(delivery.is_settled());
        assert_eq!(text(&delivery), expected);
    }
    assert_eq!(broker.depth("q"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_of_mode_second_is_settled_by_the_broker() {
    // tests: [LNK-48]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let receiver = connection
        .create_receiver_with("q", ReceiverOptions::new().settle_second().prefetch(1))
        .await
        .unwrap();
    let sender = sender(&connection, "q").await;
    // One credit: each delivery has to be done with before the next one comes.
    for number in 0..5u32 {
        put(&sender, Message::from(Value::from(number))).await;
        let delivery = next(&receiver).await;
        delivery.accept();
    }
    soon(receiver.close()).await.unwrap();
    assert_eq!(broker.depth("q"), Some(0));
}

/// A text that does not fit into one frame, nor into a hundred small ones.
fn large(number: usize) -> String {
    format!("{number}-{}", "large ".repeat(20_000))
}

async fn large_messages_go_both_ways(connection: &Connection) {
    let sender = sender(connection, "q").await;
    let receiver = receiver(connection, "q").await;
    let sending = async {
        for number in 0..10 {
            put(&sender, Message::from(large(number))).await;
        }
    };
    let receiving = async {
        for number in 0..10 {
            let delivery = next(&receiver).await;
            assert!(
                text(&delivery) == large(number),
                "message {number} is as it was sent"
            );
            delivery.accept();
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test(start_paused = true)]
async fn large_messages_pass_through_small_frames() {
    for frame in [512, 4096, 65_536] {
        let broker = broker().await;
        let options = ConnectionOptions::new().max_frame_size(frame);
        large_messages_go_both_ways(&connect_with(&broker, options).await).await;
    }
}

#[tokio::test(start_paused = true)]
async fn large_messages_pass_through_small_frames_of_the_broker() {
    let options = ConnectionOptions::new().max_frame_size(512);
    let broker = crate::start(amqp_client::broker::Broker::builder().connection(options)).await;
    large_messages_go_both_ways(&connect(&broker).await).await;
}

#[tokio::test(start_paused = true)]
async fn small_windows_hold_nothing_up() {
    // tests: [SES-26]
    let broker = broker().await;
    let session = SessionOptions::new().incoming_window(3);
    let options = ConnectionOptions::new()
        .max_frame_size(512)
        .session(session);
    let connection = connect_with(&broker, options).await;
    numbers_arrive_in_order(connection.clone(), connection, 2000).await;
}

/// Sends numbers from one connection to another, pipelined, and checks their order.
async fn numbers_arrive_in_order(sending: Connection, receiving: Connection, count: u32) {
    let receiver = receiver(&receiving, "q").await;
    let sender = sender(&sending, "q").await;
    let sent = tokio::spawn(async move {
        let mut receipts = Vec::new();
        for number in 0..count {
            let message = Message::from(Value::from(number));
            receipts.push(sender.enqueue(message).await.expect("there is room"));
        }
        for receipt in receipts {
            let outcome = receipt.await.expect("it is settled");
            assert!(matches!(outcome, Outcome::Accepted(_)));
        }
    });
    for number in 0..count {
        let delivery = receiver.recv().await.expect("a delivery comes");
        let message = delivery.message().expect("it decodes");
        assert_eq!(message.body.as_value(), Some(&Value::from(number)));
        delivery.accept();
    }
    sent.await.expect("the sending task ends");
    receiver.close().await.expect("the link closes");
    receiving.close().await.expect("the connection closes");
    sending.close().await.expect("the connection closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_messages_arrive_in_order_over_tcp() {
    let broker = broker().await;
    let container = Container::new("client");
    let sending = container.connect(&broker.url()).await.unwrap();
    let receiving = container.connect(&broker.url()).await.unwrap();
    numbers_arrive_in_order(sending, receiving, 100_000).await;
    assert_eq!(broker.depth("q"), Some(0));
    broker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn thousands_of_messages_arrive_in_order_through_a_pipe() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    numbers_arrive_in_order(connection.clone(), connection, 20_000).await;
}

#[tokio::test(start_paused = true)]
async fn the_bare_message_is_passed_on_octet_for_octet() {
    // tests: [MSG-05] [MSG-14] [MSG-15]
    use amqp_client::EncodedMessage;
    use bytes::Bytes;

    // Encodings that nobody would choose: list32, a ulong of eight octets as a descriptor, str32.
    let octets: &[&[u8]] = &[
        // header: durable false in two octets; delivery annotations {x-opt-a: 1}
        b"\x00\x53\x70\xc0\x03\x01\x56\x00",
        b"\x00\x53\x71\xc1\x0c\x02\xa3\x07x-opt-a\x54\x01",
        // message annotations {x-opt-b: 2} as map32
        b"\x00\x53\x72\xd1\x00\x00\x00\x0f\x00\x00\x00\x02\xa3\x07x-opt-b\x54\x02",
        // properties as list32: message-id, a ulong in eight octets
        b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x73\xd0\x00\x00\x00\x0d\x00\x00\x00\x01\x80\x00\x00\x00\x00\x00\x00\x00\x01",
        // two data sections
        b"\x00\x53\x75\xb0\x00\x00\x00\x01a\x00\x53\x75\xa0\x01b",
    ];
    let message = EncodedMessage::new(Bytes::from(octets.concat())).unwrap();
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    soon(sender.send(&message)).await.unwrap();
    let received = next(&receiver(&connection, "q").await)
        .await
        .encoded()
        .unwrap();
    assert_eq!(received.bare(), message.bare());
    assert_eq!(
        received.message_annotations().unwrap(),
        message.message_annotations().unwrap()
    );
    assert_eq!(received.delivery_annotations().unwrap(), None);
}
