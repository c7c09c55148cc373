//! A whole run: two engines, the wire between them, a clock, and what the applications know.
//!
//! Decides how the world moves: octets go out, arrive in pieces, time passes. What applications do
//! is in `app`; what is true at every moment is checked where it happens. Sections 2.4 to 2.6.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use amqp_client::proto::{
    Config, Connection, Event, Key, LinkKey, SaslClient, SaslServer, SessionConfig, WriteBuf,
};
use amqp_client::types::Symbol;
use amqp_client::types::security::{SaslCode, SaslInit};
use amqp_client::types::transport::{Attach, Error, ErrorCondition, Role};
use bytes::BytesMut;

use crate::model::{Link, injected};
use crate::monitor::Monitor;
use crate::pipe::Pipe;
use crate::rng::Rng;

/// One end of the connection.
pub(crate) struct End {
    pub(crate) engine: Connection,
    pub(crate) monitor: Monitor,
    pub(crate) opened: bool,
    pub(crate) closed: bool,
    /// The sessions that may be used.
    pub(crate) sessions: Vec<Key>,
    pub(crate) links: BTreeMap<LinkKey, usize>,
    /// How many sessions this end has begun, and how many of them the other end's open had no
    /// channels for.
    pub(crate) begun: usize,
    denied: usize,
    /// Links that are attached once more, only to be closed. [LNK-22]
    pub(crate) once_more: Vec<LinkKey>,
    /// Links of the other end that wait for an answer.
    pub(crate) offers: Vec<(LinkKey, Box<Attach>)>,
    read: BytesMut,
    write: WriteBuf,
}

/// Everything that a run consists of.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    pub(crate) ends: [End; 2],
    /// `wire[n]` leads away from end `n`.
    pub(crate) wire: [Pipe; 2],
    pub(crate) links: Vec<Link>,
    /// How many links there may be in all, so that no handle is wanting.
    pub(crate) max_links: usize,
    /// How many sessions both ends can have at once. [CON-15]
    channels: usize,
    /// How many of them each end may have begun: an end that has no channel left to answer on closes
    /// the connection, and nothing says whose sessions come first. Section 2.7.1.
    pub(crate) quotas: [usize; 2],
    pub(crate) may_close: bool,
    pub(crate) trace: bool,
    /// A digest of everything that happened, to compare two runs.
    pub(crate) digest: u64,
}

fn config(rng: &mut Rng, name: &'static str, handle_max: u32) -> Config {
    let mut config = Config::new(name);
    config.max_frame_size = rng.pick(&[512, 512, 513, 700, 4096, 65_536]);
    config.channel_max = rng.pick(&[0, 1, 3, 255]);
    config.idle_time_out = rng.pick(&[None, Some(Duration::from_secs(60))]);
    config.write_budget = rng.pick(&[600, 5000, 128 * 1024]);
    config.session = session(rng, handle_max);
    config
}

/// What a session is begun with: small windows, and ids that often wrap.
pub(crate) fn session(rng: &mut Rng, handle_max: u32) -> SessionConfig {
    SessionConfig {
        incoming_window: rng.pick(&[1, 2, 3, 5, 17, 100, 2048]),
        handle_max,
        incoming_octets: rng.pick(&[600, 10_000, 1 << 20]),
        next_outgoing_id: rng.serial(),
        next_delivery_id: rng.serial(),
        ..SessionConfig::default()
    }
}

impl World {
    pub(crate) fn new(seed: u64, start: Instant, trace: bool) -> Self {
        let mut rng = Rng::new(seed);
        let handle_max = rng.pick(&[3, 7, 4095]);
        let client = config(&mut rng, "client", handle_max);
        let listener = config(&mut rng, "listener", handle_max);
        let channels = usize::from(client.channel_max.min(listener.channel_max)) + 1;
        let quotas = match rng.chance(50) {
            // Before the opens end 0 may ask for more than there are.
            true => [usize::MAX, 0],
            false => {
                let first = rng.range(0, channels);
                [first, channels - first]
            }
        };
        let sasl = rng.chance(30);
        let client = Connection::client(start, client, sasl.then(SaslClient::new));
        let server = SaslServer::new(vec![Symbol::from_static("ANONYMOUS")]);
        let listener = Connection::listener(start, listener, Some(server), sasl);
        let end = |engine| End {
            engine,
            monitor: Monitor::new(trace),
            opened: false,
            closed: false,
            sessions: Vec::new(),
            links: BTreeMap::new(),
            begun: 0,
            denied: 0,
            once_more: Vec::new(),
            offers: Vec::new(),
            read: BytesMut::new(),
            write: WriteBuf::new(),
        };
        let capacity = rng.pick(&[600, 4000, 100_000]);
        Self {
            now: start,
            ends: [end(client), end(listener)],
            wire: [Pipe::new(start, capacity), Pipe::new(start, capacity)],
            links: Vec::new(),
            max_links: handle_max.min(11) as usize + 1,
            channels,
            quotas,
            may_close: false,
            trace,
            digest: 0,
            rng,
        }
    }

