//! What can be asked of an engine about what it holds.
//!
//! Decides nothing; counts when it is asked.

use super::super::arena::Key;
use super::super::session::Session;
use super::super::tally::{Tally, Totals};
use super::Connection;

impl Connection {
    /// What is held at the moment.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (_, session) in self.sessions.iter() {
            session.tally(&mut tally);
        }
        tally
    }

    /// What has been done so far, and what is open now.
    pub fn totals(&self) -> Totals {
        let mut totals = self.totals;
        for (_, session) in self.sessions.iter() {
            totals.credit_granted += session.credit_granted;
            totals.credit_received += session.credit_received;
            let (sent, received) = session.unsettled();
            totals.unsettled_sent += sent;
            totals.unsettled_received += received;
        }
        totals
    }

    /// Takes a session out; what it has done still counts.
    pub(super) fn remove_session(&mut self, key: Key) -> Option<Session> {
        let session = self.sessions.remove(key)?;
        self.totals.credit_granted += session.credit_granted;
        self.totals.credit_received += session.credit_received;
        Some(session)
    }

    /// Whether a delivery that came in a session is not settled.
    pub fn holds(&self, session: Key, id: u32) -> bool {
        let session = self.sessions.get(session);
        session.is_some_and(|session| session.holds(id))
    }

    /// How many deliveries of a session are unsettled: sent, received. For tests and metrics.
    pub fn unsettled(&self, session: Key) -> (usize, usize) {
        self.sessions
            .get(session)
            .map_or((0, 0), Session::unsettled)
    }

    /// How many sessions owe frames, those included that can not write yet.
    pub(crate) fn owing(&self) -> usize {
        self.owing.len()
    }

    /// How many sessions and links there are. For tests and metrics.
    pub fn counts(&self) -> (usize, usize) {
        let links = self.sessions.iter().map(|(_, s)| s.link_count()).sum();
        (self.sessions.len(), links)
    }

    /// The channel on which frames of a session are sent. Section 2.5.1.
    pub fn channel(&self, session: Key) -> Option<u16> {
        self.sessions.get(session).map(|session| session.output)
    }
}
