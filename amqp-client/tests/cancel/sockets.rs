//! Connecting and listening: a future that is dropped leaves no connection behind.

use amqp_client::broker::Broker;
use amqp_client::listener::{Access, Router};
use amqp_client::transport::ListenOptions;
use amqp_client::{ConnectionOptions, Container, ReceiverOptions, SenderOptions};

use crate::cut::everywhere;

#[tokio::test]
async fn connecting_leaves_nothing_half_open() {
    let broker = Broker::start().await.expect("a broker");
    let (url, options) = (broker.url(), ConnectionOptions::new());
    let container = Container::new("cancel");
    everywhere(async |cut| {
        drop(cut.on(container.connect(&url)).await);
        drop(cut.on(container.connect_with(&url, options.clone())).await);
        drop(
            cut.on(container.connect_following(&url, options.clone(), 1))
                .await,
        );
        let node = format!("{url}/q");
        let sender = container.sender_following(&node, options.clone(), SenderOptions::new(), 1);
        drop(cut.on(sender).await);
        let receiver =
            container.receiver_following(&node, options.clone(), ReceiverOptions::new(), 1);
        drop(cut.on(receiver).await);
    })
    .await;
    let connection = container.connect(&url).await.expect("it still connects");
    connection.close().await.expect("closed");
    // The broker waits for every connection that it has: there are none left.
    broker.shutdown().await;
}

#[tokio::test]
async fn no_connection_is_lost_by_who_accepts() {
    let container = Container::new("listener");
    let listener = container.listen("127.0.0.1:0", Access::anyone()).await;
    let listener = listener.expect("it listens");
    let url = format!("amqp://{}", listener.local_addr());
    let client = Container::new("client");
    everywhere(async |cut| {
        drop(
            cut.on(container.listen("127.0.0.1:0", Access::anyone()))
                .await,
        );
        let options = ListenOptions::new();
        let listens = container.listen_with("127.0.0.1:0", Access::anyone(), options);
        drop(cut.on(listens).await);
        let (connected, accepted) = tokio::join!(client.connect(&url), async {
            match cut.on(listener.accept()).await {
                Some(accepted) => accepted,
                None => listener.accept().await,
            }
        });
        let (connected, accepted) = (connected.expect("open"), accepted.expect("open"));
        assert_eq!(accepted.remote_container_id(), "client");
        connected.close().await.expect("closed");
    })
    .await;
    let router = Router::new();
    everywhere(async |cut| {
        let (connected, _) = tokio::join!(client.connect(&url), cut.on(router.run(&listener)));
        drop(connected);
    })
    .await;
}
