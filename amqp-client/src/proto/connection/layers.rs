//! The layers below AMQP: protocol headers and SASL frames.
//!
//! Decides which layer comes next and when AMQP is spoken. Mechanisms are the application's. Sections
//! 2.2, 5.3.

use amqp_types::security::SaslFrame;
use amqp_types::transport::ErrorCondition;
use amqp_types::{Decode, Decoder};
use bytes::{Buf, BytesMut};

use super::super::event::Event;
use super::super::frame::{HeaderParse, ProtocolId, SASL_FRAME};
use super::super::sasl::{Sasl, SaslProgress};
use super::super::violation::Violation;
use super::input::take_frame;
use super::{Connection, Local, Reading, Side};

impl Connection {
    /// Reads a protocol header and changes layers. [CON-04] [CON-05] [CON-07] [CON-08]
    pub(super) fn read_header(&mut self, buf: &mut BytesMut) -> Result<bool, Violation> {
        let parsed = ProtocolId::parse(buf);
        let acceptable = match parsed {
            HeaderParse::Partial => return Ok(false),
            HeaderParse::Whole(id) => self.is_due(id).then_some(id),
            HeaderParse::Version(..) | HeaderParse::Foreign => None,
        };
        let Some(id) = acceptable else {
            if self.side == Side::Listener {
                // What would have been accepted is the whole answer.
                let offer = match &self.sasl {
                    Some(_) if !self.sasl_entered && !self.amqp_header => ProtocolId::Sasl,
                    _ => ProtocolId::Amqp,
                };
                self.headers.push(offer);
            }
            // The stream ends behind our header; what the partner sends is not looked at. [CON-09]
            self.reading = Reading::Nothing;
            self.finished = true;
            let shown = &buf[..buf.len().min(8)];
            let detail = format!(
                "the protocol header {} is not acceptable",
                shown.escape_ascii()
            );
            let violation = Violation::connection(ErrorCondition::NotImplemented, "2.2", detail);
            self.events.push_back(Event::Violated(violation));
            return Ok(false);
        };
        buf.advance(8);
        match id {
            ProtocolId::Sasl => {
                if self.side == Side::Listener {
                    self.headers.push(ProtocolId::Sasl);
                    self.sasl_entered = true;
                }
                self.reading = Reading::Sasl;
            }
            _ => {
                self.start_amqp();
                self.reading = Reading::Amqp;
            }
        }
        Ok(true)
    }

    /// Whether this header may come now.
    pub(super) fn is_due(&self, id: ProtocolId) -> bool {
        match (id, self.side) {
            // [SASL-18]: once in a connection.
            (ProtocolId::Sasl, Side::Listener) => {
                self.sasl.is_some() && !self.amqp_header && !self.sasl_entered
            }
            (ProtocolId::Sasl, Side::Client) => self.sasl.is_some() && !self.amqp_header,
            (ProtocolId::Amqp, Side::Listener) => {
                self.sasl.is_none() || !self.sasl_required || self.sasl_succeeded()
            }
            (ProtocolId::Amqp, Side::Client) => self.amqp_header,
            (ProtocolId::Tls, _) => false,
        }
    }

    pub(super) fn sasl_succeeded(&self) -> bool {
        matches!(&self.sasl, Some(Sasl::Server(s)) if s.progress() == SaslProgress::Succeeded)
    }

    /// From here on AMQP is spoken: the header is owed, and a client's open behind it.
    pub(super) fn start_amqp(&mut self) {
        if !self.amqp_header {
            self.amqp_header = true;
            self.headers.push(ProtocolId::Amqp);
            if self.side == Side::Client && matches!(self.local, Local::Waiting) {
                self.local = Local::OpenOwed;
            }
        }
    }

    /// Reads one SASL frame: exactly one value, of a type of this layer. [SASL-04] [SASL-05] [SASL-22] [FRM-20]
    pub(super) fn read_sasl(&mut self, buf: &mut BytesMut) -> Result<bool, Violation> {
        if self.sasl.as_ref().is_some_and(Sasl::is_deciding) {
            return Ok(false);
        }
        let Some(frame) = take_frame(buf, SASL_FRAME, self.config.max_sasl_frame_size)? else {
            return Ok(false);
        };
        if frame.body.is_empty() {
            // [SASL-06]
            return Err(Violation::connection(
                ErrorCondition::FramingError,
                "5.3.1",
                "an empty SASL frame",
            ));
        }
        let mut decoder = Decoder::with_limits(&frame.body, self.config.decode);
        let decoded = SaslFrame::decode(&mut decoder)
            .and_then(|decoded| decoder.finish().map(|()| decoded))
            .map_err(|error| Violation::decode(&error, "5.3.2"))?;
        let Some(sasl) = &mut self.sasl else {
            return Ok(true);
        };
        let events = &mut self.events;
        let progress = sasl.on_frame(decoded, &mut |event| events.push_back(event))?;
        self.after_sasl(&progress);
        Ok(true)
    }

    /// Changes layers once authentication has been decided: after a failure no header of another
    /// layer is looked at any more. [SASL-14] [SASL-15]
    pub(super) fn after_sasl(&mut self, progress: &SaslProgress) {
        match progress {
            SaslProgress::Open => {}
            SaslProgress::Paused => self.reading = Reading::Paused,
            SaslProgress::Succeeded => {
                self.reading = Reading::Header;
                if self.side == Side::Client {
                    self.start_amqp();
                }
            }
            SaslProgress::Failed => {
                self.reading = Reading::Nothing;
                self.finished = true;
            }
        }
    }
}
