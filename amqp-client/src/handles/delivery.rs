//! One delivery: a message and the right to say what becomes of it.
//!
//! Decides how a message is read and settled. Sections 2.6.12, 3.4.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use amqp_types::messaging::{Accepted, DeliveryState, Modified, Outcome, Rejected, Released};
use amqp_types::transport::{self, ReceiverSettleMode};
use amqp_types::{Decode, Decoder, EncodedMessage, Message};
use bytes::Bytes;

use super::receiver::ReceiverInner;
use crate::driver::Report;
use crate::error::Error;
use crate::proto::Incoming;

/// A received message that waits for its outcome.
///
/// It can be settled from any task, in any order, and after its receiver is gone. The first outcome
/// counts; later ones change nothing. A delivery that is dropped without an outcome is released, so
/// that the sender can give it to somebody else.
pub struct Delivery {
    receiver: Arc<ReceiverInner>,
    incoming: Incoming,
    settled: AtomicBool,
    /// What the sender says of it, as far as that is kept.
    report: OnceLock<Arc<Report>>,
    /// The span of its processing, where there is one.
    #[cfg(feature = "opentelemetry")]
    span: Option<opentelemetry::Context>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("link", &self.receiver.shared.name)
            .field("tag", &self.incoming.tag)
            .field("octets", &self.incoming.payload.len())
            .field("settled", &self.is_settled())
            .finish_non_exhaustive()
    }
}

impl Delivery {
    pub(crate) fn new(
        receiver: Arc<ReceiverInner>,
        incoming: Incoming,
        report: Option<Arc<Report>>,
    ) -> Self {
        Self {
            #[cfg(feature = "opentelemetry")]
            span: receiver.shared.trace_process(&incoming.payload),
            receiver,
            settled: AtomicBool::new(incoming.settled),
            incoming,
            report: report.map(OnceLock::from).unwrap_or_default(),
        }
    }

    /// Decodes the whole message. Section 3.2.
    ///
    /// # Errors
    /// Codec when the octets are no message; the delivery can still be settled, for example rejected.
    pub fn message(&self) -> Result<Message, Error> {
        Message::decode(&mut Decoder::new(&self.incoming.payload)).map_err(Error::from)
    }

    /// The message with its sections told apart, none of them decoded: to read a part of it, or to
    /// forward it octet for octet.
    ///
    /// # Errors
    /// Codec when the sections can not be told apart.
    pub fn encoded(&self) -> Result<EncodedMessage, Error> {
        Ok(EncodedMessage::new(self.incoming.payload.clone())?)
    }

    /// The octets as they came. They share memory with what was read from the socket; a part that is
    /// kept for long is better copied.
    pub fn payload(&self) -> &Bytes {
        &self.incoming.payload
    }

    /// The trace context to process the message in: that of its own span where the connection
    /// [traces messages](crate::ConnectionOptions::trace_messages), or else what the message carries.
    #[cfg(feature = "opentelemetry")]
    pub fn trace_context(&self) -> opentelemetry::Context {
        let carried = || {
            self.message()
                .map(|message| crate::telemetry::extract(&message))
        };
        match &self.span {
            Some(context) => context.clone(),
            None => carried().unwrap_or_else(|_| opentelemetry::Context::current()),
        }
    }

