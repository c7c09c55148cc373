//! What the broker says of its termini, and what it holds peers' termini to.

use amqp_client::broker::Broker;
use amqp_client::types::Symbol;
use amqp_client::types::messaging::{
    Source, SourceArchetype, TerminusDurability, TerminusExpiryPolicy,
};
use amqp_client::types::transport::{ErrorCondition, Seconds};
use amqp_client::{Message, ReceiverOptions, SenderOptions};

use crate::{broker, connect, put, soon, start};

#[tokio::test(start_paused = true)]
async fn a_terminus_does_not_outlive_its_link_and_says_so() {
    // tests: [SRC-12] [SRC-14] [SRC-11] [LNK-11]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let wished = Source {
        durable: TerminusDurability::UnsettledState,
        expiry_policy: TerminusExpiryPolicy::Never,
        timeout: Seconds(60),
        ..Source::default()
    };
    let options = ReceiverOptions::new().source(wished);
    let link = connection.create_receiver_with("q", options).await;
    let link = link.expect("it is attached");
    let Some(SourceArchetype::Source(source)) = link.source() else {
        panic!("a source")
    };
    assert_eq!(source.durable, TerminusDurability::None);
    assert_eq!(source.expiry_policy, TerminusExpiryPolicy::LinkDetach);
    assert_eq!(source.timeout, Seconds(0));
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_does_not_know_rejections_is_detached_instead() {
    // tests: [OUT-13]
    let broker = start(Broker::builder().max_queue_messages(1)).await;
    let connection = connect(&broker).await;
    let source = Source {
        outcomes: vec![Symbol::from_static("amqp:accepted:list")],
        ..Source::default()
    };
    let options = SenderOptions::new().source(source);
    let sender = connection.create_sender_with("q", options).await;
    let sender = sender.expect("it is attached");
    put(&sender, Message::from("one")).await;
    let receipt = sender
        .enqueue(Message::from("two"))
        .await
        .expect("there is credit");
    let error = soon(sender.closed()).await;
    assert!(soon(receipt).await.is_err(), "there is no outcome for it");
    assert_eq!(
        error.condition(),
        Some(&ErrorCondition::ResourceLimitExceeded)
    );
}
