//! The blocking client: its calls, timeouts, and requests that are answered by a handler.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use amqp_client::blocking::{BlockingConnection, SyncRequestResponse};
use amqp_client::broker::Broker;
use amqp_client::handler::{HandlerResult, MessageEvent, MessagingHandler, StartEvent};
use amqp_client::link_option::{Copy, Selector};
use amqp_client::listener::{Access, Link, Listener, Router};
use amqp_client::types::Encode;
use amqp_client::types::messaging::{Outcome, Rejected};
use amqp_client::types::transport::{Error as AmqpError, ErrorCondition, Milliseconds, Open};
use amqp_client::{ConnectionOptions, Container, ErrorKind, ErrorScope, Message, ReceiverOptions};
use bytes::BytesMut;

struct Rig {
    _runtime: tokio::runtime::Runtime,
    broker: Option<Broker>,
}

impl Rig {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("as it should be");
        let broker = runtime.block_on(Broker::start()).expect("as it should be");
        Self {
            _runtime: runtime,
            broker: Some(broker),
        }
    }

    fn url(&self) -> String {
        self.broker.as_ref().expect("as it should be").url()
    }
}

#[test]
fn deliveries_are_settled_by_their_own_handles_in_any_order() {
    let rig = Rig::new();
    let connection = BlockingConnection::connect(&rig.url()).expect("as it should be");
    let sender = connection.create_sender("q").expect("as it should be");
    for text in ["one", "two"] {
        let outcome = sender.send(Message::from(text)).expect("as it should be");
        assert!(matches!(outcome, Outcome::Accepted(_)));
    }
    let receiver = connection.create_receiver("q").expect("as it should be");
    let (one, two) = (
        receiver.receive().expect("as it should be"),
        receiver.receive().expect("as it should be"),
    );
    two.accept();
    one.release();
    let again = receiver.receive().expect("as it should be");
    assert_eq!(
        again.message().expect("as it should be").body.as_str(),
        Some("one")
    );
    again.accept();
    receiver.close().expect("as it should be");
    connection.close().expect("as it should be");
}

/// An address where nobody listens.
fn nobody() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().to_string()
}

