//! Trace contexts that go with messages, and the spans at either end.

#![cfg(feature = "opentelemetry")]
#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use amqp_client::listener::{Access, Link};
use amqp_client::types::messaging::Outcome;
use amqp_client::types::transport::{self, ErrorCondition};
use amqp_client::types::{AnnotationKey, Map, Symbol, Value};
use amqp_client::{
    Connection, ConnectionOptions, Container, Message, Receiver, SendSettings, Sender, telemetry,
};
use futures_util::SinkExt;
use opentelemetry::trace::{FutureExt, SpanId, SpanKind, Status, TraceContextExt, TraceId, Tracer};
use opentelemetry::{Context, global};
use opentelemetry_sdk::trace::SpanData;

#[allow(dead_code, unreachable_pub)]
#[path = "../examples/tracing_common/mod.rs"]
mod tracing_common;

/// A new trace, and the spans of all.
fn trace() -> (Context, TraceId, &'static tracing_common::Printer) {
    static PRINTER: OnceLock<tracing_common::Printer> = OnceLock::new();
    let printer = PRINTER.get_or_init(tracing_common::Printer::install);
    let root = global::tracer("test").start("root");
    let context = Context::new().with_span(root);
    let id = context.span().span_context().trace_id();
    (context, id, printer)
}

/// The spans of a trace, in the order in which they ended.
fn spans(printer: &tracing_common::Printer, trace: TraceId) -> Vec<SpanData> {
    let mut all = printer.spans();
    all.retain(|span| span.span_context.trace_id() == trace);
    all
}

fn attribute(span: &SpanData, key: &str) -> String {
    let found = span.attributes.iter().find(|pair| pair.key.as_str() == key);
    found.map(|pair| pair.value.to_string()).unwrap_or_default()
}

fn traced() -> ConnectionOptions {
    ConnectionOptions::new().trace_messages()
}

/// A client's sender and the listener's receiver, on connections with these options.
async fn linked(
    client: ConnectionOptions,
    listener: ConnectionOptions,
) -> (Connection, Connection, Sender, Receiver) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (near, far) = (
        Container::new("client"),
        Container::with_options("listener", listener),
    );
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        near.connect_stream(ours, client),
        far.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.unwrap(), listener.unwrap());
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.unwrap().accept()
    });
    let Link::Receiver(receiver) = link else {
        panic!("the peer sends")
    };
    (client, listener, sender.unwrap(), receiver)
}

#[test]
fn a_context_goes_into_an_annotation_and_comes_out_again() {
    let (context, trace, _) = trace();
    let mut message = Message::from("hello")
        .with_message_annotation(AnnotationKey::from_static("x-opt-other"), 7u32);
    telemetry::inject(&context, &mut message);
    let annotations = message.message_annotations.clone().unwrap();
    assert_eq!(annotations.len(), 2);
    let Some(Value::Map(map)) = annotations.get(telemetry::CONTEXT) else {
        panic!("{annotations:?}")
    };
    let key = Value::from(Symbol::from_static("traceparent"));
    let Some(Value::String(parent)) = map.get(&key) else {
        panic!("{map:?}")
    };
    assert!(parent.contains(&trace.to_string()));
    let found = telemetry::extract(&message);
    assert_eq!(found.span().span_context().trace_id(), trace);
    assert!(found.span().span_context().is_remote());
    // A second one takes the place of the first.
    telemetry::inject(&context, &mut message);
    assert_eq!(message.message_annotations.unwrap().len(), 2);
}

