//! A connection: the layers it goes through, its sessions, its timers.
//!
//! Decides what a connection owes and accepts and how a violation is answered. Octets come in
//! through `input` and `layers`, frames go out through `transmit`; what is asked of sessions and links
//! is in `verbs`. Sockets, clocks and users are the driver's.
//! Sections 2.2, 2.4, 5.3.

mod config;
mod input;
mod inspect;
mod layers;
mod transmit;
mod verbs;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use amqp_types::Binary;
use amqp_types::security::{SaslCode, SaslInit};
use amqp_types::transport::{Error, ErrorCondition, Open};

pub use config::Config;

use super::arena::{Arena, Key};
use super::event::{Event, LinkKey, SaslFailure};
use super::frame::{MIN_MAX_FRAME_SIZE, ProtocolId};
use super::sasl::{Sasl, SaslClient, SaslServer};
use super::session::{Session, SessionConfig};
use super::tally::Totals;
use super::violation::{Scope, Violation};

/// Which end of the connection this is: who connected speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Listener,
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// A protocol header.
    Header,
    /// Frames of the SASL layer.
    Sasl,
    /// Nothing until it is decided whether a listener that said ok is believed. [SASL-17] [SASL-21]
    Paused,
    /// AMQP frames.
    Amqp,
    /// Nothing any more.
    Nothing,
}

/// How far our side has come. Section 2.4.7.
///
/// ```text
/// Waiting ──▶ OpenOwed ──▶ Opened ──▶ CloseOwed ──▶ Closed
/// ```
///
/// The standard's states are pairs of this and [`Remote`], with [`Reading`] for the headers:
///
/// ```text
/// START, HDR_SENT       Reading::Header; OPEN_PIPE and OC_PIPE once ours have been written   [CON-50] [CON-52] [CON-54] [CON-55]
/// HDR_RCVD, HDR_EXCH    Reading::Amqp, Waiting or OpenOwed, Remote::Waiting                  [CON-51] [CON-53]
/// OPEN_RCVD, OPEN_SENT  OpenOwed with Remote::Opened, Opened with Remote::Waiting            [CON-56] [CON-57]
/// OPENED                Opened, Remote::Opened: any frames both ways                         [CON-59]
/// CLOSE_PIPE            Closed, Remote::Waiting: nothing is written, the open is still read  [CON-58]
/// CLOSE_SENT, DISCARDING  Closed, Remote::Opened: nothing is written                         [CON-61] [CON-32]
/// CLOSE_RCVD, END       Remote::Closed: nothing is read                                      [CON-60]
/// ```
#[derive(Debug)]
enum Local {
    /// The layers below are not through, or a listener awaits the partner's open.
    Waiting,
    OpenOwed,
    Opened,
    CloseOwed(Option<Box<Error>>),
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remote {
    Waiting,
    Opened,
    Closed,
    /// What it sends can not be told apart into frames any more: nothing is waited for.
    Garbled,
}

/// The limits that the partner announced. Section 2.7.1.
#[derive(Clone, Copy, Debug)]
struct RemoteLimits {
    max_frame_size: u32,
    channel_max: u16,
    idle_time_out: Option<Duration>,
}

/// The engine of one connection.
#[derive(Debug)]
pub struct Connection {
    side: Side,
    config: Config,
    reading: Reading,
    local: Local,
    remote: Remote,
    /// What the partner's open said; before it came, what is safe. [FRM-16]
    limits: RemoteLimits,
    sasl: Option<Sasl>,
    /// Whether a listener takes a connection without the SASL layer.
    sasl_required: bool,
    /// Protocol headers that have to be written.
    headers: Vec<ProtocolId>,
    /// Whether the AMQP header has been written or is among `headers`.
    amqp_header: bool,
    /// Whether the open has been written.
    open_written: bool,
    /// Whether a listener has entered the SASL layer.
    sasl_entered: bool,
    /// After an error close everything but the partner's close is dropped. [CON-32]
    discarding: bool,
    /// The connection is over as soon as what is owed has been written.
    finished: bool,

    sessions: Arena<Session>,
    /// Sessions by the partner's channel.
    inputs: Vec<Option<Key>>,
    /// Sessions by our channel.
    outputs: Vec<Option<Key>>,
    /// Where the search for a free channel begins.
    next_output: usize,
    /// Sessions that owe frames.
    owing: VecDeque<Key>,
    events: VecDeque<Event>,

    last_received: Instant,
    last_sent: Instant,
    heartbeat_owed: bool,
    /// What came so far, and what sessions that are gone have done.
    totals: Totals,
}

impl Connection {
    /// The end that connects: its header is owed at once. Without `sasl` the SASL layer is left out. [CON-02]
    pub fn client(now: Instant, config: Config, sasl: Option<SaslClient>) -> Self {
        let mut connection = Self::new(now, Side::Client, config, sasl.map(Sasl::Client));
        match connection.sasl {
            Some(_) => connection.headers.push(ProtocolId::Sasl),
            None => connection.start_amqp(),
        }
        connection
    }

