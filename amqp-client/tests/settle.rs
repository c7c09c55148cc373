//! Deliveries are settled when and where the application likes. Sections 2.6.12, 2.6.13.

use amqp_client::listener::{AcceptOptions, Access, Link};
use amqp_client::types::messaging::{DeliveryState, Outcome, Received};
use amqp_client::types::transport::{self, ErrorCondition};
use amqp_client::types::{Described, List, Symbol};
use amqp_client::{
    Connection, ConnectionOptions, Container, Delivery, Message, Receipt, Receiver,
    ReceiverOptions, Sender, SessionOptions,
};

/// A client's receiver with these options, and the listener's sender at the other end.
async fn receiving(options: ReceiverOptions) -> (Connection, Connection, Receiver, Sender) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    let (receiver, link) = tokio::join!(client.create_receiver_with("q", options), async {
        let link = listener.next_link().await.expect("a link");
        let answer = link.answer();
        let resumable = AcceptOptions {
            resumable: true,
            ..AcceptOptions::default()
        };
        link.accept_as(answer, resumable)
    });
    let Link::Sender(sender) = link else {
        panic!("the peer receives")
    };
    (client, listener, receiver.expect("attached"), sender)
}

/// Sends messages and takes them at the other end.
async fn deliver(
    sender: &Sender,
    receiver: &Receiver,
    count: usize,
) -> (Vec<Receipt>, Vec<Delivery>) {
    let (mut receipts, mut deliveries) = (Vec::new(), Vec::new());
    for n in 0..count {
        let sent = sender.enqueue(Message::from(n.to_string())).await;
        receipts.push(sent.expect("room"));
        deliveries.push(receiver.recv().await.expect("a delivery"));
    }
    (receipts, deliveries)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_any_task_and_thread_in_any_order_after_others_came() {
    // tests: [LNK-47]
    let (_client, _listener, receiver, sender) = receiving(ReceiverOptions::new()).await;
    let (receipts, mut deliveries) = deliver(&sender, &receiver, 40).await;
    let mut tasks = Vec::new();
    while let Some(last) = deliveries.pop() {
        let number = deliveries.len();
        tasks.push(tokio::task::spawn_blocking(move || match number % 2 {
            0 => last.accept(),
            _ => last.release(),
        }));
    }
    for task in tasks {
        task.await.expect("settling waits for nobody");
    }
    for (number, receipt) in receipts.into_iter().enumerate() {
        let outcome = receipt.await.expect("an outcome");
        match number % 2 {
            0 => assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}"),
            _ => assert!(matches!(outcome, Outcome::Released(_)), "{outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_receiver_its_session_and_its_connection_were_dropped() {
    // tests: [LNK-47] [LNK-48]
    for options in [
        ReceiverOptions::new(),
        ReceiverOptions::new().settle_second(),
    ] {
        let (client, _listener, receiver, sender) = receiving(options).await;
        let (receipts, deliveries) = deliver(&sender, &receiver, 3).await;
        drop((receiver, client));
        for delivery in deliveries {
            delivery.accept();
        }
        for receipt in receipts {
            assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
        }
        // The last delivery was what kept the link.
        let error = sender.closed().await;
        assert!(error.is_closed(), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_link_was_detached_it_counts_once_the_link_is_back() {
    // tests: [LNK-58] [RES-03]
    let options = ReceiverOptions::new().name("link").resumable();
    let (client, listener, receiver, sender) = receiving(options).await;
    let (receipts, deliveries) = deliver(&sender, &receiver, 4).await;
    receiver.detach().await.expect("detached");
    // One by one, and all up to one.
    deliveries[0].release();
    deliveries[2].accept_up_to();
    let session = client.create_session(SessionOptions::new()).await;
    let session = session.expect("a session");
    let (resumed, ()) = tokio::join!(receiver.resume(&session), async {
        let link = listener.next_link().await.expect("a link");
        link.resume_sender(&sender, false)
            .expect("it can be resumed");
    });
    resumed.expect("resumed");
    deliveries[3].reject(None);
    let mut outcomes = Vec::new();
    for receipt in receipts {
        outcomes.push(receipt.await.expect("an outcome"));
    }
    assert!(matches!(outcomes[0], Outcome::Released(_)), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Accepted(_)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Accepted(_)), "{outcomes:?}");
    assert!(matches!(outcomes[3], Outcome::Rejected(_)), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn after_the_end_of_a_link_it_changes_nothing_and_harms_nobody() {
    // tests: [LNK-38]
    let (client, listener, receiver, sender) = receiving(ReceiverOptions::new()).await;
    let (receipts, deliveries) = deliver(&sender, &receiver, 2).await;
    receiver.close().await.expect("closed");
    for delivery in &deliveries {
        delivery.accept();
        assert!(
            delivery.is_settled(),
            "the first outcome is the one that counts"
        );
    }
    for receipt in receipts {
        receipt.await.expect_err("the outcome came too late");
    }
    drop(deliveries);
    let (again, _link) = tokio::join!(client.create_receiver("q"), async {
        listener.next_link().await.expect("a link").accept()
    });
    again.expect("session and connection go on");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_no_outcome_is_told_and_settles_nothing() {
    // tests: [OUT-01]
    for options in [
        ReceiverOptions::new(),
        ReceiverOptions::new().settle_second(),
        ReceiverOptions::new().name("link").resumable(),
    ] {
        let (_client, _listener, receiver, sender) = receiving(options).await;
        let (mut receipts, deliveries) = deliver(&sender, &receiver, 1).await;
        let mut receipt = receipts.remove(0);
        for octets in [10, 20] {
            deliveries[0].update(Received::new(0, octets));
            let told = receipt.updated().await;
            assert_eq!(told, Some(Received::new(0, octets).into()));
        }
        let symbol = Symbol::from_static("example:half-way:list");
        let own = Described::new(symbol, List::default());
        deliveries[0].update(DeliveryState::Other(Box::new(own.clone())));
        let told = receipt.updated().await;
        assert_eq!(told, Some(DeliveryState::Other(Box::new(own))));
        deliveries[0].reject(None);
        // Too late.
        deliveries[0].update(Received::new(0, 30));
        assert!(matches!(receipt.await, Ok(Outcome::Rejected(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_end_of_a_receiver_takes_no_delivery() {
    let (_client, _listener, receiver, sender) = receiving(ReceiverOptions::new()).await;
    let ends = tokio::join!(receiver.closed(), receiver.closed(), async {
        for _ in 0..10 {
            let (receipts, deliveries) = deliver(&sender, &receiver, 1).await;
            deliveries[0].accept();
            for receipt in receipts {
                assert!(matches!(receipt.await, Ok(Outcome::Accepted(_))));
            }
        }
        let condition = ErrorCondition::ResourceDeleted;
        let error = transport::Error::new(condition.clone());
        sender.close_with_error(error).await.expect("closed");
        condition
    });
    assert_eq!(ends.0.condition(), Some(&ends.2));
    assert_eq!(ends.1.condition(), Some(&ends.2));
}
