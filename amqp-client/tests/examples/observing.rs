//! What programs tell of themselves.

use crate::broker;

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/metrics.rs"]
mod metrics;

#[cfg(feature = "opentelemetry")]
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/tracing_client.rs"]
mod tracing_client;
#[cfg(feature = "opentelemetry")]
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/tracing_common/mod.rs"]
mod tracing_common;
#[cfg(feature = "opentelemetry")]
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/tracing_server.rs"]
mod tracing_server;

#[test]
fn metrics_are_printed_as_prometheus_reads_them() {
    let (runtime, broker) = broker();
    let text = runtime
        .block_on(metrics::run(&broker.url(), "q", 5))
        .unwrap();
    let wanted = [
        "amqp_connections_opened_total 1",
        "amqp_connections_lost_total 0",
        "amqp_connections 0",
        "amqp_links 0",
        "amqp_messages_total{direction=\"in\"} 5",
        "amqp_messages_total{direction=\"out\"} 5",
        "amqp_unsettled{direction=\"in\"} 0",
        "amqp_outcomes_total{direction=\"out\",outcome=\"accepted\"} 5",
        "amqp_outcomes_total{direction=\"in\",outcome=\"accepted\"} 3",
        "amqp_outcomes_total{direction=\"in\",outcome=\"rejected\"} 2",
    ];
    for wanted in wanted {
        assert!(text.lines().any(|line| line == wanted), "{wanted}: {text}");
    }
}

#[cfg(feature = "opentelemetry")]
#[test]
fn tracing_client_and_tracing_server_share_a_trace_for_each_request() {
    let printer = tracing_common::Printer::install();
    let (runtime, broker) = broker();
    let server = tracing_server::server::Server::new(broker.url(), "requests".to_owned());
    let running = {
        let _context = runtime.enter();
        tracing_server::container().start(server).unwrap()
    };
    let requests = ["one sheep", "two sheep"];
    let url = broker.url();
    let asked = tracing_client::run(&url, "requests", &requests);
    assert_eq!(runtime.block_on(asked).unwrap(), ["ONE SHEEP", "TWO SHEEP"]);
    running.container().stop();
    runtime.block_on(running.wait()).map(drop).unwrap();

    let spans = printer.spans();
    let roots: Vec<_> = spans.iter().filter(|span| span.name == "request").collect();
    assert_eq!(roots.len(), 2);
    for root in roots {
        let id = root.span_context.trace_id();
        let in_trace = |name: &str| {
            let fits = |span: &&opentelemetry_sdk::trace::SpanData| {
                span.span_context.trace_id() == id && span.name.starts_with(name)
            };
            let found: Vec<_> = spans.iter().filter(fits).collect();
            assert_eq!(found.len(), 1, "{name}: {spans:#?}");
            found[0].clone()
        };
        // Each within the one before, across the broker and back.
        let sent = in_trace("send requests");
        let served = in_trace("process requests");
        assert_eq!(sent.parent_span_id, root.span_context.span_id());
        assert_eq!(served.parent_span_id, sent.span_context.span_id());
        assert!(served.parent_span_is_remote);
        let all: Vec<_> = spans
            .iter()
            .filter(|span| span.span_context.trace_id() == id)
            .collect();
        // And the answer, which is sent and processed as well.
        assert_eq!(all.len(), 5, "{all:#?}");
        let answer = all
            .iter()
            .find(|span| span.parent_span_id == served.span_context.span_id());
        let answer = answer.unwrap();
        assert!(answer.name.starts_with("send"));
        let last = all
            .iter()
            .find(|span| span.parent_span_id == answer.span_context.span_id());
        assert!(last.unwrap().name.starts_with("process"));
    }
}
