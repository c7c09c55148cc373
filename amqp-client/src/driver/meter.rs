//! What a connection has counted, and when its observer is told.
//!
//! Decides that numbers are told once a turn, and that everything that was opened is closed for the
//! observer as well. What there is to count stands in `metrics`; the engine counts for itself.

use amqp_types::messaging::DeliveryState;

use super::{Driver, LinkEntry, SenderShared, SessionEntry};
use crate::error::Error;
use crate::metrics::{ConnectionInfo, Counts, Metrics, Observer, Outcomes};

/// What the driver counts by itself, and what the observer knows.
pub(super) struct Meter {
    info: ConnectionInfo,
    observer: Option<Observer>,
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    sent: Outcomes,
    received: Outcomes,
    /// All that has been told.
    told: Counts,
}

impl Meter {
    pub(super) fn new(info: ConnectionInfo, observer: Option<Observer>) -> Self {
        Self {
            info,
            observer,
            messages_in: 0,
            messages_out: 0,
            sent: Outcomes::default(),
            received: Outcomes::default(),
            told: Counts::default(),
        }
    }

    pub(super) fn opened(&mut self, peer: &amqp_types::Str) {
        self.info.peer = Some(peer.clone());
        self.tell(|metrics, info| metrics.connection_opened(info));
    }

    /// The application has decided on so many deliveries.
    pub(super) fn decided(&mut self, state: &DeliveryState, count: usize) {
        self.received.add(state, count as u64);
    }

    /// Whether somebody wants to know what was decided.
    pub(super) fn is_watched(&self) -> bool {
        self.observer.is_some()
    }

    pub(super) fn begun(&self, session: &mut SessionEntry) {
        session.open = true;
        self.tell(|metrics, info| metrics.session_begun(info));
    }

    pub(super) fn ended(&self, session: &SessionEntry, error: &Error) {
        if session.open {
            self.tell(|metrics, info| metrics.session_ended(info, named(error)));
        }
    }

    pub(super) fn attached(&self, link: &mut LinkEntry) {
        link.open = true;
        let role = link.shared.role();
        self.tell(|metrics, info| metrics.link_attached(info, role));
    }

    pub(super) fn detached(&self, link: &LinkEntry, error: &Error) {
        let role = link.shared.role();
        self.tell(|metrics, info| match link.open {
            true => metrics.link_detached(info, role, named(error)),
            false => metrics.link_refused(info, role),
        });
    }

    /// The connection is over; all within it has been told to be.
    fn closed(&self, error: Option<&Error>) {
        self.tell(|metrics, info| match error {
            Some(error) if info.peer.is_none() => metrics.connection_refused(info, error),
            error => metrics.connection_closed(info, error),
        });
    }

    fn tell(&self, tell: impl FnOnce(&dyn Metrics, &ConnectionInfo)) {
        if let Some(Observer(metrics)) = &self.observer {
            tell(&**metrics, &self.info);
        }
    }
}

impl Driver {
    /// The receiver has settled the deliveries that wait in `outcomes`.
    pub(super) fn count_outcomes(&mut self, sender: &SenderShared) {
        if self.meter.observer.is_some() {
            for (_, outcome) in sender.read(&self.outcomes) {
                self.meter.sent.add(&DeliveryState::from(outcome), 1);
            }
        }
    }

    /// Tells what was counted in this turn.
    pub(super) fn report(&mut self) {
        if self.meter.observer.is_some() {
            let now = self.counts();
            self.report_up_to(now);
        }
    }

    /// Tells the last numbers, and that everything is over.
    pub(super) fn report_end(&mut self, error: Option<&Error>, reason: &Error) {
        if self.meter.observer.is_none() {
            return;
        }
        let nothing_open = Counts {
            unsettled_sent: 0,
            unsettled_received: 0,
            ..self.counts()
        };
        self.report_up_to(nothing_open);
        for link in self.links.values() {
            self.meter.detached(link, reason);
        }
        for session in self.sessions.values() {
            self.meter.ended(session, reason);
        }
        self.meter.closed(error);
    }

    fn report_up_to(&mut self, now: Counts) {
        let counts = now.since(&self.meter.told);
        self.meter.told = now;
        if counts != Counts::default() {
            self.meter
                .tell(|metrics, info| metrics.counted(info, &counts));
        }
    }

    /// All that was counted so far.
    fn counts(&self) -> Counts {
        let engine = self.engine.totals();
        Counts {
            frames_in: engine.frames_in,
            frames_out: self.wire.output.frames(),
            octets_in: self.wire.octets_in,
            octets_out: self.wire.octets_out,
            messages_in: self.meter.messages_in,
            messages_out: self.meter.messages_out,
            sent: self.meter.sent,
            received: self.meter.received,
            credit_granted: engine.credit_granted,
            credit_received: engine.credit_received,
            unsettled_sent: engine.unsettled_sent as i64,
            unsettled_received: engine.unsettled_received as i64,
        }
    }
}

/// The error, if somebody has named one.
fn named(error: &Error) -> Option<&Error> {
    Some(error).filter(|error| error.condition().is_some())
}
