//! A scripted peer over the engine: feeds it octets, reads what it writes, with a clock of its own.
//!
//! `Peer::listener` and `Peer::client` hold an engine with the application of the scripts behind it.
//! Every `expect` takes the next thing that the engine wrote and fails on anything else.

pub(crate) mod app;
pub(crate) mod frames;
pub(crate) mod octets;
pub(crate) mod wire;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use amqp_client::proto::{
    Config, Connection, Event, Key, LinkConfig, LinkKey, Outgoing, SaslClient, SaslServer,
    SessionConfig, TransferKind, WriteBuf,
};
use amqp_client::types::messaging::{Source, SourceArchetype, Target, TargetArchetype};
use amqp_client::types::security::SaslFrame;
use amqp_client::types::transport::{
    Attach, Begin, Close, Detach, Disposition, End, Error, ErrorCondition, Flow, Handle, Open,
    Performative, Role, SequenceNo, Transfer, TransferNumber,
};
use amqp_client::types::{Encode, Message, Symbol};
use bytes::{Bytes, BytesMut};

use app::App;
pub(crate) use frames::Item;
use frames::{AMQP, frame};
pub(crate) use octets::{hex, script};

/// The engine, the application behind it, and what it has written.
pub(crate) struct Peer {
    pub(crate) engine: Connection,
    pub(crate) app: App,
    pub(crate) now: Instant,
    input: BytesMut,
    written: VecDeque<Item>,
    /// The largest frame that the engine wrote.
    pub(crate) largest: usize,
}

impl Peer {
    pub(crate) fn listener(config: Config) -> Self {
        Self::new(|now| Connection::listener(now, config, None, false))
    }

    /// A listener that offers ANONYMOUS and takes nothing without the SASL layer.
    pub(crate) fn sasl_listener() -> Self {
        let sasl = SaslServer::new(vec![Symbol::from_static("ANONYMOUS")]);
        Self::new(|now| Connection::listener(now, config(), Some(sasl), true))
    }

    pub(crate) fn client(config: Config, sasl: Option<SaslClient>) -> Self {
        Self::new(|now| Connection::client(now, config, sasl))
    }

    fn new(engine: impl FnOnce(Instant) -> Connection) -> Self {
        let now = Instant::now();
        let mut peer = Self {
            engine: engine(now),
            app: App::default(),
            now,
            input: BytesMut::new(),
            written: VecDeque::new(),
            largest: 0,
        };
        peer.turn();
        peer
    }

    // ---- what the peer does ------------------------------------------------------------------

    /// Writes octets to the engine and lets it and the application work until both are quiet.
    pub(crate) fn write(&mut self, octets: impl AsRef<[u8]>) {
        self.input.extend_from_slice(octets.as_ref());
        let _ = self.engine.handle_input(self.now, &mut self.input);
        self.turn();
        if !self.input.is_empty() && !self.engine.is_finished() {
            // What waited for the application's verdict goes on now.
            let _ = self.engine.handle_input(self.now, &mut self.input);
            self.turn();
        }
    }

    /// Writes a frame on a channel.
    pub(crate) fn send(&mut self, channel: u16, performative: impl Encode) {
        self.write(frame(channel, &performative, &[]));
    }

    /// Writes a frame on a channel, and does not let the engine answer yet.
    pub(crate) fn send_quietly(&mut self, channel: u16, performative: impl Encode) {
        self.input
            .extend_from_slice(&frame(channel, &performative, &[]));
        let _ = self.engine.handle_input(self.now, &mut self.input);
    }

    /// Writes a transfer with a payload on a channel.
    pub(crate) fn transfer(&mut self, channel: u16, transfer: Transfer, payload: &[u8]) {
        self.write(frame(channel, &transfer, payload));
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.engine.handle_timeout(self.now);
        self.turn();
    }

    /// Lets the engine and the application work until both are quiet.
    pub(crate) fn turn(&mut self) {
        let mut out = WriteBuf::new();
        loop {
            let mut quiet = true;
            while let Some(event) = self.engine.poll_event() {
                self.app.on_event(&mut self.engine, event);
                quiet = false;
            }
            let more = self.engine.poll_transmit(self.now, &mut out);
            let mut written = BytesMut::from(&out.take()[..]);
            while let Some(item) = frames::take(&mut written, &mut self.largest) {
                self.written.push_back(item);
                quiet = false;
            }
            // Writing may have said something, too.
            if let Some(event) = self.engine.poll_event() {
                self.app.on_event(&mut self.engine, event);
                quiet = false;
            }
            if quiet && !more {
                return;
            }
        }
    }