    /// The end that is connected to. With `sasl` the layer is offered, and demanded if `required`.
    pub fn listener(
        now: Instant,
        config: Config,
        sasl: Option<SaslServer>,
        required: bool,
    ) -> Self {
        let mut connection = Self::new(now, Side::Listener, config, sasl.map(Sasl::Server));
        connection.sasl_required = required && connection.sasl.is_some();
        connection
    }

    fn new(now: Instant, side: Side, mut config: Config, sasl: Option<Sasl>) -> Self {
        // [FRM-17]
        config.max_frame_size = config.max_frame_size.max(MIN_MAX_FRAME_SIZE);
        // [SASL-04]
        config.max_sasl_frame_size = config.max_sasl_frame_size.max(MIN_MAX_FRAME_SIZE);
        Self {
            side,
            config,
            reading: Reading::Header,
            local: Local::Waiting,
            remote: Remote::Waiting,
            limits: RemoteLimits {
                max_frame_size: MIN_MAX_FRAME_SIZE,
                channel_max: 0,
                idle_time_out: None,
            },
            sasl,
            sasl_required: false,
            headers: Vec::new(),
            amqp_header: false,
            open_written: false,
            sasl_entered: false,
            discarding: false,
            finished: false,
            sessions: Arena::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            next_output: 0,
            owing: VecDeque::new(),
            events: VecDeque::new(),
            last_received: now,
            last_sent: now,
            heartbeat_owed: false,
            totals: Totals::default(),
        }
    }

    // ---- outputs -----------------------------------------------------------------------------

