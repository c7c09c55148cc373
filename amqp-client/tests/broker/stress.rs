//! Many receivers that do everything at once: nothing is lost, nothing is accepted twice.
//!
//! What each receiver does is drawn from a small generator with a fixed seed; the order in which
//! tasks run is not fixed.

use std::sync::{Arc, Mutex};

use amqp_client::types::messaging::{Modified, Outcome};
use amqp_client::{Connection, Container, Message, Receiver, ReceiverOptions, Value};
use tokio::sync::Notify;

use crate::{broker, sender};

const MESSAGES: u32 = 5000;

/// A generator of numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// How often each message was accepted.
#[derive(Default)]
struct Ledger {
    accepted: Mutex<Vec<u32>>,
    complete: Notify,
}

impl Ledger {
    fn accept(&self, number: u32) {
        let mut accepted = self.accepted.lock().expect("no test has panicked");
        accepted.push(number);
        if accepted.len() >= MESSAGES as usize {
            self.complete.notify_waiters();
        }
    }

    fn is_complete(&self) -> bool {
        self.accepted.lock().expect("no test has panicked").len() >= MESSAGES as usize
    }
}

async fn attach(connection: &Connection, random: &mut Random) -> Receiver {
    let options = ReceiverOptions::new().prefetch(1 + random.below(100) as u32);
    let receiver = connection.create_receiver_with("q", options).await;
    receiver.expect("the receiver is attached")
}

/// Takes messages and does with each what comes to mind, until all are accepted.
async fn consume(connection: Connection, seed: u64, ledger: Arc<Ledger>) {
    let mut random = Random(seed);
    let mut receiver = attach(&connection, &mut random).await;
    let mut held = Vec::new();
    loop {
        let complete = ledger.complete.notified();
        tokio::pin!(complete);
        complete.as_mut().enable();
        if ledger.is_complete() {
            return;
        }
        let delivery = match receiver.try_recv().expect("the link is open") {
            Some(delivery) => delivery,
            None => {
                // What is held may be all that is left.
                held.clear();
                tokio::select! {
                    delivery = receiver.recv() => delivery.expect("the link is open"),
                    () = complete => return,
                }
            }
        };
        match random.below(20) {
            0 => delivery.release(),
            1 => delivery.modify(Modified {
                delivery_failed: Some(true),
                ..Modified::default()
            }),
            2 => drop(delivery),
            3 if held.len() < 20 => held.push(delivery),
            4 => {
                // What is held goes back, and so does what was fetched ahead.
                receiver.close().await.expect("the link closes");
                held.clear();
                drop(delivery);
                receiver = attach(&connection, &mut random).await;
            }
            _ => {
                let message = delivery.message().expect("it decodes");
                let number = message.body.as_value().and_then(Value::as_u64);
                ledger.accept(number.expect("the body is a number") as u32);
                delivery.accept();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_accepted_exactly_once() {
    let broker = broker().await;
    let ledger = Arc::new(Ledger::default());
    let mut tasks = Vec::new();
    for seed in 1..=6 {
        let connection = Container::new(format!("consumer-{seed}"))
            .connect(&broker.url())
            .await
            .unwrap();
        tasks.push(tokio::spawn(consume(
            connection,
            seed * 0x9e37_79b9,
            ledger.clone(),
        )));
    }
    let connection = Container::new("producer")
        .connect(&broker.url())
        .await
        .unwrap();
    let sender = sender(&connection, "q").await;
    let mut receipts = Vec::new();
    for number in 0..MESSAGES {
        receipts.push(
            sender
                .enqueue(Message::from(Value::from(number)))
                .await
                .unwrap(),
        );
    }
    for receipt in receipts {
        assert!(matches!(receipt.await.unwrap(), Outcome::Accepted(_)));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut accepted = ledger.accepted.lock().unwrap().clone();
    accepted.sort_unstable();
    assert_eq!(accepted, (0..MESSAGES).collect::<Vec<_>>());
    broker.shutdown().await;
}
