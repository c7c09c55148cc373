//! Asks a server, each request a trace of its own that goes on in the server, and prints its spans.
//!
//! `cargo run --features opentelemetry --example tracing_client -- amqp://localhost:5672 examples`

use amqp_client::link_option::DynamicNodeProperties;
use amqp_client::types::messaging::AddressString;
use amqp_client::{
    ConnectionOptions, Container, Error, Message, Receiver, ReceiverOptions, Sender,
};
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, global};

#[allow(dead_code, unreachable_pub)]
mod tracing_common;

/// Sends one request and waits for its response.
async fn ask(sender: &Sender, receiver: &Receiver, text: &str) -> Result<String, Error> {
    let reply_to = AddressString(receiver.address().unwrap_or_default());
    let request = Message::from(text).with_reply_to(reply_to);
    sender.send(request).await?;
    let delivery = receiver.recv().await?;
    let response = delivery.message()?;
    delivery.accept();
    Ok(response.body.as_str().unwrap_or("no text").to_owned())
}

/// Sends the requests, one after another; answers the responses.
pub async fn run(url: &str, address: &str, requests: &[&str]) -> Result<Vec<String>, Error> {
    let options = ConnectionOptions::new().trace_messages();
    let container = Container::with_options("tracing-client", options);
    let connection = container.connect(url).await?;
    let sender = connection.create_sender(address).await?;
    let dynamic = ReceiverOptions::new().with(DynamicNodeProperties::default());
    let receiver = connection.create_receiver_with("", dynamic).await?;
    let tracer = global::tracer("tracing-client");
    let mut responses = Vec::new();
    for text in requests {
        // The span that the message's own is in; it ends with its context.
        let builder = tracer.span_builder("request").with_kind(SpanKind::Client);
        let context = Context::current_with_span(builder.start(&tracer));
        let response = ask(&sender, &receiver, text).with_context(context).await?;
        responses.push(response);
    }
    connection.close().await?;
    Ok(responses)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _spans = tracing_common::Printer::install();
    let mut args = std::env::args().skip(1);
    let url = args
        .next()
        .unwrap_or_else(|| "amqp://localhost:5672".to_owned());
    let address = args.next().unwrap_or_else(|| "examples".to_owned());
    let requests = ["one sheep", "two sheep"];
    for response in run(&url, &address, &requests).await? {
        println!("{response}");
    }
    Ok(())
}
