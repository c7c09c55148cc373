//! Links that are attached again: after a detach, and on another connection after a loss.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use amqp_client::listener::{AcceptOptions, Access, IncomingLink, Link};
use amqp_client::types::messaging::Outcome;
use amqp_client::types::transport::Role;
use amqp_client::{
    Body, Connection, ConnectionOptions, Container, Message, Receiver, ReceiverOptions,
    SendSettings, Sender, SenderOptions, SessionOptions, Value,
};
use futures_util::FutureExt;

/// A client and a listener that are connected to each other.
async fn pair() -> (Connection, Connection) {
    pair_with(ConnectionOptions::new()).await
}

/// The same, with these options on both sides.
async fn pair_with(options: ConnectionOptions) -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let client = Container::new("client");
    let listener = Container::with_options("listener", options.clone());
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    );
    (
        client.expect("the client opens"),
        listener.expect("the listener opens"),
    )
}

fn message(n: u32) -> Message {
    Message::from(Value::from(n))
}

fn number(delivery: &amqp_client::Delivery) -> u32 {
    match delivery.message().expect("it decodes").body {
        Body::Value(Value::Uint(n)) => n,
        other => panic!("{other:?}"),
    }
}

fn resumable() -> AcceptOptions {
    AcceptOptions {
        resumable: true,
        ..AcceptOptions::default()
    }
}

fn accept(link: IncomingLink) -> Link {
    let answer = link.answer();
    link.accept_as(answer, resumable())
}

/// A resumable sender at the client and its resumable receiver at the listener.
async fn sending(client: &Connection, listener: &Connection) -> (Sender, Receiver) {
    let options = SenderOptions::new().name("link").resumable();
    let (sender, link) = tokio::join!(client.create_sender_with("q", options), async {
        accept(listener.next_link().await.expect("a link"))
    });
    let Link::Receiver(receiver) = link else {
        panic!("the peer sends")
    };
    (sender.expect("attached"), receiver)
}

/// Attaches the sender again, and lets the listener's receiver go on.
async fn again(sender: &Sender, receiver: &Receiver, client: &Connection, listener: &Connection) {
    let session = client
        .create_session(SessionOptions::new())
        .await
        .expect("a session");
    let (resumed, ()) = tokio::join!(sender.resume(&session, true), async {
        let link = listener.next_link().await.expect("a link");
        assert_eq!(link.role(), Role::Receiver);
        assert!(
            link.attach().unsettled.is_some(),
            "a resumed link tells its unsettled map"
        );
        link.resume_receiver(receiver).expect("it can be resumed");
    });
    resumed.expect("it is attached again");
}