    // ---- how far an ordinary exchange goes ---------------------------------------------------

    /// Header and open, both ways.
    pub(crate) fn opened(config: Config) -> Self {
        let mut peer = Self::listener(config);
        peer.write(AMQP);
        peer.send(0, Open::new("peer"));
        peer.header(AMQP);
        peer.open();
        peer
    }

    /// The same, and a session that the peer began on channel 0.
    pub(crate) fn begun(config: Config) -> Self {
        let mut peer = Self::opened(config);
        peer.send(0, begin(0));
        peer.begin();
        peer
    }

    /// A client that is open and has a session; the peer answers on channel 0.
    pub(crate) fn client_begun(config: Config, session: SessionConfig) -> (Self, Key) {
        let mut peer = Self::client_opened(config, Open::new("peer"));
        let key = peer.engine.begin(session).expect("a channel is free");
        peer.turn();
        let (channel, _) = peer.begin();
        let mut answer = begin(0);
        answer.remote_channel = Some(channel);
        peer.send(0, answer);
        (peer, key)
    }

    /// A client that authenticates before it opens.
    pub(crate) fn sasl_client() -> Self {
        Self::client(config(), Some(SaslClient::new()))
    }

    /// A client whose open was answered.
    pub(crate) fn client_opened(config: Config, open: Open) -> Self {
        let mut peer = Self::client(config, None);
        peer.header(AMQP);
        peer.open();
        peer.write(AMQP);
        peer.send(0, open);
        peer
    }

    /// The engine attaches a link and the peer answers it under its own handle.
    pub(crate) fn attached(
        &mut self,
        session: Key,
        name: &str,
        role: Role,
        handle: u32,
    ) -> LinkKey {
        let link = self.attach_link(session, attach(name, 0, role));
        let mine = self.attach();
        let mut answer = app::answer_to(&mine);
        answer.handle = Handle(handle);
        if answer.role == Role::Sender {
            answer.initial_delivery_count = Some(SequenceNo(0));
        }
        self.send(0, answer);
        link
    }

    /// The engine attaches a link; the peer has not answered.
    pub(crate) fn attach_link(&mut self, session: Key, attach: Attach) -> LinkKey {
        let link = self
            .engine
            .attach(session, Box::new(attach), LinkConfig::default());
        self.turn();
        link.expect("a handle is free")
    }

    /// The same, without letting the engine write yet.
    pub(crate) fn attach_link_quietly(&mut self, session: Key, attach: Attach) -> LinkKey {
        let link = self
            .engine
            .attach(session, Box::new(attach), LinkConfig::default());
        link.expect("a handle is free")
    }

    /// Queues a message of this text on a sending link.
    pub(crate) fn send_message(&mut self, link: LinkKey, seq: u64, settled: bool) {
        self.engine.send(link, [outgoing(seq, settled)]);
        self.turn();
    }

    /// Grants credit to the engine's sender behind handle 0 of channel 0.
    pub(crate) fn grant(&mut self, delivery_count: u32, credit: u32) {
        let mut grant = flow(Some(0));
        grant.delivery_count = Some(SequenceNo(delivery_count));
        grant.link_credit = Some(credit);
        grant.next_incoming_id = None;
        self.send(0, grant);
    }

    // ---- what the engine wrote ---------------------------------------------------------------

    /// The next thing that the engine wrote.
    pub(crate) fn next(&mut self) -> Item {
        self.written.pop_front().expect("the engine writes more")
    }

    /// The same, or nothing.
    pub(crate) fn try_next(&mut self) -> Option<Item> {
        self.written.pop_front()
    }

    /// Forgets what was written and seen so far.
    pub(crate) fn forget(&mut self) {
        self.written.clear();
        self.app.events.clear();
    }

    /// The last session that was begun.
    pub(crate) fn session(&self) -> Key {
        let last = self.app.events.iter().rev().find_map(|event| match event {
            Event::SessionBegun { session, .. } => Some(*session),
            _ => None,
        });
        last.expect("a session was begun")
    }

