//! Programs with threads of their own.

use crate::{broker, is_explained, options};

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/helloworld_thread.rs"]
mod helloworld_thread;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/multithreaded_client.rs"]
mod multithreaded_client;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/multithreaded_client_flow_control.rs"]
mod multithreaded_client_flow_control;

#[test]
fn helloworld_thread_has_a_loop_of_its_own() {
    let (_runtime, broker) = broker();
    let texts = ["Hello World!", "Hello again!"];
    assert_eq!(helloworld_thread::run(broker.url(), &texts).unwrap(), texts);
}

#[test]
fn multithreaded_client_receives_each_message_once() {
    let (_runtime, broker) = broker();
    let url = broker.url();
    let counts = multithreaded_client::run(&options(&["--url", &url, "--messages", "50"]));
    let counts = counts.unwrap();
    assert_eq!((counts.len(), counts.iter().sum::<usize>()), (3, 50));
    assert_eq!(broker.depth("examples"), Some(0));
}

#[test]
fn multithreaded_client_flow_control_loses_nothing() {
    let (_runtime, broker) = broker();
    let received = multithreaded_client_flow_control::run(&broker.url(), "examples", 40);
    assert_eq!(received.unwrap(), 80);
    assert_eq!(broker.depth("examples"), Some(0));
}

#[test]
fn each_says_what_it_is_for() {
    is_explained::<helloworld_thread::Options>();
    is_explained::<multithreaded_client::Options>();
    is_explained::<multithreaded_client_flow_control::Options>();
}
