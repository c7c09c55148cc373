//! A queue with sessions, as Azure Service Bus has them: messages carry a session in `group-id`, and a
//! receiver asks for one session by a filter, or for the next that is free.
//!
//! `cargo run --example service_bus -- --url amqps://NAME:KEY@HOST.servicebus.windows.net --queue QUEUE --session green`

use amqp_client::link_option::Filter;
use amqp_client::types::Value;
use amqp_client::types::messaging::SourceArchetype;
use amqp_client::{Container, Error, Message, ReceiverOptions};
use clap::Parser;

/// Sends messages of two sessions, and receives those of one.
#[derive(Debug, Parser)]
pub struct Options {
    /// The peer.
    #[arg(long, default_value = "amqp://localhost:5672")]
    pub url: String,
    /// A queue with sessions.
    #[arg(long, default_value = "examples")]
    pub queue: String,
    /// The session; by default the next that is free.
    #[arg(long)]
    pub session: Option<String>,
}

/// The filter's name in the peer's answer, which tells the session that was given.
const SESSION: &str = "com.microsoft:session-filter";

/// Sends messages of two sessions, and receives those of one; answers its name and what came.
pub async fn run(
    url: &str,
    queue: &str,
    session: Option<&str>,
    messages: usize,
) -> Result<(String, Vec<String>), Error> {
    let connection = Container::new("service-bus").connect(url).await?;
    let sender = connection.create_sender(queue).await?;
    for number in 1..=messages {
        for session in ["red", "green"] {
            let message = Message::from(format!("{session} {number}")).with_group_id(session);
            sender.send(message).await?;
        }
    }
    // A peer that does not know the filter, or has no such session, is an error here.
    let options = ReceiverOptions::new().with(Filter::service_bus_session(session));
    let receiver = connection.create_receiver_with(queue, options).await?;
    let given = match receiver.source() {
        Some(SourceArchetype::Source(source)) => source.filter,
        _ => None,
    };
    let given = given.and_then(|filters| filters.0.get(SESSION).cloned().flatten());
    let name = match given.map(|filter| filter.value) {
        Some(Value::String(name)) => name.as_str().to_owned(),
        _ => "no session".to_owned(),
    };
    let mut received = Vec::new();
    while received.len() < messages {
        let delivery = receiver.recv().await?;
        let message = delivery.message()?;
        received.push(message.body.as_str().unwrap_or("no text").to_owned());
        delivery.accept();
    }
    // Lets go of the session: another receiver may have it.
    receiver.close().await?;
    connection.close().await?;
    Ok((name, received))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let options = Options::parse();
    let session = options.session.as_deref();
    let (name, received) = run(&options.url, &options.queue, session, 3).await?;
    println!("session {name}: {received:?}");
    Ok(())
}
