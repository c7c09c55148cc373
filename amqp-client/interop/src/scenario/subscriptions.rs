//! Topics and who listens to them: each receiver its own copy, durable and shared subscriptions, filters. Sections 2.6.3, 3.5.3.

use amqp_client::link_option::{DurableSubscription, Filter, Selector, SharedSubscription};
use amqp_client::types::messaging::SourceArchetype;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::types::{Symbol, Value};
use amqp_client::{Connection, Error, ErrorKind, ReceiverOptions};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::peer::{Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("topic, two receivers", topic),
    scenario!("durable subscription", durable),
    scenario!("durable subscription, recovered and deleted", recovered),
    scenario!("durable subscription, a second receiver", second_receiver),
    scenario!("shared subscription", shared),
    scenario!(
        "durable shared subscription, closed by one of two",
        closed_by_one
    ),
    scenario!("no-local", no_local),
    scenario!("selector", selector),
];

/// A topic that nobody has used before. RabbitMQ has exchanges, which nobody can receive from.
fn topic_of(peer: &Peer, name: &str) -> String {
    let name = peer.name(name);
    match peer.kind {
        Kind::Artemis => format!("topic.{name}"),
        Kind::Rabbit => format!("/exchanges/amq.topic/{name}"),
        Kind::BrokerJ => format!("amq.topic/{name}"),
    }
}

/// A receiver of a topic says that it is one.
fn subscriber() -> ReceiverOptions {
    let mut source = amqp_client::types::messaging::Source::default();
    source.capabilities.push(Symbol::from_static("topic"));
    ReceiverOptions::new().source(source)
}

/// What RabbitMQ says to a receiver of an exchange.
fn no_topics(peer: &Peer, error: &Error) -> Result<Verdict, String> {
    match (peer.kind, error.kind()) {
        (Kind::Rabbit, ErrorKind::SessionEnded) => Ok(Verdict::NotSupported(error.to_string())),
        _ => Err(format!("attach: {error:?}")),
    }
}

