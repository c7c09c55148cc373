//! What senders and receivers can be attached with.
//!
//! Decides the defaults. What is alike for both stands once, at the end. Section 2.7.3.

use amqp_types::messaging::{Source, Target};
use amqp_types::transport::{Fields, ReceiverSettleMode, SenderSettleMode};
use amqp_types::{Str, Symbol};

use crate::driver::MAX_MESSAGE_SIZE;

/// Options of a sender.
#[derive(Clone, Debug)]
pub struct SenderOptions {
    pub(crate) link: LinkTerms,
    pub(crate) max_queued_messages: usize,
    pub(crate) max_queued_bytes: usize,
    pub(crate) manual_drain: bool,
    pub(crate) manual_settle: bool,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self {
            link: LinkTerms::default(),
            max_queued_messages: 16_384,
            max_queued_bytes: 16 * 1024 * 1024,
            manual_drain: false,
            manual_settle: false,
        }
    }
}

impl SenderOptions {
    /// The defaults: at least once, 16,384 messages or 16 MiB on their way.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most once: messages are sent settled. Section 2.8.2.
    pub fn at_most_once(mut self) -> Self {
        self.link.snd_settle_mode = SenderSettleMode::Settled;
        self
    }

    /// At least once: every message is settled by its receiver. Section 2.8.2.
    pub fn at_least_once(mut self) -> Self {
        self.link.snd_settle_mode = SenderSettleMode::Unsettled;
        self
    }

    /// Asks the receiver to settle a message only after this side has heard its outcome and settled
    /// it. Section 2.8.3.
    pub fn settle_second(mut self) -> Self {
        self.link.rcv_settle_mode = ReceiverSettleMode::Second;
        self
    }

    /// The target, all of it; its address is replaced by the one given to `create_sender`.
    pub fn target(mut self, target: Target) -> Self {
        self.link.target = target;
        self
    }

    /// The source, which says what outcomes are understood; one that names none is sent with the four
    /// of the standard, all of which a [`Receipt`](crate::Receipt) tells. Section 3.5.3.
    pub fn source(mut self, source: Source) -> Self {
        self.link.source = source;
        self
    }

    /// Answers a drain only when [`Sender::drained`](crate::Sender::drained) is called, not as soon as nothing is
    /// enqueued: for nodes that keep their messages elsewhere. Section 2.6.7.
    pub fn manual_drain(mut self) -> Self {
        self.manual_drain = true;
        self
    }

    /// Leaves it to the program to settle a message whose outcome the receiver has told and not
    /// settled, as one of settle mode second does: [`Receipt::settle`](crate::Receipt::settle) does it,
    /// once the outcome is where it has to be. By default it is settled as soon as the outcome has come.
    /// Concerns messages of `enqueue`, `enqueue_with` and `try_enqueue` whose receipt is kept. What the
    /// receiver settles is settled either way, and so is what has an outcome when the link is resumed.
    /// Sections 2.6.12, 2.8.3. [LNK-48]
    pub fn manual_settle(mut self) -> Self {
        self.manual_settle = true;
        self
    }

    /// How many messages may be queued or unsettled before `enqueue` waits. Default 16,384.
    pub fn max_queued_messages(mut self, messages: usize) -> Self {
        self.max_queued_messages = messages.max(1);
        self
    }

    /// How many octets may be queued or unsettled before `enqueue` waits. Default 16 MiB. One
    /// message of any size is always taken.
    pub fn max_queued_bytes(mut self, octets: usize) -> Self {
        self.max_queued_bytes = octets.max(1);
        self
    }
}

/// Options of a receiver.
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    pub(crate) link: LinkTerms,
    pub(crate) credit: Option<u32>,
    pub(crate) max_message_size: Option<u64>,
    pub(crate) ignore_missing_filters: bool,
    pub(crate) streaming: bool,
    pub(crate) recover: bool,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        Self {
            link: LinkTerms::default(),
            credit: Some(500),
            max_message_size: None,
            ignore_missing_filters: false,
            streaming: false,
            recover: false,
        }
    }
}

impl ReceiverOptions {
    /// The defaults: 500 deliveries are fetched ahead, messages of up to 128 MiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// Attaches without a source of its own: to what the peer remembers for a link of this name and
    /// this container, such as a durable subscription that is looked at or given up. The address is
    /// left out too; a peer that remembers nothing refuses the link. Sections 2.6.3, 3.5.3.
    pub fn recover(mut self) -> Self {
        self.recover = true;
        self
    }

    /// Takes a source without the filters that were asked for. Otherwise a filter that the peer does
    /// not name in its answer, and so does not apply, is an error. Section 3.5.3.
    pub fn ignore_missing_filters(mut self) -> Self {
        self.ignore_missing_filters = true;
        self
    }

    /// Hands deliveries out while they arrive, by [`Receiver::recv_stream`](crate::Receiver::recv_stream) instead of
    /// [`Receiver::recv`](crate::Receiver::recv): for messages that are larger than memory should hold.
    pub fn streaming(mut self) -> Self {
        self.streaming = true;
        self
    }

    /// How many deliveries are fetched ahead: granted as credit and topped up at half. Default 500.
    pub fn prefetch(mut self, deliveries: u32) -> Self {
        self.credit = Some(deliveries.max(1));
        self
    }

    /// No credit but what [`Receiver::set_credit`](crate::Receiver::set_credit) grants.
    pub fn manual_credit(mut self) -> Self {
        self.credit = None;
        self
    }

