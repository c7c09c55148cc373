//! Requests and their responses, one at a time.
//!
//! Decides how a response is told from others: by its correlation-id. Section 3.2.4.

use std::sync::atomic::{AtomicU64, Ordering};

use amqp_types::messaging::{AddressString, MessageId, Outcome};
use amqp_types::{Message, Str};

use super::{BlockingConnection, BlockingReceiver, BlockingSender};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::handles::ReceiverOptions;
use crate::handles::link_option::DynamicNodeProperties;

/// Sends requests and waits for their responses, which come to a node of its own.
#[derive(Debug)]
pub struct SyncRequestResponse {
    sender: BlockingSender,
    receiver: BlockingReceiver,
    reply_to: Str,
}

impl SyncRequestResponse {
    /// Requests to the node at `address`.
    ///
    /// # Errors
    /// What the peer says when it refuses a link, or a dynamic node; a timeout.
    pub fn new(connection: &BlockingConnection, address: &str) -> Result<Self, Error> {
        let options = ReceiverOptions::new().with(DynamicNodeProperties::default());
        let receiver = connection.create_receiver_with("", options)?;
        let reply_to = receiver.handle().address().ok_or_else(|| {
            Error::configuration("the peer gave a dynamic node without an address")
        })?;
        Ok(Self {
            sender: connection.create_sender(address)?,
            receiver,
            reply_to,
        })
    }

    /// Where responses are sent to.
    pub fn reply_to(&self) -> &str {
        &self.reply_to
    }

    /// Sends a request and waits for its response. Reply-to and correlation-id are set. Responses to
    /// earlier requests, which timed out, are dropped.
    ///
    /// # Errors
    /// When the request is not accepted, with the condition if there is one; a timeout; whatever ends
    /// a link. A response that is no message is a codec error.
    pub fn call(&mut self, request: Message) -> Result<Message, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let id = MessageId::String(Str::from(id));
        let request = request
            .with_reply_to(AddressString(self.reply_to.clone()))
            .with_correlation_id(id.clone());
        match self.sender.send(request)? {
            Outcome::Accepted(_) => {}
            other => return Err(not_accepted(&other)),
        }
        loop {
            let delivery = self.receiver.receive()?;
            let response = delivery.message();
            delivery.accept();
            let response = response?;
            let answers = response
                .properties
                .as_ref()
                .and_then(|properties| properties.correlation_id.as_ref());
            if answers == Some(&id) {
                return Ok(response);
            }
        }
    }
}

fn not_accepted(outcome: &Outcome) -> Error {
    let condition = match outcome {
        Outcome::Rejected(rejected) => rejected.error.as_deref().cloned(),
        _ => None,
    };
    Error::amqp_error(
        ErrorKind::Request,
        ErrorScope::Delivery,
        Initiator::Remote,
        "the request was not accepted",
        condition,
    )
}
