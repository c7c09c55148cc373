//! Sending, receiving, browsing, selecting; with a broker and without.

use std::sync::mpsc;

use amqp_client::blocking::BlockingConnection;
use amqp_client::listener::{Access, Link, Listener};
use amqp_client::types::messaging::SourceArchetype;
use amqp_client::{Container, Message};

use crate::{broker, fill, is_explained, options};

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/broker.rs"]
mod broker_program;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/colour_send.rs"]
mod colour_send;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/direct_recv.rs"]
mod direct_recv;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/direct_send.rs"]
mod direct_send;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/first_message.rs"]
mod first_message;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/flow_control.rs"]
mod flow_control;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/helloworld.rs"]
mod helloworld;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/helloworld_blocking.rs"]
mod helloworld_blocking;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/helloworld_direct.rs"]
mod helloworld_direct;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/queue_browser.rs"]
mod queue_browser;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/selected_recv.rs"]
mod selected_recv;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/send_abort.rs"]
mod send_abort;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/simple_recv.rs"]
mod simple_recv;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/simple_send.rs"]
mod simple_send;

#[test]
fn hello_worlds() {
    let (runtime, broker) = broker();
    let first = runtime.block_on(first_message::run(&broker.url()));
    assert_eq!(first.unwrap(), "hello, world");
    assert_eq!(helloworld::run(broker.url()).unwrap(), ["Hello World!"]);
    assert_eq!(
        helloworld_blocking::run(&broker.url()).unwrap(),
        "Hello World!"
    );
    let direct = helloworld_direct::run("127.0.0.1:0".to_owned()).unwrap();
    assert_eq!(direct, ["Hello World!"]);
}

#[test]
fn simple_recv_receives_what_simple_send_sends() {
    let (_runtime, broker) = broker();
    let url = format!("{}/examples", broker.url());
    let sent = simple_send::run(options(&["--url", &url, "--messages", "100"]));
    assert_eq!(sent.unwrap(), 100);
    let received = simple_recv::run(options(&["--url", &url, "--messages", "100"])).unwrap();
    let expected: Vec<_> = (1..=100).map(|n| format!("message {n}")).collect();
    assert_eq!(received, expected);
    assert_eq!(broker.depth("examples"), Some(0));
}

#[test]
fn simple_recv_leaves_out_what_came_before() {
    let (_runtime, broker) = broker();
    let url = format!("{}/examples", broker.url());
    // Two senders begin at one each; what the second sends has been there already.
    for _ in 0..2 {
        simple_send::run(options(&["--url", &url, "--messages", "3"])).unwrap();
    }
    simple_send::run(options(&["--url", &url, "--messages", "5"])).unwrap();
    let received = simple_recv::run(options(&["--url", &url, "--messages", "5"])).unwrap();
    assert_eq!(received.len(), 5);
}

#[test]
fn direct_recv_receives_what_a_client_sends() {
    let (tell, address) = mpsc::channel();
    let program = std::thread::spawn(move || {
        direct_recv::run("127.0.0.1:0".to_owned(), 100, move |address| {
            tell.send(address).unwrap();
        })
    });
    let url = format!("amqp://{}/examples", address.recv().unwrap());
    let sent = simple_send::run(options(&["--url", &url, "--messages", "100"]));
    assert_eq!(sent.unwrap(), 100);
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
        let message = delivery.message().unwrap();
        assert_eq!(message.body.as_str(), Some(expected.as_str()));
        delivery.accept();
    }
    assert_eq!(program.join().unwrap().unwrap(), 100);
}

#[test]
fn queue_browser_leaves_messages_where_they_are() {
    let (_runtime, broker) = broker();
    fill(&broker, "examples", &["one", "two"]);
    for _ in 0..2 {
        let seen = queue_browser::run(broker.url(), "examples".to_owned()).unwrap();
        assert_eq!(seen, ["one", "two"]);
    }
    assert_eq!(broker.depth("examples"), Some(2));
}

