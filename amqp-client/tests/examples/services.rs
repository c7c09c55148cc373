//! Requests and responses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use amqp_client::Container;
use amqp_client::handler::{MessagingHandler, Running};
use amqp_client::listener::{Access, Link};
use amqp_client::types::messaging::SourceArchetype;
use amqp_client::types::{Value, messaging::FilterSet};
use tokio::runtime::Runtime;

use crate::{broker, is_explained};

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/client.rs"]
mod client;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/client_http.rs"]
mod client_http;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/listener.rs"]
mod listener;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/proton_server.rs"]
mod proton_server;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/server.rs"]
mod server;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/server_direct.rs"]
mod server_direct;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/service_bus.rs"]
mod service_bus;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/sync_client.rs"]
mod sync_client;

/// Runs a server beside the test.
fn start<H: MessagingHandler>(runtime: &Runtime, handler: H) -> Running<H> {
    let _context = runtime.enter();
    Container::new("server").start(handler).unwrap()
}

fn stop<H>(runtime: &Runtime, running: Running<H>) {
    running.container().stop();
    runtime.block_on(running.wait()).map(drop).unwrap();
}

const REQUESTS: [&str; 2] = ["one sheep", "two sheep"];
const RESPONSES: [&str; 2] = ["ONE SHEEP", "TWO SHEEP"];

#[test]
fn client_and_sync_client_are_answered_by_server() {
    let (runtime, broker) = broker();
    let program = server::Server::new(broker.url(), "requests".to_owned());
    let running = start(&runtime, program);
    let responses = client::run(broker.url(), "requests".to_owned(), &REQUESTS).unwrap();
    assert_eq!(responses, RESPONSES);
    let responses = sync_client::run(&broker.url(), "requests", &REQUESTS).unwrap();
    assert_eq!(responses, RESPONSES);
    stop(&runtime, running);
}

#[test]
fn client_and_sync_client_are_answered_by_server_direct() {
    let (runtime, _) = broker();
    let (tell, address) = mpsc::channel();
    let listening = move |address| tell.send(address).unwrap();
    let program = server_direct::Server::new("127.0.0.1:0".to_owned(), listening);
    let running = start(&runtime, program);
    let url = format!("amqp://{}", address.recv().unwrap());
    let responses = client::run(url.clone(), "examples".to_owned(), &REQUESTS).unwrap();
    assert_eq!(responses, RESPONSES);
    let responses = sync_client::run(&url, "examples", &REQUESTS).unwrap();
    assert_eq!(responses, RESPONSES);
    stop(&runtime, running);
}

#[test]
fn listener_answers_in_capitals() {
    let (runtime, _) = broker();
    let answers = runtime.block_on(listener::run(&["hello", "world"]));
    assert_eq!(answers.unwrap(), ["HELLO", "WORLD"]);
}

#[test]
fn proton_server_adds_up_and_says_why_it_can_not() {
    let (runtime, broker) = broker();
    let address = "sums".to_owned();
    let program = proton_server::Server::new(broker.url(), address, proton_server::Adds);
    let running = start(&runtime, program);
    let responses = sync_client::run(&broker.url(), "sums", &["1 2 39", "one"]).unwrap();
    assert_eq!(responses[0], "42");
    assert!(responses[1].starts_with("no numbers"), "{responses:?}");
    stop(&runtime, running);
}

#[test]
fn client_http_asks_for_a_browser() {
    let (runtime, broker) = broker();
    let program = server::Server::new(broker.url(), "requests".to_owned());
    let running = start(&runtime, program);
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, url) = (http.local_addr().unwrap(), broker.url());
    let gateway = std::thread::spawn(move || {
        client_http::run(&url, "requests", &http, 1).map_err(|error| error.to_string())
    });
    let mut browser = TcpStream::connect(at).unwrap();
    let request = b"GET /some%20text HTTP/1.1\r\nhost: localhost\r\n\r\n";
    browser.write_all(request).unwrap();
    let mut page = String::new();
    browser.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.ends_with("\r\n\r\nSOME TEXT"), "{page}");
    gateway.join().unwrap().unwrap();
    stop(&runtime, running);
}

/// A queue with sessions: takes messages on one link, and gives those of one session on the next.
async fn sessions(connection: amqp_client::Connection, expected: usize) {
    let Link::Receiver(receiver) = connection.next_link().await.unwrap().accept() else {
        panic!("the first link sends")
    };
    let mut messages = Vec::new();
    while messages.len() < expected {
        let delivery = receiver.recv().await.unwrap();
        messages.push(delivery.message().unwrap());
        delivery.accept();
    }
    let link = connection.next_link().await.unwrap();
    let mut answer = link.answer();
    let Some(SourceArchetype::Source(source)) = &mut answer.source else {
        panic!("a source")
    };
    let Some(FilterSet(filters)) = &mut source.filter else {
        panic!("a filter")
    };
    let filter = filters.get_mut("com.microsoft:session-filter").unwrap();
    let filter = filter.as_mut().unwrap();
    if filter.value == Value::Null {
        // The next that is free.
        filter.value = Value::from("red");
    }
    let session = filter.value.as_str().unwrap().to_owned();
    let Link::Sender(sender) = link.accept_as(answer, Default::default()) else {
        panic!("the second link receives")
    };
    for message in messages {
        let group = message.properties.clone().unwrap().group_id.unwrap();
        if group.as_str() == session {
            sender.send(message).await.unwrap();
        }
    }
    let _ = connection.closed().await;
}

#[test]
fn service_bus_receives_the_messages_of_one_session() {
    let (runtime, _) = broker();
    for (asked, given) in [(Some("green"), "green"), (None, "red")] {
        let received = runtime.block_on(async {
            let listener = Container::new("bus")
                .listen("127.0.0.1:0", Access::anyone())
                .await
                .unwrap();
            let url = format!("amqp://{}", listener.local_addr());
            let bus = tokio::spawn(async move {
                sessions(listener.accept().await.unwrap(), 6).await;
            });
            let received = service_bus::run(&url, "queue", asked, 3).await.unwrap();
            bus.await.unwrap();
            received
        });
        let texts: Vec<_> = (1..=3).map(|n| format!("{given} {n}")).collect();
        assert_eq!(received, (given.to_owned(), texts));
    }
}

#[test]
fn each_says_what_it_is_for() {
    is_explained::<client::Options>();
    is_explained::<client_http::Options>();
    is_explained::<proton_server::Options>();
    is_explained::<server::Options>();
    is_explained::<server_direct::Options>();
    is_explained::<service_bus::Options>();
    is_explained::<sync_client::Options>();
}