    /// What happened since the last call, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When `handle_timeout` has to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if matches!(self.local, Local::Closed) || self.finished {
            return None;
        }
        let silence = self.config.idle_time_out.map(|t| self.last_received + t);
        let heartbeat = self.heartbeat_due();
        [silence, heartbeat].into_iter().flatten().min()
    }

    /// Whether the connection is over: nothing is read any more and, once what is owed has been
    /// written, nothing is written either.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Why SASL failed, where it did.
    pub fn sasl_failure(&self) -> Option<&SaslFailure> {
        match &self.sasl {
            Some(Sasl::Client(client)) => client.failure(),
            _ => None,
        }
    }

    /// Whether the partner's close has come.
    pub fn is_remote_closed(&self) -> bool {
        self.remote == Remote::Closed
    }

    // ---- inputs ------------------------------------------------------------------------------

    /// What the peer may have said has not been read, so that its silence counts from now. [CON-39]
    pub fn excuse_silence(&mut self, now: Instant) {
        self.last_received = now;
    }

    /// Takes note of the time: heartbeats fall due, a silent partner is given up. [CON-37] [CON-38]
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.heartbeat_due().is_some_and(|due| due <= now) {
            self.heartbeat_owed = true;
        }
        if let Some(limit) = self.config.idle_time_out
            && now.saturating_duration_since(self.last_received) >= limit
            && !self.finished
            && !matches!(self.local, Local::CloseOwed(_) | Local::Closed)
        {
            self.answer(
                None,
                Violation::connection(
                    ErrorCondition::ResourceLimitExceeded,
                    "2.4.5",
                    format!("nothing was received for {} ms", limit.as_millis()),
                ),
            );
        }
    }

    fn heartbeat_due(&self) -> Option<Instant> {
        if !matches!(self.local, Local::Opened) {
            return None;
        }
        // [CON-37]: at half of what the partner allows, and only when nothing else was sent.
        self.limits.idle_time_out.map(|t| self.last_sent + t / 2)
    }

    // ---- the connection's verbs --------------------------------------------------------------

    /// Lets a listener answer the partner's open. A client's open goes out by itself.
    pub fn open(&mut self) {
        if matches!(self.local, Local::Waiting) && self.side == Side::Listener {
            self.local = Local::OpenOwed;
        }
    }

    /// Closes the connection; only the first call counts. [CON-25]
    pub fn close(&mut self, error: Option<Box<Error>>) {
        match self.local {
            Local::CloseOwed(_) | Local::Closed => {}
            _ => {
                self.discarding |= error.is_some();
                self.local = Local::CloseOwed(error);
            }
        }
    }

    /// Answers the listener's offer: [`Event::SaslOffer`].
    pub fn sasl_init(&mut self, init: SaslInit) {
        if let Some(Sasl::Client(client)) = &mut self.sasl {
            client.init(init);
        }
    }

    /// Answers the listener's challenge: [`Event::SaslChallenge`].
    pub fn sasl_respond(&mut self, response: Binary) {
        if let Some(Sasl::Client(client)) = &mut self.sasl {
            client.respond(response);
        }
    }

    /// Believes the listener's ok: [`Event::SaslAccepted`]. What it has sent since has to be given
    /// to `handle_input` again.
    pub fn sasl_accept(&mut self) {
        if let Some(Sasl::Client(client)) = &mut self.sasl {
            let progress = client.accept();
            self.after_sasl(&progress);
        }
    }

    /// Goes no further with authentication: the connection is over. [SASL-15]
    pub fn sasl_give_up(&mut self, failure: SaslFailure) {
        if let Some(Sasl::Client(client)) = &mut self.sasl
            && !self.amqp_header
        {
            let progress = client.give_up(failure);
            self.after_sasl(&progress);
        }
    }

    /// Continues a client's authentication with a challenge.
    pub fn sasl_challenge(&mut self, challenge: Binary) {
        if let Some(Sasl::Server(server)) = &mut self.sasl {
            server.challenge(challenge);
        }
    }

    /// Decides a client's authentication.
    pub fn sasl_outcome(&mut self, code: SaslCode, additional_data: Option<Binary>) {
        if let Some(Sasl::Server(server)) = &mut self.sasl {
            server.outcome(code, additional_data);
            let progress = server.progress();
            self.after_sasl(&progress);
        }
    }

    /// Begins a session on a free channel; `None` when there is none. [SES-01] [SES-03] [CON-15]
    pub fn begin(&mut self, config: SessionConfig) -> Option<Key> {
        if matches!(self.local, Local::CloseOwed(_) | Local::Closed) {
            return None;
        }
        let output = self.free_output()?;
        Some(self.insert_session(output, config))
    }

    fn insert_session(&mut self, output: u16, config: SessionConfig) -> Key {
        let key = self
            .sessions
            .insert(Session::new(output, config, self.config.max_frame_size));
        if let Some(session) = self.sessions.get_mut(key) {
            session.key = key;
        }
        self.outputs[usize::from(output)] = Some(key);
        self.owe(key);
        key
    }

    /// The next channel behind the one that was taken last, and the lowest one behind the highest: a
    /// channel that was just given back is left alone for a while, since RabbitMQ may lose a begin
    /// that comes right behind the end.
    fn free_output(&mut self) -> Option<u16> {
        let limit = match self.remote {
            // More sessions wait for the partner's open; what they may use is checked then.
            Remote::Waiting => self.config.channel_max,
            _ => self.limits.channel_max.min(self.config.channel_max),
        };
        let known = self.outputs.len();
        let start = self.next_output.min(known);
        let is_free = |channel: &usize| self.outputs[*channel].is_none();
        let channel = (start..known)
            .find(is_free)
            .or_else(|| (known <= usize::from(limit)).then_some(known))
            .or_else(|| (0..start).find(is_free))?;
        let output = u16::try_from(channel).ok().filter(|c| *c <= limit)?;
        if channel == known {
            self.outputs.push(None);
        }
        self.next_output = channel + 1;
        Some(output)
    }

    fn owe(&mut self, key: Key) {
        if let Some(session) = self.sessions.get_mut(key)
            && !session.listed
        {
            session.listed = true;
            self.owing.push_back(key);
        }
    }

    /// Works on one session, and notes what it owes afterwards.
    fn with<R>(
        &mut self,
        key: Key,
        f: impl FnOnce(&mut Session, &mut VecDeque<Event>) -> R,
    ) -> Option<R> {
        let session = self.sessions.get_mut(key)?;
        let result = f(session, &mut self.events);
        if !session.listed && session.owes() {
            session.listed = true;
            self.owing.push_back(key);
        }
        Some(result)
    }

    /// The only place where a mistake becomes a frame: a close, an end or a detach. [SES-12] [LNK-37]
    fn answer(&mut self, session: Option<Key>, violation: Violation) {
        let error = Box::new(violation.to_error());
        match (violation.scope, session) {
            (Scope::Link(link), Some(key)) => {
                self.with(key, |session, events| {
                    session.detach(link, true, Some(error.clone()));
                    events.push_back(Event::LinkDetached {
                        link: LinkKey { session: key, link },
                        closed: true,
                        error: Some(error),
                        by_peer: false,
                    });
                });
            }
            (Scope::Session, Some(key)) => {
                self.with(key, |session, events| {
                    if session.end(Some(error.clone())) {
                        events.push_back(Event::SessionEnded {
                            session: key,
                            error: Some(error),
                            by_peer: false,
                        });
                    } else {
                        // A session that ends already has said so; what follows a frame that made no
                        // sense makes none either. [SES-09] [SES-11] [SES-15]
                        session.discarding = true;
                    }
                });
            }
            // The connection is being closed already: what is wrong now changes nothing. [CON-61]
            _ if matches!(self.local, Local::CloseOwed(_) | Local::Closed) => {}
            _ => {
                self.events.push_back(Event::Violated(violation));
                match self.local {
                    // Nothing but the layers below has been spoken: there is nothing to close.
                    Local::Waiting if !self.amqp_header => {
                        self.reading = Reading::Nothing;
                        self.finished = true;
                    }
                    _ => self.close(Some(error)),
                }
            }
        }
    }

    /// The partner's open, as far as it limits what we send.
    fn on_open_limits(&mut self, open: &Open) {
        self.limits = RemoteLimits {
            max_frame_size: open.max_frame_size,
            channel_max: open.channel_max,
            // [CON-35]
            idle_time_out: open
                .idle_time_out
                .filter(|t| t.0 > 0)
                .map(|t| Duration::from_millis(u64::from(t.0))),
        };
    }
}
