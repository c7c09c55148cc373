//! Who may connect, and how the broker takes its leave.

use amqp_client::broker::Broker;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{ConnectionOptions, Container, Error, ErrorKind, Message};

use crate::{broker, connect, never, put, receiver, sender, soon, start};

async fn connect_as(broker: &Broker, user: Option<(&str, &str)>) -> Result<(), Error> {
    let mut options = ConnectionOptions::new();
    if let Some((user, password)) = user {
        options = options
            .credentials(user, password)
            .allow_plain_without_tls();
    }
    let stream = broker.connect_stream();
    let connection = Container::new("client")
        .connect_stream(stream, options)
        .await?;
    connection.close().await
}

#[tokio::test(start_paused = true)]
async fn users_are_let_in_by_their_passwords() {
    let broker = start(Broker::builder().user("guest", "secret")).await;
    connect_as(&broker, Some(("guest", "secret")))
        .await
        .unwrap();
    for user in [Some(("guest", "wrong")), Some(("nobody", "secret")), None] {
        let error = connect_as(&broker, user).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_unnamed_are_let_in_where_that_is_asked_for() {
    let broker = start(Broker::builder().user("guest", "secret").or_anonymous()).await;
    connect_as(&broker, None).await.unwrap();
    connect_as(&broker, Some(("guest", "secret")))
        .await
        .unwrap();
    assert!(connect_as(&broker, Some(("guest", "wrong"))).await.is_err());
}

#[tokio::test]
async fn credentials_in_the_url_are_used() {
    let broker = start(Broker::builder().user("guest", "se@cret")).await;
    let url = broker.url().replace("amqp://", "amqp://guest:se%40cret@");
    let connection = Container::new("client").connect(&url).await.unwrap();
    connection.close().await.unwrap();
    broker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_everybody() {
    let broker = broker().await;
    let (one, two) = (connect(&broker).await, connect(&broker).await);
    let link = receiver(&one, "q").await;
    let sender = sender(&two, "q").await;
    let waiting = tokio::spawn(async move { link.recv().await.map(drop) });
    soon(broker.shutdown()).await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.condition(), Some(&ErrorCondition::ConnectionForced));
    for connection in [one, two] {
        let error = soon(connection.closed()).await.unwrap_err();
        assert_eq!(error.condition(), Some(&ErrorCondition::ConnectionForced));
    }
    assert!(sender.send(Message::from("too late")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_dropped_lets_go_of_its_connections() {
    let broker = broker().await;
    let connection = connect(&broker).await;
    let sender = sender(&connection, "q").await;
    put(&sender, Message::from("hello")).await;
    never(connection.closed()).await;
    drop(broker);
    assert!(soon(connection.closed()).await.is_err());
}