    fn frame<T: std::fmt::Debug>(
        &mut self,
        what: &str,
        pick: impl FnOnce(Performative) -> Result<T, Performative>,
    ) -> (u16, T, Bytes) {
        match self.written.pop_front() {
            Some(Item::Frame(channel, performative, payload)) => match pick(performative) {
                Ok(frame) => (channel, frame, payload),
                Err(other) => panic!("{what} is due, and {other:?} came; then {:?}", self.written),
            },
            other => panic!("{what} is due, and {other:?} came; then {:?}", self.written),
        }
    }

    pub(crate) fn header(&mut self, header: [u8; 8]) {
        match self.written.pop_front() {
            Some(Item::Header(found)) if found == header => {}
            other => panic!("the header {header:?} is due, and {other:?} came"),
        }
    }

    pub(crate) fn sasl(&mut self) -> SaslFrame {
        match self.written.pop_front() {
            Some(Item::Sasl(frame)) => frame,
            other => panic!("a SASL frame is due, and {other:?} came"),
        }
    }

    /// An empty frame on channel 0, the heartbeat.
    pub(crate) fn heartbeat(&mut self) {
        match self.written.pop_front() {
            Some(Item::Empty(0)) => {}
            other => panic!("an empty frame is due, and {other:?} came"),
        }
    }

    pub(crate) fn open(&mut self) -> Open {
        let (channel, open, _) = self.frame("an open", |p| match p {
            Performative::Open(open) => Ok(*open),
            other => Err(other),
        });
        assert_eq!(channel, 0, "open goes on channel 0");
        open
    }

    pub(crate) fn begin(&mut self) -> (u16, Begin) {
        let (channel, begin, _) = self.frame("a begin", |p| match p {
            Performative::Begin(begin) => Ok(*begin),
            other => Err(other),
        });
        (channel, begin)
    }

    pub(crate) fn attach(&mut self) -> Attach {
        self.attach_on().1
    }

    pub(crate) fn attach_on(&mut self) -> (u16, Attach) {
        let (channel, attach, _) = self.frame("an attach", |p| match p {
            Performative::Attach(attach) => Ok(*attach),
            other => Err(other),
        });
        (channel, attach)
    }

    pub(crate) fn flow(&mut self) -> Flow {
        let pick = |p| match p {
            Performative::Flow(flow) => Ok(flow),
            other => Err(other),
        };
        self.frame("a flow", pick).1
    }

    pub(crate) fn transfer_frame(&mut self) -> (Transfer, Bytes) {
        let (_, transfer, payload) = self.frame("a transfer", |p| match p {
            Performative::Transfer(transfer) => Ok(transfer),
            other => Err(other),
        });
        (transfer, payload)
    }

    pub(crate) fn disposition(&mut self) -> Disposition {
        let pick = |p| match p {
            Performative::Disposition(disposition) => Ok(disposition),
            other => Err(other),
        };
        self.frame("a disposition", pick).1
    }

    pub(crate) fn detach(&mut self) -> Detach {
        let pick = |p| match p {
            Performative::Detach(detach) => Ok(detach),
            other => Err(other),
        };
        self.frame("a detach", pick).1
    }

    pub(crate) fn end(&mut self) -> (u16, End) {
        let (channel, end, _) = self.frame("an end", |p| match p {
            Performative::End(end) => Ok(end),
            other => Err(other),
        });
        (channel, end)
    }

    pub(crate) fn close(&mut self) -> Close {
        let (channel, close, _) = self.frame("a close", |p| match p {
            Performative::Close(close) => Ok(close),
            other => Err(other),
        });
        // [CON-28]
        assert_eq!(channel, 0, "close goes on channel 0");
        close
    }

    /// Nothing more has been written.
    pub(crate) fn quiet(&mut self) {
        assert!(
            self.written.is_empty(),
            "nothing is due: {:?}",
            self.written
        );
    }

    /// Skips flows, which may come at any time.
    pub(crate) fn skip_flows(&mut self) {
        let is_flow = |item: &Item| matches!(item, Item::Frame(_, Performative::Flow(_), _));
        self.written.retain(|item| !is_flow(item));
    }

