//! Rules that the handles decide and not the engine, against a scripted peer on an in-memory pipe.
//! Sections 3.4, 3.5.3.

use amqp_client::types::messaging::{Accepted, Outcome, Released, SourceArchetype};
use amqp_client::types::transport::{
    Attach, DeliveryNumber, Disposition, Open, Performative, Role,
};
use amqp_client::{Connection, ConnectionOptions, Container, Message, Sender};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::support::app::answer_to;
use crate::support::frames::{AMQP, Item, frame, take};
use crate::support::{begin, flow};

/// The far end of a pipe, frame by frame.
struct Wire {
    stream: DuplexStream,
    read: BytesMut,
}

impl Wire {
    /// The next performative that `pick` wants; others are passed over.
    async fn expect<T>(&mut self, pick: impl Fn(&Performative) -> Option<T>) -> T {
        loop {
            while let Some(size) = self.read.first_chunk::<4>() {
                let size = match self.read.starts_with(b"AMQP") {
                    true => 8,
                    false => u32::from_be_bytes(*size) as usize,
                };
                if self.read.len() < size {
                    break;
                }
                let mut whole = self.read.split_to(size);
                if let Some(Item::Frame(_, performative, _)) = take(&mut whole, &mut 0)
                    && let Some(found) = pick(&performative)
                {
                    return found;
                }
            }
            let n = self.stream.read_buf(&mut self.read).await;
            assert!(n.expect("the pipe is whole") > 0, "the client goes on");
        }
    }

    async fn write(&mut self, octets: &[u8]) {
        self.stream
            .write_all(octets)
            .await
            .expect("the pipe is whole");
    }
}

/// A sender whose peer's attach names this default outcome.
async fn sender(default_outcome: Option<Outcome>) -> (Connection, Sender, Wire) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let mut wire = Wire {
        stream: theirs,
        read: BytesMut::new(),
    };
    let attach = async {
        let container = Container::new("client");
        let options = ConnectionOptions::new().without_sasl();
        let connection = container.connect_stream(ours, options).await;
        let connection = connection.expect("the connection opens");
        let sender = connection.create_sender("q").await;
        (connection, sender.expect("the sender is attached"))
    };
    let answer = async {
        wire.write(&AMQP).await;
        wire.write(&frame(0, &Open::new("peer"), &[])).await;
        wire.expect(|p| matches!(p, Performative::Begin(_)).then_some(()))
            .await;
        let mut answer = begin(0);
        answer.remote_channel = Some(0);
        wire.write(&frame(0, &answer, &[])).await;
        let mine: Box<Attach> = wire
            .expect(|p| match p {
                Performative::Attach(attach) => Some(attach.clone()),
                _ => None,
            })
            .await;
        let mut answer = answer_to(&mine);
        if let Some(SourceArchetype::Source(source)) = &mut answer.source {
            source.default_outcome = default_outcome;
        }
        wire.write(&frame(0, &answer, &[])).await;
        let mut grant = flow(Some(0));
        grant.next_incoming_id = None;
        grant.link_credit = Some(10);
        wire.write(&frame(0, &grant, &[])).await;
        wire
    };
    let ((connection, sender), wire) = tokio::join!(attach, answer);
    (connection, sender, wire)
}

#[tokio::test(start_paused = true)]
async fn settled_without_a_state_is_the_default_outcome() {
    // tests: [OUT-14] [SRC-23]
    let released = Outcome::from(Released::default());
    let accepted = Outcome::from(Accepted::default());
    for (default, expected) in [(Some(released.clone()), released), (None, accepted)] {
        let (_connection, sender, mut wire) = sender(default).await;
        let settle = async {
            let id: DeliveryNumber = wire
                .expect(|p| match p {
                    Performative::Transfer(transfer) => transfer.delivery_id,
                    _ => None,
                })
                .await;
            let mut silent = Disposition::new(Role::Receiver, id);
            silent.settled = true;
            wire.write(&frame(0, &silent, &[])).await;
        };
        let (outcome, ()) = tokio::join!(sender.send(Message::from("m")), settle);
        assert_eq!(outcome.expect("it is settled"), expected);
    }
}
