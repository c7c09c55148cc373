//! A message as a queue keeps it.
//!
//! Decides what changes between arrival and departure: the header is written anew, annotations for
//! one hop are dropped, and the rest stays octet for octet. Where the message stands and who gets it
//! is left to the queue. Sections 3.2.1 to 3.2.3, 3.4.

use std::time::Duration;

use amqp_types::messaging::{
    DeliveryAnnotations, Header, MessageAnnotations, Modified, Properties,
};
use amqp_types::transport::{Error, ErrorCondition, Milliseconds};
use amqp_types::{Decode, Decoder, Encode, EncodedMessage, Symbol, Value};
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::handles::{Delivery, Sendable};

/// What a message takes in a queue beside its octets, about.
const OVERHEAD: usize = 128;

/// A consumer, as queues and messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ConsumerId(pub(super) u64);

/// A message in a queue, or on its way from it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Its place in the queue, which it keeps when it comes back.
    pub(super) place: u64,
    header: Header,
    /// Everything from the message annotations on, as it came. [MSG-05] [MSG-15] [MSG-21]
    rest: Bytes,
    expires: Option<Instant>,
    /// What the message counts for in a queue's limit of octets: what it took when it came.
    size: usize,
    /// What few messages have.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default)]
struct Rare {
    /// Who asked not to get the message again. [OUT-11]
    refused_by: Vec<ConsumerId>,
    delivery_annotations: Option<DeliveryAnnotations>,
}

/// An error for the peer, with a word of explanation.
pub(super) fn fault(condition: ErrorCondition, description: &str) -> Error {
    let mut error = Error::new(condition);
    error.description = Some(description.to_owned().into());
    error
}

impl Stored {
    /// Takes a message in. The octets are copied, so that a queue keeps no read buffers.
    ///
    /// # Errors
    /// What the sender is told when the message can not be kept.
    pub(super) fn read(delivery: &Delivery, keep_durable: bool) -> Result<Self, Error> {
        if delivery.message_format() != 0 {
            return Err(fault(
                ErrorCondition::NotImplemented,
                "a message-format other than 0",
            ));
        }
        let encoded = delivery
            .encoded()
            .map_err(|error| fault(ErrorCondition::DecodeError, &error.to_string()))?;
        let mut header = encoded
            .header()
            .map_err(|error| fault(ErrorCondition::DecodeError, &error.to_string()))?
            .unwrap_or_default();
        if header.durable && !keep_durable {
            // [MSG-07]
            return Err(fault(
                ErrorCondition::PreconditionFailed,
                "durable messages would not survive a restart",
            ));
        }
        header.first_acquirer = true;
        let expires = header
            .ttl
            .map(|ttl| Instant::now() + Duration::from_millis(u64::from(ttl.0)));
        // [MSG-14]
        let rest = encoded.forward(None, None).into_bytes();
        Ok(Self {
            place: 0,
            header,
            size: rest.len() + OVERHEAD,
            rest,
            expires,
            rare: None,
        })
    }

    /// What the message counts for in a queue's limit of octets.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether the message is of no use any more. [MSG-09]
    pub(super) fn is_expired(&self) -> bool {
        self.expires.is_some_and(|at| at <= Instant::now())
    }

    /// Whether a consumer asked not to get the message again. [OUT-11]
    pub(super) fn is_refused_by(&self, consumer: ConsumerId) -> bool {
        self.rare
            .as_ref()
            .is_some_and(|rare| rare.refused_by.contains(&consumer))
    }

    /// A consumer does not get the message any more.
    pub(super) fn refuse_by(&mut self, consumer: ConsumerId) {
        self.rare.get_or_insert_default().refused_by.push(consumer);
    }

    /// Somebody has had the message: the next one is not the first. [MSG-10]
    pub(super) fn mark_acquired(&mut self) {
        self.header.first_acquirer = false;
    }

    /// An attempt at delivery has failed. [MSG-11]
    pub(super) fn count_failure(&mut self) {
        self.header.delivery_count = self.header.delivery_count.saturating_add(1);
    }

    /// What a consumer wants changed for the next attempt. [OUT-10] [OUT-11] [OUT-12]
    pub(super) fn modify(&mut self, modified: Modified, consumer: ConsumerId) {
        if modified.delivery_failed == Some(true) {
            self.count_failure();
        }
        if modified.undeliverable_here == Some(true) {
            self.refuse_by(consumer);
        }
        if let Some(changes) = modified.message_annotations {
            self.annotate(
                changes
                    .0
                    .into_iter()
                    .map(|(key, value)| (key.to_compact(), value.to_compact())),
            );
        }
    }

    /// The message as the dead-letter queue keeps it. [OUT-07]
    pub(super) fn into_dead(mut self, error: Option<Error>) -> Self {
        self.count_failure();
        self.expires = None;
        self.header.ttl = None;
        let rare = self.rare.get_or_insert_default();
        rare.refused_by.clear();
        if let Some(error) = error
            && let Ok(value) = Value::from_bytes(&error.to_bytes())
        {
            rare.delivery_annotations
                .get_or_insert_default()
                .insert(Symbol::from_static("rejected"), value);
        }
        self
    }

    /// The standard's properties, for whoever routes by them. Section 3.2.4.
    pub(super) fn properties(&self) -> Result<Option<Properties>, Error> {
        EncodedMessage::new(self.rest.clone())
            .and_then(|message| message.properties())
            .map_err(|error| fault(ErrorCondition::DecodeError, &error.to_string()))
    }

    /// Puts annotations in place of those of the same key, and the others beside them.
    fn annotate(&mut self, changes: impl Iterator<Item = (Symbol, Value)>) {
        let Ok(found) =
            EncodedMessage::new(self.rest.clone()).and_then(|m| m.message_annotations())
        else {
            return;
        };
        // Where there are annotations they come first: the sections before them were cut off.
        let mut decoder = Decoder::new(&self.rest);
        if found.is_some() && decoder.skip_value().is_err() {
            return;
        }
        let old = decoder.position();
        let mut annotations: MessageAnnotations = found.unwrap_or_default();
        for (key, value) in changes {
            annotations.insert(key, value);
        }
        let mut octets = BytesMut::with_capacity(self.rest.len() + 64);
        annotations.encode(&mut octets);
        octets.extend_from_slice(&self.rest[old..]);
        self.rest = octets.freeze();
    }
}

impl Sendable for Stored {
    fn encode_message(&self, out: &mut BytesMut) {
        let mut header = self.header.clone();
        if let Some(at) = self.expires {
            // What is left of the time to live. [MSG-09]
            let left = at.saturating_duration_since(Instant::now()).as_millis();
            header.ttl = Some(Milliseconds(u32::try_from(left).unwrap_or(u32::MAX)));
        }
        header.encode(out);
        if let Some(annotations) = self
            .rare
            .as_ref()
            .and_then(|rare| rare.delivery_annotations.as_ref())
        {
            annotations.encode(out);
        }
        out.extend_from_slice(&self.rest);
    }
}
