//! The messages that are sent, and what must come back: the same as in `foreign/README.md`.
//!
//! Message number n has the message id n and one data section whose octet i is (n + i) mod 251.

use amqp_client::types::Binary;
use amqp_client::types::messaging::MessageId;
use amqp_client::{Body, Delivery, Message};

/// Octets of a small message's body.
pub(crate) const SMALL: usize = 100;

/// Octets of a large message's body.
pub(crate) const LARGE: usize = 1024 * 1024;

/// Octets of a message that is better streamed.
pub(crate) const HUGE: usize = 10_000_000;

/// Message `number`, with a body of so many octets.
pub(crate) fn message(number: u64, size: usize) -> Message {
    Message::new()
        .with_message_id(number)
        .with_body(Binary::from(body(number, size)))
}

/// Fails with what is off if the delivery is not message `number`.
pub(crate) fn check(delivery: &Delivery, number: u64, size: usize) -> Result<Message, String> {
    let message = delivery
        .message()
        .map_err(|error| format!("message {number} does not decode: {error}"))?;
    let id = message
        .properties
        .as_ref()
        .and_then(|properties| properties.message_id.clone());
    if id != Some(MessageId::Ulong(number)) {
        return Err(format!("message {number} has the id {id:?}"));
    }
    let Body::Data(data) = &message.body else {
        return Err(format!(
            "message {number} has no data but {:?}",
            message.body
        ));
    };
    let octets: Vec<u8> = data
        .iter()
        .flat_map(|section| section.iter().copied())
        .collect();
    if octets != body(number, size) {
        return Err(format!(
            "message {number} has another body ({} octets for {size})",
            octets.len()
        ));
    }
    Ok(message)
}

/// Which message it is.
pub(crate) fn number(delivery: &Delivery) -> Result<u64, String> {
    let message = delivery
        .message()
        .map_err(|error| format!("a message does not decode: {error}"))?;
    match message
        .properties
        .and_then(|properties| properties.message_id)
    {
        Some(MessageId::Ulong(number)) => Ok(number),
        id => Err(format!("a message with the id {id:?}")),
    }
}

/// The header's delivery count, which counts from 0.
pub(crate) fn delivery_count(message: &Message) -> u32 {
    message
        .header
        .as_ref()
        .map_or(0, |header| header.delivery_count)
}

/// The body of message `number`.
pub(crate) fn body(number: u64, size: usize) -> Vec<u8> {
    let start = (number % 251) as usize;
    let pattern: Vec<u8> = (0..251)
        .map(|octet| ((start + octet) % 251) as u8)
        .collect();
    pattern.iter().copied().cycle().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_those_of_the_foreign_clients() {
        assert_eq!(body(250, 3), [250, 0, 1]);
        assert_eq!(body(252, 2), [1, 2]);
        assert_eq!(body(0, LARGE).len(), LARGE);
    }
}
