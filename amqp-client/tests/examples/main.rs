//! The examples under their known names, run against the embedded broker, each other, or a listener.

#![allow(clippy::unwrap_used)]
// What examples share is a module of each.
#![allow(clippy::duplicate_mod)]

mod basics;
mod databases;
mod observing;
mod options;
mod services;
mod threads;
mod timers;
#[cfg(feature = "ring")]
mod tls;

use amqp_client::blocking::BlockingConnection;
use amqp_client::broker::Broker;
use tokio::runtime::Runtime;

/// A broker, and the runtime that it lives in.
fn broker() -> (Runtime, Broker) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let broker = runtime.block_on(Broker::start()).unwrap();
    (runtime, broker)
}

/// Puts messages into a queue.
fn fill(broker: &Broker, address: &str, texts: &[&str]) {
    let connection = BlockingConnection::connect(&broker.url()).unwrap();
    let sender = connection.create_sender(address).unwrap();
    for text in texts {
        sender.send(amqp_client::Message::from(*text)).unwrap();
    }
    connection.close().unwrap();
}

/// The command line of an example, as its options.
fn options<O: clap::Parser>(arguments: &[&str]) -> O {
    O::parse_from(std::iter::once(&"example").chain(arguments))
}

/// Whether an example's `--help` says what it is for, and what each of its options is.
fn is_explained<O: clap::CommandFactory>() {
    let command = O::command();
    assert!(command.get_about().is_some(), "{command:?}");
    for option in command.get_arguments() {
        assert!(option.get_help().is_some(), "{option:?}");
    }
    command.debug_assert();
}
