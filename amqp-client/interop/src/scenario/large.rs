//! Messages of 10 MB, whole and streamed, aborted, and larger than either side takes. Sections 2.6.14, 2.7.3.

use amqp_client::types::Binary;
use amqp_client::types::messaging::MessageId;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{Body, ErrorKind, Message, ReceiverOptions, SendSettings, StreamingDelivery};

use crate::check::{self, During};
use crate::content::{self, HUGE, SMALL};
use crate::control::Shape;
use crate::peer::{Kind, Peer};
use crate::report::Verdict;
use crate::scenario::Scenario;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!("10 MB, both ways", whole),
    scenario!("10 MB, streamed out", streamed_out),
    scenario!("10 MB, streamed in", streamed_in),
    scenario!("stream aborted", aborted),
    scenario!("sizes about 100 KiB", threshold),
    scenario!("larger than the peer takes", too_large_for_peer),
    scenario!("larger than we take", too_large_for_us),
    scenario!("several data sections", sections),
];

const CLASSIC: Shape = Shape {
    limit: None,
    flow_control: false,
    attempts: None,
    classic: true,
    exclusive: false,
    hold: false,
};

async fn whole(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.shaped("auto.huge", CLASSIC).await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..3, HUGE).await?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 0..3, HUGE).await?;
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn streamed_out(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.shaped("auto.streamed-out", CLASSIC).await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    for number in 0..2 {
        let head = Message::new().with_message_id(number);
        let body = content::body(number, HUGE);
        let outcome = check::soon("stream", sender.send_from(head, &body[..])).await?;
        check::is(&outcome.during("stream")?, "accepted")?;
    }
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    check::take(&receiver, 0..2, HUGE).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

async fn streamed_in(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.shaped("auto.streamed-in", CLASSIC).await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..2, HUGE).await?;
    let options = ReceiverOptions::new().streaming();
    let receiver = connection.create_receiver_with(&address, options).await;
    let receiver = receiver.during("attach a receiver")?;
    for number in 0..2 {
        let stream = check::soon("receive", receiver.recv_stream()).await?;
        let mut stream = stream.during("receive")?;
        read(&mut stream, number, HUGE).await?;
        stream.delivery().accept();
    }
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Reads a message while it arrives, and compares it piece by piece.
pub(super) async fn read(
    stream: &mut StreamingDelivery,
    number: u64,
    size: usize,
) -> Result<(), String> {
    let head = check::soon("read", stream.head()).await?.during("read")?;
    let id = head.properties.and_then(|properties| properties.message_id);
    if id != Some(MessageId::Ulong(number)) {
        return Err(format!("message {number} has the id {id:?}"));
    }
    let body = content::body(number, size);
    let mut at = 0;
    while let Some(piece) = check::soon("read", stream.next()).await?.during("read")? {
        let end = at + piece.len();
        if body.get(at..end) != Some(&piece[..]) {
            return Err(format!("message {number} differs behind octet {at}"));
        }
        at = end;
    }
    match at == size {
        true => Ok(()),
        false => Err(format!("message {number} ends after {at} octets")),
    }
}

/// What was begun and given up leaves no trace: the next message is the first one that arrives.
async fn aborted(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.shaped("auto.aborted", CLASSIC).await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let head = Message::new().with_message_id(99);
    let stream = sender.stream(head, SendSettings::default()).await;
    let mut stream = stream.during("begin a stream")?;
    for _ in 0..8 {
        let written = stream.write(content::body(99, 64 * 1024));
        check::soon("write", written).await?.during("write")?;
    }
    drop(stream);
    check::send(&sender, 0..1, SMALL).await?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    if peer.kind == Kind::Rabbit {
        // It takes the transfer that aborts a message for the one that ends it.
        let torso = check::next(&receiver).await?;
        // Where it was cut decides whether it can be read at all.
        if content::number(&torso).is_ok_and(|number| number != 99) {
            return Err("neither the aborted message nor a hint at it came".into());
        }
        torso.accept();
        check::take(&receiver, 0..1, SMALL).await?;
        connection.close().await.during("close")?;
        return Ok(Verdict::NotSupported(
            "the aborted message is delivered as far as it was sent".into(),
        ));
    }
    check::take(&receiver, 0..1, SMALL).await?;
    receiver.close().await.during("close the receiver")?;
    check::empty(&connection, &address).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// Where Artemis begins to keep messages in files of their own.
async fn threshold(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.shaped("auto.threshold", CLASSIC).await?;
    let connection = peer.connect().await?;
    let sizes = (102_300..102_500).step_by(10);
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    for (number, size) in (0..).zip(sizes) {
        check::send(&sender, number..number + 1, size).await?;
        check::take(&receiver, number..number + 1, size).await?;
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// What the peer said in its attach is kept to before anything is sent, and the link goes on.
async fn too_large_for_peer(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.shaped("auto.too-large", CLASSIC).await?;
    let connection = peer.connect().await?;
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let limit = sender.remote().and_then(|attach| attach.max_message_size);
    let Some(limit) = limit.filter(|limit| *limit != 0) else {
        return Ok(Verdict::NotSupported("its attach names no limit".into()));
    };
    let size = usize::try_from(limit).during("read the limit")?;
    match sender.enqueue(content::message(0, size)).await {
        Ok(_) => return Err(format!("the limit is {limit}, and more was taken")),
        Err(error) if error.kind() == ErrorKind::Limit => {}
        Err(error) => return Err(format!("{error:?}")),
    }
    check::send(&sender, 0..1, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}

/// A peer that keeps to our limit does something else with the message; one that does not loses the link.
async fn too_large_for_us(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.shaped("auto.limited", CLASSIC).await?;
    let connection = peer.connect().await?;
    check::fill(&connection, &address, 0..1, 100_000).await?;
    check::fill(&connection, &address, 1..2, SMALL).await?;
    let options = ReceiverOptions::new().max_message_size(1_000);
    let receiver = connection.create_receiver_with(&address, options).await;
    let receiver = receiver.during("attach a receiver")?;
    let verdict = match check::soon("receive", receiver.recv()).await? {
        Ok(delivery) => {
            content::check(&delivery, 1, SMALL)?;
            delivery.accept();
            Verdict::Pass
        }
        Err(error) => {
            check::condition(&error, &ErrorCondition::MessageSizeExceeded)?;
            Verdict::NotSupported("it sends more than our attach allows; the link is closed".into())
        }
    };
    // Whatever became of the link, the session goes on.
    check::fill(&connection, &address, 2..3, SMALL).await?;
    connection.close().await.during("close")?;
    Ok(verdict)
}

/// The borders of sections are part of the message.
async fn sections(peer: &Peer) -> Result<Verdict, String> {
    let address = peer.shaped("auto.sections", CLASSIC).await?;
    let connection = peer.connect().await?;
    let sections = [0, 1, 300, 70_000].map(|size| Binary::from(content::body(1, size)));
    let body = Body::Data(sections.to_vec().into());
    let sender = connection.create_sender(&address).await;
    let sender = sender.during("attach a sender")?;
    let message = Message::new().with_body(body.clone());
    let outcome = sender.send(message).await.during("send")?;
    check::is(&outcome, "accepted")?;
    let receiver = connection.create_receiver(&address).await;
    let receiver = receiver.during("attach a receiver")?;
    let delivery = check::next(&receiver).await?;
    let message = delivery.message().during("decode")?;
    delivery.accept();
    if message.body != body {
        return Err("the sections came back otherwise".into());
    }
    connection.close().await.during("close")?;
    Ok(Verdict::Pass)
}
