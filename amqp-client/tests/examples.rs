//! The examples under their known names, run against the embedded broker or each other.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::time::Duration;

use amqp_client::Container;
use amqp_client::blocking::BlockingConnection;
use amqp_client::broker::Broker;
use amqp_client::{Message, handler::Running};
use tokio::runtime::Runtime;

macro_rules! example {
    ($name:ident, $path:literal) => {
        #[path = $path]
        #[allow(dead_code, missing_docs, unreachable_pub)]
        mod $name;
    };
}

example!(client, "../examples/client.rs");
example!(direct_recv, "../examples/direct_recv.rs");
example!(direct_send, "../examples/direct_send.rs");
example!(helloworld, "../examples/helloworld.rs");
example!(helloworld_blocking, "../examples/helloworld_blocking.rs");
example!(helloworld_direct, "../examples/helloworld_direct.rs");
example!(queue_browser, "../examples/queue_browser.rs");
example!(recurring_timer, "../examples/recurring_timer.rs");
example!(server, "../examples/server.rs");
example!(sync_client, "../examples/sync_client.rs");

fn broker() -> (Runtime, Broker) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let broker = runtime.block_on(Broker::start()).unwrap();
    (runtime, broker)
}

#[test]
fn hello_worlds() {
    let (_runtime, broker) = broker();
    assert_eq!(helloworld::run(broker.url()).unwrap(), ["Hello World!"]);
    assert_eq!(
        helloworld_blocking::run(&broker.url()).unwrap(),
        "Hello World!"
    );
    let direct = helloworld_direct::run("127.0.0.1:0".to_owned()).unwrap();
    assert_eq!(direct, ["Hello World!"]);
}

#[test]
fn direct_recv_receives_what_a_client_sends() {
    let (tell, address) = mpsc::channel();
    let program = std::thread::spawn(move || {
        direct_recv::run("127.0.0.1:0".to_owned(), 100, move |address| {
            tell.send(address).unwrap();
        })
    });
    let url = format!("amqp://{}", address.recv().unwrap());
    let connection = BlockingConnection::connect(&url).unwrap();
    let sender = connection.create_sender("examples").unwrap();
    for number in 0..100 {
        sender
            .send(Message::from(format!("message {number}")))
            .unwrap();
    }
    connection.close().unwrap();
    assert_eq!(program.join().unwrap().unwrap(), 100);
}

#[test]
fn direct_send_sends_to_a_client() {
    let (tell, address) = mpsc::channel();
    let program = std::thread::spawn(move || {
        direct_send::run("127.0.0.1:0".to_owned(), 100, move |address| {
            tell.send(address).unwrap();
        })
    });
    let url = format!("amqp://{}", address.recv().unwrap());
    let connection = BlockingConnection::connect(&url).unwrap();
    let receiver = connection.create_receiver("examples").unwrap();
    for number in 1..=100 {
        let delivery = receiver.receive().unwrap();
        let expected = format!("message {number}");
        assert_eq!(
            delivery.message().unwrap().body.as_str(),
            Some(expected.as_str())
        );
        delivery.accept();
    }
    assert_eq!(program.join().unwrap().unwrap(), 100);
}

#[test]
fn client_and_sync_client_are_answered_by_server() {
    let (runtime, broker) = broker();
    let running: Running<server::Server> = {
        let _context = runtime.enter();
        let program = server::Server::new(broker.url(), "requests".to_owned());
        Container::new("server").start(program).unwrap()
    };
    let requests = ["one sheep", "two sheep"];
    let expected = ["ONE SHEEP", "TWO SHEEP"];
    let responses = client::run(broker.url(), "requests".to_owned(), &requests).unwrap();
    assert_eq!(responses, expected);
    let responses = sync_client::run(&broker.url(), "requests", &requests).unwrap();
    assert_eq!(responses, expected);
    running.container().stop();
    runtime.block_on(running.wait()).unwrap();
}

#[test]
fn queue_browser_leaves_messages_where_they_are() {
    let (_runtime, broker) = broker();
    let connection = BlockingConnection::connect(&broker.url()).unwrap();
    let sender = connection.create_sender("examples").unwrap();
    for text in ["one", "two"] {
        sender.send(Message::from(text)).unwrap();
    }
    connection.close().unwrap();
    for _ in 0..2 {
        let seen = queue_browser::run(broker.url(), "examples".to_owned()).unwrap();
        assert_eq!(seen, ["one", "two"]);
    }
    assert_eq!(broker.depth("examples"), Some(2));
}

#[test]
fn recurring_timer_ticks() {
    assert_eq!(
        recurring_timer::run(Duration::from_millis(1), 5).unwrap(),
        5
    );
}
