//! Many messages and large ones, each way: pipelined sends, transfers of many frames, order and content. Sections 2.6.12, 2.6.14.

use amqp_client::{ReceiverOptions, SenderOptions};

use crate::check::{self, During};
use crate::content::{self, LARGE, SMALL};
use crate::peer::Peer;
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("10,000 small, send", send_small),
    scenario!("10,000 small, receive", receive_small),
    scenario!("200 of 1 MiB, send", send_large),
    scenario!("200 of 1 MiB, receive", receive_large),
    scenario!("pre-settled", settled),
];

async fn send_small(peer: &Peer) -> Result<Verdict, String> {
    send(peer, "small", 10_000, SMALL).await
}

async fn receive_small(peer: &Peer) -> Result<Verdict, String> {
    receive(peer, "small", 10_000, SMALL).await
}

async fn send_large(peer: &Peer) -> Result<Verdict, String> {
    send(peer, "large", 200, LARGE).await
}

async fn receive_large(peer: &Peer) -> Result<Verdict, String> {
    receive(peer, "large", 200, LARGE).await
}

/// Sent settled, received by a link that asks for settled messages.
async fn settled(peer: &Peer) -> Result<Verdict, String> {
    const COUNT: u64 = 1_000;
    let address = peer.queue("settled");
    let connection = peer.connect().await?;
    let sender = connection
        .create_sender_with(&address, SenderOptions::new().at_most_once())
        .await
        .during("attach a sender")?;
    let mut receipts = Vec::new();
    for number in 0..COUNT {
        receipts.push(
            sender
                .enqueue(content::message(number, SMALL))
                .await
                .during("enqueue")?,
        );
    }
    for receipt in receipts {
        receipt.await.during("send")?;
    }
    sender.close().await.during("close the sender")?;
    let receiver = connection
        .create_receiver_with(&address, ReceiverOptions::new().at_most_once())
        .await
        .during("attach a receiver")?;
    for number in 0..COUNT {
        let delivery = check::next(&receiver).await?;
        if !delivery.is_settled() {
            return Err(format!("message {number} is not settled"));
        }
        content::check(&delivery, number, SMALL)?;
    }
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn send(peer: &Peer, queue: &str, count: u64, size: usize) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let sender = connection
        .create_sender(&peer.queue(queue))
        .await
        .during("attach a sender")?;
    let mut receipts = Vec::new();
    for number in 0..count {
        receipts.push(
            sender
                .enqueue(content::message(number, size))
                .await
                .during("enqueue")?,
        );
    }
    for (number, receipt) in receipts.into_iter().enumerate() {
        let outcome = receipt.await.during(&format!("send message {number}"))?;
        check::is(&outcome, "accepted").during(&format!("send message {number}"))?;
    }
    sender.close().await.during("close the sender")?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn receive(peer: &Peer, queue: &str, count: u64, size: usize) -> Result<Verdict, String> {
    let address = peer.queue(queue);
    let connection = peer.connect().await?;
    let receiver = connection
        .create_receiver(&address)
        .await
        .during("attach a receiver")?;
    for number in 0..count {
        let delivery = check::next(&receiver)
            .await
            .during(&format!("message {number}"))?;
        content::check(&delivery, number, size)?;
        delivery.accept();
    }
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
