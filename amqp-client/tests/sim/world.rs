//! A whole run: two engines, the wire between them, a clock, and what the applications know.
//!
//! Decides how the world moves: octets go out, arrive in pieces, time passes. What applications do
//! is in `app`, what they hear in `hear`; what is true at every moment is checked where it happens.
//! Sections 2.4 to 2.6.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use amqp_client::proto::{
    Config, Connection, Key, LinkKey, SaslClient, SaslServer, SessionConfig, WriteBuf,
};
use amqp_client::types::Symbol;
use amqp_client::types::transport::Attach;
use bytes::BytesMut;

use crate::model::Link;
use crate::monitor::Monitor;
use crate::pipe::Pipe;
use crate::rng::Rng;
use crate::tap::{Seen, Tap};
use crate::watch::Watch;

/// One end of the connection.
pub(crate) struct End {
    pub(crate) engine: Connection,
    pub(crate) config: Config,
    pub(crate) monitor: Monitor,
    pub(crate) tap: Tap,
    pub(crate) watch: Watch,
    pub(crate) opened: bool,
    pub(crate) closed: bool,
    /// The sessions that may be used, and what all of them were begun with.
    pub(crate) sessions: Vec<Key>,
    pub(crate) configs: BTreeMap<Key, SessionConfig>,
    /// Links that are attached, or being attached or detached.
    pub(crate) links: BTreeMap<LinkKey, usize>,
    /// Every link that there ever was in the connection.
    pub(crate) known: BTreeMap<LinkKey, usize>,
    /// How many sessions this end has begun, and how many of them the other end's open had no
    /// channels for.
    pub(crate) begun: usize,
    pub(crate) denied: usize,
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
    /// The highest handle, and so how many links there may be in all that no handle is wanting.
    pub(crate) handle_max: u32,
    /// How many sessions both ends can have at once. [CON-15]
    pub(crate) channels: usize,
    /// How many of them each end may have begun: an end that has no channel left to answer on closes
    /// the connection, and nothing says whose sessions come first. Section 2.7.1.
    pub(crate) quotas: [usize; 2],
    /// Whether deliveries are decided on slowly.
    pub(crate) hoards: bool,
    /// Whether somebody has begun to close the connection, whether an end has given the other one up for
    /// its silence, and whether the wire is cut.
    pub(crate) may_close: bool,
    pub(crate) silenced: bool,
    pub(crate) is_cut: bool,
    /// How many connections there were before this one.
    pub(crate) lives: usize,
    pub(crate) trace: bool,
    /// A digest of everything that happened, to compare two runs.
    pub(crate) digest: u64,
    steps: usize,
}

fn config(rng: &mut Rng, name: &'static str, handle_max: u32, hoards: bool) -> Config {
    let mut config = Config::new(name);
    config.max_frame_size = rng.pick(&[512, 512, 513, 700, 4096, 65_536]);
    if hoards {
        config.max_frame_size = 512;
    }
    config.channel_max = rng.pick(&[0, 1, 3, 255]);
    let idle = rng.pick(&[None, Some(60_000), Some(6000), Some(2500)]);
    config.idle_time_out = idle.map(Duration::from_millis);
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
        max_unsettled: match rng.chance(4) {
            true => rng.range(1, 30),
            false => SessionConfig::default().max_unsettled,
        },
        next_outgoing_id: rng.serial(),
        next_delivery_id: rng.serial(),
        ..SessionConfig::default()
    }
}

/// Two engines that know nothing of each other, and the wire between them.
fn connect(
    rng: &mut Rng,
    now: Instant,
    (handle_max, hoards): (u32, bool),
    trace: bool,
) -> ([End; 2], [Pipe; 2]) {
    let client = config(rng, "client", handle_max, hoards);
    let listener = config(rng, "listener", handle_max, hoards);
    let sasl = rng.chance(30);
    let server = SaslServer::new(vec![Symbol::from_static("ANONYMOUS")]);
    let end = |engine, config: Config| End {
        engine,
        monitor: Monitor::new(trace),
        tap: Tap::default(),
        watch: Watch::new(now, config.idle_time_out),
        opened: false,
        closed: false,
        sessions: Vec::new(),
        configs: BTreeMap::new(),
        links: BTreeMap::new(),
        known: BTreeMap::new(),
        begun: 0,
        denied: 0,
        once_more: Vec::new(),
        offers: Vec::new(),
        read: BytesMut::new(),
        write: WriteBuf::new(),
        config,
    };
    let ends = [
        end(
            Connection::client(now, client.clone(), sasl.then(SaslClient::new)),
            client,
        ),
        end(
            Connection::listener(now, listener.clone(), Some(server), sasl),
            listener,
        ),
    ];
    let capacity = rng.pick(&[600, 4000, 100_000]);
    let wire = [Pipe::new(now, capacity), Pipe::new(now, capacity)];
    (ends, wire)
}

