//! A peer that a test plays frame by frame.

use amqp_client::ConnectionOptions;
use amqp_client::types::messaging::{Source, SourceArchetype, Target, TargetArchetype};
use amqp_client::types::transport::{
    Attach, Begin, Close, DeliveryNumber, Disposition, Flow, Handle, Open, Performative, Role,
    SequenceNo, Transfer, TransferNumber,
};
use amqp_client::types::{Decode, Decoder, Encode, Message};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const AMQP: &[u8; 8] = b"AMQP\x00\x01\x00\x00";

/// Where a peer waits for its client.
pub(crate) struct Waiting(TcpListener);

impl Waiting {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://{}", self.0.local_addr().unwrap())
    }

    /// Accepts a client and opens.
    pub(crate) async fn open(&self, open: Open) -> Peer {
        let (mut stream, _) = self.0.accept().await.unwrap();
        stream.write_all(AMQP).await.unwrap();
        let mut header = [0; 8];
        stream.read_exact(&mut header).await.unwrap();
        assert_eq!(&header, AMQP);
        let mut peer = Peer {
            stream,
            read: BytesMut::new(),
        };
        peer.write(&open).await;
        peer
    }

    /// Accepts a client, opens, and begins its session.
    pub(crate) async fn begin(&self) -> Peer {
        self.begin_with(Open::new("peer")).await
    }

    /// The same, with an open of the test's own.
    pub(crate) async fn begin_with(&self, open: Open) -> Peer {
        let mut peer = self.open(open).await;
        peer.until(|frame| matches!(frame, Performative::Begin(_)))
            .await;
        let mut begin = Begin::new(TransferNumber(0), 2048, 2048);
        begin.remote_channel = Some(0);
        peer.write(&begin).await;
        peer
    }
}

/// What a client without a SASL layer is connected with.
pub(crate) fn plain() -> ConnectionOptions {
    ConnectionOptions::new().without_sasl()
}

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    read: BytesMut,
}

impl Peer {
    /// Connects to a listener, as a client without a SASL layer.
    pub(crate) async fn connect(address: std::net::SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(AMQP).await.unwrap();
        let mut header = [0; 8];
        stream.read_exact(&mut header).await.unwrap();
        assert_eq!(&header, AMQP);
        Self {
            stream,
            read: BytesMut::new(),
        }
    }

    pub(crate) async fn write(&mut self, performative: &impl Encode) {
        let octets = frame(performative, &[]);
        self.stream.write_all(&octets).await.unwrap();
    }

    /// A transfer with a piece of a message.
    pub(crate) async fn transfer(&mut self, number: u32, more: bool, aborted: bool) {
        let mut transfer = Transfer::new(Handle(0));
        transfer.delivery_id = Some(DeliveryNumber(number));
        transfer.delivery_tag = Some((&[number as u8][..]).try_into().unwrap());
        transfer.more = more;
        transfer.aborted = aborted;
        let payload = match aborted {
            true => Bytes::new(),
            false => {
                let mut octets = BytesMut::new();
                Message::from(format!("m{number}")).encode(&mut octets);
                octets.freeze()
            }
        };
        let octets = frame(&transfer, &payload);
        self.stream.write_all(&octets).await.unwrap();
    }

    /// The next frame that is more than a heartbeat.
    pub(crate) async fn next(&mut self) -> Performative {
        loop {
            if self.read.len() >= 4 {
                let size = u32::from_be_bytes(self.read[..4].try_into().unwrap()) as usize;
                if self.read.len() >= size {
                    let body = self.read.split_to(size).freeze().slice(8..);
                    if body.is_empty() {
                        continue;
                    }
                    return Performative::decode(&mut Decoder::new(&body)).unwrap();
                }
            }
            let n = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(n > 0, "the client hung up");
        }
    }

    /// Reads on until a frame is what is looked for.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Performative) -> bool) -> Performative {
        loop {
            let frame = self.next().await;
            if wanted(&frame) {
                return frame;
            }
        }
    }

    /// Waits for the client's attach and answers it as it asks.
    pub(crate) async fn attach(&mut self) -> Attach {
        let frame = self
            .until(|frame| matches!(frame, Performative::Attach(_)))
            .await;
        let Performative::Attach(asked) = frame else {
            unreachable!()
        };
        let role = match asked.role {
            Role::Sender => Role::Receiver,
            Role::Receiver => Role::Sender,
        };
        let mut answer = Attach::new(asked.name.clone(), asked.handle, role);
        answer.snd_settle_mode = asked.snd_settle_mode;
        answer.rcv_settle_mode = asked.rcv_settle_mode;
        answer.source = Some(SourceArchetype::Source(Source::default()));
        answer.target = Some(TargetArchetype::Target(Target::default()));
        if role == Role::Sender {
            answer.initial_delivery_count = Some(SequenceNo(0));
        }
        self.write(&answer).await;
        *asked
    }

    /// Grants credit on the first link.
    pub(crate) async fn flow(&mut self, received: u32, credit: u32, drain: bool) {
        self.write(&flow(received, credit, drain)).await;
    }

    /// Reports on deliveries that the client has sent.
    pub(crate) async fn dispose(
        &mut self,
        role: Role,
        number: u32,
        settled: bool,
        state: Option<amqp_client::types::messaging::DeliveryState>,
    ) {
        let mut disposition = Disposition::new(role, DeliveryNumber(number));
        disposition.settled = settled;
        disposition.state = state;
        self.write(&disposition).await;
    }

    /// Waits for the client's close and answers it.
    pub(crate) async fn close(mut self) {
        self.until(|frame| matches!(frame, Performative::Close(_)))
            .await;
        self.write(&Close::default()).await;
    }
}

/// A flow of the first link, whose sender has sent so many messages.
pub(crate) fn flow(received: u32, credit: u32, drain: bool) -> Flow {
    let mut flow = Flow::new(2048, TransferNumber(0), 2048);
    flow.next_incoming_id = Some(TransferNumber(received));
    flow.handle = Some(Handle(0));
    flow.delivery_count = Some(SequenceNo(received));
    flow.link_credit = Some(credit);
    flow.drain = drain;
    flow
}

pub(crate) fn frame(performative: &impl Encode, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_slice(&[0, 0, 0, 0, 2, 0, 0, 0]);
    performative.encode(&mut out);
    out.put_slice(payload);
    let size = out.len() as u32;
    out[..4].copy_from_slice(&size.to_be_bytes());
    out
}
