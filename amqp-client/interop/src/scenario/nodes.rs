//! Nodes and what happens to messages in them: dynamic nodes, browsing, dead letters, and every section of a message.
//! Sections 3.2, 3.5.

use std::time::Duration;

use amqp_client::link_option::{Copy, DynamicNodeProperties};
use amqp_client::types::messaging::{Footer, MessageId};
use amqp_client::types::transport::ErrorCondition;
use amqp_client::types::{AnnotationKey, Binary, Described, List, Map, Symbol, Timestamp, Value};
use amqp_client::{Body, ErrorKind, Message, ReceiverOptions, SenderOptions};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::control::Shape;
use crate::peer::{Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("dynamic source", dynamic_source),
    scenario!("dynamic target", dynamic_target),
    scenario!("dynamic node, deleted on close", deleted_on_close),
    scenario!("browse", browse),
    scenario!("dead letter", dead_letter),
    scenario!("durable message", durable),
    scenario!("message without sections", empty),
    scenario!("every section of a message", sections),
];

/// Somebody else sends to the node that the peer made for us.
async fn dynamic_source(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let options = ReceiverOptions::new().with(DynamicNodeProperties::default());
    let receiver = match connection.create_receiver_with("", options).await {
        Ok(receiver) => receiver,
        Err(error) if peer.kind == Kind::Rabbit => {
            return Ok(Verdict::NotSupported(error.to_string()));
        }
        Err(error) => return Err(error.to_string()),
    };
    let address = receiver.address().ok_or("the node has no address")?;
    let other = peer.connect().await?;
    check::fill(&other, &address, 0..10, SMALL).await?;
    check::take(&receiver, 0..10, SMALL).await?;
    other.close().await.during("close")?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn dynamic_target(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let options = SenderOptions::new().with(DynamicNodeProperties::default());
    let sender = match connection.create_sender_with("", options).await {
        Ok(sender) => sender,
        Err(error) if peer.kind == Kind::Rabbit => {
            return Ok(Verdict::NotSupported(error.to_string()));
        }
        Err(error) => return Err(error.to_string()),
    };
    let address = sender.address().ok_or("the node has no address")?;
    check::send(&sender, 0..10, SMALL).await?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 0..10, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The node goes with the link that made it, and those who are still there are told.
async fn deleted_on_close(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    // delete-on-close: a list without elements.
    let policy = Value::Described(Box::new(Described {
        descriptor: Value::Symbol(Symbol::from_static("amqp:delete-on-close:list")),
        value: Value::from(Vec::<Value>::new()),
    }));
    let mut properties = Map::default();
    properties.insert(Symbol::from_static("lifetime-policy"), policy);
    let options = ReceiverOptions::new().with(DynamicNodeProperties(properties));
    let owner = match connection.create_receiver_with("", options).await {
        Ok(owner) => owner,
        Err(error) if peer.kind == Kind::Rabbit => {
            return Ok(Verdict::NotSupported(error.to_string()));
        }
        Err(error) => return Err(error.to_string()),
    };
    let address = owner.address().ok_or("the node has no address")?;
    let other = peer.connect().await?;
    let guest = other.create_sender(&address).await;
    let guest = guest.during("attach a sender")?;
    check::send(&guest, 0..1, SMALL).await?;
    owner.close().await.during("close the node's link")?;
    let told = tokio::time::timeout(Duration::from_secs(2), guest.closed()).await;
    connection.close().await.during("close")?;
    let Ok(error) = told else {
        other.close().await.during("close")?;
        return Ok(Verdict::NotSupported(
            "another link to the node is not told of its end".into(),
        ));
    };
    check::condition(&error, &ErrorCondition::ResourceDeleted)?;
    other.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Whatever is said of a copy, the messages stay.
async fn browse(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("browse").await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..5, SMALL).await?;
    let options = ReceiverOptions::new().with(Copy).manual_credit();
    let browser = connection.create_receiver_with(&address, options).await;
    let browser = browser.during("attach a browser")?;
    browser.set_credit(10);
    check::soon("drain", browser.drain())
        .await?
        .during("drain")?;
    for number in 0..5 {
        let delivery = browser.try_recv().during("browse")?;
        let delivery = delivery.ok_or("the drain was over before all messages came")?;
        content::check(&delivery, number, SMALL)?;
        delivery.accept();
    }
    browser.close().await.during("close the browser")?;
    let receiver = check::receiver(&connection, &address, 10).await?;
    check::soon("drain", receiver.drain())
        .await?
        .during("drain")?;
    if peer.kind == Kind::Rabbit && receiver.try_recv().during("receive")?.is_none() {
        return Ok(Verdict::NotSupported(
            "what is browsed and accepted is gone".into(),
        ));
    }
    check::take(&receiver, 0..5, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// A message that was rejected lies in the queue for such, after as many attempts as the broker makes.
async fn dead_letter(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let dead = match peer.kind {
        Kind::Artemis => "DLQ".to_owned(),
        Kind::Rabbit => peer.fresh("dead").await?,
        Kind::BrokerJ => peer.name("auto.dead"),
    };
    connection
        .create_sender(&dead)
        .await
        .during("make the queue")?;
    let shape = Shape {
        attempts: Some(2),
        ..Shape::default()
    };
    let address = peer.shaped("letters", shape).await?;
    // Artemis' queue is everybody's: the number says whose it is.
    let number = 1_000_000 + u64::from(std::process::id());
    check::fill(&connection, &address, number..number + 1, SMALL).await?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    let attempts = if peer.kind == Kind::BrokerJ { 2 } else { 1 };
    for _ in 0..attempts {
        check::next(&receiver).await?.reject(None);
    }
    let letters = connection.create_receiver(&dead).await;
    let letters = letters.during("attach to the dead letters")?;
    loop {
        let letter = check::next(&letters).await?;
        let found = content::number(&letter)?;
        let message = letter.message().during("decode")?;
        letter.accept();
        if found == number {
            if peer.kind == Kind::Artemis {
                origin(&message, &address)?;
            }
            break;
        }
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Artemis says where a dead letter comes from, and forgets how often it was delivered.
fn origin(letter: &Message, address: &str) -> Result<(), String> {
    let key = AnnotationKey::Symbol(Symbol::from_static("x-opt-ORIG-ADDRESS"));
    let annotations = letter.message_annotations.as_ref();
    let from = annotations.and_then(|all| all.get(&key));
    let times = letter
        .header
        .as_ref()
        .map_or(0, |header| header.delivery_count);
    match from == Some(&Value::from(address)) && times == 0 {
        true => Ok(()),
        false => Err(format!("a letter from {from:?}, delivered {times} times")),
    }
}

/// A host of Broker-J that keeps nothing on disk refuses them, and the sender learns why.
async fn durable(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("durable").await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let message = content::message(0, SMALL).with_durable(true);
    let outcome = sender.send(message).await.during("send")?;
    if peer.kind == Kind::BrokerJ {
        check::is(&outcome, "rejected")?;
        check::send(&sender, 1..2, SMALL).await?;
        return Ok(Verdict::NotSupported(format!(
            "this host has no disk: {outcome:?}"
        )));
    }
    check::is(&outcome, "accepted")?;
    let receiver = connection.create_receiver(&address).await;
    let delivery = check::next(&receiver.during("attach a receiver")?).await?;
    let header = content::check(&delivery, 0, SMALL)?.header;
    delivery.accept();
    connection.close().await.during("close")?;
    match header.is_some_and(|header| header.durable) {
        true => Ok(Verdict::Pass),
        false => Err("it comes back as one that is not durable".into()),
    }
}

/// Not a message by the standard, which wants a body.
async fn empty(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("empty").await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let sent = check::soon("send", sender.send(Message::new())).await?;
    let verdict = match sent {
        Ok(outcome) => {
            check::is(&outcome, "accepted")?;
            let receiver = connection.create_receiver(&address).await;
            let delivery = check::next(&receiver.during("attach a receiver")?).await?;
            delivery.message().during("decode")?;
            delivery.accept();
            Verdict::Pass
        }
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::LinkDetached | ErrorKind::SessionEnded
            ) =>
        {
            Verdict::NotSupported(error.to_string())
        }
        Err(error) => return Err(format!("{error:?}")),
    };
    check::fill(&connection, &address, 0..1, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(verdict)
}

/// What belongs to the message comes back as it was; the header and the annotations are the broker's too.
async fn sections(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("sections").await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    let list = List::from(vec![Value::from(1_u8), Value::Null, Value::from("three")]);
    let bodies = [
        Body::from("text"),
        Body::Value(Value::Null),
        Body::Value(Value::List(list.clone())),
        Body::Sequence(vec![list].into()),
        Body::Data(Binary::from(vec![0; 300]).into()),
    ];
    for body in bodies {
        let sent = whole(body);
        let outcome = check::soon("send", sender.send(&sent))
            .await?
            .during("send")?;
        check::is(&outcome, "accepted")?;
        let delivery = check::next(&receiver).await?;
        let came = delivery.message().during("decode")?;
        delivery.accept();
        let same = [
            ("body", came.body == sent.body),
            ("properties", came.properties == sent.properties),
            (
                "application-properties",
                came.application_properties == sent.application_properties,
            ),
            ("footer", came.footer == sent.footer),
            (
                "priority",
                came.header.as_ref().map(|header| header.priority) == Some(7),
            ),
        ];
        if let Some((what, _)) = same.iter().find(|(_, same)| !same) {
            return Err(format!("another {what} came: {came:?} instead of {sent:?}"));
        }
        let key = AnnotationKey::Symbol(Symbol::from_static("x-opt-mine"));
        let annotation = came
            .message_annotations
            .as_ref()
            .and_then(|all| all.get(&key));
        if annotation != Some(&Value::from(-1_i64)) {
            return Err(format!("the annotation came back as {annotation:?}"));
        }
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

fn whole(body: Body) -> Message {
    let mut footer = Footer::default();
    footer.insert(Symbol::from_static("x-opt-sum"), Value::from(42_u32));
    let mut message = Message::new()
        .with_body(body)
        .with_priority(7)
        .with_message_id(MessageId::Binary(Binary::from(vec![1, 2, 3])))
        .with_subject("subject")
        .with_reply_to("reply-to")
        .with_correlation_id("correlation")
        .with_content_type(Symbol::from_static("text/plain"))
        .with_creation_time(Timestamp(1_234_567))
        .with_group_id("group")
        .with_reply_to_group_id("other")
        .with_message_annotation(Symbol::from_static("x-opt-mine"), -1_i64)
        .with_application_property("text", "colour: grün")
        .with_application_property("long", i64::MIN)
        .with_application_property("double", 0.5_f64)
        .with_application_property("flag", true)
        .with_application_property("byte", 255_u8);
    message.footer = Some(footer);
    message
}