#[test]
fn the_next_address_is_tried_where_nobody_listens() {
    let rig = Rig::new();
    let alive = rig.url();
    let urls = format!("amqp://{},{alive}", nobody());
    let connection = BlockingConnection::connect(&urls).unwrap();
    let sender = connection.create_sender("q").unwrap();
    let outcome = sender.send(Message::from("x")).unwrap();
    assert!(matches!(outcome, Outcome::Accepted(_)));
    connection.close().unwrap();

    let urls = format!("amqp://{},amqp://{}", nobody(), nobody());
    let error = BlockingConnection::connect(&urls).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn a_call_on_a_connection_that_is_lost_says_so_at_once() {
    let mut rig = Rig::new();
    let connection = BlockingConnection::connect(&rig.url()).unwrap();
    let receiver = connection.create_receiver("q").unwrap();
    let waits = std::thread::spawn({
        let receiver = receiver.clone();
        move || receiver.receive().unwrap_err()
    });
    let broker = rig.broker.take().unwrap();
    rig._runtime.block_on(broker.shutdown());
    let waited = waits.join().unwrap();
    // The broker says goodbye with an error.
    assert_eq!(waited.condition(), Some(&ErrorCondition::ConnectionForced));
    let error = connection.create_sender("q").unwrap_err();
    assert_eq!(error.condition(), waited.condition());
    assert!(error.is_retryable());
}

/// A listener, and a URL for it.
fn listen(rig: &Rig) -> (Listener, String) {
    let container = Container::new("peer");
    let listening = container.listen("127.0.0.1:0", Access::anyone());
    let listener = rig._runtime.block_on(listening).unwrap();
    let url = format!("amqp://{}", listener.local_addr());
    (listener, url)
}

fn refused() -> AmqpError {
    let mut error = AmqpError::new(ErrorCondition::NotAllowed);
    error.description = Some("not today".into());
    error
}

#[test]
fn a_rejection_keeps_its_condition_and_so_does_a_request_that_is_rejected() {
    let rig = Rig::new();
    let (listener, url) = listen(&rig);
    let router = Router::new().route("q", async |_| {
        Outcome::Rejected(Rejected {
            error: Some(Box::new(refused())),
        })
    });
    rig._runtime.spawn(async move {
        let connection = listener.accept().await.unwrap();
        tokio::spawn(async move { router.serve(&connection).await });
        // The next one: first the link for responses, whose node it makes.
        let connection = listener.accept().await.unwrap();
        let link = connection.next_link().await.unwrap();
        let mut answer = link.answer();
        if let Some(amqp_client::types::messaging::SourceArchetype::Source(source)) =
            &mut answer.source
        {
            source.address = Some("inbox".to_owned().into());
        }
        let inbox = link.accept_as(answer, Default::default());
        let Link::Receiver(requests) = connection.next_link().await.unwrap().accept() else {
            panic!("the client sends")
        };
        requests.recv().await.unwrap().reject(refused());
        let _ = connection.closed().await;
        drop(inbox);
    });
    let connection = BlockingConnection::connect(&url).unwrap();
    let sender = connection.create_sender("q").unwrap();
    let Outcome::Rejected(rejected) = sender.send(Message::from("x")).unwrap() else {
        panic!("it is rejected")
    };
    assert_eq!(*rejected.error.unwrap(), refused());

    let connection = BlockingConnection::connect(&url).unwrap();
    let mut client = SyncRequestResponse::new(&connection, "requests").unwrap();
    let error = client.call(Message::from("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert_eq!(error.amqp(), Some(&refused()));
}

#[test]
fn the_end_of_a_link_and_of_a_connection_keep_their_conditions() {
    let rig = Rig::new();
    let (listener, url) = listen(&rig);
    rig._runtime.spawn(async move {
        let connection = listener.accept().await.unwrap();
        connection.next_link().await.unwrap().refuse(refused());
        let Link::Sender(sender) = connection.next_link().await.unwrap().accept() else {
            panic!("the client receives")
        };
        let _ = sender.close_with_error(refused()).await;
        let Link::Sender(sender) = connection.next_link().await.unwrap().accept() else {
            panic!("the client receives")
        };
        sender.send(Message::from("the last")).await.unwrap();
        let _ = connection.close_with_error(refused()).await;
    });
    let connection = BlockingConnection::connect(&url).unwrap();
    let error = connection.create_sender("refused").unwrap_err();
    assert_eq!(error.amqp(), Some(&refused()));

    let receiver = connection.create_receiver("closed").unwrap();
    let error = receiver.receive().unwrap_err();
    assert_eq!(error.amqp(), Some(&refused()));
    assert_eq!(error.scope(), ErrorScope::Link);

    let receiver = connection.create_receiver("lost").unwrap();
    receiver.receive().unwrap().accept();
    let error = receiver.receive().unwrap_err();
    assert_eq!(error.amqp(), Some(&refused()));
    assert_eq!(error.scope(), ErrorScope::Connection);
    assert_eq!(connection.close().unwrap_err().amqp(), Some(&refused()));
}

#[test]
fn a_call_waits_no_longer_than_it_says() {
    let rig = Rig::new();
    let connection = BlockingConnection::connect(&rig.url()).expect("as it should be");
    let receiver = connection
        .create_receiver("empty")
        .expect("as it should be");
    let error = receiver
        .receive_timeout(Some(Duration::from_millis(10)))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn heartbeats_go_on_between_calls() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://{}", socket.local_addr().unwrap());
    // A peer that wants to hear something every 20 ms, and waits for ten heartbeats.
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        let mut open = Open::new("impatient");
        open.idle_time_out = Some(Milliseconds(20));
        let mut frame =
            BytesMut::from(&b"AMQP\x00\x01\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00"[..]);
        open.encode(&mut frame);
        let size = (frame.len() - 8) as u32;
        frame[8..12].copy_from_slice(&size.to_be_bytes());
        stream.write_all(&frame).unwrap();
        let mut header = [0; 8];
        stream.read_exact(&mut header).unwrap();
        assert_eq!(&header, b"AMQP\x00\x01\x00\x00");
        let mut beats = 0;
        while beats < 10 {
            let mut size = [0; 4];
            stream.read_exact(&mut size).unwrap();
            let mut rest = vec![0; u32::from_be_bytes(size) as usize - 4];
            stream.read_exact(&mut rest).unwrap();
            beats += usize::from(rest.len() == 4);
        }
    });
    let options = ConnectionOptions::new().without_sasl();
    let client = Container::new("client");
    let connection = BlockingConnection::connect_with(&client, &url, options, None).unwrap();
    // No call is made meanwhile.
    peer.join().unwrap();
    drop(connection);
}

#[tokio::test]
async fn a_blocking_call_in_a_runtime_is_an_error() {
    let error = BlockingConnection::connect("amqp://localhost").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[test]
fn a_queue_is_looked_through_with_copy() {
    let rig = Rig::new();
    let connection = BlockingConnection::connect(&rig.url()).expect("as it should be");
    connection
        .create_sender("q")
        .expect("as it should be")
        .send(Message::from("kept"))
        .expect("as it should be");
    for _ in 0..2 {
        let browser = connection
            .create_receiver_with("q", ReceiverOptions::new().with(Copy))
            .expect("as it should be");
        let delivery = browser.receive().expect("as it should be");
        assert_eq!(
            delivery.message().expect("as it should be").body.as_str(),
            Some("kept")
        );
        browser.close().expect("as it should be");
    }
}

#[test]
fn a_filter_that_the_peer_does_not_apply_is_an_error() {
    let rig = Rig::new();
    let connection = BlockingConnection::connect(&rig.url()).expect("as it should be");
    let options = ReceiverOptions::new().with(Selector::new("colour = 'green'"));
    let error = connection.create_receiver_with("q", options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

/// Answers requests in capitals.
struct Server(String);

impl MessagingHandler for Server {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let connection = event.container().connect(&self.0)?;
        connection.create_receiver("requests")?;
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let request = event.message()?;
        let properties = request.properties.ok_or("no properties")?;
        let reply_to = properties.reply_to.ok_or("no reply-to")?;
        let text = request.body.as_str().ok_or("no text")?.to_uppercase();
        let mut response = Message::from(text);
        if let Some(id) = properties.correlation_id {
            response = response.with_correlation_id(id);
        }
        let sender = event.connection().create_sender(reply_to.as_str())?;
        sender.send(response)?;
        sender.close();
        Ok(())
    }
}

#[test]
fn requests_are_answered() {
    let rig = Rig::new();
    let running = {
        let _context = rig._runtime.enter();
        Container::new("server")
            .start(Server(rig.url()))
            .expect("as it should be")
    };
    let connection = BlockingConnection::connect(&rig.url()).expect("as it should be");
    let mut client = SyncRequestResponse::new(&connection, "requests").expect("as it should be");
    for text in ["twas brillig", "and the slithy toves"] {
        let response = client.call(Message::from(text)).expect("as it should be");
        assert_eq!(response.body.as_str(), Some(text.to_uppercase().as_str()));
    }
    connection.close().expect("as it should be");
    running.container().stop();
    rig._runtime
        .block_on(running.wait())
        .expect("as it should be");
}
