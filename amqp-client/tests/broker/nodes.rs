//! Nodes: those that are there, those that are made for a link, and when they go.

use amqp_client::broker::Broker;
use amqp_client::types::messaging::{
    AddressString, DeleteOnClose, DeleteOnNoLinks, DeleteOnNoLinksOrMessages, DeleteOnNoMessages,
    FilterSet, NodeProperties, Source, SourceArchetype, Target, TerminusDurability,
};
use amqp_client::types::transport::ErrorCondition;
use amqp_client::types::{Decode, Described, Encode, Str, Symbol, Value};
use amqp_client::{
    Connection, Error, ErrorKind, Message, Receiver, ReceiverOptions, Sender, SenderOptions,
    SessionOptions,
};

use crate::{broker, connect, next, put, receiver, sender, soon, start, text};

/// The properties that ask for a lifetime policy.
fn lifetime(policy: impl Encode) -> Option<NodeProperties> {
    let value = Value::from_bytes(&policy.to_bytes()).expect("a policy is a value");
    let mut properties = NodeProperties::default();
    properties.insert(Symbol::from_static("lifetime-policy"), value);
    Some(properties)
}

/// A receiver of a node that the broker makes for it, and the node's address.
async fn dynamic_receiver(
    connection: &Connection,
    properties: Option<NodeProperties>,
) -> (Receiver, Str) {
    let source = Source {
        dynamic: true,
        dynamic_node_properties: properties,
        ..Source::default()
    };
    let options = ReceiverOptions::new().name("inbox").source(source);
    let link = connection.create_receiver_with("", options).await;
    let link = link.expect("the receiver is attached");
    let address = link.address().expect("the node has an address");
    (link, address)
}

async fn dynamic_sender(
    connection: &Connection,
    properties: Option<NodeProperties>,
) -> (Sender, Str) {
    let target = Target {
        dynamic: true,
        dynamic_node_properties: properties,
        ..Target::default()
    };
    let options = SenderOptions::new().name("outbox").target(target);
    let link = connection.create_sender_with("", options).await;
    let link = link.expect("the sender is attached");
    let address = link.address().expect("the node has an address");
    (link, address)
}

