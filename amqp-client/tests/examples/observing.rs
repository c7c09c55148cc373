//! What programs tell of themselves.

use crate::broker;

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/metrics.rs"]
mod metrics;

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
