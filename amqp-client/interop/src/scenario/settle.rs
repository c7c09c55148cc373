//! Who settles: every mode of the sender and of the receiver, asked for by us on either end. Sections 2.6.12, 2.8.2, 2.8.3.

use amqp_client::types::transport::{ErrorCondition, ReceiverSettleMode, SenderSettleMode};
use amqp_client::{Connection, Error, ReceiverOptions, SendSettings, SenderOptions};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::peer::{Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("send, mode unsettled", send_unsettled),
    scenario!("send, mode settled", send_settled),
    scenario!("send, mode mixed", send_mixed),
    scenario!("send, receiver settles second", send_second),
    scenario!("receive, mode unsettled", receive_unsettled),
    scenario!("receive, mode settled", receive_settled),
    scenario!("receive, mode mixed", receive_mixed),
    scenario!("receive, settle second", receive_second),
    scenario!("pre-settled, automatic credit", settled_credit),
];

const COUNT: u64 = 100;

async fn send_unsettled(peer: &Peer) -> Result<Verdict, String> {
    send(peer, SenderOptions::new().at_least_once(), |_| false).await
}

async fn send_settled(peer: &Peer) -> Result<Verdict, String> {
    send(peer, SenderOptions::new().at_most_once(), |_| true).await
}

/// Every third message is settled; all of them arrive in order.
async fn send_mixed(peer: &Peer) -> Result<Verdict, String> {
    match send(peer, SenderOptions::new(), |number| number % 3 == 0).await {
        // Its log: a delivery with the tag of the settled one "is not found in unsettled deliveries".
        Err(error) if peer.kind == Kind::BrokerJ && error.contains("without a close") => {
            Ok(Verdict::NotSupported(format!(
                "settled and unsettled messages on one link: {error}"
            )))
        }
        result => result,
    }
}

async fn send(
    peer: &Peer,
    options: SenderOptions,
    settled: impl Fn(u64) -> bool,
) -> Result<Verdict, String> {
    let address = peer.fresh("send-modes").await?;
    let connection = peer.connect().await?;
    let sender = connection
        .create_sender_with(&address, options)
        .await
        .during("attach a sender")?;
    let mut receipts = Vec::new();
    for number in 0..COUNT {
        let settings = SendSettings::default().settled(settled(number));
        let message = content::message(number, SMALL);
        let receipt = sender.enqueue_with(message, settings).await;
        receipts.push(receipt.during("enqueue")?);
    }
    for receipt in receipts {
        let outcome = check::soon("send", receipt).await?.during("send")?;
        check::is(&outcome, "accepted")?;
    }
    sender.close().await.during("close the sender")?;
    all_there(peer, &address).await?;
    Ok(Verdict::Pass)
}

/// The peer reports an outcome, we settle, and only then is the message done with.
async fn send_second(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("send-second").await?;
    let connection = peer.connect().await?;
    let options = SenderOptions::new().at_least_once().settle_second();
    let sender = connection.create_sender_with(&address, options).await;
    let sender = match sender {
        Err(error) if error.condition() == Some(&ErrorCondition::NotImplemented) => {
            return refused(&error, &connection).await;
        }
        sender => sender.during("attach a sender")?,
    };
    check::send(&sender, 0..COUNT, SMALL).await?;
    let mode = sender.remote().map(|attach| attach.rcv_settle_mode);
    sender.close().await.during("close the sender")?;
    connection.close().await.during("close")?;
    all_there(peer, &address).await?;
    answered(mode)
}

async fn receive_unsettled(peer: &Peer) -> Result<Verdict, String> {
    receive(peer, ReceiverOptions::new().at_least_once(), Some(false)).await
}

async fn receive_settled(peer: &Peer) -> Result<Verdict, String> {
    receive(peer, ReceiverOptions::new().at_most_once(), Some(true)).await
}

async fn receive_mixed(peer: &Peer) -> Result<Verdict, String> {
    receive(peer, ReceiverOptions::new(), None).await
}

async fn receive(
    peer: &Peer,
    options: ReceiverOptions,
    settled: Option<bool>,
) -> Result<Verdict, String> {
    let address = peer.fresh("receive-modes").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..COUNT, SMALL).await?;
    let receiver = connection
        .create_receiver_with(&address, options)
        .await
        .during("attach a receiver")?;
    let mode = receiver.remote().map(|attach| attach.snd_settle_mode);
    for number in 0..COUNT {
        let delivery = check::next(&receiver).await?;
        content::check(&delivery, number, SMALL)?;
        if settled.is_some_and(|settled| settled != delivery.is_settled()) {
            return Err(format!(
                "message {number} is settled: {}",
                !settled.unwrap_or_default()
            ));
        }
        if mode == Some(SenderSettleMode::Unsettled) && delivery.is_settled() {
            return Err("a settled message in mode unsettled".into());
        }
        delivery.accept();
    }
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The delivery is settled by the peer after our outcome; both the outcome and the link survive that.
async fn receive_second(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("receive-second").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..COUNT, SMALL).await?;
    let options = ReceiverOptions::new().at_least_once().settle_second();
    let receiver = connection.create_receiver_with(&address, options.prefetch(10));
    let receiver = match receiver.await {
        Err(error) if error.condition() == Some(&ErrorCondition::NotImplemented) => {
            return refused(&error, &connection).await;
        }
        receiver => receiver.during("attach a receiver")?,
    };
    let mode = receiver.remote().map(|attach| attach.rcv_settle_mode);
    check::take(&receiver, 0..COUNT, SMALL).await?;
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    answered(mode)
}

/// Credit is topped up although nothing is ever settled by us.
async fn settled_credit(peer: &Peer) -> Result<Verdict, String> {
    const MANY: u64 = 1_000;
    let address = peer.fresh("settled-credit").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..MANY, SMALL).await?;
    let receiver = connection
        .create_receiver_with(&address, ReceiverOptions::new().at_most_once().prefetch(10))
        .await
        .during("attach a receiver")?;
    for number in 0..MANY {
        let delivery = check::next(&receiver).await?;
        content::check(&delivery, number, SMALL)?;
        if !delivery.is_settled() {
            return Err(format!("message {number} is not settled"));
        }
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The peer ended the session for it; the connection goes on.
async fn refused(error: &Error, connection: &Connection) -> Result<Verdict, String> {
    connection.close().await.during("close")?;
    Ok(Verdict::NotSupported(error.to_string()))
}

/// Whether the peer agreed to settle second.
fn answered(mode: Option<ReceiverSettleMode>) -> Result<Verdict, String> {
    match mode {
        Some(ReceiverSettleMode::Second) => Ok(Verdict::Pass),
        Some(ReceiverSettleMode::First) => Ok(Verdict::NotSupported(
            "asked for second, it answers first; no message was lost".into(),
        )),
        None => Err("there is no attach".into()),
    }
}

/// Messages 0 to `COUNT` are there, in order, and nothing else.
async fn all_there(peer: &Peer, address: &str) -> Result<(), String> {
    let connection = peer.connect().await?;
    let receiver = connection.create_receiver(address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 0..COUNT, SMALL).await?;
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, address).await?;
    connection.close().await.during("close")
}
