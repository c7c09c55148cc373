//! The attaches that options make.
//!
//! Decides what is filled in where the user has left it out. Sections 2.7.3, 3.5.

use amqp_types::messaging::AddressString;
use amqp_types::transport::{Attach, Handle, Role, SequenceNo};
use amqp_types::{Str, Symbol};

use super::options::{LinkTerms, ReceiverOptions, SenderOptions};
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
    let mut link = options.link;
    let source = &mut link.source;
    if source.outcomes.is_empty() && source.default_outcome.is_none() {
        // [SRC-22] [SRC-23]: what is not named can not be used, and a broker that can not reject detaches.
        source.outcomes = OUTCOMES.map(Symbol::from_static).to_vec();
    }
    if source.address.is_none() {
        source.address = Some(AddressString::from(name.to_string()));
    }
    if !link.target.dynamic && !address.is_empty() {
        link.target.address = Some(AddressString::from(address.to_owned()));
    }
    let mut attach = of_link(name, Role::Sender, link);
    attach.initial_delivery_count = Some(SequenceNo(0));
    attach
}

/// The attach of a receiver. Sections 2.7.3, 3.5.
pub(crate) fn of_receiver(name: Str, address: &str, options: ReceiverOptions) -> Attach {
    let size = options.announced_size();
    let mut link = options.link;
    // [SRC-02]: a dynamic node has no address before it is made.
    if !link.source.dynamic && !address.is_empty() {
        link.source.address = Some(AddressString::from(address.to_owned()));
    }
    if link.target.address.is_none() && !link.target.dynamic {
        link.target.address = Some(AddressString::from(name.to_string()));
    }
    let mut attach = of_link(name, Role::Receiver, link);
    attach.max_message_size = size;
    if options.recover {
        // [LNK-10]: without a source there is only the one that the peer knows.
        attach.source = None;
    }
    attach
}

/// What both say.
fn of_link(name: Str, role: Role, link: LinkTerms) -> Attach {
    let mut attach = Attach::new(name, Handle(0), role);
    attach.snd_settle_mode = link.snd_settle_mode;
    attach.rcv_settle_mode = link.rcv_settle_mode;
    attach.source = Some(link.source.into());
    attach.target = Some(link.target.into());
    attach.properties = link.properties;
    attach.offered_capabilities = link.offered_capabilities;
    attach.desired_capabilities = wished(&link.desired_capabilities, &link.required_capabilities);
    attach
}
