//! Links, sessions and connections that come and go: what was half made is taken back, what was half
//! taken back is gone.

use amqp_client::listener::{Access, Router};
use amqp_client::types::transport::{Error, ErrorCondition};
use amqp_client::{
    ConnectionOptions, Container, Message, Receiver, ReceiverOptions, Sender, SenderOptions,
    SessionOptions,
};

use crate::cut::{Cut, everywhere};
use crate::world::{World, everything, sends, text};

fn error() -> Error {
    Error::new(ErrorCondition::InternalError)
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_half_attached_is_closed() {
    let world = World::new().await;
    let session = world.connection.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    everywhere(async |cut| {
        drop(cut.on(world.connection.create_sender("q")).await);
        drop(cut.on(world.connection.create_receiver("q")).await);
        drop(cut.on(session.create_sender("q")).await);
        drop(cut.on(session.create_receiver("q")).await);
        // Nothing stands in the way of a link of the same name.
        let options = SenderOptions::new().name("same");
        drop(
            cut.on(world.connection.create_sender_with("q", options.clone()))
                .await,
        );
        let again = world.connection.create_sender_with("q", options).await;
        sends(&again.expect("attached"), "one").await;
        let options = ReceiverOptions::new().name("same");
        drop(
            cut.on(session.create_receiver_with("q", options.clone()))
                .await,
        );
        let again = world.connection.create_receiver_with("q", options).await;
        let again = again.expect("attached");
        assert_eq!(text(&again).await, "one");
        again.close().await.expect("closed");
        let stats = world.connection.stats().await.expect("it works");
        assert_eq!(stats.sessions, 2);
    })
    .await;
    session.end().await.expect("ended");
    world.comes_to_rest(0).await;
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_close_happens_whoever_waits_for_it() {
    let world = World::new().await;
    let over = async |cut: &Cut, sender: Sender, receiver: Receiver| {
        if !cut.polls_any() {
            // Nobody has asked for it: the links work until their handles are dropped.
            sends(&sender, "one").await;
            assert_eq!(text(&receiver).await, "one");
            drop((sender, receiver));
            return world.comes_to_rest(0).await;
        }
        world.comes_to_rest(0).await;
        assert!(sender.error().is_some() && receiver.error().is_some());
    };
    everywhere(async |cut| {
        let (sender, receiver) = (world.sender("q").await, world.receiver("q").await);
        cut.on(sender.close()).await;
        cut.on(receiver.close()).await;
        over(cut, sender, receiver).await;
        let (sender, receiver) = (world.sender("q").await, world.receiver("q").await);
        cut.on(sender.close_with_error(error())).await;
        cut.on(receiver.close_with_error(error())).await;
        over(cut, sender, receiver).await;
        let (sender, receiver) = (world.sender("q").await, world.receiver("q").await);
        cut.on(sender.detach()).await;
        cut.on(receiver.detach()).await;
        over(cut, sender, receiver).await;
    })
    .await;
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_resumption_can_be_begun_again() {
    let world = World::new().await;
    let session = world.connection.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let options = SenderOptions::new().resumable();
    let sender = session.create_sender_with("q", options).await;
    let sender = sender.expect("a sender");
    let options = ReceiverOptions::new().resumable();
    let receiver = session.create_receiver_with("q", options).await;
    let receiver = receiver.expect("a receiver");
    everywhere(async |cut| {
        sender.detach().await.expect("detached");
        receiver.detach().await.expect("detached");
        if cut.on(sender.resume(&session, true)).await.is_none() {
            until(async || sender.resume(&session, true).await.is_ok()).await;
        }
        if cut.on(receiver.resume(&session)).await.is_none() {
            until(async || receiver.resume(&session).await.is_ok()).await;
        }
        sends(&sender, "one").await;
        assert_eq!(everything(&sender, &receiver).await, ["one"]);
    })
    .await;
    sender.close().await.expect("closed");
    receiver.close().await.expect("closed");
    session.end().await.expect("ended");
    world.comes_to_rest(0).await;
    world.works().await;
}

/// Tries again until it is done, on the clock of the test.
async fn until(done: impl AsyncFn() -> bool) {
    for _ in 0..1_000 {
        if done().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("it never comes to that");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_half_begun_or_half_ended_is_gone() {
    let world = World::new().await;
    everywhere(async |cut| {
        let options = SessionOptions::new();
        drop(
            cut.on(world.connection.create_session(options.clone()))
                .await,
        );
        world.comes_to_rest(0).await;
        let session = world.connection.create_session(options).await;
        let session = session.expect("a session");
        cut.on(session.ended()).await;
        let sender = session.create_sender("q").await.expect("a sender");
        cut.on(session.end()).await;
        drop((session, sender));
        world.comes_to_rest(0).await;
        cut.on(world.connection.stats()).await;
    })
    .await;
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_whoever_waits_for_it() {
    let mut world = World::new().await;
    for with_error in [false, true] {
        for polls in 0..2 {
            let connection = world.connection.clone();
            let cut = crate::cut::after(polls);
            cut.on(connection.closed()).await;
            assert!(!connection.is_closed());
            match with_error {
                true => drop(cut.on(connection.close_with_error(error())).await),
                false => drop(cut.on(connection.close()).await),
            }
            if polls == 0 {
                // Not even asked: it goes on.
                sends(&world.sender("q").await, "one").await;
                connection.close().await.expect("closed");
            }
            drop(connection.closed().await);
            assert!(connection.is_closed());
            world.reconnect().await;
            world.works().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_half_open_is_dropped() {
    let world = World::new().await;
    let container = Container::new("again");
    everywhere(async |cut| {
        let stream = world.broker.connect_stream();
        let options = ConnectionOptions::new();
        drop(
            cut.on(container.connect_stream(stream, options.clone()))
                .await,
        );
        // Both sides' halves.
        let (ours, theirs) = tokio::io::duplex(4096);
        let access = Access::anyone();
        let accepts = tokio::spawn({
            let (container, access) = (Container::new("listener"), access.clone());
            async move { container.accept_stream(theirs, &access).await.map(drop) }
        });
        drop(
            cut.on(container.connect_stream(ours, options.clone()))
                .await,
        );
        drop(accepts.await.expect("no panic"));
        let (ours, theirs) = tokio::io::duplex(4096);
        let connects = tokio::spawn({
            let container = container.clone();
            async move { container.connect_stream(ours, options).await.map(drop) }
        });
        drop(cut.on(container.accept_stream(theirs, &access)).await);
        drop(connects.await.expect("no panic"));
    })
    .await;
    world.comes_to_rest(0).await;
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_was_not_taken_is_offered_to_the_next() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    everywhere(async |cut| {
        let (attached, ()) = tokio::join!(client.create_sender("q"), async {
            let link = match cut.on(listener.next_link()).await {
                Some(link) => link,
                None => listener.next_link().await,
            };
            link.expect("a link").accept();
        });
        drop(attached);
        until(async || listener.stats().await.is_ok_and(|stats| stats.links == 0)).await;
    })
    .await;
    // A router that is dropped lets go of the connection, not of the messages.
    let router = Router::new().route("**", async |_| {
        amqp_client::types::messaging::Outcome::Accepted(Default::default())
    });
    everywhere(async |cut| {
        let (sent, ()) = tokio::join!(
            async {
                let sender = client.create_sender("q").await?;
                sender.send(Message::from("one")).await
            },
            async {
                cut.on(router.serve(&listener)).await;
                let rest = router.serve(&listener);
                drop(tokio::time::timeout(std::time::Duration::from_secs(1), rest).await);
            }
        );
        drop(sent);
        until(async || client.stats().await.is_ok_and(|stats| stats.links == 0)).await;
    })
    .await;
    client.close().await.expect("closed");
}
