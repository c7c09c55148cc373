//! One task a connection: it owns the socket, the clock and the engine.
//!
//! Decides the order of a turn and how much of each thing is done in it. The protocol is the
//! engine's, what users see is the handles'.
//!
//! A turn, always in this order:
//!
//! 1. timers: heartbeats, a silent peer, the deadline of a close;
//! 2. read, until there is nothing more or the budget is used;
//! 3. commands: all that the handles have asked for;
//! 4. transmit: the engine writes, the socket takes it in one vectored write;
//! 5. events: deliveries and outcomes go to the handles in batches, one lock a link.

mod authentication;
mod command;
mod commands;
mod dispatch;
mod endpoints;
mod link;
mod names;
mod notice;
mod offers;
mod outcomes;
mod reattach;
mod receiver;
mod report;
mod rounds;
mod sender;
mod session;
mod stats;
mod stream;
mod streamed;
mod tags;
mod waits;

use amqp_types::messaging::DeliveryState;
use std::collections::HashMap;
use std::future::Future;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use amqp_types::transport::Attach;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Sleep;

pub(crate) use command::{
    AttachOrder, Command, ConnectionShared, LinkShared, Reply, SaslAnswer, SaslStep, reply,
    reply_within,
};
pub(crate) use endpoints::mirror;
pub(crate) use link::{MAX_MESSAGE_SIZE, Status, Template};
pub(crate) use names::{LinkNames, Named, Peer};
pub(crate) use notice::{Notice, Tap, Unheard};
pub(crate) use offers::{Offer, Offers};
pub(crate) use receiver::ReceiverShared;
pub(crate) use report::Report;
use rounds::Again;
pub(crate) use sender::{Refusal, Room, SendOptions, SenderShared, Ticket};
pub(crate) use session::SessionShared;
pub use stats::ConnectionStats;
pub(crate) use stream::PartReader;
use stream::PartWriter;

use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::frames::FrameTrace;
use crate::proto::{Connection as Engine, Incoming, Key, LinkKey, Outgoing, WriteBuf};
use crate::transport::BoxedStream;

/// How much is read in one turn before the other steps have theirs.
const READ_BUDGET: usize = 256 * 1024;
/// The room a read is offered at first, and at most; it grows while reads fill it.
const READ_MIN: usize = 4 * 1024;
const READ_MAX: usize = 64 * 1024;
/// How much may wait for the socket before the engine writes no more. What is owed waits in the engine
/// then, where it merges: a peer that reads nothing costs no more than this, whatever it sends.
const WRITE_BACKLOG: usize = 256 * 1024;
/// How many pieces one vectored write takes.
const SLICES: usize = 64;

/// What becomes of the exchange that opens a connection.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The partner's open.
    pub(crate) open: Box<amqp_types::transport::Open>,
    /// Who the client is, as a listener's authenticator has it.
    pub(crate) identity: Option<String>,
}

/// How far a connection has come, for whoever waits with a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The SASL layer, its header included.
    Sasl,
    /// The AMQP header and the open.
    Open,
}

/// What a driver is started with.
pub(crate) struct Setup {
    pub(crate) stream: BoxedStream,
    pub(crate) engine: Engine,
    pub(crate) shared: Arc<ConnectionShared>,
    /// How long the peer may take to answer a close.
    pub(crate) close_deadline: Duration,
    /// Told once the connection is open, or why it is not.
    pub(crate) opened: oneshot::Sender<Result<Opened, Error>>,
    /// Where links that the peer attaches are offered, on a listener.
    pub(crate) offers: Option<Arc<Offers>>,
    /// The mechanism that runs beside the driver.
    pub(crate) sasl: Option<mpsc::UnboundedSender<SaslStep>>,
    /// Told how far the connection has come.
    pub(crate) phase: watch::Sender<Phase>,
}

/// The task of one connection.
pub(crate) struct Driver {
    stream: BoxedStream,
    engine: Engine,
    shared: Arc<ConnectionShared>,
    read: BytesMut,
    read_size: usize,
    write: WriteBuf,
    /// Something was written since the last flush that went through.
    flush_owed: bool,
    octets_in: u64,
    octets_out: u64,
    sleep: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    close_deadline: Duration,
    /// When a close that was begun is given up.
    give_up: Option<Instant>,
    eof: bool,
    /// The socket is of no more use, for this reason.
    failure: Option<Error>,
    /// Why the connection comes to its end, while the goodbyes are still exchanged.
    reason: Option<Error>,
    opened: Option<oneshot::Sender<Result<Opened, Error>>>,
    identity: Option<String>,
    offers: Option<Arc<Offers>>,
    sasl: Option<mpsc::UnboundedSender<SaslStep>>,
    phase: watch::Sender<Phase>,
    /// Who is told everything, where somebody asked for that.
    tap: Option<Tap>,
    /// Prints what crosses the socket, where somebody wants to read it.
    frames: Option<Box<FrameTrace>>,

    sessions: HashMap<Key, SessionEntry>,
    links: HashMap<LinkKey, LinkEntry>,
    /// Links that are detached and may be attached again; the peer may still settle their deliveries.
    suspended: HashMap<LinkKey, LinkShared>,

