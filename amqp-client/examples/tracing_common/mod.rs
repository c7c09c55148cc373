//! What both tracing examples have in common: spans are printed, and contexts written as W3C has it.

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::global;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};

/// Prints spans when they end, and keeps them. A program of its own would send them to a collector.
#[derive(Clone, Debug, Default)]
pub struct Printer(Arc<Mutex<Vec<SpanData>>>);

impl Printer {
    /// Makes this the place where spans of the whole program go.
    pub fn install() -> Self {
        let printer = Self::default();
        let exporter = printer.clone();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter);
        global::set_tracer_provider(provider.build());
        global::set_text_map_propagator(TraceContextPropagator::new());
        printer
    }

    /// The spans that have ended so far.
    pub fn spans(&self) -> Vec<SpanData> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl SpanExporter for Printer {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &batch {
            let (trace, id) = (span.span_context.trace_id(), span.span_context.span_id());
            println!("{trace} {id} in {}: {}", span.parent_span_id, span.name);
        }
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.extend(batch);
        Ok(())
    }
}
