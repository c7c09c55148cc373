//! Management of Artemis by messages: a request to `activemq.management`, an answer to a node of our own.

use amqp_client::link_option::DynamicNodeProperties;
use amqp_client::types::messaging::AddressString;
use amqp_client::types::{Str, Value as Amqp};
use amqp_client::{Body, Message, ReceiverOptions};
use serde_json::Value;

use crate::check::{self, During};
use crate::peer::Peer;

/// Calls an operation with arguments, a JSON array; what it answers.
pub(super) async fn call(
    peer: &Peer,
    resource: &str,
    operation: &str,
    arguments: &Value,
) -> Result<Value, String> {
    let connection = peer
        .connect_with("ok-management", amqp_client::ConnectionOptions::new())
        .await?;
    let options = ReceiverOptions::new().with(DynamicNodeProperties::default());
    let replies = connection
        .create_receiver_with("", options)
        .await
        .during("attach to a node of one's own")?;
    let reply_to = replies.address().ok_or("the node has no address")?;
    let sender = connection
        .create_sender("activemq.management")
        .await
        .during("attach to management")?;
    let mut request = Message::new()
        .with_application_property("_AMQ_ResourceName", resource)
        .with_application_property("_AMQ_OperationName", operation)
        .with_body(Body::Value(Amqp::String(Str::from(arguments.to_string()))));
    let properties = request.properties.get_or_insert_default();
    properties.reply_to = Some(AddressString(reply_to));
    let outcome = sender.send(request).await.during("ask management")?;
    check::is(&outcome, "accepted")?;
    let reply = check::next(&replies).await?;
    let message = reply.message().during("decode management's answer")?;
    reply.accept();
    connection.close().await.during("close")?;
    let text = match &message.body {
        Body::Value(Amqp::String(text)) => text.as_str(),
        // An operation that has no result.
        Body::Value(Amqp::Null) => "null",
        other => return Err(format!("management answers {other:?}")),
    };
    let succeeded = message
        .application_properties
        .as_ref()
        .and_then(|all| all.0.get("_AMQ_OperationSucceeded"))
        .is_some_and(|value| *value == Amqp::from(true));
    if !succeeded {
        return Err(format!("{operation}: {text}"));
    }
    let answer: Value = serde_json::from_str(text).during("read management's answer")?;
    // A result that is JSON itself comes as a string in an array.
    let inner = answer[0]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    Ok(inner.unwrap_or(answer))
}
