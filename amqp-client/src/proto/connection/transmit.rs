//! The octets of a connection that go out.
//!
//! Decides the order: protocol headers, SASL frames, open, the sessions in turn, close, and a
//! heartbeat when nothing else was written. Sections 2.2, 2.4.

use std::time::Instant;

use amqp_types::transport::Close;

use super::super::frame::{AMQP_FRAME, ProtocolId, put_empty_frame, put_frame};
use super::super::sasl::Sasl;
use super::super::session::Transmit;
use super::super::violation::shortened;
use super::super::write_buf::WriteBuf;
use super::{Connection, Local, Remote};

impl Connection {
    /// Writes what is owed into `out`; answers whether more waits for another turn.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut WriteBuf) -> bool {
        let before = out.len();
        let more = self.write(out);
        if out.len() > before {
            self.last_sent = now;
            self.heartbeat_owed = false;
        } else if self.heartbeat_owed && matches!(self.local, Local::Opened) {
            // [CON-42]: never before the own open or after the own close.
            put_empty_frame(out.flat());
            out.count_frame();
            self.last_sent = now;
            self.heartbeat_owed = false;
        }
        more
    }

    fn write(&mut self, out: &mut WriteBuf) -> bool {
        for header in std::mem::take(&mut self.headers) {
            if header == ProtocolId::Amqp {
                // What SASL owes belongs in front of the AMQP header.
                self.write_sasl(out);
            }
            out.flat().extend_from_slice(&header.header());
        }
        self.write_sasl(out);
        if self.finished && !matches!(self.local, Local::CloseOwed(_)) {
            return false;
        }
        // Nothing follows the own close. [CON-25] [CON-61]
        if !self.amqp_header || matches!(self.local, Local::Closed) {
            return false;
        }
        let opening = match self.local {
            Local::OpenOwed => true,
            // A close never goes out without an open in front of it.
            Local::CloseOwed(_) => !self.open_written,
            _ => false,
        };
        if opening {
            self.write_open(out);
            self.open_written = true;
            if matches!(self.local, Local::OpenOwed) {
                self.local = Local::Opened;
            }
        }
        let more = !self.discarding && self.open_written && self.write_sessions(out);
        if let Local::CloseOwed(error) = &mut self.local {
            if more {
                return true;
            }
            // [CON-28]
            let close = Close {
                error: error.take(),
            };
            self.write_close(out, close);
            self.local = Local::Closed;
            if matches!(self.remote, Remote::Closed | Remote::Garbled) {
                self.finished = true;
            }
            return false;
        }
        more
    }

    /// Writes the open. Before the partner's limit is known it has to fit 512 octets: what is only
    /// information is left out then. [FRM-16]
    fn write_open(&self, out: &mut WriteBuf) {
        out.count_frame();
        let limit = self.limits.max_frame_size as usize;
        let mut open = self.config.open();
        let out = out.flat();
        let start = out.len();
        if put_frame(out, AMQP_FRAME, 0, &open) > limit {
            out.truncate(start);
            open.properties = None;
            if put_frame(out, AMQP_FRAME, 0, &open) > limit {
                out.truncate(start);
                open.offered_capabilities = Vec::new();
                put_frame(out, AMQP_FRAME, 0, &open);
            }
        }
    }

    /// Writes the close, shortened where it would not fit. [FRM-19]
    fn write_close(&self, out: &mut WriteBuf, mut close: Close) {
        out.count_frame();
        let out = out.flat();
        let start = out.len();
        if put_frame(out, AMQP_FRAME, 0, &close) > self.limits.max_frame_size as usize {
            out.truncate(start);
            close.error = close.error.map(|error| shortened(&error));
            put_frame(out, AMQP_FRAME, 0, &close);
        }
    }

    fn write_sasl(&mut self, out: &mut WriteBuf) {
        match &mut self.sasl {
            Some(sasl @ Sasl::Client(_)) => sasl.transmit(out.flat()),
            // A listener offers its mechanisms once the layer has been entered.
            Some(sasl @ Sasl::Server(_)) if self.sasl_entered => sasl.transmit(out.flat()),
            _ => {}
        }
    }

    /// Lets every session write that owes something, each in its turn.
    fn write_sessions(&mut self, out: &mut WriteBuf) -> bool {
        if self.limits.max_frame_size < super::MIN_MAX_FRAME_SIZE {
            return false;
        }
        let opened = self.remote != Remote::Waiting;
        let mut left = self.owing.len();
        let mut more = false;
        while left > 0
            && let Some(key) = self.owing.pop_front()
        {
            left -= 1;
            let Some(session) = self.sessions.get_mut(key) else {
                continue;
            };
            if !opened && session.output > 0 {
                // Only channel 0 is sure to be within the partner's range. [CON-54]
                self.owing.push_back(key);
                continue;
            }
            let mut cx = Transmit {
                out,
                events: &mut self.events,
                max_frame: self.limits.max_frame_size as usize,
                budget: self.config.write_budget,
                opened,
            };
            let again = session.transmit(&mut cx);
            more |= again;
            if again || (!opened && session.owes()) {
                self.owing.push_back(key);
            } else {
                session.listed = false;
            }
            self.collect(key);
        }
        more
    }
}
