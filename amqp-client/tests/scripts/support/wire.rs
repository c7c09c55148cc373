//! A scripted peer of the handles: the far end of an in-memory pipe, frame by frame.

use amqp_client::types::messaging::SourceArchetype;
use amqp_client::types::transport::{Attach, Detach, Open, Performative, Role, SequenceNo};
use amqp_client::{Connection, ConnectionOptions, Container};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::app::answer_to;
use super::frames::{AMQP, Item, frame, take};
use super::{begin, flow};

/// The peer's end.
pub(crate) struct Wire {
    stream: DuplexStream,
    read: BytesMut,
}

impl Wire {
    /// A client that has connected to this peer and begun a session on channel 0.
    pub(crate) async fn connected(options: ConnectionOptions) -> (Connection, Self) {
        Self::connected_as(options, Open::new("peer")).await
    }

    /// The same, of a peer that opens like this.
    pub(crate) async fn connected_as(options: ConnectionOptions, open: Open) -> (Connection, Self) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let mut wire = Self {
            stream: theirs,
            read: BytesMut::new(),
        };
        let container = Container::new("client");
        let connect = container.connect_stream(ours, options.without_sasl());
        let answer = async {
            wire.write(&AMQP).await;
            wire.write(&frame(0, &open, &[])).await;
            wire.answer_begin(0).await;
        };
        let (connection, ()) = tokio::join!(connect, answer);
        (connection.expect("the connection opens"), wire)
    }

    /// The next performative that `pick` wants; others are passed over.
    pub(crate) async fn expect<T>(&mut self, pick: impl Fn(&Performative) -> Option<T>) -> T {
        self.expect_frame(|performative, _| pick(performative))
            .await
    }

    /// The same, with what follows the performative.
    pub(crate) async fn expect_frame<T>(
        &mut self,
        pick: impl Fn(&Performative, &Bytes) -> Option<T>,
    ) -> T {
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
                if let Some(Item::Frame(_, performative, payload)) = take(&mut whole, &mut 0)
                    && let Some(found) = pick(&performative, &payload)
                {
                    return found;
                }
            }
            let n = self.stream.read_buf(&mut self.read).await;
            assert!(n.expect("the pipe is whole") > 0, "the client goes on");
        }
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) {
        self.stream
            .write_all(octets)
            .await
            .expect("the pipe is whole");
    }

    /// Answers the client's next begin, which is on this channel.
    pub(crate) async fn answer_begin(&mut self, channel: u16) {
        self.expect(|p| matches!(p, Performative::Begin(_)).then_some(()))
            .await;
        let mut answer = begin(0);
        answer.remote_channel = Some(channel);
        self.write(&frame(channel, &answer, &[])).await;
    }

    /// The client's next attach.
    pub(crate) async fn attach(&mut self) -> Attach {
        self.expect(|p| match p {
            Performative::Attach(attach) => Some((**attach).clone()),
            _ => None,
        })
        .await
    }

    /// The client's next detach.
    pub(crate) async fn detach(&mut self) -> Detach {
        self.expect(|p| match p {
            Performative::Detach(detach) => Some(detach.clone()),
            _ => None,
        })
        .await
    }

    /// Answers the client's next attach under handle 0, after `change`; a sender gets a credit of 10.
    pub(crate) async fn answer_attach(&mut self, change: impl FnOnce(&mut Attach)) -> Attach {
        let mine = self.attach().await;
        let mut answer = answer_to(&mine);
        if answer.role == Role::Sender {
            answer.initial_delivery_count = Some(SequenceNo(0));
        }
        change(&mut answer);
        self.write(&frame(0, &answer, &[])).await;
        if answer.role == Role::Receiver {
            let mut grant = flow(Some(0));
            grant.next_incoming_id = None;
            grant.link_credit = Some(10);
            self.write(&frame(0, &grant, &[])).await;
        }
        mine
    }
}

/// The source of an attach, to be changed.
pub(crate) fn source(attach: &mut Attach) -> &mut amqp_client::types::messaging::Source {
    match &mut attach.source {
        Some(SourceArchetype::Source(source)) => source,
        other => panic!("no source: {other:?}"),
    }
}
