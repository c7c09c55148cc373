//! The attaches that options make.
//!
//! Decides what is filled in where the user has left it out. Sections 2.7.3, 3.5.

use amqp_types::messaging::{AddressString, Source};
use amqp_types::transport::{Attach, Handle, Role, SequenceNo};
use amqp_types::{Str, Symbol};

use super::options::{ReceiverOptions, SenderOptions};
use crate::proto::wished;

/// The outcomes that a receipt can tell: those of the standard. Section 3.4.
const OUTCOMES: [&str; 4] = [
    "amqp:accepted:list",
    "amqp:rejected:list",
    "amqp:released:list",
    "amqp:modified:list",
];

/// The attach of a sender. Sections 2.7.3, 3.5.
pub(crate) fn of_sender(name: Str, address: &str, options: SenderOptions) -> Attach {
    let mut attach = Attach::new(name, Handle(0), Role::Sender);
    attach.snd_settle_mode = options.snd_settle_mode;
    attach.rcv_settle_mode = options.rcv_settle_mode;
    attach.initial_delivery_count = Some(SequenceNo(0));
    let mut source: Source = options.source;
    if source.outcomes.is_empty() && source.default_outcome.is_none() {
        // [SRC-22] [SRC-23]: what is not named can not be used, and a broker that can not reject detaches.
        source.outcomes = OUTCOMES.map(Symbol::from_static).to_vec();
    }
    if source.address.is_none() {
        source.address = Some(AddressString::from(attach.name.to_string()));
    }
    attach.source = Some(source.into());
    let mut target = options.target;
    if !target.dynamic && !address.is_empty() {
        target.address = Some(AddressString::from(address.to_owned()));
    }
    attach.target = Some(target.into());
    attach.properties = options.properties;
    attach.offered_capabilities = options.offered_capabilities;
    attach.desired_capabilities = wished(
        &options.desired_capabilities,
        &options.required_capabilities,
    );
    attach
}

/// The attach of a receiver. Sections 2.7.3, 3.5.
pub(crate) fn of_receiver(name: Str, address: &str, options: ReceiverOptions) -> Attach {
    let mut attach = Attach::new(name, Handle(0), Role::Receiver);
    attach.snd_settle_mode = options.snd_settle_mode;
    attach.rcv_settle_mode = options.rcv_settle_mode;
    attach.max_message_size = options.announced_size();
    let mut source = options.source;
    // [SRC-02]: a dynamic node has no address before it is made.
    if !source.dynamic && !address.is_empty() {
        source.address = Some(AddressString::from(address.to_owned()));
    }
    // [LNK-10]: without a source there is only the one that the peer knows.
    attach.source = (!options.recover).then(|| source.into());
    let mut target = options.target;
    if target.address.is_none() && !target.dynamic {
        target.address = Some(AddressString::from(attach.name.to_string()));
    }
    attach.target = Some(target.into());
    attach.properties = options.properties;
    attach.offered_capabilities = options.offered_capabilities;
    attach.desired_capabilities = wished(
        &options.desired_capabilities,
        &options.required_capabilities,
    );
    attach
}
