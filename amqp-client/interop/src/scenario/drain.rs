//! Drain: all that there is, and the rest of the credit back; what the link does afterwards. Section 2.6.7.

use amqp_client::ReceiverOptions;

use crate::check::{self, During};
use crate::content::SMALL;
use crate::peer::Peer;
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("drain", some),
    scenario!("drain, nothing there", nothing),
    scenario!("drain, automatic credit goes on", automatic),
    scenario!("drain, fewer credits than messages", fewer),
];

/// More credit than messages.
async fn some(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("drain").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..3, SMALL).await?;
    let receiver = check::receiver(&connection, &address, 10).await?;
    drain(&receiver).await?;
    there(&receiver, 3).await?;
    // The credit is used up now, and can be granted again.
    check::fill(&connection, &address, 3..4, SMALL).await?;
    receiver.set_credit(1);
    check::take(&receiver, 3..4, SMALL).await?;
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Twice, since the second one finds no credit to give back but that which was granted in between.
async fn nothing(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("drain-nothing").await?;
    let connection = peer.connect().await?;
    let receiver = check::receiver(&connection, &address, 100).await?;
    drain(&receiver).await?;
    receiver.set_credit(5);
    drain(&receiver).await?;
    if receiver.try_recv().during("receive")?.is_some() {
        return Err("a message out of nothing".into());
    }
    receiver.set_credit(2);
    check::fill(&connection, &address, 0..2, SMALL).await?;
    check::take(&receiver, 0..2, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn automatic(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("drain-automatic").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..5, SMALL).await?;
    let receiver = connection
        .create_receiver_with(&address, ReceiverOptions::new().prefetch(20))
        .await
        .during("attach a receiver")?;
    drain(&receiver).await?;
    there(&receiver, 5).await?;
    receiver.set_prefetch(20);
    check::fill(&connection, &address, 5..105, SMALL).await?;
    check::take(&receiver, 5..105, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The credit is used up by messages: nothing has to be given back, and the drain ends all the same.
async fn fewer(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("drain-fewer").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..10, SMALL).await?;
    let receiver = check::receiver(&connection, &address, 4).await?;
    drain(&receiver).await?;
    there(&receiver, 4).await?;
    receiver.set_credit(6);
    check::take(&receiver, 4..10, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn drain(receiver: &amqp_client::Receiver) -> Result<(), String> {
    check::soon("drain", receiver.drain())
        .await?
        .during("drain")
}

/// Messages 0 to `count` can be taken without waiting, and no more.
async fn there(receiver: &amqp_client::Receiver, count: u64) -> Result<(), String> {
    for number in 0..count {
        let delivery = receiver
            .try_recv()
            .during("receive")?
            .ok_or("the drain was over before all messages came")?;
        crate::content::check(&delivery, number, SMALL)?;
        delivery.accept();
    }
    match receiver.try_recv().during("receive")? {
        None => Ok(()),
        Some(_) => Err("more messages than that".into()),
    }
}
