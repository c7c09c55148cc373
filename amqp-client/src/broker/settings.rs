//! What a broker is set up with.
//!
//! Decides nothing: the builder fills it, everything else reads it.

use amqp_types::Str;

/// What one queue may hold, messages that are with consumers included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// The rules of a broker.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The only queues there are; `None` makes a queue of any address that is attached to.
    pub(super) queues: Option<Vec<Str>>,
    pub(super) limits: Limits,
    /// Where rejected messages go.
    pub(super) dead_letters: Option<Str>,
    /// Whether durable messages are taken although nothing survives the broker. [MSG-07]
    pub(super) keep_durable: bool,
    /// The largest message, in octets; 0 is any.
    pub(super) max_message_size: u64,
    /// How many nodes there may be.
    pub(super) max_nodes: usize,
    /// How many messages a sender may have under way.
    pub(super) credit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queues: None,
            limits: Limits {
                messages: 10_000_000,
                bytes: 1 << 30,
            },
            dead_letters: None,
            keep_durable: true,
            max_message_size: 128 * 1024 * 1024,
            max_nodes: 100_000,
            credit: 1000,
        }
    }
}
