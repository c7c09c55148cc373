//! The context of a distributed trace, carried by messages: OpenTelemetry.
//!
//! Decides where in a message the context stands, and what the spans of a message that is sent or processed
//! say. Which format the context has is the propagator's that the program has set, where spans go its
//! tracer provider's; both are the global ones of the crate `opentelemetry`. Section 3.2.3.
//!
//! With [`ConnectionOptions::trace_messages`](crate::ConnectionOptions::trace_messages) all of it happens by
//! itself. [`inject`] and [`extract`] are for programs that have spans of their own.

use amqp_types::messaging::{ApplicationProperties, MessageAnnotations, Outcome};
use amqp_types::{AnnotationKey, EncodedMessage, Map, Message, Str, Symbol, Value};
use bytes::Bytes;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};

use crate::error::Error;

/// The message annotation that has the context: a map of what the propagator writes. Qpid Proton and the
/// programs on it use the same.
pub const CONTEXT: &str = "x-opt-qpid-tracestate";

const KEY: AnnotationKey = AnnotationKey::from_static(CONTEXT);

/// Puts a context into a message, in place of what is there. Without a propagator, or without a span in the
/// context, the message stays as it is.
///
/// ```
/// use amqp_client::{Message, telemetry};
/// use opentelemetry::Context;
///
/// let mut message = Message::from("hello");
/// telemetry::inject(&Context::current(), &mut message);
/// ```
pub fn inject(context: &Context, message: &mut Message) {
    let written = written(context);
    if !written.is_empty() {
        let annotations = message.message_annotations.get_or_insert_default();
        annotations.insert(KEY, Value::from(written));
    }
}

/// The context that a message carries, on top of the current one: the one that [`inject`] has put there, or
/// else what the propagator finds among the message annotations or the application properties.
pub fn extract(message: &Message) -> Context {
    context_of(
        message.message_annotations.as_ref(),
        message.application_properties.as_ref(),
    )
}

fn context_of(
    annotations: Option<&MessageAnnotations>,
    properties: Option<&ApplicationProperties>,
) -> Context {
    let map = match annotations.and_then(|annotations| annotations.get(&KEY)) {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    };
    let carrier = Carrier {
        map,
        annotations,
        properties,
    };
    global::get_text_map_propagator(|propagator| propagator.extract(&carrier))
}

/// What the propagator writes of a context.
fn written(context: &Context) -> Map<Value, Value> {
    let mut map = Writer(Map::default());
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut map));
    map.0
}

struct Writer(Map<Value, Value>);

impl Injector for Writer {
    fn set(&mut self, key: &str, value: String) {
        if let Ok(key) = Symbol::try_from(key) {
            self.0
                .insert(Value::from(key), Value::from(Str::from(value)));
        }
    }
}

/// Where a context may stand.
struct Carrier<'a> {
    map: Option<&'a Map<Value, Value>>,
    annotations: Option<&'a MessageAnnotations>,
    properties: Option<&'a ApplicationProperties>,
}

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        // Some write strings as keys, others symbols.
        let in_map = self.map.and_then(|map| {
            let mut pairs = map.iter();
            pairs.find(|(name, _)| text(name) == Some(key))
        });
        if let Some((_, value)) = in_map {
            return text(value);
        }
        let annotation = self.annotations.and_then(|annotations| {
            let mut pairs = annotations.iter();
            pairs.find(|(name, _)| **name == *key)
        });
        if let Some((_, value)) = annotation {
            return text(value);
        }
        let property = self.properties.and_then(|properties| {
            let mut pairs = properties.iter();
            pairs.find(|(name, _)| &***name == key)
        });
        property.and_then(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        let map = self.map.into_iter().flat_map(Map::keys);
        map.filter_map(text).collect()
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Symbol(symbol) => Some(symbol.as_str()),
        _ => None,
    }
}

/// Starts the span of a message that is sent, in the current one, and puts its context into the message.
pub(crate) fn start_send(payload: Bytes, address: Option<&str>) -> (Bytes, Context) {
    let encoded = EncodedMessage::new(payload.clone()).ok();
    let parent = Context::current();
    let context = start(
        "send",
        SpanKind::Producer,
        address,
        encoded.as_ref(),
        &parent,
    );
    let written = written(&context);
    let annotated = encoded.filter(|_| !written.is_empty()).and_then(|encoded| {
        let mut annotations = encoded.message_annotations().ok()?.unwrap_or_default();
        annotations.insert(KEY, Value::from(written));
        Some(encoded.annotated(&annotations).into_bytes())
    });
    (annotated.unwrap_or(payload), context)
}

/// Starts the span of a message that is processed, in the one that sent it.
pub(crate) fn start_process(payload: &Bytes, address: Option<&str>) -> Context {
    let encoded = EncodedMessage::new(payload.clone()).ok();
    let annotations = encoded.as_ref().and_then(|m| m.message_annotations().ok()?);
    let properties = encoded
        .as_ref()
        .and_then(|m| m.application_properties().ok()?);
    let parent = context_of(annotations.as_ref(), properties.as_ref());
    start(
        "process",
        SpanKind::Consumer,
        address,
        encoded.as_ref(),
        &parent,
    )
}

fn start(
    operation: &'static str,
    kind: SpanKind,
    address: Option<&str>,
    message: Option<&EncodedMessage>,
    parent: &Context,
) -> Context {
    let mut attributes = vec![
        KeyValue::new("messaging.system", "amqp"),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", operation),
    ];
    let mut name = operation.to_owned();
    if let Some(address) = address {
        name = format!("{operation} {address}");
        attributes.push(KeyValue::new(
            "messaging.destination.name",
            address.to_owned(),
        ));
    }
    if let Some(message) = message {
        let octets = i64::try_from(message.bytes().len()).unwrap_or(i64::MAX);
        attributes.push(KeyValue::new("messaging.message.envelope.size", octets));
    }
    let tracer = global::tracer("amqp-client");
    let span = tracer
        .span_builder(name)
        .with_kind(kind)
        .with_attributes(attributes)
        .start_with_context(&tracer, parent);
    parent.with_span(span)
}

/// Ends a span with what the message came to.
pub(crate) fn finish(context: &Context, result: Result<&Outcome, &Error>) {
    let span = context.span();
    let (outcome, condition) = match result {
        Ok(Outcome::Accepted(_)) => ("accepted", None),
        Ok(Outcome::Rejected(rejected)) => {
            let condition = rejected
                .error
                .as_ref()
                .map(|error| error.condition.as_str().to_owned());
            (
                "rejected",
                Some(condition.unwrap_or_else(|| "rejected".to_owned())),
            )
        }
        Ok(Outcome::Released(_)) => ("released", None),
        Ok(Outcome::Modified(_)) => ("modified", None),
        Ok(Outcome::Declared(_) | Outcome::Other(_)) => ("other", None),
        Err(error) => {
            let condition = error
                .condition()
                .map(|condition| condition.as_str().to_owned());
            (
                "unknown",
                Some(condition.unwrap_or_else(|| format!("{:?}", error.kind()))),
            )
        }
    };
    span.set_attribute(KeyValue::new("amqp.outcome", outcome));
    if let Some(condition) = condition {
        span.set_attribute(KeyValue::new("error.type", condition.clone()));
        span.set_status(Status::error(condition));
    }
    span.end();
}