    /// The context of its own span, where it has one.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn span(&self) -> Option<&opentelemetry::Context> {
        self.span.as_ref()
    }

    #[cfg(feature = "opentelemetry")]
    fn end_span(&self, outcome: &Outcome) {
        if let Some(context) = &self.span {
            crate::telemetry::finish(context, Ok(outcome));
        }
    }

    /// The delivery-tag: at most 32 octets that the sender chose. Section 2.6.12.
    pub fn tag(&self) -> &[u8] {
        self.incoming.tag.as_bytes()
    }

    /// The message-format: 0 for the messages of the standard. Section 2.8.11.
    pub fn message_format(&self) -> u32 {
        self.incoming.message_format
    }

    /// The delivery state that came with the message, if any. Section 2.7.5.
    pub fn state(&self) -> Option<&DeliveryState> {
        self.incoming.state.as_deref()
    }

    /// Whether the outcome is decided: the sender sent it settled, or it has been reported.
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// The last state that the sender has told: with the message, or since. In settle mode first what
    /// it tells is kept from the first call of this or of [`settled`](Self::settled) on. Section 2.7.6.
    pub fn remote_state(&self) -> Option<DeliveryState> {
        let told = match self.incoming.settled {
            true => None,
            false => self.report().told(),
        };
        told.or_else(|| self.state().cloned())
    }

    /// Waits until the delivery is settled on both sides: in settle mode first with an outcome from
    /// here, in mode second when the sender has confirmed it, in either mode when the sender settles
    /// it by itself. Answers the state that the sender told last. Sections 2.6.12, 2.8.3.
    ///
    /// # Errors
    /// Whatever ended the link before.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn settled(&self) -> Result<Option<DeliveryState>, Error> {
        let first = self.incoming.mode == ReceiverSettleMode::First;
        if self.incoming.settled || (first && self.is_settled()) {
            return Ok(self.state().cloned());
        }
        let told = self.report().settled().await?;
        Ok(told.or_else(|| self.state().cloned()))
    }

    fn report(&self) -> &Arc<Report> {
        let shared = &self.receiver.shared;
        self.report
            .get_or_init(|| shared.report(self.incoming.id, &self.incoming.tag))
    }

    /// The message was processed. Section 3.4.2.
    pub fn accept(&self) {
        self.settle(Outcome::Accepted(Accepted::default()));
    }

    /// The message is invalid and can not be processed. Section 3.4.3.
    pub fn reject(&self, error: impl Into<Option<transport::Error>>) {
        let rejected = Rejected {
            error: error.into().map(Box::new),
        };
        self.settle(Outcome::Rejected(rejected));
    }

    /// The message was not processed and is free for others. Section 3.4.4.
    pub fn release(&self) {
        self.settle(Outcome::Released(Released::default()));
    }

    /// The message was not processed, with changes for the next attempt. Section 3.4.5.
    pub fn modify(&self, modified: Modified) {
        self.settle(Outcome::Modified(modified));
    }

    /// Tells the sender a state and leaves the delivery unsettled: how far its processing is
    /// ([`Received`](amqp_types::messaging::Received)), or a state that both sides have agreed on. The
    /// outcome still follows; after it this changes nothing, and neither does it while the link is
    /// detached. Sections 2.7.6, 3.4.1.
    pub fn update(&self, state: impl Into<DeliveryState>) {
        if !self.is_settled() {
            self.receiver
                .shared
                .tell(self.incoming.id, &self.incoming.tag, state.into());
        }
    }

    /// Accepts this delivery and every one before it on its link that has no outcome yet, in one go.
    /// Those need no outcome of their own any more. Sections 2.7.6, 3.4.2.
    pub fn accept_up_to(&self) {
        if self.settled.swap(true, Ordering::AcqRel) {
            return;
        }
        let settled = self.incoming.mode == ReceiverSettleMode::First;
        #[cfg(feature = "opentelemetry")]
        self.end_span(&Outcome::Accepted(Accepted::default()));
        let state = DeliveryState::Accepted(Accepted::default());
        self.receiver
            .shared
            .settle_up_to(self.incoming.id, state, settled);
    }

    /// Reports any outcome. The standard's outcomes settle the delivery at once in settle mode
    /// first; in mode second the sender settles it afterwards. Sections 2.8.3, 3.4.
    pub fn settle(&self, outcome: Outcome) {
        if self.settled.swap(true, Ordering::AcqRel) {
            return;
        }
        let first = self.incoming.mode == ReceiverSettleMode::First;
        #[cfg(feature = "opentelemetry")]
        self.end_span(&outcome);
        let state = DeliveryState::from(outcome);
        self.receiver
            .shared
            .settle(self.incoming.id, &self.incoming.tag, state, first);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !*self.settled.get_mut() {
            self.release();
        }
    }
}