/// How many sessions both ends can have, and how many of them each may begin.
fn quotas(rng: &mut Rng, ends: &[End; 2]) -> (usize, [usize; 2]) {
    let maxima = ends.iter().map(|end| end.config.channel_max);
    let channels = usize::from(maxima.min().unwrap_or_default()) + 1;
    // Before the opens end 0 may ask for more than there are.
    if rng.chance(50) {
        return (channels, [usize::MAX, 0]);
    }
    let first = rng.range(0, channels);
    (channels, [first, channels - first])
}

impl World {
    pub(crate) fn new(seed: u64, start: Instant, trace: bool) -> Self {
        let mut rng = Rng::new(seed);
        let handle_max = rng.pick(&[3, 7, 4095]);
        let hoards = rng.chance(15);
        let (ends, wire) = connect(&mut rng, start, (handle_max, hoards), trace);
        let (channels, quotas) = quotas(&mut rng, &ends);
        Self {
            now: start,
            channels,
            quotas,
            ends,
            wire,
            links: Vec::new(),
            handle_max,
            hoards,
            may_close: false,
            silenced: false,
            is_cut: false,
            lives: 0,
            trace,
            digest: 0,
            steps: 0,
            rng,
        }
    }

    /// A new connection in place of the one that was lost: nothing is left of the old engines.
    pub(crate) fn connect_again(&mut self) {
        self.lives += 1;
        let (ends, wire) = connect(
            &mut self.rng,
            self.now,
            (self.handle_max, self.hoards),
            self.trace,
        );
        (self.channels, self.quotas) = quotas(&mut self.rng, &ends);
        self.ends = ends;
        self.wire = wire;
        self.may_close = false;
        self.silenced = false;
        self.is_cut = false;
        self.note(|| "a new connection".to_owned(), 20);
    }

    /// How many of the sessions that an end began are not over there.
    pub(crate) fn begun_alive(&self, at: usize) -> usize {
        let end = &self.ends[at];
        end.begun - end.denied - end.monitor.sessions_over()
    }

    pub(crate) fn max_links(&self) -> usize {
        self.handle_max.min(11) as usize + 1
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
        let heartbeat = end.watch.heartbeat().is_some_and(|due| due <= self.now);
        let most = self.most_written(at);
        let end = &mut self.ends[at];
        if heartbeat {
            end.engine.handle_timeout(self.now);
        }
        end.engine.poll_transmit(self.now, &mut end.write);
        let octets = end.write.take();
        assert!(octets.len() <= most, "{} are written", octets.len());
        // [CON-37]
        let late = heartbeat && octets.is_empty() && !self.may_close;
        assert!(!late, "end {at} is silent when a heartbeat is due");
        if octets.is_empty() {
            self.events(at);
            return false;
        }
        let seen = end.tap.read(&octets);
        let alone = seen.len() == 1;
        end.watch.on_sent(self.now);
        for seen in seen {
            match seen {
                Seen::Heartbeat { channel } => {
                    assert_eq!(channel, 0, "a heartbeat's channel");
                    assert!(heartbeat && alone, "a heartbeat that nobody needs");
                }
                Seen::Open => self.ends[at].watch.open = true,
                Seen::Attach(number) => self.links[number].sides[at].written = true,
                Seen::Transfer(piece) => {
                    let link = &mut self.links[piece.link];
                    assert_eq!(link.sender, at);
                    link.wrote(&piece);
                }
                Seen::Other => {}
            }
        }
        self.ends[at].monitor.on_sent(&octets);
        if !self.is_cut {
            self.wire[at].push(&octets);
        }
        let digest = octets.iter().fold(7u64, |sum, octet| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*octet))
        });
        self.note(
            || format!("end {at} writes {} octets", octets.len()),
            digest,
        );
        self.events(at);
        self.look(at);
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
        end.watch.on_received(self.now, &piece);
        end.read.extend_from_slice(&piece);
        // Twice, because what follows the end of a SASL layer is read when that has been decided.
        for _ in 0..2 {
            let end = &mut self.ends[to];
            if let Err(violation) = end.engine.handle_input(self.now, &mut end.read) {
                panic!("end {to} finds fault: {violation}");
            }
            self.events(to);
        }
        self.look(to);
        true
    }

    /// Time passes.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
        for at in 0..2 {
            let (end, now) = (&mut self.ends[at], self.now);
            if self.is_cut || end.engine.is_finished() {
                continue;
            }
            let due = end.engine.poll_timeout();
            if !self.may_close {
                assert_eq!(due, end.watch.due(), "when end {at} wants to be called");
            }
            // [CON-38]: in silence, and only then.
            let silence = end.watch.silence().is_some_and(|due| due <= now);
            let closes = silence && !self.may_close;
            self.silenced |= closes;
            self.may_close |= closes;
            if due.is_some_and(|due| due <= now) {
                end.engine.handle_timeout(now);
                self.note(|| format!("end {at} is told of the time"), 21);
            }
            let heard = self.events(at);
            assert!(heard || !closes, "end {at} does not mind the silence");
        }
    }

    /// Looks at what an end holds, every now and then.
    fn look(&mut self, at: usize) {
        self.steps += 1;
        if self.steps.is_multiple_of(4) {
            self.check_bounds(at);
        }
    }
}
