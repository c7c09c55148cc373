//! Frames in print: what a user reads of a connection, and what nobody reads.

#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::{Arc, Mutex};

use amqp_client::broker::Broker;
use amqp_client::{Container, Message};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the lines of the target.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Visit for Lines {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{value:?}"));
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "amqp_client::frames" && *metadata.level() == Level::TRACE
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A place in the code that is reached for the first time, on one thread, while a subscriber comes on
/// another one, may not learn of it: one test after the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// One message to a broker and back.
async fn there_and_back() {
    let broker = Broker::start().await.unwrap();
    let connection = Container::new("watched")
        .connect(&broker.url())
        .await
        .unwrap();
    let sender = connection.create_sender("q").await.unwrap();
    sender.send(Message::from("hello")).await.unwrap();
    let receiver = connection.create_receiver("q").await.unwrap();
    let delivery = receiver.recv().await.unwrap();
    assert_eq!(delivery.message().unwrap().body.as_str(), Some("hello"));
    delivery.accept();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_subscriber_reads_the_frames_of_client_and_listener() {
    let _alone = ALONE.lock().await;
    let lines = Lines::default();
    let guard = tracing::subscriber::set_default(lines.clone());
    there_and_back().await;
    drop(guard);
    let lines = lines.0.lock().unwrap().clone();
    let both_ways = |part: &str| {
        for arrow in ["->", "<-"] {
            let seen = |line: &&String| line.contains(arrow) && line.contains(part);
            assert!(
                lines.iter().any(|line| seen(&line)),
                "{arrow} {part}: {lines:#?}"
            );
        }
    };
    both_ways("header AMQP 1.0.0");
    both_ways("0 open(0x10) [container-id=\"watched\"");
    both_ways("begin(0x11) [");
    both_ways("handle=0, role=sender, source=source(0x28) [address=");
    both_ways("target=target(0x29) [address=\"q\"");
    both_ways("transfer(0x14) [handle=0, delivery-id=0, delivery-tag=b\"");
    both_ways("payload ");
    both_ways("hello");
    both_ways("disposition(0x15) [role=receiver, first=0");
    both_ways("state=accepted(0x24) []");
    both_ways("close(0x18) []");
}

/// Started by the next test as a program of its own, with and without the environment.
#[tokio::test]
async fn a_program_that_sends() {
    let _alone = ALONE.lock().await;
    there_and_back().await;
}

#[test]
fn the_environment_asks_for_frames_on_standard_error() {
    let run = |value: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_program_that_sends", "--nocapture"])
            .env("PN_TRACE_FRM", value)
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let text = run("1");
    assert!(
        text.contains("-> 0 open(0x10) [container-id=\"watched\""),
        "{text}"
    );
    assert!(text.contains("-> EOS"), "{text}");
    assert!(!run("0").contains("open(0x10)"));
}
