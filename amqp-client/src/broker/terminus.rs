//! What the broker answers to an attach.
//!
//! Decides which termini it has and says what they really are: no durability, no filters, the node's
//! true address. How messages flow afterwards is left to the link tasks. Sections 2.6.3, 3.5.

use std::sync::Arc;

use amqp_types::messaging::{
    AddressString, DistributionMode, LifetimePolicy, NodeProperties, Outcome, Source,
    SourceArchetype, Target, TargetArchetype, TerminusDurability, TerminusExpiryPolicy,
};
use amqp_types::transport::{
    Attach, Error, ErrorCondition, ReceiverSettleMode, Role, Seconds, SenderSettleMode,
};
use amqp_types::{Described, List, Symbol, Value};

use super::nodes::{Nodes, Use};
use super::stored::fault;
use crate::handles::{ReceiverOptions, SenderOptions};
use crate::listener::IncomingLink;

/// The property of a dynamic node that says when it goes. Section 3.5.9.
const LIFETIME_POLICY: &str = "lifetime-policy";
/// Capabilities of a node that the broker understands, as JMS clients ask for them.
const CAPABILITIES: [&str; 2] = ["queue", "temporary-queue"];
const OUTCOMES: [&str; 4] = [
    "amqp:accepted:list",
    "amqp:rejected:list",
    "amqp:released:list",
    "amqp:modified:list",
];

/// How a link is accepted.
pub(super) enum Plan {
    /// The peer sends.
    Produce {
        options: ReceiverOptions,
        /// Where messages go; `None` goes by their `to`. [ANON-01]
        node: Option<Use>,
        /// Whether the peer understands a rejection. [OUT-13]
        may_reject: bool,
    },
    /// The peer receives.
    Consume {
        options: SenderOptions,
        node: Use,
        /// Whether messages stay in the queue. [SRC-15]
        copy: bool,
        /// Whether messages are sent settled.
        settled: bool,
        /// What becomes of messages whose outcome stays unknown. [MSG-25]
        default_outcome: Option<Outcome>,
    },
}

/// Plans a link.
///
/// # Errors
/// What the link is refused with.
pub(super) fn plan(
    link: &IncomingLink,
    container: &str,
    nodes: &Arc<Nodes>,
) -> Result<Plan, Error> {
    match link.role() {
        Role::Receiver => produce(link.attach(), container, nodes),
        Role::Sender => consume(link.attach(), container, nodes),
    }
}

fn produce(attach: &Attach, container: &str, nodes: &Arc<Nodes>) -> Result<Plan, Error> {
    // [SRC-24] [SRC-25]
    let asked = match &attach.target {
        Some(TargetArchetype::Target(target)) => target,
        Some(_) => {
            return Err(fault(
                ErrorCondition::NotImplemented,
                "targets of this kind",
            ));
        }
        None => {
            return Err(fault(
                ErrorCondition::InvalidField,
                "the attach has no target",
            ));
        }
    };
    let wish = Wish {
        address: asked.address.as_ref(),
        dynamic: asked.dynamic,
        properties: asked.dynamic_node_properties.as_ref(),
    };
    let mut target = Target {
        dynamic: asked.dynamic,
        capabilities: understood(&asked.capabilities),
        durable: TerminusDurability::None,
        expiry_policy: expiry(asked.dynamic),
        timeout: Seconds(0),
        ..Target::default()
    };
    let node = match (wish.address, wish.dynamic) {
        (None, false) => {
            wish.check()?;
            None
        }
        _ => Some(wish.fulfil(container, &attach.name, nodes)?),
    };
    if let Some(node) = &node {
        target.address = Some(AddressString(node.queue().address().clone()));
        target.dynamic_node_properties = wish.answer();
    }
    let mut options = ReceiverOptions::new()
        .target(target)
        .prefetch(nodes.settings().credit)
        .max_message_size(nodes.settings().max_message_size);
    if attach.rcv_settle_mode == ReceiverSettleMode::Second {
        // [LNK-14]
        options = options.settle_second();
    }
    let may_reject = match &attach.source {
        // Nothing said is taken as everything understood. [SRC-23]
        Some(SourceArchetype::Source(source)) => {
            source.outcomes.is_empty()
                || source
                    .outcomes
                    .iter()
                    .any(|outcome| outcome.as_str() == OUTCOMES[1])
        }
        _ => true,
    };
    Ok(Plan::Produce {
        options,
        node,
        may_reject,
    })
}

