//! Options of links under the names that users of Qpid Proton know.
//!
//! Decides what each of them means in an attach. They can be put together:
//!
//! ```
//! use amqp_client::ReceiverOptions;
//! use amqp_client::link_option::{AtLeastOnce, DurableSubscription, Selector};
//!
//! let options = ReceiverOptions::new()
//!     .name("audit")
//!     .with(AtLeastOnce)
//!     .with(DurableSubscription)
//!     .with(Selector::new("colour = 'green'"));
//! ```
//!
//! Sections 2.6.10, 2.8.2, 2.8.3, 3.5; the Apache registry of filters; the JMS mapping.

use amqp_types::messaging::{
    DistributionMode, FilterSet, NodeProperties, TerminusDurability, TerminusExpiryPolicy,
};
use amqp_types::transport::{ReceiverSettleMode, SenderSettleMode};

use amqp_types::{Described, Map, Str, Symbol, Value};

use super::options::{ReceiverOptions, SenderOptions};

/// Something that a sender is attached with.
pub trait SenderOption {
    /// Puts it into the options.
    fn apply(self, options: &mut SenderOptions);
}

/// Something that a receiver is attached with.
pub trait ReceiverOption {
    /// Puts it into the options.
    fn apply(self, options: &mut ReceiverOptions);
}

impl SenderOptions {
    /// Adds an option.
    pub fn with(mut self, option: impl SenderOption) -> Self {
        option.apply(&mut self);
        self
    }
}

impl ReceiverOptions {
    /// Adds an option.
    pub fn with(mut self, option: impl ReceiverOption) -> Self {
        option.apply(&mut self);
        self
    }
}

/// Messages are sent settled: each arrives once or not at all. Section 2.8.2.
#[derive(Clone, Copy, Debug)]
pub struct AtMostOnce;

impl SenderOption for AtMostOnce {
    fn apply(self, options: &mut SenderOptions) {
        options.link.snd_settle_mode = SenderSettleMode::Settled;
    }
}

impl ReceiverOption for AtMostOnce {
    fn apply(self, options: &mut ReceiverOptions) {
        options.link.snd_settle_mode = SenderSettleMode::Settled;
    }
}

/// Messages are settled by their receiver: each arrives once or several times. Section 2.8.3.
#[derive(Clone, Copy, Debug)]
pub struct AtLeastOnce;

impl SenderOption for AtLeastOnce {
    fn apply(self, options: &mut SenderOptions) {
        options.link.snd_settle_mode = SenderSettleMode::Unsettled;
    }
}

impl ReceiverOption for AtLeastOnce {
    fn apply(self, options: &mut ReceiverOptions) {
        options.link.snd_settle_mode = SenderSettleMode::Unsettled;
        options.link.rcv_settle_mode = ReceiverSettleMode::First;
    }
}

/// Messages are settled by their sender, after the receiver has told the outcome, and links resume
/// with what is unsettled: each arrives once. Both ends ask for settle mode second; whether the peer
/// agrees is in its attach. Sections 2.6.13, 2.8.3.
#[derive(Clone, Copy, Debug)]
pub struct ExactlyOnce;

impl SenderOption for ExactlyOnce {
    fn apply(self, options: &mut SenderOptions) {
        options.link.snd_settle_mode = SenderSettleMode::Unsettled;
        options.link.rcv_settle_mode = ReceiverSettleMode::Second;
        options.link.resumable = true;
    }
}

impl ReceiverOption for ExactlyOnce {
    fn apply(self, options: &mut ReceiverOptions) {
        options.link.snd_settle_mode = SenderSettleMode::Unsettled;
        options.link.rcv_settle_mode = ReceiverSettleMode::Second;
        options.link.resumable = true;
    }
}

/// A filter of the source, under a name of its own. Section 3.5.8.
#[derive(Clone, Debug)]
pub struct Filter {
    name: Symbol,
    filter: Described,
}

impl Filter {
    /// A filter of this name.
    pub fn new(name: Symbol, filter: Described) -> Self {
        Self { name, filter }
    }

    /// Leaves out what was sent on the same connection: `apache.org:no-local-filter:list`.
    pub fn no_local() -> Self {
        Self::described(
            "no-local",
            "apache.org:no-local-filter:list",
            Vec::<Value>::new(),
        )
    }