#[tokio::test(start_paused = true)]
async fn deliveries_of_all_ages_survive_a_detach() {
    // tests: [LNK-15] [LNK-17] [LNK-58] [LNK-62] [LNK-63] [RES-03] [RES-04]
    let (client, listener) = pair().await;
    let (sender, receiver) = sending(&client, &listener).await;
    let mut receipts = Vec::new();
    for n in 0..5 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let mut deliveries = Vec::new();
    for n in 0..4 {
        let delivery = receiver.recv().await.expect("a delivery");
        assert_eq!(number(&delivery), n);
        deliveries.push(delivery);
    }
    // 0 is settled before, 1 while detached, 2 and 3 afterwards; 4 was never taken.
    deliveries[0].accept();
    sender.detach().await.expect("detached");
    receipts.push(sender.enqueue(message(5)).await.expect("room"));
    deliveries[1].release();
    again(&sender, &receiver, &client, &listener).await;
    receipts.push(sender.enqueue(message(6)).await.expect("room"));
    for n in 4..7 {
        let delivery = receiver.recv().await.expect("a delivery");
        assert_eq!(number(&delivery), n, "nothing comes twice, nothing is lost");
        delivery.accept();
    }
    deliveries[2].accept();
    deliveries[3].reject(None);
    let mut outcomes = Vec::new();
    for receipt in receipts {
        outcomes.push(receipt.await.expect("an outcome"));
    }
    assert!(matches!(outcomes[1], Outcome::Released(_)), "{outcomes:?}");
    assert!(matches!(outcomes[3], Outcome::Rejected(_)), "{outcomes:?}");
    for n in [0, 2, 4, 5, 6] {
        assert!(
            matches!(outcomes[n], Outcome::Accepted(_)),
            "{n}: {outcomes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn deliveries_survive_the_loss_of_the_connection() {
    // tests: [LNK-03] [RES-16]: the name is the link, whatever connection and handle it has.
    let (client, listener) = pair().await;
    let (sender, receiver) = sending(&client, &listener).await;
    let mut receipts = Vec::new();
    for n in 0..3 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let first = receiver.recv().await.expect("a delivery");
    let second = receiver.recv().await.expect("a delivery");
    let error = amqp_client::types::transport::Error::new(
        amqp_client::types::transport::ErrorCondition::ConnectionForced,
    );
    listener.close_with_error(error).await.expect("it closes");
    assert!(client.closed().await.is_err());
    first.accept();
    let (client, listener) = pair().await;
    again(&sender, &receiver, &client, &listener).await;
    let third = receiver.recv().await.expect("a delivery");
    assert_eq!(number(&third), 2);
    third.accept();
    second.accept();
    for receipt in receipts {
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_resume_gets_everything_again_or_leaves_it_unknown() {
    for resend in [true, false] {
        let (client, listener) = pair().await;
        let (sender, receiver) = sending(&client, &listener).await;
        let receipt = sender.enqueue(message(1)).await.expect("room");
        let held = receiver.recv().await.expect("a delivery");
        sender.detach().await.expect("detached");
        let session = client
            .create_session(SessionOptions::new())
            .await
            .expect("a session");
        let (resumed, link) = tokio::join!(sender.resume(&session, resend), async {
            accept(listener.next_link().await.expect("a link"))
        });
        resumed.expect("it is attached again");
        let Link::Receiver(fresh) = link else {
            panic!("the peer sends")
        };
        drop(held);
        if resend {
            let delivery = fresh.recv().await.expect("it comes again");
            assert_eq!(number(&delivery), 1);
            delivery.accept();
            assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
        } else {
            assert!(receipt.await.is_err(), "the outcome is not known");
        }
        let (sent, ()) = tokio::join!(sender.send(message(2)), async {
            fresh.recv().await.expect("a delivery").accept();
        });
        assert!(matches!(sent, Ok(Outcome::Accepted(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_resumes_and_the_sender_learns_what_was_decided() {
    let (client, listener) = pair().await;
    let options = ReceiverOptions::new().name("link").resumable();
    let (receiver, link) = tokio::join!(client.create_receiver_with("q", options), async {
        accept(listener.next_link().await.expect("a link"))
    });
    let receiver = receiver.expect("attached");
    let Link::Sender(sender) = link else {
        panic!("the peer receives")
    };
    let mut receipts = Vec::new();
    for n in 0..3 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let first = receiver.recv().await.expect("a delivery");
    let second = receiver.recv().await.expect("a delivery");
    receiver.detach().await.expect("detached");
    first.accept();
    let session = client
        .create_session(SessionOptions::new())
        .await
        .expect("a session");
    let (resumed, ()) = tokio::join!(receiver.resume(&session), async {
        let link = listener.next_link().await.expect("a link");
        link.resume_sender(&sender, false)
            .expect("it can be resumed");
    });
    resumed.expect("it is attached again");
    second.accept();
    let third = receiver.recv().await.expect("a delivery");
    assert_eq!(number(&third), 2);
    third.accept();
    for receipt in receipts {
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
}

/// Frames that hold the tags of some forty deliveries.
async fn narrow_pair() -> (Connection, Connection) {
    pair_with(ConnectionOptions::new().max_frame_size(512)).await
}

/// Lets the listener's end of a link go on as often as the client attaches it; counts how often.
fn again_and_again(
    listener: &Connection,
    resume: impl Fn(IncomingLink) + Send + 'static,
) -> tokio::task::JoinHandle<usize> {
    let listener = listener.clone();
    tokio::spawn(async move {
        let mut rounds = 0;
        while let Ok(link) = listener.next_link().await {
            resume(link);
            rounds += 1;
        }
        rounds
    })
}

#[tokio::test(start_paused = true)]
async fn a_sender_with_more_unsettled_deliveries_than_an_attach_holds_resumes() {
    // tests: [LNK-64] [LNK-62] [RES-04] [RES-01]
    const MANY: u32 = 300;
    let (client, listener) = narrow_pair().await;
    let (sender, receiver) = sending(&client, &listener).await;
    let mut receipts = Vec::new();
    for n in 0..MANY {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let mut held = Vec::new();
    for n in 0..MANY - 50 {
        let delivery = receiver.recv().await.expect("a delivery");
        assert_eq!(number(&delivery), n);
        held.push(delivery);
    }
    sender.detach().await.expect("detached");
    // Some are decided while the link is detached, and some come new.
    held[..20].iter().for_each(|delivery| delivery.accept());
    for n in MANY..MANY + 10 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let session = client.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let theirs = receiver.clone();
    let rounds = again_and_again(&listener, move |link| {
        link.resume_receiver(&theirs).expect("it can be resumed");
    });
    sender.resume(&session, false).await.expect("resumed");
    for n in MANY + 10..MANY + 20 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let decide = async {
        // Slowly, and not in order.
        for delivery in held[20..].iter().rev() {
            tokio::task::yield_now().await;
            delivery.accept();
        }
        for n in MANY - 50..MANY + 20 {
            let delivery = receiver.recv().await.expect("a delivery");
            assert_eq!(number(&delivery), n, "nothing is lost, nothing comes twice");
            delivery.accept();
        }
    };
    let settled = async {
        for receipt in receipts {
            assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
        }
    };
    tokio::join!(decide, settled);
    client.close().await.expect("closed");
    let rounds = rounds.await.expect("it ends with the connection");
    assert!((3..60).contains(&rounds), "{rounds}");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_with_more_unsettled_deliveries_than_an_attach_holds_resumes() {
    // tests: [LNK-64] [LNK-62] [RES-04] [RES-03]
    const MANY: u32 = 300;
    let (client, listener) = narrow_pair().await;
    let options = ReceiverOptions::new().name("link").resumable();
    let (receiver, link) = tokio::join!(client.create_receiver_with("q", options), async {
        accept(listener.next_link().await.expect("a link"))
    });
    let receiver = receiver.expect("attached");
    let Link::Sender(sender) = link else {
        panic!("the peer receives")
    };
    let mut receipts = Vec::new();
    for n in 0..MANY {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let mut held = Vec::new();
    for _ in 0..MANY {
        held.push(receiver.recv().await.expect("a delivery"));
    }
    receiver.detach().await.expect("detached");
    held[..20].iter().for_each(|delivery| delivery.accept());
    let session = client.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let theirs = sender.clone();
    let rounds = again_and_again(&listener, move |link| {
        link.resume_sender(&theirs, false)
            .expect("it can be resumed");
    });
    receiver.resume(&session).await.expect("resumed");
    for n in MANY..MANY + 10 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    let decide = async {
        for delivery in held[20..].iter().rev() {
            tokio::task::yield_now().await;
            delivery.accept();
        }
        for n in MANY..MANY + 10 {
            let delivery = receiver.recv().await.expect("a delivery");
            assert_eq!(number(&delivery), n);
            delivery.accept();
        }
    };
    let settled = async {
        for receipt in receipts {
            assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
        }
    };
    tokio::join!(decide, settled);
    client.close().await.expect("closed");
    let rounds = rounds.await.expect("it ends with the connection");
    assert!((3..60).contains(&rounds), "{rounds}");
}

#[tokio::test(start_paused = true)]
async fn settled_messages_wait_until_the_unsettled_ones_are_sorted_out() {
    // tests: [LNK-64]
    const MANY: u32 = 200;
    let (client, listener) = narrow_pair().await;
    let options = ReceiverOptions::new().name("link").resumable();
    let (receiver, link) = tokio::join!(client.create_receiver_with("q", options), async {
        accept(listener.next_link().await.expect("a link"))
    });
    let receiver = receiver.expect("attached");
    let Link::Sender(sender) = link else {
        panic!("the peer receives")
    };
    for n in 0..MANY {
        drop(sender.enqueue(message(n)).await.expect("room"));
    }
    let mut held = Vec::new();
    for _ in 0..MANY {
        held.push(receiver.recv().await.expect("a delivery"));
    }
    receiver.detach().await.expect("detached");
    let session = client.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let theirs = sender.clone();
    let numbers = AtomicU32::new(MANY);
    let receipts = Arc::new(Mutex::new(Vec::new()));
    let written = receipts.clone();
    let rounds = again_and_again(&listener, move |link| {
        link.resume_sender(&theirs, false)
            .expect("it can be resumed");
        // While the link carries nothing new.
        let n = numbers.fetch_add(1, Ordering::Relaxed);
        let settled = SendSettings::default().settled(true);
        let receipt = theirs.enqueue_with(message(n), settled).now_or_never();
        let receipt = receipt.expect("at once").expect("room");
        written.lock().expect("no panic").push(receipt);
    });
    receiver.resume(&session).await.expect("resumed");
    for delivery in held.iter().rev() {
        tokio::task::yield_now().await;
        delivery.accept();
    }
    let mut came = MANY;
    while !receipts.lock().expect("no panic").is_empty() || came == MANY {
        let delivery = receiver.recv().await.expect("a delivery");
        assert_eq!(number(&delivery), came, "in their order, none is lost");
        came += 1;
        let receipt = receipts.lock().expect("no panic").remove(0);
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
    assert!(sender.credit() > 0);
    client.close().await.expect("closed");
    let rounds = rounds.await.expect("it ends with the connection") as u32;
    assert_eq!(came, MANY + rounds);
    assert!(rounds >= 3);
}

#[tokio::test(start_paused = true)]
async fn what_a_link_has_not_written_goes_out_in_the_next_attachment() {
    // tests: [LNK-58] [RES-01]
    let (client, listener) = pair().await;
    let (sender, receiver) = sending(&client, &listener).await;
    receiver.set_credit(0);
    while sender.credit() > 0 {
        let changed = sender.flow_changed(sender.credit(), false).await;
        changed.expect("it is attached");
    }
    // Settled and unsettled, before and after the detach: none has credit.
    let settings = |n: u32| SendSettings::default().settled(n.is_multiple_of(2));
    let mut receipts = Vec::new();
    for n in 1..5 {
        receipts.push(
            sender
                .enqueue_with(message(n), settings(n))
                .await
                .expect("room"),
        );
    }
    receiver.detach().await.expect("detached");
    while sender.error().is_none() {
        tokio::task::yield_now().await;
    }
    for n in 5..9 {
        receipts.push(
            sender
                .enqueue_with(message(n), settings(n))
                .await
                .expect("room"),
        );
    }
    again(&sender, &receiver, &client, &listener).await;
    receiver.set_credit(20);
    let mut came = Vec::new();
    for _ in 1..9 {
        let delivery = receiver.recv().await.expect("a delivery");
        came.push(number(&delivery));
        delivery.accept();
    }
    came.sort_unstable();
    assert_eq!(came, (1..9).collect::<Vec<_>>(), "each of them, and once");
    for receipt in receipts {
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
    sender.flush().await.expect("nothing waits");
    assert!(sender.wait_credit().await.expect("it is attached") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_resume_is_told_too_much_once_and_then_nothing() {
    // tests: [LNK-64]
    let (client, listener) = narrow_pair().await;
    let (sender, receiver) = sending(&client, &listener).await;
    let mut receipts = Vec::new();
    for n in 0..200 {
        receipts.push(sender.enqueue(message(n)).await.expect("room"));
    }
    sender.flush().await.expect("sent");
    sender.detach().await.expect("detached");
    drop(receiver);
    let session = client.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let attached = tokio::spawn(async move {
        // Every attach is answered without a map.
        let mut last = None;
        for told in [true, false] {
            let link = listener.next_link().await.expect("a link");
            assert_eq!(link.attach().unsettled.is_some(), told);
            assert_eq!(link.attach().incomplete_unsettled, told);
            let mut answer = link.answer();
            answer.unsettled = None;
            last = Some(link.accept_as(answer, AcceptOptions::default()));
        }
        match last {
            Some(Link::Receiver(receiver)) => receiver,
            other => panic!("{other:?}"),
        }
    });
    sender.resume(&session, true).await.expect("resumed");
    let receiver = attached.await.expect("both attaches came");
    for (n, receipt) in receipts.into_iter().enumerate() {
        let delivery = receiver.recv().await.expect("it comes again");
        assert_eq!(number(&delivery), n as u32);
        delivery.accept();
        assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
    }
}
