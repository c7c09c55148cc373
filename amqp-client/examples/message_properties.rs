//! Properties, application properties and annotations of a message: how they are set and read.
//!
//! `cargo run --example message_properties`

use amqp_client::types::{MessageId, Symbol};
use amqp_client::{EncodedMessage, Message, types};
use types::Encode;

/// A message with something of everything.
pub fn message() -> Message {
    Message::from("hello")
        // The header: what the delivery needs.
        .with_durable(true)
        .with_priority(7)
        // Properties that the standard knows.
        .with_message_id("id-1")
        .with_subject("greeting")
        .with_reply_to("answers")
        // Properties of the application: names are strings, values are of simple types.
        .with_application_property("number", 42u32)
        .with_application_property("text", "forty-two")
        .with_application_property("flag", true)
        // Annotations are for brokers on the way; values may be of any type.
        .with_message_annotation(Symbol::from_static("x-opt-list"), vec![1i32, 2, 3])
}

/// Encodes the message, reads it as a receiver would, and says what it found.
pub fn run() -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut octets = types::bytes::BytesMut::new();
    message().encode(&mut octets);

    // A receiver may decode everything at once, or one section and leave the others alone.
    let encoded = EncodedMessage::new(octets.freeze())?;
    let application = encoded.application_properties()?.ok_or("no such section")?;
    let mut lines: Vec<String> = application
        .0
        .iter()
        .map(|(name, value)| format!("{} = {value:?}", name.as_str()))
        .collect();

    // Values are what they were, with their types; conversions say when they are not.
    let number = application.0.get("number").cloned().ok_or("no number")?;
    assert_eq!(u32::try_from(number.clone())?, 42);
    assert!(i64::try_from(number).is_err());

    let message: Message = encoded.decode()?;
    let properties = message.properties.ok_or("no properties")?;
    assert_eq!(properties.message_id, Some(MessageId::from("id-1")));
    lines.extend(
        properties
            .subject
            .map(|subject| format!("subject: {}", subject.as_str())),
    );
    Ok(lines)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in run()? {
        println!("{line}");
    }
    Ok(())
}
