//! What link options ask the peer for, as handlers give them.

use amqp_client::link_option::{
    AtLeastOnce, AtMostOnce, Copy, DurableSubscription, DynamicNodeProperties, ExactlyOnce, Filter,
    Move, Selector, SharedSubscription,
};
use amqp_client::types::messaging::{
    DistributionMode, Source, SourceArchetype, Target, TargetArchetype, TerminusDurability,
    TerminusExpiryPolicy,
};
use amqp_client::types::transport::{Attach, ReceiverSettleMode, SenderSettleMode};
use amqp_client::types::{Map, Symbol, Value};
use amqp_client::{ReceiverOptions, SenderOptions};

use crate::peer::{Waiting, plain};
use crate::recorder::{Recorder, ended};

/// How a peer is asked for a receiver.
async fn receiver(options: ReceiverOptions) -> (Attach, Source) {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        connection.create_receiver_with("q", options)?;
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    let attach = peer.attach().await;
    log.has("connection_opened", 1).await;
    running.container().stop();
    peer.close().await;
    ended(&log, running).await;
    let Some(SourceArchetype::Source(source)) = attach.source.clone() else {
        panic!("a source")
    };
    (attach, source)
}

/// How a peer is asked for a sender.
async fn sender(options: SenderOptions) -> (Attach, Target) {
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        let connection = container.connect_with(&url, plain())?;
        connection.create_sender_with("q", options)?;
        Ok(())
    })
    .run();
    let mut peer = waiting.begin().await;
    let attach = peer.attach().await;
    log.has("connection_opened", 1).await;
    running.container().stop();
    peer.close().await;
    ended(&log, running).await;
    let Some(TargetArchetype::Target(target)) = attach.target.clone() else {
        panic!("a target")
    };
    (attach, target)
}

#[tokio::test]
async fn at_most_once_at_least_once_exactly_once() {
    let modes = |attach: Attach| (attach.snd_settle_mode, attach.rcv_settle_mode);
    let (first, second) = (ReceiverSettleMode::First, ReceiverSettleMode::Second);
    let (settled, unsettled) = (SenderSettleMode::Settled, SenderSettleMode::Unsettled);
    let (attach, _) = receiver(ReceiverOptions::new().with(AtMostOnce)).await;
    assert_eq!(modes(attach), (settled, first));
    let (attach, _) = receiver(ReceiverOptions::new().with(AtLeastOnce)).await;
    assert_eq!(modes(attach), (unsettled, first));
    let (attach, _) = receiver(ReceiverOptions::new().with(ExactlyOnce)).await;
    assert_eq!(modes(attach), (unsettled, second));
    let (attach, _) = sender(SenderOptions::new().with(AtMostOnce)).await;
    assert_eq!(modes(attach), (settled, first));
    let (attach, _) = sender(SenderOptions::new().with(AtLeastOnce)).await;
    assert_eq!(modes(attach), (unsettled, first));
    // Who settles first is the receiver's to say.
    let (attach, _) = sender(SenderOptions::new().with(ExactlyOnce)).await;
    assert_eq!(attach.snd_settle_mode, unsettled);
}

#[tokio::test]
async fn copy_and_move() {
    let (_, source) = receiver(ReceiverOptions::new().with(Copy)).await;
    assert_eq!(source.distribution_mode, Some(DistributionMode::Copy));
    let (_, source) = receiver(ReceiverOptions::new().with(Move)).await;
    assert_eq!(source.distribution_mode, Some(DistributionMode::Move));
}

#[tokio::test]
async fn filters_are_described_and_have_names() {
    let options = ReceiverOptions::new()
        .with(Selector::new("colour = 'green'"))
        .with(Filter::no_local());
    let (_, source) = receiver(options).await;
    let filters = source.filter.unwrap().0;
    let filter = |name: &'static str| {
        let filter = filters.get(&Symbol::from_static(name)).cloned();
        filter.unwrap().unwrap()
    };
    let selector = filter("selector");
    assert_eq!(
        selector.descriptor,
        Value::Symbol(Symbol::from_static("apache.org:selector-filter:string"))
    );
    assert_eq!(selector.value, Value::from("colour = 'green'"));
    assert_eq!(
        filter("no-local").descriptor,
        Value::Symbol(Symbol::from_static("apache.org:no-local-filter:list"))
    );
    assert_eq!(filters.len(), 2);
}

#[tokio::test]
async fn durable_and_shared_subscriptions() {
    let (_, source) = receiver(ReceiverOptions::new().with(DurableSubscription)).await;
    assert_eq!(source.durable, TerminusDurability::UnsettledState);
    assert_eq!(source.expiry_policy, TerminusExpiryPolicy::Never);
    assert!(source.capabilities.is_empty());

    let shared = SharedSubscription {
        global: true,
        durable: true,
    };
    let (_, source) = receiver(ReceiverOptions::new().with(shared)).await;
    assert_eq!(source.durable, TerminusDurability::UnsettledState);
    assert_eq!(source.expiry_policy, TerminusExpiryPolicy::Never);
    let capabilities = ["shared", "global"].map(Symbol::from_static);
    assert_eq!(source.capabilities, capabilities);

    let options = ReceiverOptions::new().with(SharedSubscription::default());
    let (_, source) = receiver(options).await;
    assert_eq!(source.durable, TerminusDurability::None);
    assert_eq!(source.capabilities, [Symbol::from_static("shared")]);
}

#[tokio::test]
async fn dynamic_nodes_have_properties_and_no_address() {
    let mut properties = Map::default();
    properties.insert(
        Symbol::from_static("supported-dist-modes"),
        Value::from("move"),
    );
    let options = ReceiverOptions::new().with(DynamicNodeProperties(properties.clone()));
    let (_, source) = receiver(options).await;
    assert!(source.dynamic);
    // tests: [SRC-03]
    assert_eq!(source.address, None);
    assert_eq!(source.dynamic_node_properties.unwrap().0, properties);

    let options = SenderOptions::new().with(DynamicNodeProperties(properties.clone()));
    let (_, target) = sender(options).await;
    assert!(target.dynamic);
    assert_eq!(target.address, None);
    assert_eq!(target.dynamic_node_properties.unwrap().0, properties);
}
