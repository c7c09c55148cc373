//! Octets that come in: AMQP frames, and whatever the layers below take first.
//!
//! Decides which layer an octet belongs to and routes each frame to its session by the partner's
//! channel. Sections 2.2, 2.3, 2.4.

use std::time::Instant;

use amqp_types::transport::{Attach, Begin, Close, ErrorCondition, Open, Performative, Role};
use amqp_types::{Decode, DecodeError, Decoder, Str};
use bytes::{Buf, Bytes, BytesMut};

use super::super::event::Event;
use super::super::fragment::Fragment;
use super::super::frame::{AMQP_FRAME, FrameHeader, MIN_MAX_FRAME_SIZE};
use super::super::link::opposite;
use super::super::session::{RemoteSession, Session, missing};
use super::super::violation::Violation;
use super::{Connection, Key, Local, Reading, Remote, Side};

impl Connection {
    /// Takes what was read off the front of `buf`; an incomplete frame stays in it. [FRM-18]
    ///
    /// A violation has been answered when it is returned: what is owed has to be transmitted.
    pub fn handle_input(&mut self, now: Instant, buf: &mut BytesMut) -> Result<(), Violation> {
        let mut first = Ok(());
        loop {
            let step = match self.reading {
                Reading::Nothing => {
                    buf.clear();
                    return first;
                }
                Reading::Paused => return Ok(()),
                Reading::Header => self.read_header(buf),
                Reading::Sasl => self.read_sasl(buf),
                Reading::Amqp => self.read_frame(buf),
            };
            match step {
                // Any frame counts, also an empty one; half a frame does not. [CON-39]
                Ok(true) => self.last_received = now,
                Ok(false) => return first,
                Err(violation) => {
                    // The partner's close may be among what follows. [CON-32]
                    self.answer(None, violation.clone());
                    first = first.and(Err(violation));
                }
            }
        }
    }

    /// The partner's stream ended, and with it every session. Answers whether that was to be expected. [CON-34]
    pub fn handle_eof(&mut self) -> bool {
        let expected = matches!(self.remote, Remote::Closed | Remote::Garbled) || self.finished;
        self.reading = Reading::Nothing;
        self.finished = true;
        expected
    }

