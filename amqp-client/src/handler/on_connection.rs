//! What happens to connections and sessions, as callbacks.
//!
//! Decides the order of callbacks when a connection opens, closes, or is lost. Sections 2.4, 2.5.

use std::sync::Arc;

use amqp_types::transport::{self, ErrorCondition};

use super::callbacks::{HandlerResult, MessagingHandler};
use super::connection::{Connection, Session};
use super::dispatch::Dispatcher;
use super::event::SessionEvent;
use super::registry::{Accepted, session_key};
use crate::driver::{Notice, SessionShared};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::handles;

impl<H: MessagingHandler> Dispatcher<H> {
    pub(super) fn notice(&mut self, number: u64, notice: Notice) {
        let connection = {
            let registry = self.shared.registry();
            let entry = registry.connections.get(&number);
            entry.map(|entry| entry.connection.clone())
        };
        let Some(connection) = connection else {
            return;
        };
        if let Notice::Over(error) = notice {
            return self.over(&connection, error);
        }
        if connection.has_failed() {
            // Its handler hears of the end only.
            if let Notice::Closed(error) = notice {
                self.peer_closed(&connection, error);
            }
            return;
        }
        match notice {
            Notice::Opened(open) => {
                let told = {
                    let mut registry = self.shared.registry();
                    let entry = registry.connections.get_mut(&number);
                    entry.is_none_or(|entry| std::mem::replace(&mut entry.opened, true))
                };
                // One that a listener accepted was open when it came.
                if !told {
                    connection.set_remote(*open, None);
                    self.tell_connection(&connection, None, |h, e| h.on_connection_opened(e));
                }
            }
            Notice::SessionBegun { session, by_peer } => {
                self.session_begun(&connection, session, by_peer);
            }
            Notice::SessionEnded {
                session,
                error,
                by_peer,
            } => self.session_ended(&connection, &session, error, by_peer),
            Notice::Closed(error) => self.peer_closed(&connection, error),
            other => self.link_notice(&connection, other),
        }
    }

    // ---- connections

    pub(super) fn connected(&mut self, number: u64, handle: handles::Connection) {
        let connection = {
            let mut registry = self.shared.registry();
            registry.connections.get_mut(&number).map(|entry| {
                entry.connecting = None;
                entry.handle = Some(handle);
                entry.connection.clone()
            })
        };
        if let Some(connection) = connection {
            self.take_early(&connection);
        }
    }

    pub(super) fn connect_failed(&mut self, number: u64, error: Error) {
        let connection = {
            let registry = self.shared.registry();
            let entry = registry.connections.get(&number);
            entry
                .filter(|entry| !entry.opened)
                .map(|entry| entry.connection.clone())
        };
        if let Some(connection) = connection {
            self.lost(&connection, Some(error));
        }
    }

    pub(super) fn accepted(&mut self, accepted: Accepted) {
        let handler = {
            let registry = self.shared.registry();
            let entry = registry.acceptors.get(&accepted.acceptor);
            entry.and_then(|entry| entry.handler.clone())
        };
        let (number, handle) = (accepted.number, accepted.handle);
        let connection = self.container.adopt(number, handle, handler);
        self.tell_connection(&connection, None, |h, e| h.on_connection_opening(e));
        match connection.is_closed() {
            // Refused: nobody wants to hear what comes on it.
            true => connection.set_failed(),
            false => self.tell_connection(&connection, None, |h, e| h.on_connection_opened(e)),
        }
        drop(accepted.waiting);
    }

    fn peer_closed(&mut self, connection: &Connection, error: Option<Box<transport::Error>>) {
        let forced = error
            .as_ref()
            .is_some_and(|error| error.condition == ErrorCondition::ConnectionForced);
        if let Some(entry) = self
            .shared
            .registry()
            .connections
            .get_mut(&connection.number())
        {
            entry.peer_closed = Some(forced);
        }
        match error {
            Some(_) if forced => {}
            Some(error) => {
                let error = Error::amqp_error(
                    ErrorKind::ConnectionClosed,
                    ErrorScope::Connection,
                    Initiator::Remote,
                    "the peer closed the connection",
                    Some(*error),
                );
                self.tell_connection(connection, Some(error), |h, e| h.on_connection_error(e));
            }
            None if connection.is_closed() => {}
            None => self.tell_connection(connection, None, |h, e| h.on_connection_closing(e)),
        }
    }