    // Buffers that are kept from turn to turn.
    watches: Vec<(Arc<ReceiverShared>, LinkKey, u32)>,
    commands: Vec<Command>,
    outbox: Vec<Outgoing>,
    work: receiver::ReceiverWork,
    deliveries: Vec<Incoming>,
    outcomes: Vec<(u64, Option<DeliveryState>)>,
}

struct SessionEntry {
    shared: Arc<SessionShared>,
    begun: Option<Reply<()>>,
    ended: Vec<Reply<()>>,
}

struct LinkEntry {
    shared: LinkShared,
    /// Whoever waits for the answer to our attach.
    attached: Option<Reply<Box<Attach>>>,
    detached: Vec<Reply<()>>,
    /// Whether we have closed the link, so that nothing of it is kept.
    closing: bool,
    /// The delivery that is arriving, on a receiver that reads while deliveries arrive. Dropping it
    /// tells the reader that the rest is not coming.
    stream: Option<PartWriter>,
    drained: Vec<Reply<()>>,
    /// What a link is attached again with by itself, until nothing of it is left out. [LNK-64]
    again: Option<Again>,
}

impl Driver {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            stream: setup.stream,
            engine: setup.engine,
            shared: setup.shared,
            read: BytesMut::new(),
            read_size: READ_MIN,
            write: WriteBuf::new(),
            flush_owed: false,
            octets_in: 0,
            octets_out: 0,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
            close_deadline: setup.close_deadline,
            give_up: None,
            eof: false,
            failure: None,
            reason: None,
            opened: Some(setup.opened),
            identity: None,
            offers: setup.offers,
            sasl: setup.sasl,
            phase: setup.phase,
            tap: None,
            frames: FrameTrace::when_wanted(),
            sessions: HashMap::new(),
            links: HashMap::new(),
            suspended: HashMap::new(),
            watches: Vec::new(),
            commands: Vec::new(),
            outbox: Vec::new(),
            work: receiver::ReceiverWork::default(),
            deliveries: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// One turn. `Ready` when the connection is over.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = tokio::time::Instant::now().into_std();
        // 1. Timers.
        self.timers(now, cx);
        // 2. Read.
        let read_more = self.read(now, cx);
        // 3. Commands.
        self.take_commands();
        // 4. Transmit.
        let write_more = self.transmit(now, cx);
        // 5. Events.
        self.dispatch();

        if self.is_over() {
            if self.write.is_empty() && self.failure.is_none() {
                // The peer has said goodbye: a last flush and FIN, whose failure changes nothing.
                // [TLS-05] [TLS-06]: the layer says goodbye, and the socket's half with it.
                let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
                if let Some(frames) = &self.frames {
                    frames.ended();
                }
            }
            self.finish();
            return Poll::Ready(());
        }
        self.arm(now, cx);
        let pending_commands = self.shared.register(cx);
        if read_more || write_more || pending_commands {
            // There is more to do; others have their turn first.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn is_over(&self) -> bool {
        self.failure.is_some() || (self.engine.is_finished() && self.write.is_empty())
    }

    fn timers(&mut self, now: Instant, cx: &mut Context<'_>) {
        let Some(armed) = self.armed else { return };
        if self.sleep.as_mut().poll(cx).is_pending() && armed > now {
            return;
        }
        self.armed = None;
        if self.tap.as_ref().is_some_and(Tap::is_full) {
            // Nobody listens: that is no silence of the peer's.
            self.engine.excuse_silence(now);
        }
        self.engine.handle_timeout(now);
        if self.give_up.is_some_and(|at| at <= now) {
            self.failure
                .get_or_insert_with(|| Error::timed_out("close", ErrorScope::Connection));
        }
    }