    /// One session of a queue with sessions: `com.microsoft:session-filter`; `None` is the next free one.
    pub fn service_bus_session(session: Option<&str>) -> Self {
        let value = session.map_or(Value::Null, |id| Value::String(Str::from(id.to_owned())));
        Self::described(
            "com.microsoft:session-filter",
            "com.microsoft:session-filter",
            value,
        )
    }

    fn described(name: &'static str, descriptor: &'static str, value: impl Into<Value>) -> Self {
        let filter = Described {
            descriptor: Value::Symbol(Symbol::from_static(descriptor)),
            value: value.into(),
        };
        Self::new(Symbol::from_static(name), filter)
    }
}

impl ReceiverOption for Filter {
    fn apply(self, options: &mut ReceiverOptions) {
        let filters = &mut options.link.source.filter;
        filters
            .get_or_insert_with(|| FilterSet(Map::default()))
            .0
            .insert(self.name, Some(self.filter));
    }
}

/// Only messages that an expression selects, in the syntax of JMS:
/// `apache.org:selector-filter:string`.
#[derive(Clone, Debug)]
pub struct Selector(Filter);

impl Selector {
    /// A selector, named `selector`.
    pub fn new(expression: impl Into<Str>) -> Self {
        Self(Filter::described(
            "selector",
            "apache.org:selector-filter:string",
            Value::String(expression.into()),
        ))
    }
}

impl ReceiverOption for Selector {
    fn apply(self, options: &mut ReceiverOptions) {
        self.0.apply(options);
    }
}

/// A subscription that outlives its link: to be detached, not closed, by who comes back. It is named
/// by the container-id and the link's name. Section 3.5.3.
#[derive(Clone, Copy, Debug)]
pub struct DurableSubscription;

impl ReceiverOption for DurableSubscription {
    fn apply(self, options: &mut ReceiverOptions) {
        options.link.source.durable = TerminusDurability::UnsettledState;
        options.link.source.expiry_policy = TerminusExpiryPolicy::Never;
    }
}

/// A subscription whose messages several receivers share, those with the same link name: capability
/// `shared`; and `global` where other containers may take part.
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedSubscription {
    /// Whether receivers of other containers take part.
    pub global: bool,
    /// Whether it outlives its links.
    pub durable: bool,
}

impl ReceiverOption for SharedSubscription {
    fn apply(self, options: &mut ReceiverOptions) {
        let capabilities = &mut options.link.source.capabilities;
        capabilities.push(Symbol::from_static("shared"));
        if self.global {
            capabilities.push(Symbol::from_static("global"));
        }
        if self.durable {
            DurableSubscription.apply(options);
        }
    }
}

/// Messages stay at the source: a queue is looked through. Section 3.5.3.
#[derive(Clone, Copy, Debug)]
pub struct Copy;

impl ReceiverOption for Copy {
    fn apply(self, options: &mut ReceiverOptions) {
        options.link.source.distribution_mode = Some(DistributionMode::Copy);
    }
}

/// Messages are taken from the source. Section 3.5.3.
#[derive(Clone, Copy, Debug)]
pub struct Move;

impl ReceiverOption for Move {
    fn apply(self, options: &mut ReceiverOptions) {
        options.link.source.distribution_mode = Some(DistributionMode::Move);
    }
}

/// The peer makes the node, and tells its address; with these properties, which may be none.
/// Sections 3.5.3, 3.5.9.
#[derive(Clone, Debug, Default)]
pub struct DynamicNodeProperties(pub Map<Symbol, Value>);

impl DynamicNodeProperties {
    fn properties(self) -> Option<NodeProperties> {
        let Self(properties) = self;
        (!properties.is_empty()).then_some(NodeProperties(properties))
    }
}

impl SenderOption for DynamicNodeProperties {
    fn apply(self, options: &mut SenderOptions) {
        options.link.target.dynamic = true;
        options.link.target.dynamic_node_properties = self.properties();
    }
}

impl ReceiverOption for DynamicNodeProperties {
    fn apply(self, options: &mut ReceiverOptions) {
        options.link.source.dynamic = true;
        options.link.source.dynamic_node_properties = self.properties();
    }
}