    fn over(&mut self, connection: &Connection, error: Option<Error>) {
        let (opened, peer_closed) = {
            let registry = self.shared.registry();
            match registry.connections.get(&connection.number()) {
                Some(entry) => (entry.opened, entry.peer_closed),
                None => return,
            }
        };
        match (peer_closed, error) {
            // Whoever connects has the better reason, and is about to tell it.
            (None, _) if !opened => {}
            (Some(false), _) | (_, None) => {
                self.tell_connection(connection, None, |h, e| h.on_connection_closed(e));
                self.gone(connection);
            }
            (Some(true), error) => {
                self.tell_connection(connection, error, |h, e| h.on_disconnected(e));
                self.gone(connection);
            }
            (None, error) => self.lost(connection, error),
        }
    }

    /// The transport failed, or could not be had.
    fn lost(&mut self, connection: &Connection, error: Option<Error>) {
        let local = error
            .as_ref()
            .is_some_and(|error| error.initiator() == Initiator::Local && connection.is_closed());
        if local {
            self.tell_connection(connection, None, |h, e| h.on_connection_closed(e));
        } else {
            let cause = error.clone();
            self.tell_connection(connection, cause, |h, e| h.on_transport_error(e));
            if !connection.is_closed() {
                self.tell_connection(connection, error, |h, e| h.on_disconnected(e));
            }
        }
        self.gone(connection);
    }

    fn gone(&mut self, connection: &Connection) {
        self.tell_connection(connection, None, |h, e| h.on_transport_closed(e));
        let forgotten = self.shared.registry().forget(connection.number());
        drop(forgotten);
    }

    // ---- sessions

    fn session_begun(
        &mut self,
        connection: &Connection,
        session: Arc<SessionShared>,
        by_peer: bool,
    ) {
        let session = connection.adopt(session, None);
        if by_peer {
            self.tell_session(connection, &session, None, |h, e| h.on_session_opening(e));
        }
        self.tell_session(connection, &session, None, |h, e| h.on_session_opened(e));
    }

    fn session_ended(
        &mut self,
        connection: &Connection,
        session: &Arc<SessionShared>,
        error: Error,
        by_peer: bool,
    ) {
        let key = session_key(session);
        let session = {
            let registry = self.shared.registry();
            let entry = registry.sessions.get(&key);
            entry.map(|entry| entry.session.clone())
        };
        let Some(session) = session else {
            return;
        };
        // Without a channel for it it was not even begun.
        if error.condition().is_some() || error.kind() == ErrorKind::Limit {
            self.tell_session(connection, &session, Some(error), |h, e| {
                h.on_session_error(e)
            });
        } else if by_peer {
            self.tell_session(connection, &session, None, |h, e| h.on_session_closing(e));
        }
        self.tell_session(connection, &session, None, |h, e| h.on_session_closed(e));
        let forgotten = {
            let mut registry = self.shared.registry();
            let links: Vec<_> = registry
                .links
                .extract_if(|_, entry| *entry.link.session() == session)
                .collect();
            (registry.sessions.remove(&key), links)
        };
        drop(forgotten);
    }

    fn tell_session(
        &mut self,
        connection: &Connection,
        session: &Session,
        error: Option<Error>,
        f: impl FnOnce(&mut dyn MessagingHandler, &SessionEvent) -> HandlerResult,
    ) {
        let handler = self
            .shared
            .registry()
            .session_handler(connection.number(), session.key());
        let event = SessionEvent {
            connection: connection.clone(),
            session: session.clone(),
            error,
        };
        self.call(Some(connection), handler.as_ref(), |handler| {
            f(handler, &event)
        });
    }
}