    /// A close with one of these conditions, and nothing behind it; the peer answers it.
    pub(crate) fn closed_with(&mut self, conditions: &[ErrorCondition]) {
        self.skip_flows();
        let close = self.close();
        assert_condition(close.error.as_deref(), conditions);
        self.quiet();
        self.send(0, Close::default());
        self.quiet();
        assert!(self.engine.is_finished(), "the stream is closed next");
    }

    /// A closing detach of our handle with one of these conditions; session and connection stay.
    pub(crate) fn detached_with(&mut self, conditions: &[ErrorCondition]) {
        self.skip_flows();
        let detach = self.detach();
        assert!(detach.closed, "an error closes the link");
        assert_condition(detach.error.as_deref(), conditions);
        self.quiet();
        assert!(!self.engine.is_finished());
    }

    /// An end with one of these conditions; the connection stays.
    pub(crate) fn ended_with(&mut self, conditions: &[ErrorCondition]) {
        self.skip_flows();
        let (_, end) = self.end();
        assert_condition(end.error.as_deref(), conditions);
        self.quiet();
        assert!(!self.engine.is_finished());
    }

    // ---- what the application saw ------------------------------------------------------------

    /// The first event for which `pick` has something.
    pub(crate) fn saw<T>(&self, pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        self.app.events.iter().find_map(pick)
    }

    pub(crate) fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.app.events.iter().filter(|event| is(event)).count()
    }
}

/// The error is there, and its condition is one of these; a description says more.
pub(crate) fn assert_condition(error: Option<&Error>, conditions: &[ErrorCondition]) {
    let error = error.expect("there is an error");
    // tests: [CON-33] [PRF-27] [PRF-29]
    assert!(conditions.contains(&error.condition), "{error:?}");
    assert!(error.description.is_some(), "a description says what");
    assert!(
        !matches!(error.condition, ErrorCondition::Other(_)),
        "the standard has the condition"
    );
}

/// The configuration of the scripts' listener.
pub(crate) fn config() -> Config {
    Config::new("iut")
}

/// A begin of the peer's own with an id to start from.
pub(crate) fn begin(next_outgoing_id: u32) -> Begin {
    Begin::new(TransferNumber(next_outgoing_id), 2048, 2048)
}

/// An attach by the one who writes it, to the node `q`.
pub(crate) fn attach(name: &str, handle: u32, role: Role) -> Attach {
    let mut attach = Attach::new(name, Handle(handle), role);
    let mut source = Source::default();
    let mut target = Target::default();
    match role {
        Role::Sender => {
            target.address = Some("q".into());
            attach.initial_delivery_count = Some(SequenceNo(0));
        }
        Role::Receiver => source.address = Some("q".into()),
    }
    attach.source = Some(SourceArchetype::Source(source));
    attach.target = Some(TargetArchetype::Target(target));
    attach
}

/// A flow of a peer that has received nothing and sent nothing.
pub(crate) fn flow(handle: Option<u32>) -> Flow {
    let mut flow = Flow::new(2048, TransferNumber(0), 2048);
    flow.next_incoming_id = Some(TransferNumber(0));
    flow.handle = handle.map(Handle);
    flow
}

/// The first transfer of a delivery; its tag is the low octet of its id.
pub(crate) fn first_transfer(handle: u32, id: u32) -> Transfer {
    use amqp_client::types::transport::{DeliveryNumber, DeliveryTag, MessageFormat};
    let mut transfer = Transfer::new(Handle(handle));
    transfer.delivery_id = Some(DeliveryNumber(id));
    transfer.delivery_tag = DeliveryTag::try_from(vec![id as u8]).ok();
    transfer.message_format = Some(MessageFormat(0));
    transfer
}

/// An encoded message that holds this text.
pub(crate) fn message(text: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    Message::from(text).encode(&mut out);
    out.to_vec()
}

/// A message to be sent, of a text that names it.
pub(crate) fn outgoing(seq: u64, settled: bool) -> Outgoing {
    Outgoing {
        seq,
        payload: message(&format!("m{seq}")).into(),
        settled,
        tag: None,
        message_format: 0,
        state: None,
        kind: TransferKind::New,
        stream: false,
        hold: false,
    }
}