    /// Sets the timer when it would fire too late. An early one is looked at when it fires.
    fn arm(&mut self, now: Instant, cx: &mut Context<'_>) {
        let due = match (self.engine.poll_timeout(), self.give_up) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => return,
        };
        if self.armed.is_some_and(|armed| armed <= due && armed > now) {
            return;
        }
        self.armed = Some(due);
        self.sleep
            .as_mut()
            .reset(tokio::time::Instant::from_std(due));
        if self.sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// Reads until the socket is empty or the budget used; answers whether to come back for more.
    fn read(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let mut budget = READ_BUDGET;
        while !self.eof && !self.engine.is_finished() {
            if self.tap.as_ref().is_some_and(|tap| !tap.has_room(cx)) {
                return false;
            }
            if self.read.capacity() - self.read.len() < self.read_size / 4 {
                self.read.reserve(self.read_size);
            }
            let before = self.read.len();
            let result = {
                let future = self.stream.read_buf(&mut self.read);
                tokio::pin!(future);
                future.poll(cx)
            };
            match result {
                Poll::Pending => {
                    if self.read.is_empty() && self.read_size == READ_MIN {
                        // Idle: nothing is kept for what may never come.
                        self.read = BytesMut::new();
                    }
                    return false;
                }
                Poll::Ready(Ok(0)) => {
                    self.eof = true;
                    if let Some(frames) = &self.frames {
                        frames.saw_end();
                    }
                    if !self.engine.handle_eof() {
                        self.fail_with(Error::new(
                            ErrorKind::Io,
                            ErrorScope::Connection,
                            Initiator::Remote,
                            "the peer dropped the connection without a close",
                        ));
                    }
                    return false;
                }
                Poll::Ready(Ok(n)) => {
                    self.octets_in += n as u64;
                    let room = self.read.capacity() - before;
                    if n >= room && self.read_size < READ_MAX {
                        self.read_size = (self.read_size * 4).min(READ_MAX);
                    } else if n < self.read_size / 16 {
                        self.read_size = (self.read_size / 2).max(READ_MIN);
                    }
                    if let Some(frames) = &mut self.frames {
                        frames.received(&self.read[before..]);
                    }
                    // A violation has been answered already; what is left to do is to write it.
                    let _ = self.engine.handle_input(now, &mut self.read);
                    budget = budget.saturating_sub(n);
                    if budget == 0 {
                        return true;
                    }
                    if n < room {
                        // A short read: the socket is empty for now, as far as one can know; the
                        // next poll registers for more.
                        continue;
                    }
                }
                Poll::Ready(Err(error)) => {
                    self.eof = true;
                    self.engine.handle_eof();
                    self.fail_with(Error::io("read", error));
                    return false;
                }
            }
        }
        false
    }

    /// Lets the engine write and the socket take it; answers whether to come back for more.
    fn transmit(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let mut again = true;
        while again {
            let full = self.write.len() >= WRITE_BACKLOG;
            let more = !full && self.engine.poll_transmit(now, &mut self.write);
            if self.write.is_empty() {
                self.flush(cx);
                return false;
            }
            self.flush_owed = true;
            while !self.write.is_empty() {
                match self.write_once(cx) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(n)) => {
                        self.octets_out += n as u64;
                        self.write.advance(n);
                    }
                    Poll::Ready(Err(error)) => {
                        // What the peer said before it went away may be waiting: it is read first.
                        self.fail_with(Error::io("write", error));
                        return false;
                    }
                }
            }
            self.flush(cx);
            if more {
                return true;
            }
            // The engine has not been asked while what waited was too much: nobody else would come back.
            again = full;
        }
        false
    }

    /// Layers such as TLS keep octets that the socket below did not take: they are pushed on.
    fn flush(&mut self, cx: &mut Context<'_>) {
        if self.flush_owed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.flush_owed = false,
                Poll::Ready(Err(error)) => self.fail_with(Error::io("write", error)),
            }
        }
    }

    fn write_once(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.write.slices(&mut slices);
        let n = match filled {
            1 => ready!(Pin::new(&mut self.stream).poll_write(cx, &slices[0]))?,
            _ => ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..filled]))?,
        };
        match n {
            0 => Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
            n => {
                if let Some(frames) = &mut self.frames {
                    frames.sent(&slices[..filled], n);
                }
                Poll::Ready(Ok(n))
            }
        }
    }

    /// The first failure is the one that is reported.
    fn fail_with(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// Everything that waits learns that the connection is over, and why.
    fn finish(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            self.handle_event(event);
        }
        // What the peer or the engine said explains more than the end of the socket does.
        let failure = self.reason.take().or(self.failure.take());
        let error = failure
            .clone()
            .unwrap_or_else(|| Error::closed_locally(ErrorScope::Connection));
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(Err(error.clone()));
        }
        let over = failure.clone();
        let left = self.shared.finish(failure);
        for (_, entry) in self.links.drain() {
            entry.shared.finish(&error, false);
        }
        for (_, entry) in self.sessions.drain() {
            entry.shared.finish(error.clone());
        }
        drop_commands(left, &error);
        if let Some(offers) = self.offers.take() {
            offers.finish();
        }
        self.notice(|| Notice::Over(over));
    }
}

/// Ends a connection whose driver never came to be: whoever waits for something learns why.
pub(crate) fn abandon(shared: &ConnectionShared, error: &Error) {
    drop_commands(shared.finish(Some(error.clone())), error);
}

/// Commands that nobody takes any more.
fn drop_commands(commands: Vec<Command>, error: &Error) {
    for command in commands {
        match command {
            Command::Outbox(link) => link.finish(error, false),
            Command::Inbox(link) => link.finish(error, false),
            Command::Attach { order, .. } | Command::Accept { order, .. } => {
                order.shared.finish(error, false);
            }
            Command::Tap(tap) => tap.tell(Notice::Over(Some(error.clone()))),
            _ => {}
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().turn(cx)
    }
}

impl Drop for Driver {
    /// A runtime that shuts down drops the task: nobody is left waiting.
    fn drop(&mut self) {
        if self.shared.over().is_none() {
            self.fail_with(Error::new(
                ErrorKind::Io,
                ErrorScope::Connection,
                Initiator::Local,
                "the runtime of the connection was shut down",
            ));
            self.finish();
        }
    }
}