    /// Asks for messages that are sent settled. Section 2.8.2.
    pub fn at_most_once(mut self) -> Self {
        self.link.snd_settle_mode = SenderSettleMode::Settled;
        self
    }

    /// Asks for messages that are sent unsettled. Section 2.8.2.
    pub fn at_least_once(mut self) -> Self {
        self.link.snd_settle_mode = SenderSettleMode::Unsettled;
        self
    }

    /// The sender settles, after this side has said its outcome: nothing is settled before the
    /// sender knows how it ended. A peer that answers with first is taken at its word: then this side
    /// settles. Section 2.8.3.
    pub fn settle_second(mut self) -> Self {
        self.link.rcv_settle_mode = ReceiverSettleMode::Second;
        self
    }

    /// The source, all of it: filters, durability, distribution mode; its address is replaced by the
    /// one given to `create_receiver`. Section 3.5.3.
    pub fn source(mut self, source: Source) -> Self {
        self.link.source = source;
        self
    }

    /// The target. Section 3.5.4.
    pub fn target(mut self, target: Target) -> Self {
        self.link.target = target;
        self
    }

    /// The largest message that is taken, in octets; 0 is any, which lets the peer fill the memory.
    /// Default 128 MiB; on a [streaming](Self::streaming) receiver any. Section 2.7.3.
    pub fn max_message_size(mut self, octets: u64) -> Self {
        self.max_message_size = Some(octets);
        self
    }

    /// What the attach says.
    pub(crate) fn announced_size(&self) -> Option<u64> {
        let default = match self.streaming {
            true => 0,
            false => MAX_MESSAGE_SIZE,
        };
        Some(self.max_message_size.unwrap_or(default)).filter(|size| *size != 0)
    }
}

/// What senders and receivers are attached with alike.
#[derive(Clone, Debug)]
pub(crate) struct LinkTerms {
    pub(crate) name: Option<Str>,
    pub(crate) take_over: bool,
    pub(crate) snd_settle_mode: SenderSettleMode,
    pub(crate) rcv_settle_mode: ReceiverSettleMode,
    pub(crate) source: Source,
    pub(crate) target: Target,
    pub(crate) properties: Option<Fields>,
    pub(crate) offered_capabilities: Vec<Symbol>,
    pub(crate) desired_capabilities: Vec<Symbol>,
    pub(crate) required_capabilities: Vec<Symbol>,
    pub(crate) resumable: bool,
}

impl Default for LinkTerms {
    fn default() -> Self {
        Self {
            name: None,
            take_over: false,
            snd_settle_mode: SenderSettleMode::Mixed,
            rcv_settle_mode: ReceiverSettleMode::First,
            source: Source::default(),
            target: Target::default(),
            properties: None,
            offered_capabilities: Vec::new(),
            desired_capabilities: Vec::new(),
            required_capabilities: Vec::new(),
            resumable: false,
        }
    }
}

/// The setters of what is alike.
macro_rules! link_terms {
    ($options:ident, $handle:ident) => {
        impl $options {
            /// The name of the link; one is made up otherwise. A name that a link of the same direction to
            /// the same peer has is an error, on whatever connection of the container, unless the new link
            /// is to [take its place](Self::take_over). Section 2.6.1.
            pub fn name(mut self, name: impl Into<Str>) -> Self {
                self.link.name = Some(name.into());
                self
            }

            /// Takes the place of the container's link of the same name, if there is one: that one is
            /// detached, its termini stay for this link, and its handles end with the condition
            /// `amqp:link:stolen`. For a connection that may be dead and does not know it yet. Section 2.6.1.
            pub fn take_over(mut self) -> Self {
                self.link.take_over = true;
                self
            }

            /// Unsettled deliveries outlive a detach, the end of the session and the loss of the
            #[doc = concat!("connection, until [`", stringify!($handle), "::resume`](crate::", stringify!($handle), "::resume) attaches the link")]
            /// again. Such a link needs a name of its own, the same each time. Section 2.6.13.
            pub fn resumable(mut self) -> Self {
                self.link.resumable = true;
                self
            }

            /// Link properties. Section 2.7.3.
            pub fn properties(mut self, properties: Fields) -> Self {
                self.link.properties = Some(properties);
                self
            }

            /// Capabilities that the link would like to use. Section 2.7.3.
            pub fn desired_capabilities(
                mut self,
                capabilities: impl IntoIterator<Item = Symbol>,
            ) -> Self {
                self.link.desired_capabilities = capabilities.into_iter().collect();
                self
            }

            /// Capabilities that this side offers. Section 2.7.3.
            pub fn offered_capabilities(
                mut self,
                capabilities: impl IntoIterator<Item = Symbol>,
            ) -> Self {
                self.link.offered_capabilities = capabilities.into_iter().collect();
                self
            }

            /// Capabilities without which the link is of no use: they are asked for, and it is closed with
            /// an Unsupported error when the peer does not offer one. What a peer offers is in
            #[doc = concat!("[`", stringify!($handle), "::remote`](crate::", stringify!($handle), "::remote). Section 2.7.3. [CON-46]")]
            pub fn require_capabilities(
                mut self,
                capabilities: impl IntoIterator<Item = Symbol>,
            ) -> Self {
                self.link.required_capabilities = capabilities.into_iter().collect();
                self
            }
        }
    };
}

link_terms!(SenderOptions, Sender);
link_terms!(ReceiverOptions, Receiver);
