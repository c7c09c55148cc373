//! Links that are attached again at a broker that does not resume deliveries: nothing is lost, and nothing comes twice that
//! the user did not ask to be sent again. Section 2.6.13.
//!
//! Resumption itself is shown between our own two roles, in the client crate's tests.

use std::collections::BTreeMap;
use std::time::Duration;

use amqp_client::types::messaging::{MessageId, Outcome};
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{
    Connection, Error, ErrorKind, Receipt, Receiver, ReceiverOptions, Sender, SenderOptions,
    Session, SessionOptions,
};

use crate::check::{self, During};
use crate::content::{self, SMALL};
use crate::control;
use crate::peer::{Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::wire::{self, Recording};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("detach and attach again, sender", detach_sender),
    scenario!("detach and attach again, receiver", detach_receiver),
    scenario!("session ended, receiver resumes", session_ended),
    scenario!("connection lost, sender resends", lost_sender),
    scenario!("connection lost, sender does not resend", lost_sender_once),
    scenario!("connection lost, receiver resumes", lost_receiver),
];

fn resumable(name: &str) -> SenderOptions {
    SenderOptions::new().name(name.to_owned()).resumable()
}

async fn detach_sender(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("detach-sender").await?;
    let connection = peer.connect().await?;
    let session = connection.create_session(SessionOptions::new()).await;
    let session = session.during("begin a session")?;
    let name = peer.name("detach-sender");
    let sender = session.create_sender_with(&address, resumable(&name)).await;
    let sender = sender.during("attach")?;
    check::send(&sender, 0..10, SMALL).await?;
    sender.detach().await.during("detach")?;
    let again = check::soon("resume", sender.resume(&session, false)).await?;
    again.during("resume")?;
    check::send(&sender, 10..20, SMALL).await?;
    let receiver = connection.create_receiver(&address).await;
    check::take(&receiver.during("attach a receiver")?, 0..20, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Some deliveries are settled, some held, some not even taken when the link is detached.
async fn detach_receiver(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("detach-receiver").await?;
    let recording = wire::record();
    let connection = peer.connect().await?;
    let session = connection.create_session(SessionOptions::new()).await;
    let session = session.during("begin a session")?;
    check::fill(&connection, &address, 0..20, SMALL).await?;
    let name = peer.name("detach-receiver");
    let options = ReceiverOptions::new().name(name).resumable().prefetch(10);
    let receiver = session.create_receiver_with(&address, options).await;
    let receiver = receiver.during("attach")?;
    check::take(&receiver, 0..5, SMALL).await?;
    let held = check::next(&receiver).await?;
    receiver.detach().await.during("detach")?;
    let other = resume(&connection, &receiver, &session).await?;
    not_resumed(peer, &recording)?;
    held.accept();
    // Broker-J keeps what was on the detached link until its session ends.
    for session in [Some(session).filter(|_| other.is_none()), other]
        .into_iter()
        .flatten()
    {
        session.end().await.during("end the session")?;
    }
    let rest = everything(&connection, &address).await?;
    complete(&rest, 5..20, 1, &[5])?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn session_ended(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("session-ended").await?;
    let connection = peer.connect().await?;
    let session = connection.create_session(SessionOptions::new()).await;
    let session = session.during("begin a session")?;
    check::fill(&connection, &address, 0..20, SMALL).await?;
    let name = peer.name("session-ended");
    let options = ReceiverOptions::new().name(name).resumable().prefetch(10);
    let receiver = session.create_receiver_with(&address, options).await;
    let receiver = receiver.during("attach")?;
    check::take(&receiver, 0..5, SMALL).await?;
    let held = check::next(&receiver).await?;
    session.end().await.during("end the session")?;
    let second = connection.create_session(SessionOptions::new()).await;
    let second = second.during("begin another session")?;
    resume(&connection, &receiver, &second).await?;
    held.accept();
    let rest = drained(&receiver, 15).await?;
    complete(&rest, 5..20, 1, &[])?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// The connection goes while messages are on their way; the broker may have some of them, so they may come twice.
async fn lost_sender(peer: &Peer) -> Result<Verdict, String> {
    let mut lost = Lost::under_way(peer, "lost-sender").await?;
    let (connection, outcomes) = lost.resume(peer, true).await?;
    not_resumed(peer, &lost.recording)?;
    for (number, outcome) in (0..).zip(&outcomes) {
        let outcome = outcome.as_ref();
        let outcome = outcome.map_err(|error| format!("message {number}: {error}"))?;
        check::is(outcome, "accepted").during(&format!("message {number}"))?;
    }
    let all = everything(&connection, &lost.address).await?;
    complete(&all, 0..outcomes.len() as u64, 2, &[])?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Whatever has no outcome by then is an error for the user, and nothing comes twice.
async fn lost_sender_once(peer: &Peer) -> Result<Verdict, String> {
    let mut lost = Lost::under_way(peer, "lost-once").await?;
    let (connection, outcomes) = lost.resume(peer, false).await?;
    let mut unknown = Vec::new();
    for (number, outcome) in (0..).zip(&outcomes) {
        match outcome {
            Ok(outcome) => check::is(outcome, "accepted").during(&format!("message {number}"))?,
            Err(_) => unknown.push(number),
        }
    }
    let all = everything(&connection, &lost.address).await?;
    complete(&all, 0..outcomes.len() as u64, 1, &unknown)?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// A sender whose connection was closed from outside while it sent.
struct Lost {
    address: String,
    container: String,
    sender: Sender,
    receipts: Vec<Receipt>,
    recording: Recording,
}

impl Lost {
    async fn under_way(peer: &Peer, name: &str) -> Result<Self, String> {
        let address = peer.fresh(name).await?;
        let container = peer.name(&format!("ok-{name}"));
        let recording = wire::record();
        let connection = peer.connect_as(&container).await?;
        let name = peer.name(name);
        let sender = connection
            .create_sender_with(&address, resumable(&name))
            .await;
        let sender = sender.during("attach")?;
        let send = async {
            let mut receipts = Vec::new();
            while !connection.is_closed() {
                for _ in 0..50 {
                    let number = receipts.len() as u64;
                    let receipt = sender.enqueue(content::message(number, SMALL)).await;
                    receipts.push(receipt.during("enqueue")?);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, String>(receipts)
        };
        let (receipts, closed) = tokio::join!(send, control::close_connections(peer, &container));
        closed?;
        Ok(Self {
            address,
            container,
            receipts: receipts?,
            sender,
            recording,
        })
    }

    /// Attaches again on another connection; the outcomes of all that was sent, and one more.
    async fn resume(
        &mut self,
        peer: &Peer,
        resend: bool,
    ) -> Result<(Connection, Vec<Result<Outcome, Error>>), String> {
        let connection = peer.connect_as(&self.container).await?;
        let session = connection.create_session(SessionOptions::new()).await;
        let session = session.during("begin a session")?;
        let resumed = check::soon("resume", self.sender.resume(&session, resend)).await?;
        if let Err(error) = resumed {
            another_session(&error)?;
            let session = connection.create_session(SessionOptions::new()).await;
            let session = session.during("begin another session")?;
            let again = self.sender.resume(&session, resend);
            check::soon("resume", again).await?.during("resume")?;
        }
        let mut receipts = std::mem::take(&mut self.receipts);
        let message = content::message(receipts.len() as u64, SMALL);
        let receipt = self.sender.enqueue(message).await.during("enqueue")?;
        receipts.push(receipt);
        let mut outcomes = Vec::new();
        for receipt in receipts {
            outcomes.push(check::soon("send", receipt).await?);
        }
        Ok((connection, outcomes))
    }
}

/// Attaches a receiver again, in this session or, where the peer ends that, in another one.
async fn resume(
    connection: &Connection,
    receiver: &Receiver,
    session: &Session,
) -> Result<Option<Session>, String> {
    let Err(error) = check::soon("resume", receiver.resume(session)).await? else {
        return Ok(None);
    };
    another_session(&error)?;
    let session = connection.create_session(SessionOptions::new()).await;
    let session = session.during("begin another session")?;
    let again = check::soon("resume", receiver.resume(&session)).await?;
    again.during("resume")?;
    Ok(Some(session))
}

/// Fails unless our attach told of what was unsettled, if anything was, and the broker showed that it resumes nothing. Broker-J forgets
/// the links of a lost connection: there it has no map, and answers one that is empty.
fn not_resumed(peer: &Peer, recording: &Recording) -> Result<(), String> {
    let told = recording.last(&["-> ", " attach(", " unsettled={"]);
    let told = told.ok_or("we do not tell what is unsettled")?;
    let answered = recording.last(&["<- ", " attach(", " unsettled={"]);
    if let Some(frame) = answered.filter(|frame| !frame.contains(" unsettled={}")) {
        return Err(format!("it resumes: {frame}"));
    }
    let ended = recording.last(&["<- ", " end(", ":amqp:not-implemented"]);
    match peer.kind {
        // Where all had their outcomes in time, there was nothing to tell.
        Kind::Rabbit if ended.is_none() && !told.contains(" unsettled={}") => {
            Err(format!("the session goes on after {told}"))
        }
        _ => Ok(()),
    }
}

/// RabbitMQ ends the session of a link that tells of unsettled deliveries.
fn another_session(error: &Error) -> Result<(), String> {
    check::condition(error, &ErrorCondition::NotImplemented)?;
    match error.kind() {
        ErrorKind::SessionEnded => Ok(()),
        _ => Err(format!("{error:?}")),
    }
}

/// What was held when the connection went comes again, to this link or to another one; what was settled does not.
async fn lost_receiver(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.fresh("lost-receiver").await?;
    let container = peer.name("ok-lost-receiver");
    let recording = wire::record();
    let first = peer.connect_as(&container).await?;
    check::fill(&first, &address, 0..20, SMALL).await?;
    let name = peer.name("lost-receiver");
    let options = ReceiverOptions::new().name(name).resumable().prefetch(10);
    let receiver = first.create_receiver_with(&address, options).await;
    let receiver = receiver.during("attach")?;
    check::take(&receiver, 0..5, SMALL).await?;
    // The answer to a later frame says that the settlements have arrived.
    check::fill(&first, &address, 20..21, SMALL).await?;
    let held = check::next(&receiver).await?;
    control::close_connections(peer, &container).await?;
    check::soon("lose the connection", first.closed())
        .await?
        .ok();
    let second = peer.connect_as(&container).await?;
    let session = second.create_session(SessionOptions::new()).await;
    let session = session.during("begin a session")?;
    resume(&second, &receiver, &session).await?;
    not_resumed(peer, &recording)?;
    held.accept();
    let rest = drained(&receiver, 16).await?;
    complete(&rest, 5..21, 1, &[])?;
    second.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Takes and accepts all that is there; how often each number came.
async fn everything(connection: &Connection, address: &str) -> Result<BTreeMap<u64, u32>, String> {
    let options = ReceiverOptions::new().prefetch(1_000);
    let receiver = connection.create_receiver_with(address, options).await;
    let receiver = receiver.during("attach a receiver")?;
    let mut numbers = BTreeMap::new();
    // Nothing for a second: the queue has no more.
    while let Ok(next) = tokio::time::timeout(Duration::from_secs(1), receiver.recv()).await {
        count(&next.during("receive")?, &mut numbers)?;
    }
    receiver.close().await.during("close the receiver")?;
    check::empty(connection, address).await?;
    Ok(numbers)
}

/// Takes and accepts so many.
async fn drained(receiver: &Receiver, many: usize) -> Result<BTreeMap<u64, u32>, String> {
    let mut numbers = BTreeMap::new();
    for _ in 0..many {
        count(&check::next(receiver).await?, &mut numbers)?;
    }
    Ok(numbers)
}

fn count(delivery: &amqp_client::Delivery, numbers: &mut BTreeMap<u64, u32>) -> Result<(), String> {
    let message = delivery.message().during("decode")?;
    let id = message
        .properties
        .and_then(|properties| properties.message_id);
    let Some(MessageId::Ulong(number)) = id else {
        return Err(format!("a message with the id {id:?}"));
    };
    *numbers.entry(number).or_default() += 1;
    delivery.accept();
    Ok(())
}

/// Each number came once at least and `most` times at most; those in `open` may not have come.
fn complete(
    numbers: &BTreeMap<u64, u32>,
    all: std::ops::Range<u64>,
    most: u32,
    open: &[u64],
) -> Result<(), String> {
    for number in all {
        match numbers.get(&number).copied().unwrap_or(0) {
            0 if open.contains(&number) => {}
            0 => return Err(format!("message {number} is lost")),
            times if times > most => return Err(format!("message {number} came {times} times")),
            _ => {}
        }
    }
    Ok(())
}
