//! Queues that are full and credit that is withheld, the anonymous relay, and what follows when a broker can not reject.
//! Sections 2.6.7, 3.4.3, 3.5.3.

use std::time::Duration;

use amqp_client::types::Symbol;
use amqp_client::types::messaging::{Outcome, Source};
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{
    Connection, ConnectionOptions, Deadlines, Error, ErrorKind, Sender, SenderOptions,
};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::control::Shape;
use crate::peer::{CONTAINER, Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("anonymous relay", relay),
    scenario!("anonymous relay, no such node", relay_nowhere),
    scenario!("credit withheld and given again", withheld),
    scenario!("send deadline without credit", deadline),
    scenario!("full queue empties again", empties),
    scenario!("full queue, rejected not among the outcomes", no_rejected),
    scenario!("full queue, settled messages", settled),
];

/// One sender for several nodes.
async fn relay(peer: &Peer) -> Result<Verdict, String> {
    let connection = peer.connect().await?;
    let sender = connection.create_sender("").await;
    let sender = sender.during("attach without an address")?;
    let mut addresses = Vec::new();
    for number in 0..4 {
        let address = peer.fresh(&format!("relay-{number}")).await?;
        // Where nodes are made on demand, a receiver makes them.
        let receiver = connection.create_receiver(&address).await;
        addresses.push((address, receiver.during("attach a receiver")?));
    }
    for (number, (address, _)) in (0..).zip(&addresses) {
        let message = content::message(number, SMALL).with_to(address.as_str());
        let outcome = check::soon("send", sender.send(message)).await?;
        check::is(&outcome.during("send")?, "accepted")?;
    }
    for (number, (_, receiver)) in (0..).zip(&addresses) {
        check::take(receiver, number..number + 1, SMALL).await?;
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The message is not accepted, and the link goes on where the peer lets it.
async fn relay_nowhere(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("relay").await?;
    let connection = peer.connect().await?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    let sender = connection.create_sender("").await;
    let sender = sender.during("attach without an address")?;
    let nowhere = match peer.kind {
        Kind::Artemis => "none.x",
        Kind::Rabbit => "/queues/none",
        Kind::BrokerJ => "none",
    };
    let message = content::message(0, SMALL).with_to(nowhere);
    let outcome = check::soon("send", sender.send(message)).await?;
    let outcome = outcome.during("send")?;
    let right = match peer.kind {
        Kind::Rabbit => matches!(outcome, Outcome::Released(_)),
        Kind::Artemis | Kind::BrokerJ => matches!(outcome, Outcome::Rejected(_)),
    };
    if !right {
        return Err(format!("the outcome is {outcome:?}"));
    }
    let message = content::message(1, SMALL).with_to(address.as_str());
    let outcome = check::soon("send", sender.send(message)).await?;
    check::is(&outcome.during("send")?, "accepted")?;
    check::take(&receiver, 1..2, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// A queue that takes credit away when it is full: of Broker-J with a drain, of Artemis by giving no more.
async fn blocking(peer: &Peer, name: &str) -> Result<String, String> {
    let shape = Shape {
        limit: Some(3),
        flow_control: true,
        classic: true,
        ..Shape::default()
    };
    peer.shaped(&format!("block.{name}"), shape).await
}

/// Fills a queue until there is a sender without credit, and answers that one and how many messages that took; none where the
/// queue rejects instead. Broker-J takes the credit back from the sender that filled the queue; Artemis gives a link a
/// thousand at once, and nothing to the next one.
async fn fill(connection: &Connection, address: &str) -> Result<Option<(Sender, u64)>, String> {
    let attach = || async {
        let sender = connection.create_sender(address).await;
        sender.during("attach a sender")
    };
    let starved = |sender: &Sender| {
        let sender = sender.clone();
        async move {
            let credit = tokio::time::timeout(Duration::from_millis(300), sender.wait_credit());
            credit.await.is_err()
        }
    };
    let sender = attach().await?;
    for number in 0..100 {
        if starved(&sender).await {
            return Ok(Some((sender, number)));
        }
        let outcome = sender.send(content::message(number, 1_000)).await;
        if !matches!(outcome.during("send")?, Outcome::Accepted(_)) {
            return Ok(None);
        }
    }
    let second = attach().await?;
    Ok(starved(&second).await.then_some((second, 100)))
}

/// What waits without credit goes out when a receiver has made room.
async fn withheld(peer: &Peer) -> Result<Verdict, String> {
    let address = blocking(peer, "withheld").await?;
    let connection = peer.connect().await?;
    let Some((sender, count)) = fill(&connection, &address).await? else {
        return Ok(Verdict::NotSupported(
            "it rejects instead of withholding credit".into(),
        ));
    };
    let receipt = sender.enqueue(content::message(count, 1_000)).await;
    let receipt = receipt.during("enqueue")?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 0..count, 1_000).await?;
    let outcome = check::soon("send", receipt).await?.during("send")?;
    check::is(&outcome, "accepted")?;
    check::take(&receiver, count..count + 1, 1_000).await?;
    check::send(&sender, 0..3, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// `send` ends when its deadline does, and the connection goes on.
async fn deadline(peer: &Peer) -> Result<Verdict, String> {
    let address = blocking(peer, "deadline").await?;
    let deadlines = Deadlines {
        send: Duration::from_secs(1),
        ..Deadlines::default()
    };
    let options = ConnectionOptions::new().deadlines(deadlines);
    let connection = peer.connect_with(CONTAINER, options).await?;
    let Some((sender, _)) = fill(&connection, &address).await? else {
        return Ok(Verdict::NotSupported(
            "it rejects instead of withholding credit".into(),
        ));
    };
    match sender.send(content::message(0, SMALL)).await {
        Err(error) if error.kind() == ErrorKind::TimedOut => {}
        other => return Err(format!("{other:?}")),
    }
    let receiver = connection.create_receiver(&address).await;
    check::next(&receiver.during("attach a receiver")?)
        .await?
        .accept();
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// A queue that rejects takes messages again when there is room; Artemis takes the credit away for a while.
async fn empties(peer: &Peer) -> Result<Verdict, String> {
    let shape = Shape {
        limit: Some(3),
        classic: true,
        ..Shape::default()
    };
    let address = peer.shaped("fail.empties", shape).await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let mut count = 0;
    loop {
        let sent = sender.send(content::message(count, 1_000));
        match check::soon("send", sent).await?.during("send")? {
            Outcome::Accepted(_) if count < 100 => count += 1,
            Outcome::Rejected(_) => break,
            other => return Err(format!("message {count}: {other:?}")),
        }
    }
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 0..count, 1_000).await?;
    let again = async {
        loop {
            let outcome = sender.send(content::message(count, 1_000)).await?;
            if matches!(outcome, Outcome::Accepted(_)) {
                return Ok::<_, Error>(());
            }
        }
    };
    check::soon("send", again).await?.during("send")?;
    check::take(&receiver, count..count + 1, 1_000).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// A sender that says it understands accepted alone: Broker-J then detaches the link with the reason.
async fn no_rejected(peer: &Peer) -> Result<Verdict, String> {
    let shape = Shape {
        limit: Some(1),
        classic: true,
        ..Shape::default()
    };
    let address = peer.shaped("fail.accepted-only", shape).await?;
    let connection = peer.connect().await?;
    let source = Source {
        outcomes: vec![Symbol::from_static("amqp:accepted:list")],
        ..Source::default()
    };
    let options = SenderOptions::new().source(source);
    let sender = match connection.create_sender_with(&address, options).await {
        // It reads one outcome only as an array of one; the standard allows either.
        Err(error) if peer.kind == Kind::Rabbit => {
            check::condition(&error, &ErrorCondition::NotImplemented)?;
            return Ok(Verdict::NotSupported(error.to_string()));
        }
        sender => sender.during("attach a sender")?,
    };
    for number in 0..100 {
        match sender.send(content::message(number, 1_000)).await {
            Ok(Outcome::Accepted(_)) => {}
            Ok(Outcome::Rejected(_)) if peer.kind != Kind::BrokerJ => {
                connection.close().await.during("close")?;
                return Ok(Verdict::NotSupported("it rejects all the same".into()));
            }
            Err(error) if error.kind() == ErrorKind::LinkDetached => {
                check::condition(&error, &ErrorCondition::ResourceLimitExceeded)?;
                let other = peer.fresh("after").await?;
                check::fill(&connection, &other, 0..1, SMALL).await?;
                connection.close().await.during("close")?;
                return Ok(Verdict::Pass);
            }
            other => return Err(format!("message {number}: {other:?}")),
        }
    }
    Err("all messages were accepted".into())
}

/// Nobody can reject these. Broker-J detaches the link; what was under way then costs the session, and the connection. The
/// user is told the first reason, other connections go on, and a new one is welcome.
async fn settled(peer: &Peer) -> Result<Verdict, String> {
    let shape = Shape {
        limit: Some(1),
        classic: true,
        ..Shape::default()
    };
    let address = peer.shaped("fail.settled", shape).await?;
    let other = peer.connect().await?;
    let connection = peer.connect().await?;
    let options = SenderOptions::new().at_most_once();
    let sender = connection.create_sender_with(&address, options).await;
    let sender = sender.during("attach a sender")?;
    let mut ended = None;
    for number in 0..500 {
        if let Err(error) = sender.enqueue(content::message(number, 1_000)).await {
            ended = Some(error);
            break;
        }
    }
    if ended.is_none() && peer.kind == Kind::BrokerJ {
        ended = Some(check::soon("detach", sender.closed()).await?);
    }
    let elsewhere = peer.fresh("elsewhere").await?;
    check::fill(&other, &elsewhere, 0..1, SMALL).await?;
    other.close().await.during("close the other connection")?;
    let third = peer.connect().await?;
    check::fill(&third, &elsewhere, 1..2, SMALL).await?;
    third.close().await.during("close")?;
    match ended {
        None => {
            connection.close().await.during("close")?;
            Ok(Verdict::Pass)
        }
        Some(error) => {
            check::condition(&error, &ErrorCondition::ResourceLimitExceeded)?;
            connection.close().await.ok();
            Ok(Verdict::Pass)
        }
    }
}