    /// Notes what happens, for the digest and for whoever reads along.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String, number: u64) {
        self.digest = (self.digest ^ number)
            .wrapping_mul(0x0100_0000_01b3)
            .rotate_left(23);
        if self.trace {
            eprintln!("{}", what());
        }
    }

    // ---- the wire ----------------------------------------------------------------------------

    /// Lets an end write, unless the wire is full. Answers whether anything was written.
    pub(crate) fn transmit(&mut self, at: usize) -> bool {
        if !self.wire[at].has_room() {
            return false;
        }
        let end = &mut self.ends[at];
        end.engine.poll_transmit(self.now, &mut end.write);
        let octets = end.write.take();
        if octets.is_empty() {
            return false;
        }
        end.monitor.on_sent(&octets);
        self.wire[at].push(&octets);
        let digest = octets.iter().fold(7u64, |sum, octet| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*octet))
        });
        self.note(
            || format!("end {at} writes {} octets", octets.len()),
            digest,
        );
        self.events(at);
        true
    }

    /// Lets a piece arrive at the other end of the wire. Answers whether one did.
    pub(crate) fn deliver(&mut self, from: usize, all: bool) -> bool {
        let piece = match all {
            true => self.wire[from].flush(),
            false => match self.wire[from].pull(self.now, &mut self.rng) {
                Some(piece) => piece,
                None => return false,
            },
        };
        if piece.is_empty() {
            return false;
        }
        let to = 1 - from;
        self.note(
            || format!("end {to} reads {} octets", piece.len()),
            piece.len() as u64,
        );
        let end = &mut self.ends[to];
        end.monitor.on_received(&piece);
        end.read.extend_from_slice(&piece);
        // Twice, because what follows the end of a SASL layer is read when that has been decided.
        for _ in 0..2 {
            let end = &mut self.ends[to];
            if let Err(violation) = end.engine.handle_input(self.now, &mut end.read) {
                panic!("end {to} finds fault: {violation}");
            }
            self.events(to);
        }
        true
    }

    /// Time passes.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
        for at in 0..2 {
            let engine = &mut self.ends[at].engine;
            if engine.poll_timeout().is_some_and(|due| due <= self.now) {
                engine.handle_timeout(self.now);
            }
        }
    }

    // ---- events ------------------------------------------------------------------------------

    pub(crate) fn events(&mut self, at: usize) {
        while let Some(event) = self.ends[at].engine.poll_event() {
            if self.trace {
                eprintln!("  end {at}: {event:?}");
            }
            self.event(at, event);
        }
    }

    fn event(&mut self, at: usize, event: Event) {
        match event {
            Event::SaslInit { .. } => self.ends[at].engine.sasl_outcome(SaslCode::Ok, None),
            Event::SaslResponse(_) => panic!("a response to no challenge"),
            Event::SaslOffer(offer) => {
                let init = SaslInit::new(offer[0].clone());
                self.ends[at].engine.sasl_init(init);
            }
            Event::SaslAccepted(_) => self.ends[at].engine.sasl_accept(),
            Event::Opened(_) => {
                let end = &mut self.ends[at];
                end.opened = true;
                // [CON-15]
                assert_eq!(end.denied, end.begun.saturating_sub(self.channels));
            }
            Event::Closed(error) => {
                assert!(self.may_close, "closed for no reason");
                expected(error.as_deref());
                self.ends[at].closed = true;
            }
            Event::Violated(violation) => panic!("end {at} finds fault: {violation}"),
            Event::SessionBegun { session, .. } => {
                if !self.ends[at].sessions.contains(&session) {
                    self.ends[at].sessions.push(session);
                }
            }
            Event::SessionEnded { session, error, .. } => {
                match self.ends[at].opened {
                    true => expected(error.as_deref()),
                    // It was asked for before the open and is above the channel-max: `Opened` counts.
                    false => {
                        let error = error.expect("no session ends before the open but for this");
                        assert_eq!(error.condition, ErrorCondition::NotAllowed);
                        self.ends[at].denied += 1;
                    }
                }
                self.session_over(at, session);
            }
            Event::LinkIncoming { link, attach } => self.link_incoming(at, link, attach),
            Event::LinkAttached { link, attach } => {
                let known = self.number(&attach);
                match self.ends[at].links.get(&link) {
                    Some(number) => {
                        assert_eq!(*number, known);
                        self.links[known].attached[1 - at] = true;
                    }
                    None => {
                        // The answer to an attach that was only to close the link. [LNK-22]
                        let again = std::mem::take(&mut self.links[known].again[at]);
                        assert!(again, "{} is attached for no reason", attach.name);
                        self.ends[at].once_more.push(link);
                    }
                }
            }
            Event::LinkDetached {
                link,
                closed,
                error,
                by_peer,
            } => {
                expected(error.as_deref());
                let end = &mut self.ends[at];
                end.offers.retain(|(offered, _)| *offered != link);
                if let Some(known) = end.links.remove(&link) {
                    let known = &mut self.links[known];
                    known.ending = true;
                    known.over[at] = true;
                    // A close crossed our detach, which is written and was none. [LNK-22]
                    known.again[at] = closed && !by_peer && end.monitor.has_kept(&known.name);
                } else {
                    let before = end.once_more.len();
                    end.once_more.retain(|once| *once != link);
                    assert_eq!(end.once_more.len() + 1, before, "detached twice");
                }
            }
            Event::Credit { link, drain, .. } => {
                if let Some(known) = self.ends[at].links.get(&link) {
                    self.links[*known].drain_asked = drain;
                }
            }
            Event::Sent { link, count, .. } => {
                let known = self.ends[at].links[&link];
                let link = &mut self.links[known];
                link.transmitted += count as usize;
                assert!(link.transmitted <= link.sent.len());
            }
            Event::Settled { link, seq, state } => {
                let known = self.ends[at].links[&link];
                self.links[known].settled(seq, state);
            }
            Event::Updated { link, seq, .. } => {
                let known = self.ends[at].links[&link];
                assert!(!self.links[known].sent[seq as usize].confirmed);
            }
            Event::Delivery { link, delivery } => {
                let known = self.ends[at].links[&link];
                self.links[known].arrive(known, delivery);
            }
            Event::DeliverySettled { link, id, .. } => {
                let known = self.ends[at].links[&link];
                self.links[known].released(id);
            }
            Event::Drained { link } => {
                if let Some(known) = self.ends[at].links.get(&link) {
                    self.links[*known].draining = false;
                }
            }
            event => panic!("nobody aborts, streams or resumes: {event:?}"),
        }
    }

    fn link_incoming(&mut self, at: usize, link: LinkKey, attach: Box<Attach>) {
        let number = self.number(&attach);
        let known = &mut self.links[number];
        assert_eq!(attach.role == Role::Sender, known.sender != at, "the role");
        if known.keys[at].is_some() {
            // Attached once more, only to be closed: a detach crossed our close. [LNK-22]
            assert!(known.over[at] && known.again[1 - at], "offered twice");
            self.ends[at].once_more.push(link);
            return;
        }
        known.keys[at] = Some(link);
        known.attached[1 - at] = true;
        self.ends[at].links.insert(link, number);
        self.ends[at].offers.push((link, attach));
    }

    /// The number of a link, which is its name.
    fn number(&self, attach: &Attach) -> usize {
        attach.name[1..].parse().expect("the name of a link")
    }

    /// How many of the sessions that an end began are not over there.
    pub(crate) fn begun_alive(&self, at: usize) -> usize {
        let end = &self.ends[at];
        end.begun - end.denied - end.monitor.sessions_over()
    }

    fn session_over(&mut self, at: usize, session: Key) {
        let end = &mut self.ends[at];
        end.sessions.retain(|known| *known != session);
        end.offers.retain(|(link, _)| link.session != session);
        end.once_more.retain(|link| link.session != session);
        for known in &mut self.links {
            known.again[at] &= known.keys[at].is_none_or(|key| key.session != session);
        }
        let gone: Vec<LinkKey> = end.links.keys().copied().collect();
        for link in gone.into_iter().filter(|link| link.session == session) {
            if let Some(known) = end.links.remove(&link) {
                self.links[known].ending = true;
                self.links[known].over[at] = true;
            }
        }
    }
}

/// An error that nobody made is a fault.
fn expected(error: Option<&Error>) {
    if let Some(error) = error {
        assert_eq!(error.condition, injected().condition, "{error:?}");
    }
}
