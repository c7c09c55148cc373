//! The anonymous terminus: each message goes where its `to` says.

use amqp_client::broker::Broker;
use amqp_client::types::messaging::Outcome;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{Connection, Message, Sender, SenderOptions};

use crate::{broker, connect, next, put, receiver, soon, start, text};

async fn relay(connection: &Connection, options: SenderOptions) -> Sender {
    let link = connection.create_sender_with("", options).await;
    link.expect("the sender is attached")
}

#[tokio::test(start_paused = true)]
async fn messages_go_where_they_say() {
    // tests: [ANON-01] [ANON-04]
    let broker = broker().await;
    let connection = connect(&broker).await;
    let offered = &connection.remote().offered_capabilities;
    assert!(
        offered
            .iter()
            .any(|capability| capability == "ANONYMOUS-RELAY")
    );
    let relay = relay(&connection, SenderOptions::new()).await;
    for to in ["a", "b", "b", "a"] {
        put(&relay, Message::from(to).with_to(to)).await;
    }
    for address in ["a", "b"] {
        assert_eq!(broker.depth(address), Some(2));
        assert_eq!(
            text(&next(&receiver(&connection, address).await).await),
            address
        );
    }
}

async fn refused(relay: &Sender, message: Message) -> ErrorCondition {
    match soon(relay.send(message)).await.expect("it is settled") {
        Outcome::Rejected(rejected) => rejected.error.expect("an error says why").condition,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_without_destination_is_rejected() {
    // tests: [ANON-03] [ANON-05]
    let broker = start(Broker::builder().queues(["a"])).await;
    let connection = connect(&broker).await;
    let relay = relay(&connection, SenderOptions::new()).await;
    let condition = refused(&relay, Message::from("lost")).await;
    assert_eq!(condition, ErrorCondition::PreconditionFailed);
    let condition = refused(&relay, Message::from("lost").with_to("b")).await;
    assert_eq!(condition, ErrorCondition::NotFound);
    // The link goes on.
    put(&relay, Message::from("found").with_to("a")).await;
}

#[tokio::test(start_paused = true)]
async fn a_settled_message_without_destination_closes_the_link() {
    // tests: [ANON-06]
    let broker = start(Broker::builder().queues(["a"])).await;
    let connection = connect(&broker).await;
    let relay = relay(&connection, SenderOptions::new().at_most_once()).await;
    relay
        .send(Message::from("lost").with_to("b"))
        .await
        .unwrap();
    let error = soon(relay.closed()).await;
    assert_eq!(error.condition(), Some(&ErrorCondition::NotFound));
    let info = error.amqp().and_then(|error| error.info.as_ref()).unwrap();
    assert!(info.get("delivery-tag").is_some());
}
