//! What link options ask the peer for, as handlers give them.

use amqp_client::handler::HandlerOptions;
use amqp_client::link_option::{
    AtLeastOnce, AtMostOnce, Copy, DurableSubscription, DynamicNodeProperties, ExactlyOnce, Filter,
    Move, Selector, SharedSubscription,
};
use amqp_client::types::messaging::{
    DistributionMode, Source, SourceArchetype, Target, TargetArchetype, TerminusDurability,
    TerminusExpiryPolicy,
};
use amqp_client::types::transport::{
    Attach, Fields, Open, Performative, ReceiverSettleMode, SenderSettleMode,
};
use amqp_client::types::{Map, Symbol, Value};
use amqp_client::{ReceiverOptions, SenderOptions, SessionOptions};

use crate::peer::{Waiting, flow, plain};
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
    // Who settles first is the receiver's to say, and its sender's to ask for.
    let (attach, _) = sender(SenderOptions::new().with(ExactlyOnce)).await;
    assert_eq!(modes(attach), (unsettled, second));
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

#[tokio::test]
async fn names_properties_and_capabilities_are_in_the_attach() {
    let properties = || {
        let mut properties = Map::default();
        properties.insert(Symbol::from_static("colour"), Value::from("green"));
        Fields(properties)
    };
    let [offers, wishes, needs] =
        ["offers", "wishes", "needs"].map(|name| [Symbol::from_static(name)]);
    let all = |attach: Attach, name: &str| {
        assert_eq!(attach.name.as_str(), name);
        assert_eq!(attach.properties, Some(properties()));
        assert_eq!(attach.offered_capabilities, offers);
        assert_eq!(
            attach.desired_capabilities,
            [wishes.clone(), needs.clone()].concat()
        );
    };
    let options = ReceiverOptions::new()
        .name("takes")
        .properties(properties())
        .offered_capabilities(offers.clone())
        .desired_capabilities(wishes.clone())
        .require_capabilities(needs.clone())
        .max_message_size(5000);
    let (attach, _) = receiver(options).await;
    assert_eq!(attach.max_message_size, Some(5000));
    all(attach, "takes");
    let options = SenderOptions::new()
        .name("gives")
        .properties(properties())
        .offered_capabilities(offers.clone())
        .desired_capabilities(wishes.clone())
        .require_capabilities(needs.clone());
    let (attach, _) = sender(options).await;
    all(attach, "gives");
}

#[tokio::test]
async fn a_receiver_fetches_as_many_ahead_as_its_handler_or_its_options_say() {
    let by_hand = ReceiverOptions::new().manual_credit();
    let ten = ReceiverOptions::new().prefetch(10);
    for (of_handler, of_link, credit) in [
        (None, None, Some(500)),
        (Some(7), None, Some(7)),
        (Some(0), None, None),
        (Some(7), Some(ten), Some(10)),
        (Some(7), Some(by_hand), None),
    ] {
        let waiting = Waiting::new().await;
        let url = waiting.url();
        let mut handler = Recorder::new(move |container| {
            let connection = container.connect_with(&url, plain())?;
            match of_link {
                Some(options) => connection.create_receiver_with("q", options)?,
                None => connection.create_receiver("q")?,
            };
            connection.create_sender("q")?;
            Ok(())
        });
        if let Some(prefetch) = of_handler {
            handler.options.prefetch = prefetch;
        }
        let (log, running) = handler.run();
        let mut peer = waiting.begin().await;
        peer.attach().await;
        // Whatever credit there is comes before the answer to a flow behind it.
        peer.attach().await;
        let mut echo = flow(0, 0, false);
        echo.handle = None;
        (echo.delivery_count, echo.link_credit) = (None, None);
        echo.echo = true;
        peer.write(&echo).await;
        let mut granted = None;
        loop {
            match peer.next().await {
                Performative::Flow(flow) if flow.handle.is_some() => granted = flow.link_credit,
                Performative::Flow(_) => break,
                _ => {}
            }
        }
        assert_eq!(granted, credit);
        running.container().stop();
        peer.close().await;
        ended(&log, running).await;
    }
}

#[tokio::test]
async fn what_happens_by_itself_as_protons_handlers_have_it() {
    let options = HandlerOptions::default();
    assert!(options.auto_accept && options.auto_settle && !options.peer_close_is_error);
    // Ten in Proton, where more would only be faster.
    assert_eq!(options.prefetch, 500);
}

#[tokio::test]
async fn connections_and_sessions_say_what_their_options_say() {
    let properties = |value: &str| {
        let mut properties = Map::default();
        properties.insert(Symbol::from_static("of"), Value::from(value));
        Fields(properties)
    };
    let symbols = |name: &'static str| [Symbol::from_static(name)];
    let session = SessionOptions::new()
        .incoming_window(33)
        .handle_max(7)
        .properties(properties("session"))
        .offered_capabilities(symbols("s-offers"))
        .desired_capabilities(symbols("s-wishes"));
    let connection = plain()
        .hostname("virtual")
        .max_frame_size(4096)
        .channel_max(9)
        .idle_time_out(Some(std::time::Duration::from_secs(12)))
        .properties(properties("connection"))
        .offered_capabilities(symbols("c-offers"))
        .desired_capabilities(symbols("c-wishes"))
        .session(session);
    let waiting = Waiting::new().await;
    let url = waiting.url();
    let (log, running) = Recorder::new(move |container| {
        container.connect_with(&url, connection)?.session()?;
        Ok(())
    })
    .run();
    let mut peer = waiting.open(Open::new("peer")).await;
    let Performative::Open(open) = peer.next().await else {
        panic!("an open")
    };
    assert_eq!(open.container_id.as_str(), "recorder");
    assert_eq!(
        open.hostname.as_ref().map(|name| name.as_str()),
        Some("virtual")
    );
    assert_eq!((open.max_frame_size, open.channel_max), (4096, 9));
    assert!(open.idle_time_out.is_some());
    assert_eq!(open.properties, Some(properties("connection")));
    assert_eq!(open.offered_capabilities, symbols("c-offers"));
    assert_eq!(open.desired_capabilities, symbols("c-wishes"));
    let Performative::Begin(begin) = peer.next().await else {
        panic!("a begin")
    };
    assert_eq!((begin.incoming_window, begin.handle_max.0), (33, 7));
    assert_eq!(begin.properties, Some(properties("session")));
    assert_eq!(begin.offered_capabilities, symbols("s-offers"));
    assert_eq!(begin.desired_capabilities, symbols("s-wishes"));
    running.container().stop();
    peer.close().await;
    ended(&log, running).await;
}