#[test]
fn contexts_that_others_have_written_are_found() {
    let (_, _, _) = trace();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut strings = Map::<Value, Value>::default();
    strings.insert(Value::from("traceparent"), Value::from(parent));
    let key = AnnotationKey::from_static(telemetry::CONTEXT);
    let mut by_strings = Message::from("");
    let annotations = by_strings.message_annotations.get_or_insert_default();
    annotations.insert(key, Value::from(strings));
    let name = AnnotationKey::from_static("traceparent");
    let messages = [
        by_strings,
        Message::from("").with_message_annotation(name, parent),
        Message::from("").with_application_property("traceparent", parent),
    ];
    for message in messages {
        let found = telemetry::extract(&message);
        let span = found.span();
        let span = span.span_context();
        assert_eq!(
            span.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(span.span_id().to_string(), "b7ad6b7169203331");
    }
    let none = telemetry::extract(
        &Message::from("").with_message_annotation(AnnotationKey::from_static("traceparent"), 1u32),
    );
    assert_eq!(none.span().span_context().span_id(), SpanId::INVALID);
}

#[tokio::test]
async fn a_message_has_a_span_at_either_end_with_its_outcome() {
    let (context, trace, printer) = trace();
    let (_client, _listener, sender, receiver) = linked(traced(), traced()).await;
    let sending = async {
        let mut receipts = Vec::new();
        for _ in 0..3 {
            let message = Message::from("hello").with_subject("s");
            receipts.push(sender.enqueue(message).await.unwrap());
        }
        receipts
    };
    let receipts = sending.with_context(context.clone()).await;
    let mut came = Vec::new();
    for _ in 0..3 {
        came.push(receiver.recv().await.unwrap());
    }
    assert!(spans(printer, trace).is_empty(), "nothing is decided");
    let message = came[0].message().unwrap();
    assert_eq!(message.body.as_str(), Some("hello"));
    assert_eq!(message.properties.unwrap().subject.as_deref(), Some("s"));
    assert_eq!(
        came[0].trace_context().span().span_context().trace_id(),
        trace
    );
    came[0].accept();
    came[1].reject(transport::Error::new(ErrorCondition::DecodeError));
    came[2].release();
    for receipt in receipts {
        receipt.await.unwrap();
    }
    let spans = spans(printer, trace);
    assert_eq!(spans.len(), 6);
    let root = context.span().span_context().span_id();
    for outcome in ["accepted", "rejected", "released"] {
        let of_kind = |kind: SpanKind| {
            let fits = |span: &&SpanData| {
                span.span_kind == kind && attribute(span, "amqp.outcome") == outcome
            };
            spans.iter().find(fits).cloned().unwrap()
        };
        let (sent, processed) = (of_kind(SpanKind::Producer), of_kind(SpanKind::Consumer));
        assert_eq!((&*sent.name, &*processed.name), ("send q", "process q"));
        assert_eq!(sent.parent_span_id, root);
        assert_eq!(processed.parent_span_id, sent.span_context.span_id());
        for span in [sent, processed] {
            assert_eq!(attribute(&span, "messaging.system"), "amqp");
            assert_eq!(attribute(&span, "messaging.destination.name"), "q");
            let failed = outcome == "rejected";
            assert_eq!(matches!(span.status, Status::Error { .. }), failed);
            let condition = if failed { "amqp:decode-error" } else { "" };
            assert_eq!(attribute(&span, "error.type"), condition);
        }
    }
}

#[tokio::test]
async fn sinks_collected_and_settled_messages_have_spans_as_well() {
    let (context, trace, printer) = trace();
    let (_client, _listener, sender, receiver) = linked(traced(), traced()).await;
    let sending = async {
        let mut sink = sender.clone().into_sink();
        sink.feed(Message::from("sink")).await.unwrap();
        let settings = SendSettings::default();
        sender
            .enqueue_collected(Message::from("collected"), settings)
            .await
            .unwrap();
        let settled = SendSettings::default().settled(true);
        drop(
            sender
                .enqueue_with(Message::from("settled"), settled)
                .await
                .unwrap(),
        );
        sink
    };
    let mut sink = sending.with_context(context).await;
    for _ in 0..3 {
        receiver.recv().await.unwrap().accept();
    }
    sink.flush().await.unwrap();
    let mut outcomes = Vec::new();
    sender.collect_outcomes(&mut outcomes).await.unwrap();
    let spans = spans(printer, trace);
    let of_kind = |kind: SpanKind| spans.iter().filter(|span| span.span_kind == kind).count();
    assert_eq!(
        (of_kind(SpanKind::Producer), of_kind(SpanKind::Consumer)),
        (3, 3)
    );
}

#[tokio::test]
async fn a_link_that_is_lost_ends_the_spans_of_what_was_sent() {
    let (context, trace, printer) = trace();
    let (client, listener, sender, _receiver) = linked(traced(), traced()).await;
    let receipt = sender
        .enqueue(Message::from("lost"))
        .with_context(context)
        .await
        .unwrap();
    let forced = transport::Error::new(ErrorCondition::ConnectionForced);
    let (closed, _) = tokio::join!(listener.close_with_error(forced), client.closed());
    closed.unwrap();
    receipt.await.unwrap_err();
    let sent = spans(printer, trace);
    let sent = sent
        .iter()
        .find(|span| span.span_kind == SpanKind::Producer)
        .unwrap();
    assert_eq!(attribute(sent, "amqp.outcome"), "unknown");
    assert_eq!(attribute(sent, "error.type"), "amqp:connection:forced");
}

#[tokio::test]
async fn without_the_option_a_message_stays_as_it_is() {
    let (context, trace, printer) = trace();
    let (plain, also) = (ConnectionOptions::new(), ConnectionOptions::new());
    let (_client, _listener, sender, receiver) = linked(plain, also).await;
    let sent = Message::from("as it is");
    let receipt = sender
        .enqueue(&sent)
        .with_context(context.clone())
        .await
        .unwrap();
    let delivery = receiver.recv().await.unwrap();
    assert_eq!(delivery.message().unwrap(), sent);
    let untraced = delivery.trace_context();
    assert_eq!(untraced.span().span_context().trace_id(), TraceId::INVALID);
    delivery.accept();
    assert!(matches!(receipt.await.unwrap(), Outcome::Accepted(_)));
    assert!(spans(printer, trace).is_empty());
    // A context that the program puts in by itself is there for a receiver that is not traced.
    let mut by_hand = Message::from("by hand");
    telemetry::inject(&context, &mut by_hand);
    let receipt = sender.enqueue(by_hand).await.unwrap();
    let delivery = receiver.recv().await.unwrap();
    assert_eq!(
        delivery.trace_context().span().span_context().trace_id(),
        trace
    );
    delivery.accept();
    receipt.await.unwrap();
}
