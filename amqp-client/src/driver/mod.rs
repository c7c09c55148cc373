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
//! 5. events: deliveries and outcomes go to the handles in batches, one lock a link; what was counted
//!    is told.

mod authentication;
mod command;
mod commands;
mod dispatch;
mod endpoints;
mod hold;
mod link;
mod meter;
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
mod spans;
mod stats;
mod stream;
mod streamed;
mod tags;
#[cfg(feature = "opentelemetry")]
mod traced;
mod waits;
mod wire;

use amqp_types::messaging::DeliveryState;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use amqp_types::transport::Attach;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Sleep;
use tracing::Span;

pub(crate) use command::{
    AttachOrder, Command, ConnectionShared, LinkShared, Reply, SaslAnswer, SaslStep, reply,
    reply_within,
};
pub(crate) use endpoints::mirror;
pub(crate) use link::{MAX_MESSAGE_SIZE, Status, Template};
use meter::Meter;
pub(crate) use names::{LinkNames, Named, Peer};
pub(crate) use notice::{Kept, Notice, Tap, Unheard};
pub(crate) use offers::{Offer, Offers};
pub(crate) use receiver::ReceiverShared;
pub(crate) use report::Report;
use rounds::Again;
pub(crate) use sender::{Refusal, Room, SendOptions, SenderShared, Ticket};
pub(crate) use session::SessionShared;
use spans::DeliverySpans;
pub(crate) use spans::{connection as connection_span, next_number};
pub use stats::ConnectionStats;
pub(crate) use stream::PartReader;
use stream::PartWriter;
use wire::Wire;

use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::metrics::{ConnectionInfo, Observer};
use crate::proto::{Connection as Engine, Incoming, Key, LinkKey, Outgoing};
use crate::transport::BoxedStream;

/// How much is read in one turn before the other steps have theirs.
const READ_BUDGET: usize = 256 * 1024;

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
    /// The connection's number and its span.
    pub(crate) number: u64,
    pub(crate) span: Span,
    /// Who is told what is counted.
    pub(crate) metrics: Option<Observer>,
}

/// The task of one connection.
pub(crate) struct Driver {
    wire: Wire,
    engine: Engine,
    shared: Arc<ConnectionShared>,
    sleep: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    close_deadline: Duration,
    /// When a close that was begun is given up.
    give_up: Option<Instant>,
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
    /// What a subscriber sees of the connection and of its deliveries.
    span: Span,
    delivery_spans: DeliverySpans,
    meter: Meter,

    sessions: HashMap<Key, SessionEntry>,
    links: HashMap<LinkKey, LinkEntry>,
    /// Links that are detached and may be attached again; the peer may still settle their deliveries.
    suspended: HashMap<LinkKey, LinkShared>,

    // Buffers that are kept from turn to turn.
    watches: Vec<(Arc<ReceiverShared>, LinkKey, u32)>,
    commands: Vec<Command>,
    /// Commands that wait for the peer's name.
    deferred: Vec<Command>,
    outbox: Vec<Outgoing>,
    work: receiver::ReceiverWork,
    deliveries: Vec<Incoming>,
    outcomes: Vec<(u64, Option<DeliveryState>)>,
}

struct SessionEntry {
    shared: Arc<SessionShared>,
    span: Span,
    /// Whether both sides have begun it.
    open: bool,
    begun: Option<Reply<()>>,
    ended: Vec<Reply<()>>,
}

struct LinkEntry {
    shared: LinkShared,
    span: Span,
    /// Whether both sides have attached it.
    open: bool,
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

impl LinkEntry {
    fn new(shared: LinkShared, span: Span) -> Self {
        Self {
            shared,
            span,
            open: false,
            attached: None,
            detached: Vec::new(),
            closing: false,
            stream: None,
            drained: Vec::new(),
            again: None,
        }
    }
}

impl Driver {
    pub(crate) fn new(setup: Setup) -> Self {
        let info = ConnectionInfo::new(setup.number, setup.offers.is_some());
        Self {
            wire: Wire::new(setup.stream, setup.number),
            engine: setup.engine,
            shared: setup.shared,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
            close_deadline: setup.close_deadline,
            give_up: None,
            failure: None,
            reason: None,
            opened: Some(setup.opened),
            identity: None,
            offers: setup.offers,
            sasl: setup.sasl,
            phase: setup.phase,
            tap: None,
            span: setup.span,
            delivery_spans: DeliverySpans::default(),
            meter: Meter::new(info, setup.metrics),
            sessions: HashMap::new(),
            links: HashMap::new(),
            suspended: HashMap::new(),
            watches: Vec::new(),
            commands: Vec::new(),
            deferred: Vec::new(),
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
        let owing = self.engine.owing();
        self.dispatch();
        // What that made the engine owe, such as the refusal of a link, nobody else comes back for.
        let asked = self.engine.owing() > owing;
        self.report();

        if self.is_over() {
            if self.wire.output.is_empty() && self.failure.is_none() {
                ready!(self.wire.poll_shutdown(cx));
            }
            self.finish();
            return Poll::Ready(());
        }
        self.arm(now, cx);
        let pending_commands = self.shared.register(cx);
        if read_more || write_more || asked || pending_commands {
            // There is more to do; others have their turn first.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn is_over(&self) -> bool {
        self.failure.is_some() || (self.engine.is_finished() && self.wire.output.is_empty())
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
        while !self.wire.eof && !self.engine.is_finished() {
            if self.tap.as_ref().is_some_and(|tap| !tap.has_room(cx)) {
                return false;
            }
            match self.wire.poll_read(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0)) => {
                    if !self.engine.handle_eof() {
                        self.fail_with(Error::new(
                            ErrorKind::Io,
                            ErrorScope::Connection,
                            Initiator::Remote,
                            "the peer dropped the connection without a close",
                        ));
                    }
                }
                Poll::Ready(Ok(n)) => {
                    // A violation has been answered already; what is left to do is to write it.
                    let _ = self.engine.handle_input(now, &mut self.wire.input);
                    budget = budget.saturating_sub(n);
                    if budget == 0 {
                        return true;
                    }
                }
                Poll::Ready(Err(error)) => {
                    self.engine.handle_eof();
                    self.fail_with(Error::io("read", error));
                }
            }
        }
        false
    }

    /// Lets the engine write and the socket take it; answers whether to come back for more.
    fn transmit(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        loop {
            let full = self.wire.is_full();
            let more = !full && self.engine.poll_transmit(now, &mut self.wire.output);
            match self.wire.poll_write(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    // What the peer said before it went away may be waiting: it is read first.
                    self.read(now, cx);
                    self.fail_with(Error::io("write", error));
                    return false;
                }
            }
            // The engine was not asked while too much waited: nobody else would come back for it.
            if !full {
                return more;
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
        spans::closed(&self.span, self.opened.is_none(), failure.as_ref());
        self.report_end(failure.as_ref(), &error);
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(Err(error.clone()));
        }
        let over = failure.clone();
        let mut left = std::mem::take(&mut self.deferred);
        left.extend(self.shared.finish(failure));
        self.trace_over();
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