fn consume(attach: &Attach, container: &str, nodes: &Arc<Nodes>) -> Result<Plan, Error> {
    let asked = match &attach.source {
        Some(SourceArchetype::Source(source)) => source,
        Some(_) => {
            return Err(fault(
                ErrorCondition::NotImplemented,
                "sources of this kind",
            ));
        }
        None => {
            return Err(fault(
                ErrorCondition::NotFound,
                "no terminus is kept under this name",
            ));
        }
    };
    let wish = Wish {
        address: asked.address.as_ref(),
        dynamic: asked.dynamic,
        properties: asked.dynamic_node_properties.as_ref(),
    };
    let node = wish.fulfil(container, &attach.name, nodes)?;
    let copy = asked.distribution_mode == Some(DistributionMode::Copy);
    let source = Source {
        address: Some(AddressString(node.queue().address().clone())),
        durable: TerminusDurability::None,
        expiry_policy: expiry(asked.dynamic),
        timeout: Seconds(0),
        dynamic: asked.dynamic,
        dynamic_node_properties: wish.answer(),
        // [SRC-16]
        distribution_mode: Some(if copy {
            DistributionMode::Copy
        } else {
            DistributionMode::Move
        }),
        // No filter is applied, so none is named. [SRC-19]
        filter: None,
        // By its type it is an outcome. [SRC-22]
        default_outcome: asked.default_outcome.as_ref().map(Outcome::to_compact),
        outcomes: match asked.outcomes.as_slice() {
            [] => OUTCOMES.map(Symbol::from_static).to_vec(),
            wanted => of_known(wanted, &OUTCOMES),
        },
        capabilities: understood(&asked.capabilities),
    };
    Ok(Plan::Consume {
        copy,
        settled: attach.snd_settle_mode == SenderSettleMode::Settled,
        default_outcome: source.default_outcome.clone(),
        options: SenderOptions::new().source(source).manual_drain(),
        node,
    })
}

/// Nothing outlives the link, and that is what is said; but for the node that is made for a link,
/// which stays while the link is only detached. [SRC-07] [SRC-12] [SRC-14]
fn expiry(dynamic: bool) -> TerminusExpiryPolicy {
    match dynamic {
        true => TerminusExpiryPolicy::SessionEnd,
        false => TerminusExpiryPolicy::LinkDetach,
    }
}

/// What either kind of terminus asks of its node.
struct Wish<'a> {
    address: Option<&'a AddressString>,
    dynamic: bool,
    properties: Option<&'a NodeProperties>,
}

impl Wish<'_> {
    /// [SRC-02] [SRC-05]
    fn check(&self) -> Result<(), Error> {
        match (self.address, self.dynamic, self.properties) {
            (Some(_), true, _) => Err(fault(
                ErrorCondition::InvalidField,
                "a dynamic node has no address of the peer's choice",
            )),
            (_, false, Some(_)) => Err(fault(
                ErrorCondition::InvalidField,
                "dynamic-node-properties without a dynamic node",
            )),
            _ => Ok(()),
        }
    }

    fn fulfil(&self, container: &str, link: &str, nodes: &Arc<Nodes>) -> Result<Use, Error> {
        self.check()?;
        match self.address {
            _ if self.dynamic => nodes.create(container, link, self.policy()?),
            Some(address) => nodes.attach(address, container, link),
            None => Err(fault(
                ErrorCondition::InvalidField,
                "the source has no address",
            )),
        }
    }

    /// [SRC-06]
    fn policy(&self) -> Result<Option<LifetimePolicy>, Error> {
        let Some(value) = self
            .properties
            .and_then(|properties| properties.get(LIFETIME_POLICY))
        else {
            return Ok(None);
        };
        value
            .as_described()
            .and_then(|described| LifetimePolicy::try_from(described).ok())
            .map(Some)
            .ok_or_else(|| fault(ErrorCondition::InvalidField, "not a lifetime-policy"))
    }

    /// The properties as the node has them. [SRC-05]
    fn answer(&self) -> Option<NodeProperties> {
        if !self.dynamic {
            return None;
        }
        let policy = match self
            .properties
            .and_then(|properties| properties.get(LIFETIME_POLICY))
        {
            Some(policy) => policy.to_compact(),
            // delete-on-close
            None => Value::from(Described::new(0x2b, List::default())),
        };
        let mut properties = NodeProperties::default();
        properties.insert(Symbol::from_static(LIFETIME_POLICY), policy);
        Some(properties)
    }
}

fn understood(asked: &[Symbol]) -> Vec<Symbol> {
    of_known(asked, &CAPABILITIES)
}

fn of_known(asked: &[Symbol], known: &[&'static str]) -> Vec<Symbol> {
    known
        .iter()
        .filter(|known| asked.iter().any(|asked| asked.as_str() == **known))
        .map(|known| Symbol::from_static(known))
        .collect()
}