async fn topic(peer: &Peer) -> Result<Verdict, String> {
    let address = topic_of(peer, "topic");
    let connection = peer.connect().await?;
    let first = match connection
        .create_receiver_with(&address, subscriber())
        .await
    {
        Ok(first) => first,
        Err(error) => return no_topics(peer, &error),
    };
    let second = connection
        .create_receiver_with(&address, subscriber())
        .await;
    let second = second.during("attach a second receiver")?;
    check::fill(&connection, &address, 0..10, SMALL).await?;
    check::take(&first, 0..10, SMALL).await?;
    check::take(&second, 0..10, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// What is sent while nobody is attached waits for who comes back under the same names.
async fn durable(peer: &Peer) -> Result<Verdict, String> {
    let address = topic_of(peer, "durable");
    let container = peer.name("ok-durable");
    let connection = peer.connect_as(&container).await?;
    let options = || subscriber().name("audit").with(DurableSubscription);
    let receiver = match connection.create_receiver_with(&address, options()).await {
        Ok(receiver) => receiver,
        Err(error) => return no_topics(peer, &error),
    };
    check::fill(&connection, &address, 0..5, SMALL).await?;
    check::take(&receiver, 0..5, SMALL).await?;
    receiver.detach().await.during("detach")?;
    connection.close().await.during("close")?;
    let other = peer.connect().await?;
    check::fill(&other, &address, 5..10, SMALL).await?;
    let connection = peer.connect_as(&container).await?;
    let receiver = connection.create_receiver_with(&address, options()).await;
    let receiver = receiver.during("attach again")?;
    check::take(&receiver, 5..10, SMALL).await?;
    receiver.close().await.during("close the receiver")?;
    // Closing has given it up: what comes now is for nobody.
    check::fill(&other, &address, 10..15, SMALL).await?;
    let receiver = connection.create_receiver_with(&address, options()).await;
    let receiver = receiver.during("attach anew")?;
    check::fill(&other, &address, 15..20, SMALL).await?;
    check::take(&receiver, 15..20, SMALL).await?;
    receiver.close().await.during("close the receiver")?;
    connection.close().await.during("close")?;
    other.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// An attach without a source finds the subscription by its name, and finds none when it is gone.
async fn recovered(peer: &Peer) -> Result<Verdict, String> {
    let address = topic_of(peer, "recovered");
    let connection = peer.connect_as(&peer.name("ok-recovered")).await?;
    let options = subscriber().name("lookup").with(DurableSubscription);
    let receiver = match connection.create_receiver_with(&address, options).await {
        Ok(receiver) => receiver,
        Err(error) => return no_topics(peer, &error),
    };
    receiver.detach().await.during("detach")?;
    let lookup = || {
        ReceiverOptions::new()
            .name("lookup")
            .recover()
            .manual_credit()
    };
    let found = connection.create_receiver_with("", lookup()).await;
    let found = found.during("look the subscription up")?;
    if found.address().is_none_or(|address| address.is_empty()) {
        return Err("the peer's answer has no address".into());
    }
    found.close().await.during("delete it")?;
    let gone = connection.create_receiver_with("", lookup()).await;
    let error = gone.err().ok_or("the subscription is still there")?;
    check::condition(&error, &ErrorCondition::NotFound)?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The same subscription on a second connection of the container: Artemis refuses it, Broker-J gives it the link of the first.
async fn second_receiver(peer: &Peer) -> Result<Verdict, String> {
    let address = topic_of(peer, "twice");
    let container = peer.name("ok-twice");
    let first = peer.connect_as(&container).await?;
    let options = || subscriber().name("twice").with(DurableSubscription);
    let before = match first.create_receiver_with(&address, options()).await {
        Ok(receiver) => receiver,
        Err(error) => return no_topics(peer, &error),
    };
    let second = peer.connect_as(&container).await?;
    let after = second.create_receiver_with(&address, options()).await;
    check::fill(&second, &address, 0..5, SMALL).await?;
    let holder = match peer.kind {
        Kind::BrokerJ => {
            let error = check::soon("detach", before.closed()).await?;
            check::condition(&error, &ErrorCondition::Stolen)?;
            after.during("attach on the second connection")?
        }
        Kind::Artemis | Kind::Rabbit => {
            let error = after.err().ok_or("both have the subscription")?;
            check::condition(&error, &ErrorCondition::InternalError)?;
            before
        }
    };
    check::take(&holder, 0..5, SMALL).await?;
    holder.close().await.during("delete the subscription")?;
    first.close().await.during("close")?;
    second.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Who closes while another still receives: Broker-J keeps the subscription and says why, the other one goes on.
async fn closed_by_one(peer: &Peer) -> Result<Verdict, String> {
    let address = topic_of(peer, "kept");
    let connection = peer.connect_as(&peer.name("ok-kept")).await?;
    let options = |name: &'static str| {
        let shared = SharedSubscription::default();
        let both = subscriber().with(shared).with(DurableSubscription);
        both.name(name).prefetch(1)
    };
    let attach = |name| connection.create_receiver_with(&address, options(name));
    let first = match attach("kept|1").await {
        Ok(first) => first,
        Err(error) => return no_topics(peer, &error),
    };
    let second = attach("kept|2").await.during("attach a second receiver")?;
    match (first.close().await, peer.kind) {
        (Err(error), Kind::BrokerJ) => {
            check::condition(&error, &ErrorCondition::ResourceLocked)?;
        }
        (Ok(()), Kind::Artemis) => {}
        (closed, _) => return Err(format!("closed with {closed:?}")),
    }
    check::fill(&connection, &address, 0..5, SMALL).await?;
    check::take(&second, 0..5, SMALL).await?;
    second.close().await.during("delete the subscription")?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Two links of one subscription: each message goes to one of them.
async fn shared(peer: &Peer) -> Result<Verdict, String> {
    let address = topic_of(peer, "shared");
    let connection = peer.connect_as(&peer.name("ok-shared")).await?;
    let options = |name: &'static str| {
        let shared = SharedSubscription::default();
        subscriber().name(name).with(shared).prefetch(1)
    };
    let first = match connection
        .create_receiver_with(&address, options("sub|1"))
        .await
    {
        Ok(first) => first,
        Err(error) => return no_topics(peer, &error),
    };
    let second = connection
        .create_receiver_with(&address, options("sub|2"))
        .await;
    let second = second.during("attach a second receiver")?;
    check::fill(&connection, &address, 0..20, SMALL).await?;
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let delivery = tokio::select! {
            delivery = first.recv() => delivery,
            delivery = second.recv() => delivery,
            () = tokio::time::sleep(std::time::Duration::from_secs(20)) => {
                return Err(format!("{} of 20 messages came", seen.len()));
            }
        };
        let delivery = delivery.during("receive")?;
        let properties = delivery.message().during("decode")?.properties;
        seen.push(format!("{:?}", properties.and_then(|all| all.message_id)));
        delivery.accept();
    }
    seen.sort_unstable();
    seen.dedup();
    if seen.len() != 20 {
        return Err(format!("{} different messages came", seen.len()));
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// One's own messages are left out, others' arrive.
async fn no_local(peer: &Peer) -> Result<Verdict, String> {
    let address = topic_of(peer, "no-local");
    let connection = peer.connect_as(&peer.name("ok-no-local")).await?;
    let options = subscriber().with(Filter::no_local());
    let receiver = match connection.create_receiver_with(&address, options).await {
        Ok(receiver) => receiver,
        Err(error) => return no_topics(peer, &error),
    };
    check::fill(&connection, &address, 0..1, SMALL).await?;
    let other = peer.connect_as(&peer.name("ok-others")).await?;
    check::fill(&other, &address, 1..2, SMALL).await?;
    check::take(&receiver, 1..2, SMALL).await?;
    connection.close().await.during("close")?;
    other.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Broker-J names the filter by its number in the answer, not by the symbol that we sent.
async fn selector(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("selector").await?;
    let connection = peer.connect().await?;
    let options = ReceiverOptions::new().with(Selector::new("colour = 'green'"));
    let receiver = connection.create_receiver_with(&address, options).await;
    let receiver = receiver.during("attach a receiver")?;
    coloured(&connection, &address).await?;
    let first = check::next(&receiver).await?;
    let number = content::number(&first)?;
    first.accept();
    if number == 0 && peer.kind == Kind::Rabbit {
        return Ok(Verdict::NotSupported(
            "its answer names the filter, and everything is sent".into(),
        ));
    }
    if number != 1 {
        return Err(format!("message {number} is not green"));
    }
    check::take(&receiver, 3..4, SMALL).await?;
    let remote = receiver.remote();
    let by_number = match remote.as_ref().and_then(|attach| attach.source.as_ref()) {
        Some(SourceArchetype::Source(source)) => source.filter.as_ref().is_some_and(|filters| {
            filters.iter().any(|(_, filter)| {
                let descriptor = filter.as_ref().map(|filter| &filter.descriptor);
                matches!(descriptor, Some(Value::Ulong(_)))
            })
        }),
        _ => false,
    };
    if by_number != (peer.kind == Kind::BrokerJ) {
        return Err(format!(
            "the answer names the filter by number: {by_number}"
        ));
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Messages 1 and 3 are green, 0 and 2 are red.
async fn coloured(connection: &Connection, address: &str) -> Result<(), String> {
    let sender = connection.create_sender(address).await;
    let sender = sender.during("attach a sender")?;
    for number in 0..4 {
        let colour = if number % 2 == 1 { "green" } else { "red" };
        let message = content::message(number, SMALL).with_application_property("colour", colour);
        let outcome = sender.send(message).await.during("send")?;
        check::is(&outcome, "accepted")?;
    }
    sender.close().await.during("close the sender")
}
