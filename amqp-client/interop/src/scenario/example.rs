//! The message of the example `message_properties`, there and back; examples that are whole programs are run by
//! `cargo xtask interop`. Section 3.2.

use amqp_client::Message;

use crate::check::{self, During};
use crate::peer::{Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

#[allow(dead_code, unreachable_pub)]
#[path = "../../../examples/message_properties.rs"]
mod message_properties;

pub(super) const SCENARIOS: &[Scenario] = &[scenario!("examples: message_properties", message)];

async fn message(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("message-properties").await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    // A host of Broker-J that keeps nothing on disk takes no durable message.
    let durable = peer.kind != Kind::BrokerJ;
    let sent = message_properties::message().with_durable(durable);
    let outcome = check::soon("send", sender.send(&sent)).await?;
    check::is(&outcome.during("send")?, "accepted")?;
    let receiver = connection.create_receiver(&address).await;
    let delivery = check::next(&receiver.during("attach a receiver")?).await?;
    let came = delivery.message().during("decode")?;
    delivery.accept();
    connection.close().await.during("close")?;
    let annotations = |message: &Message| message.message_annotations.clone().unwrap_or_default();
    let header = |message: &Message| message.header.clone().unwrap_or_default();
    let same = [
        ("durable", header(&came).durable == durable),
        ("priority", header(&came).priority == header(&sent).priority),
        ("properties", came.properties == sent.properties),
        (
            "application-properties",
            came.application_properties == sent.application_properties,
        ),
        (
            // The broker may add its own.
            "annotations",
            annotations(&sent)
                .iter()
                .all(|(key, value)| annotations(&came).get(key) == Some(value)),
        ),
        ("body", came.body == sent.body),
    ];
    match same.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(format!("another {what} came: {came:?} instead of {sent:?}")),
        None => Ok(Verdict::Pass),
    }
}
