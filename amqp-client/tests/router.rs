//! The router: whose message it is, what becomes of it, and how many are worked on at once.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use amqp_client::listener::{Access, Router};
use amqp_client::types::messaging::{Accepted, Outcome, Rejected};
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{Connection, Container, Message};
use tokio::sync::Semaphore;

async fn serve(router: Router) -> Connection {
    let listener = Container::new("services")
        .listen("127.0.0.1:0", Access::anyone())
        .await
        .unwrap();
    let url = format!("amqp://{}", listener.local_addr());
    tokio::spawn(async move { router.run(&listener).await });
    Container::new("client").connect(&url).await.unwrap()
}

#[tokio::test]
async fn the_outcome_is_what_the_service_returns() {
    let router = Router::new()
        .route("good/*", async |request| {
            assert_eq!(request.address(), "good/one");
            Outcome::Accepted(Accepted::default())
        })
        .route("bad/**", async |_| Outcome::Rejected(Rejected::default()))
        .route("panics", async |_| panic!("on purpose"));
    let connection = serve(router).await;
    let send = async |address| {
        let sender = connection.create_sender(address).await?;
        sender.send(Message::from("x")).await
    };
    assert!(matches!(send("good/one").await, Ok(Outcome::Accepted(_))));
    assert!(matches!(send("bad/a/b").await, Ok(Outcome::Rejected(_))));
    assert!(matches!(send("panics").await, Ok(Outcome::Released(_))));
    let error = send("nowhere").await.unwrap_err();
    assert_eq!(error.condition(), Some(&ErrorCondition::NotFound));
}

#[tokio::test]
async fn no_more_are_worked_on_than_is_said() {
    let (gate, running) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let most = Arc::new(AtomicUsize::new(0));
    let router = Router::new().concurrency(2).route("work", {
        let (gate, running, most) = (gate.clone(), running.clone(), most.clone());
        move |_| {
            let (gate, running, most) = (gate.clone(), running.clone(), most.clone());
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Outcome::Accepted(Accepted::default())
            }
        }
    });
    let connection = serve(router).await;
    let sender = connection.create_sender("work").await.unwrap();
    let mut receipts = Vec::new();
    for _ in 0..6 {
        receipts.push(sender.enqueue(Message::from("x")).await.unwrap());
    }
    while running.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(6);
    for receipt in receipts {
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_link_on_which_nothing_comes_keeps_nobody_waiting() {
    let router = Router::new()
        .concurrency(1)
        .route("*", async |_| Outcome::Accepted(Accepted::default()));
    let connection = serve(router).await;
    let _idle = connection.create_sender("idle").await.unwrap();
    let busy = connection.create_sender("busy").await.unwrap();
    let outcome = busy.send(Message::from("x")).await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted(_)));
}

#[tokio::test]
async fn a_service_that_panics_before_it_waits_harms_its_own_message_alone() {
    let router = Router::new().concurrency(1).route("**", |request| {
        let text = request.message().unwrap();
        assert_eq!(text.body.as_str(), Some("good"));
        std::future::ready(Outcome::Accepted(Accepted::default()))
    });
    let connection = serve(router).await;
    let sender = connection.create_sender("q").await.unwrap();
    for (text, good) in [("bad", false), ("good", true), ("bad", false)] {
        match sender.send(Message::from(text)).await.unwrap() {
            Outcome::Accepted(_) => assert!(good),
            Outcome::Released(_) => assert!(!good),
            other => panic!("{other:?}"),
        }
    }
}