fn assert_refused<T>(result: Result<T, Error>, condition: ErrorCondition) {
    match result {
        Ok(_) => panic!("the link should have been refused"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::LinkDetached);
            assert_eq!(error.condition(), Some(&condition));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_node_has_an_address_that_says_whose_it_is() {
    // tests: [SRC-03] [SRC-04]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let (inbox, address) = dynamic_receiver(&connection, None).await;
    assert!(
        address.contains("client") && address.contains("inbox"),
        "{address}"
    );
    let Some(SourceArchetype::Source(source)) = inbox.source() else {
        panic!("the receiver has a source")
    };
    assert!(source.dynamic);
    // tests: [SRC-05]
    let policy = source.dynamic_node_properties.unwrap();
    let policy = policy
        .get("lifetime-policy")
        .and_then(Value::as_described)
        .unwrap();
    assert!(policy.is(0x2b, "amqp:delete-on-close:list"));

    put(&sender(&connection, &address).await, Message::from("reply")).await;
    assert_eq!(text(&next(&inbox).await), "reply");
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_node_can_be_made_by_a_sender() {
    // tests: [SRC-03]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let (outbox, address) = dynamic_sender(&connection, None).await;
    put(&outbox, Message::from("hello")).await;
    assert_eq!(
        text(&next(&receiver(&connection, &address).await).await),
        "hello"
    );
}

#[tokio::test(start_paused = true)]
async fn delete_on_close_goes_with_the_link_that_made_it() {
    // tests: [SRC-07]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let (inbox, address) = dynamic_receiver(&connection, lifetime(DeleteOnClose {})).await;
    let sender = sender(&connection, &address).await;
    inbox.close().await.unwrap();
    // Whoever still uses it is told.
    let error = soon(sender.closed()).await;
    assert_eq!(error.condition(), Some(&ErrorCondition::ResourceDeleted));
    assert_refused(
        connection.create_sender(&address).await,
        ErrorCondition::NotFound,
    );
    assert_eq!(broker.depth(&address), None);
}

#[tokio::test(start_paused = true)]
async fn delete_on_close_outlives_a_detach_and_goes_with_the_session() {
    // tests: [SRC-07]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let session = connection.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let source = Source {
        dynamic: true,
        dynamic_node_properties: lifetime(DeleteOnClose {}),
        ..Source::default()
    };
    let options = ReceiverOptions::new().name("inbox").source(source);
    let inbox = session
        .create_receiver_with("", options)
        .await
        .expect("it is attached");
    let address = inbox.address().expect("the node has an address");
    let sender = sender(&connection, &address).await;
    inbox.detach().await.expect("detached");
    let error = inbox.error().expect("it is over");
    assert!(!error.is_closed(), "the terminus is left");
    put(&sender, Message::from("kept")).await;
    // Attached again it is the same link, and its close is what counts.
    let again = ReceiverOptions::new().name("inbox");
    let inbox = session
        .create_receiver_with(&address, again)
        .await
        .expect("it is attached");
    assert_eq!(text(&next(&inbox).await), "kept");
    inbox.detach().await.expect("detached");
    assert_eq!(broker.depth(&address), Some(1));
    session.end().await.expect("ended");
    let error = soon(sender.closed()).await;
    assert_eq!(error.condition(), Some(&ErrorCondition::ResourceDeleted));
    assert!(error.is_closed());
    assert_eq!(broker.depth(&address), None);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_comes_back_is_the_one_that_deletes_on_close() {
    // tests: [SRC-07]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let (inbox, address) = dynamic_receiver(&connection, lifetime(DeleteOnClose {})).await;
    inbox.detach().await.expect("detached");
    // Another link is not the one that the node was made for.
    receiver(&connection, &address)
        .await
        .close()
        .await
        .expect("closed");
    assert_eq!(broker.depth(&address), Some(0));
    let again = ReceiverOptions::new().name("inbox");
    let inbox = connection.create_receiver_with(&address, again).await;
    inbox
        .expect("it is attached")
        .close()
        .await
        .expect("closed");
    assert_refused(
        connection.create_sender(&address).await,
        ErrorCondition::NotFound,
    );
}

#[tokio::test(start_paused = true)]
async fn delete_on_no_links_goes_with_the_last_link() {
    // tests: [SRC-08]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let (inbox, address) = dynamic_receiver(&connection, lifetime(DeleteOnNoLinks {})).await;
    let sender = sender(&connection, &address).await;
    inbox.close().await.unwrap();
    put(&sender, Message::from("kept as long as there is a link")).await;
    assert_eq!(broker.depth(&address), Some(1));
    sender.close().await.unwrap();
    assert_refused(
        connection.create_sender(&address).await,
        ErrorCondition::NotFound,
    );
}

#[tokio::test(start_paused = true)]
async fn delete_on_no_messages_goes_with_the_last_message() {
    // tests: [SRC-09]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let (outbox, address) = dynamic_sender(&connection, lifetime(DeleteOnNoMessages {})).await;
    put(&outbox, Message::from("hello")).await;
    outbox.close().await.unwrap();
    let link = receiver(&connection, &address).await;
    next(&link).await.accept();
    let error = soon(link.recv()).await.unwrap_err();
    assert_eq!(error.condition(), Some(&ErrorCondition::ResourceDeleted));
    assert_refused(
        connection.create_receiver(&address).await,
        ErrorCondition::NotFound,
    );
}

#[tokio::test(start_paused = true)]
async fn delete_on_no_links_or_messages_waits_for_both() {
    // tests: [SRC-10]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let policy = lifetime(DeleteOnNoLinksOrMessages {});
    let (outbox, address) = dynamic_sender(&connection, policy).await;
    put(&outbox, Message::from("hello")).await;
    outbox.close().await.unwrap();
    assert_eq!(broker.depth(&address), Some(1), "a message is left");
    let link = receiver(&connection, &address).await;
    next(&link).await.accept();
    let again = receiver(&connection, &address).await;
    link.close().await.unwrap();
    again.close().await.unwrap();
    assert_refused(
        connection.create_receiver(&address).await,
        ErrorCondition::NotFound,
    );
}

#[tokio::test(start_paused = true)]
async fn termini_that_contradict_themselves_are_refused() {
    // tests: [SRC-02] [SRC-05] [SRC-06] [LNK-08]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let properties = lifetime(DeleteOnClose {});
    let static_with_properties = Source {
        dynamic_node_properties: properties,
        ..Source::default()
    };
    let mut nonsense = NodeProperties::default();
    nonsense.insert(Symbol::from_static("lifetime-policy"), "for ever");
    let bad_policy = Source {
        dynamic: true,
        dynamic_node_properties: Some(nonsense),
        ..Source::default()
    };
    let both = Source {
        dynamic: true,
        address: Some(AddressString::from("q")),
        ..Source::default()
    };
    for (address, source) in [("q", static_with_properties), ("", bad_policy), ("", both)] {
        let options = ReceiverOptions::new().source(source);
        let link = connection.create_receiver_with(address, options).await;
        assert_refused(link, ErrorCondition::InvalidField);
    }
    // The session has taken no harm.
    put(&sender(&connection, "q").await, Message::from("hello")).await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_with_fixed_queues_refuses_others() {
    // tests: [LNK-08] [LNK-09]
    let broker = start(Broker::builder().queues(["a", "b"])).await;
    let connection = connect(&broker).await;
    put(&sender(&connection, "a").await, Message::from("hello")).await;
    assert_refused(
        connection.create_sender("c").await,
        ErrorCondition::NotFound,
    );
    assert_refused(
        connection.create_receiver("c").await,
        ErrorCondition::NotFound,
    );
}

#[tokio::test(start_paused = true)]
async fn the_answer_says_what_the_broker_really_has() {
    // tests: [LNK-10] [LNK-11] [SRC-19] [SRC-20]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let mut filter = FilterSet::default();
    let selector = Described::new(0x0000_468c_0000_0004, "colour = 'red'");
    filter.insert(Symbol::from_static("selector"), Some(selector));
    let source = Source {
        durable: TerminusDurability::UnsettledState,
        filter: Some(filter),
        ..Source::default()
    };
    let options = ReceiverOptions::new()
        .source(source)
        .ignore_missing_filters();
    let link = connection.create_receiver_with("q", options).await.unwrap();
    let Some(SourceArchetype::Source(source)) = link.source() else {
        panic!("the receiver has a source")
    };
    assert_eq!(source.durable, TerminusDurability::None);
    assert_eq!(
        source.filter, None,
        "no filter is applied, so none is named"
    );
}