    /// Reads one AMQP frame and hands it on; behind the AMQP header nothing else is read. [CON-10]
    fn read_frame(&mut self, buf: &mut BytesMut) -> Result<bool, Violation> {
        // Before the own open is written the partner can not know a larger limit. [FRM-15]
        let limit = match self.local {
            Local::Waiting if self.side == Side::Client => MIN_MAX_FRAME_SIZE,
            _ => self.config.max_frame_size,
        };
        let frame = match take_frame(buf, AMQP_FRAME, limit) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(false),
            Err(violation) => {
                // Where the next frame begins is anybody's guess: not even a close can be read.
                self.reading = Reading::Nothing;
                self.remote = Remote::Garbled;
                self.finished |= matches!(self.local, Local::Closed);
                return Err(violation);
            }
        };
        self.totals.frames_in += 1;
        let channel = frame.channel;
        if channel > self.config.channel_max {
            // [CON-16]
            return Err(Violation::connection(
                ErrorCondition::FramingError,
                "2.7.1",
                format!(
                    "channel {channel} is above the channel-max {}",
                    self.config.channel_max
                ),
            ));
        }
        if frame.body.is_empty() {
            // [FRM-11] [CON-40]
            return Ok(true);
        }
        let mut body = frame.body;
        let mut decoder = Decoder::with_limits(&body, self.config.decode);
        let performative = match Performative::decode(&mut decoder) {
            Ok(performative) => performative,
            Err(_) if self.discarding => return Ok(true),
            Err(error) => return self.undecodable(channel, &body, &error).map(|()| true),
        };
        // What follows any other performative than a transfer is ignored. [FRM-10]
        let read = decoder.position();
        // An own close may come before the partner's open does: that one still counts.
        let counts = match performative {
            Performative::Close(_) => true,
            Performative::Open(_) => self.remote == Remote::Waiting,
            _ => false,
        };
        if self.discarding && !counts {
            // [CON-32]
            return Ok(true);
        }
        let closing = matches!(self.local, Local::CloseOwed(_) | Local::Closed)
            && matches!(performative, Performative::Close(_));
        if self.remote == Remote::Waiting
            && !closing
            && !matches!(performative, Performative::Open(_))
        {
            // [CON-12] [CON-53] [CON-57] [SES-13]
            if matches!(performative, Performative::Close(_)) {
                self.remote = Remote::Closed;
                self.reading = Reading::Nothing;
            }
            return Err(not_allowed("the first frame has to be an open"));
        }
        let session = self.inputs.get(usize::from(channel)).copied().flatten();
        match performative {
            Performative::Transfer(transfer) => {
                body.advance(read);
                self.in_session(session, channel, |s, events| {
                    s.on_transfer(transfer, body, events)
                })
            }
            Performative::Disposition(disposition) => {
                self.in_session(session, channel, |s, events| {
                    s.on_disposition(disposition, read, events);
                    Ok(())
                })
            }
            Performative::Flow(flow) => {
                self.in_session(session, channel, |s, events| s.on_flow(&flow, events))
            }
            Performative::Attach(attach) => {
                let admitted = self.admits(session, &attach.name, attach.role, read);
                if let Ok(true) = admitted {
                    self.steal(session, &attach);
                }
                self.in_session(session, channel, |s, events| match admitted? {
                    true => s.on_attach(*attach, read, events),
                    false => s.turn_away(*attach, too_many(), events),
                })
            }
            Performative::Detach(detach) => {
                self.in_session(session, channel, |s, events| s.on_detach(detach, events))
            }
            Performative::Begin(begin) => self.on_begin(channel, &begin),
            Performative::End(end) => self.on_end(session, channel, end),
            Performative::Open(open) => self.on_open(channel, open),
            Performative::Close(close) => {
                self.on_close(close);
                Ok(())
            }
        }
        .map(|()| true)
    }

    /// A frame body that does not decode. It is answered at its own scope as far as it could be read:
    /// by the link, by the session, or by the connection. [FRM-09] [SES-10] [LNK-37]
    fn undecodable(
        &mut self,
        channel: u16,
        body: &Bytes,
        error: &DecodeError,
    ) -> Result<(), Violation> {
        let mut violation = Violation::decode(error, "2.3.2");
        if body.first() != Some(&0) {
            violation.condition = ErrorCondition::DecodeError;
        }
        let session = self.inputs.get(usize::from(channel)).copied().flatten();
        match (session, Fragment::read(body)) {
            (Some(_), Some(fragment)) if self.remote == Remote::Opened => {
                let admitted = match &fragment {
                    Fragment::Attach { name, role, .. } => self.admits(session, name, *role, 0),
                    _ => Ok(true),
                };
                self.in_session(session, channel, |s, events| {
                    admitted?;
                    s.on_fragment(fragment, violation, events)
                })
            }
            _ => Err(violation),
        }
    }

    /// Whether the partner may attach another link: one that is no answer to ours.
    fn admits(
        &self,
        session: Option<Key>,
        name: &Str,
        role: Role,
        octets: usize,
    ) -> Result<bool, Violation> {
        let session = session.and_then(|key| self.sessions.get(key));
        if session.is_none_or(|session| session.awaits(name, opposite(role))) {
            return Ok(true);
        }
        let (links, held) = self
            .sessions
            .iter()
            .map(|(_, session)| session.offered())
            .fold((0, octets), |(n, m), (links, octets)| {
                (n + links, m + octets)
            });
        if links >= self.config.max_links.saturating_mul(2) || held > self.config.max_link_octets {
            return Err(Violation::session(
                ErrorCondition::ResourceLimitExceeded,
                "2.6.1",
                "the links of the connection take too much",
            ));
        }
        Ok(links < self.config.max_links)
    }

    /// A link that is attached elsewhere in this connection is taken over by a new attach of the
    /// same name and role; the first attachment is told so. [LNK-05]
    fn steal(&mut self, session: Option<Key>, attach: &Attach) {
        let takes = session
            .and_then(|key| self.sessions.get(key))
            .is_some_and(|s| s.takes_over(attach));
        if !takes {
            return;
        }
        let keys: Vec<Key> = self.sessions.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.with(key, |s, events| s.steal(attach, events));
        }
    }

    /// A frame on a channel without session. Behind an own close it may belong to one whose begin was
    /// not answered any more. [CON-17] [CON-61]
    fn no_session(&self, channel: u16) -> Result<(), Violation> {
        match self.local {
            Local::CloseOwed(_) | Local::Closed => Ok(()),
            _ => Err(Violation::connection(
                ErrorCondition::NotAllowed,
                "2.5.1",
                format!("a frame on channel {channel}, which has no session"),
            )),
        }
    }

    /// Hands a frame to its session; a mistake in it is answered at its own scope.
    fn in_session(
        &mut self,
        key: Option<Key>,
        channel: u16,
        f: impl FnOnce(&mut Session, &mut std::collections::VecDeque<Event>) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        let Some(key) = key else {
            return self.no_session(channel);
        };
        let result = self.with(key, |session, events| {
            if session.discarding {
                return Ok(());
            }
            f(session, events)
        });
        match result {
            Some(Err(violation)) if violation.scope == super::Scope::Connection => Err(violation),
            Some(Err(violation)) => {
                self.answer(Some(key), violation);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Both sides keep to the smaller of the two sets of limits. [CON-12] [CON-13] [CON-18] [CON-19] [FRM-17]
    fn on_open(&mut self, channel: u16, open: Box<Open>) -> Result<(), Violation> {
        if self.remote != Remote::Waiting {
            return Err(not_allowed("a second open"));
        }
        if channel != 0 {
            return Err(Violation::connection(
                ErrorCondition::FramingError,
                "2.4.1",
                format!("an open on channel {channel}"),
            ));
        }
        self.remote = Remote::Opened;
        // A broker that refuses says 0 here and gives the reason in the close that follows: the
        // limit is judged when there is something to send, not before that close could come.
        self.on_open_limits(&open);
        let refused = open.max_frame_size < MIN_MAX_FRAME_SIZE;
        self.limits.max_frame_size = open.max_frame_size.max(MIN_MAX_FRAME_SIZE);
        let maximum = self.limits.channel_max;
        for channel in usize::from(maximum) + 1..self.outputs.len() {
            if let Some(key) = self.outputs[channel].take() {
                self.remove_session(key);
                self.events.push_back(Event::SessionEnded {
                    session: key,
                    error: Some(Box::new(amqp_types::transport::Error::new(
                        ErrorCondition::NotAllowed,
                    ))),
                    by_peer: false,
                });
            }
        }
        // Channels that there are not are not looked at when the next one is chosen. [CON-15]
        self.outputs.truncate(usize::from(maximum) + 1);
        if self.side == Side::Listener {
            if refused {
                self.local = Local::OpenOwed;
                return Err(Violation::connection(
                    ErrorCondition::InvalidField,
                    "2.7.1",
                    format!("max-frame-size {} is below 512", open.max_frame_size),
                ));
            }
            self.open();
        }
        let required = &self.config.required_capabilities;
        if let Some(missing) = missing(required, &open.offered_capabilities) {
            // [CON-46]
            return Err(Violation::connection(
                ErrorCondition::NotImplemented,
                "2.7.1",
                format!("the capability {missing} is required and not offered"),
            ));
        }
        // It is kept as long as the connection: the buffer that it was read from is not.
        self.events
            .push_back(Event::Opened(Box::new(open.to_compact())));
        Ok(())
    }

    /// [SES-02] [SES-04] [SES-05]
    fn on_begin(&mut self, channel: u16, begin: &Begin) -> Result<(), Violation> {
        let at = usize::from(channel);
        if matches!(self.local, Local::CloseOwed(_) | Local::Closed) {
            // It could not be answered any more. [CON-61]
            return Ok(());
        }
        if self.inputs.get(at).is_some_and(Option::is_some) {
            return Err(Violation::connection(
                ErrorCondition::NotAllowed,
                "2.5.5",
                format!("channel {channel} has a session already"),
            ));
        }
        let (key, incoming) = match begin.remote_channel {
            Some(mine) => {
                let answered = self.outputs.get(usize::from(mine)).copied().flatten();
                let answered = answered.filter(|key| {
                    self.sessions
                        .get(*key)
                        .is_some_and(|s| s.begun && s.remote == RemoteSession::Unmapped)
                });
                let key = answered.ok_or_else(|| {
                    Violation::connection(
                        ErrorCondition::InvalidField,
                        "2.5.1",
                        format!("a begin answers channel {mine}, on which none is due"),
                    )
                })?;
                (key, false)
            }
            None => {
                let output = self.free_output().ok_or_else(|| {
                    Violation::connection(
                        ErrorCondition::ResourceLimitExceeded,
                        "2.7.1",
                        "no channel is left for another session",
                    )
                })?;
                (
                    self.insert_session(output, self.config.session.clone()),
                    true,
                )
            }
        };
        if self.inputs.len() <= at {
            self.inputs.resize(at + 1, None);
        }
        self.inputs[at] = Some(key);
        self.with(key, |session, _| session.on_begin(channel, begin));
        self.owe(key);
        if !incoming
            && let Some(Err(violation)) = self.with(key, |session, _| session.check_offer(begin))
        {
            self.answer(Some(key), violation);
            return Ok(());
        }
        self.events.push_back(Event::SessionBegun {
            session: key,
            incoming,
            begin: Box::new(begin.to_compact()),
        });
        Ok(())
    }

    fn on_end(
        &mut self,
        session: Option<Key>,
        channel: u16,
        end: amqp_types::transport::End,
    ) -> Result<(), Violation> {
        let Some(key) = session else {
            return self.no_session(channel);
        };
        self.inputs[usize::from(channel)] = None;
        self.with(key, |session, events| session.on_end(end, events));
        self.collect(key);
        Ok(())
    }

    /// Forgets a session that both sides have ended.
    pub(super) fn collect(&mut self, key: Key) {
        if self.sessions.get(key).is_some_and(Session::is_gone)
            && let Some(session) = self.remove_session(key)
            && let Some(slot) = self.outputs.get_mut(usize::from(session.output))
        {
            *slot = None;
        }
    }

    /// Answers a close, unless it is the answer to ours or crosses it. [CON-27] [CON-29] [CON-31] [CON-60] [FRM-21]
    fn on_close(&mut self, close: Close) {
        self.remote = Remote::Closed;
        self.reading = Reading::Nothing;
        self.events.push_back(Event::Closed(close.error));
        if matches!(self.local, Local::Closed) {
            self.finished = true;
        } else {
            self.close(None);
        }
    }
}

pub(super) struct Frame {
    channel: u16,
    pub(super) body: Bytes,
}

/// Takes a whole frame off the front of `buf`. [FRM-06] [FRM-08]
pub(super) fn take_frame(
    buf: &mut BytesMut,
    kind: u8,
    max: u32,
) -> Result<Option<Frame>, Violation> {
    let Some(header) = FrameHeader::parse(buf, kind, max)? else {
        return Ok(None);
    };
    if buf.len() < header.size {
        return Ok(None);
    }
    let mut body = buf.split_to(header.size).freeze();
    body.advance(header.body);
    Ok(Some(Frame {
        channel: header.channel,
        body,
    }))
}

fn not_allowed(detail: &'static str) -> Violation {
    Violation::connection(ErrorCondition::NotAllowed, "2.4.1", detail)
}

/// A link more than the partner may have.
fn too_many() -> Violation {
    Violation::session(
        ErrorCondition::ResourceLimitExceeded,
        "2.6.1",
        "the connection has as many links as it may have",
    )
}