#[test]
fn flow_control_takes_as_many_as_it_grants_credit_for() {
    use flow_control::Way;
    let (_runtime, broker) = broker();
    for way in [Way::Prefetch, Way::ByHand, Way::OneByOne, Way::Drain] {
        let address = format!("{way:?}");
        fill(&broker, &address, &["one", "two", "three"]);
        let received = flow_control::run(broker.url(), address, way, 2).unwrap();
        assert_eq!(received, if way == Way::Drain { 3 } else { 2 }, "{way:?}");
    }
}

#[test]
fn send_abort_sends_every_second_message() {
    let (runtime, broker) = broker();
    let accepted = runtime
        .block_on(send_abort::run(&broker.url(), "examples", 10))
        .unwrap();
    assert_eq!(accepted, 5);
    assert_eq!(broker.depth("examples"), Some(5));
}

#[test]
fn broker_serves_the_others() {
    let (runtime, _) = broker();
    let broker = runtime.block_on(broker_program::start(options(&[
        "--address",
        "127.0.0.1:0",
    ])));
    assert_eq!(
        helloworld::run(broker.unwrap().url()).unwrap(),
        ["Hello World!"]
    );
}

/// A peer that takes messages on one link and gives those that a selector `colour = 'X'` names on
/// another, as a broker with selectors would.
async fn select(listener: Listener) {
    let sends = listener.accept().await.unwrap();
    let Link::Receiver(receiver) = sends.next_link().await.unwrap().accept() else {
        panic!("the first one sends")
    };
    let mut messages: Vec<Message> = Vec::new();
    while let Ok(delivery) = receiver.recv().await {
        messages.push(delivery.message().unwrap());
        delivery.accept();
    }
    let receives = listener.accept().await.unwrap();
    let link = receives.next_link().await.unwrap();
    let Some(SourceArchetype::Source(source)) = link.source() else {
        panic!("a source")
    };
    let filter = source.filter.as_ref().unwrap().0.get("selector").cloned();
    let expression = filter.unwrap().unwrap().value;
    let colour = expression.as_str().unwrap().split('\'').nth(1).unwrap();
    let colour = amqp_client::types::Simple::from(colour.to_owned());
    let Link::Sender(sender) = link.accept() else {
        panic!("the second one receives")
    };
    let mut receipts = Vec::new();
    for message in messages {
        let properties = message.application_properties.clone().unwrap();
        if properties.0.get("colour") == Some(&colour) {
            receipts.push(sender.enqueue(message).await.unwrap());
        }
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    let _ = receives.closed().await;
}

#[test]
fn selected_recv_receives_one_colour_of_colour_send() {
    let (runtime, _) = broker();
    let listener =
        runtime.block_on(Container::new("selects").listen("127.0.0.1:0", Access::anyone()));
    let listener = listener.unwrap();
    let url = format!("amqp://{}/examples", listener.local_addr());
    let peer = runtime.spawn(select(listener));
    assert_eq!(colour_send::run(options(&["--url", &url])).unwrap(), 9);
    let received = selected_recv::run(options(&["--url", &url])).unwrap();
    assert_eq!(received, ["green 2", "green 5", "green 8"]);
    runtime.block_on(peer).unwrap();
}

#[test]
fn each_says_what_it_is_for() {
    is_explained::<broker_program::Options>();
    is_explained::<colour_send::Options>();
    is_explained::<direct_recv::Options>();
    is_explained::<direct_send::Options>();
    is_explained::<flow_control::Options>();
    is_explained::<helloworld::Options>();
    is_explained::<helloworld_blocking::Options>();
    is_explained::<helloworld_direct::Options>();
    is_explained::<queue_browser::Options>();
    is_explained::<selected_recv::Options>();
    is_explained::<send_abort::Options>();
    is_explained::<simple_recv::Options>();
    is_explained::<simple_send::Options>();
    is_explained::<first_message::Options>();
}
