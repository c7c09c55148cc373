//! Links that peers attach, as callbacks.
//!
//! Decides how they are answered: as the peer asks, unless `on_link_opening` says otherwise. Section 2.6.3.

use std::collections::HashMap;
use std::sync::PoisonError;

use amqp_types::transport::ErrorCondition;

use super::callbacks::MessagingHandler;
use super::connection::Connection;
use super::dispatch::Dispatcher;
use super::event::LinkOpeningEvent;
use super::link::{Link, Receiver, Sender};
use super::registry::{LinkEntry, link_key};
use crate::driver::{LinkShared, Offer};
use crate::listener::{self, AcceptOptions, IncomingLink};

impl<H: MessagingHandler> Dispatcher<H> {
    /// Takes what was offered before the connection was ours to work with.
    pub(super) fn take_early(&mut self, connection: &Connection) {
        let early = {
            let mut registry = self.shared.registry();
            let entry = registry.connections.get_mut(&connection.number());
            entry.map(|entry| std::mem::take(&mut entry.early))
        };
        for offer in early.unwrap_or_default() {
            self.offered(connection, offer);
        }
    }

    pub(super) fn offered(&mut self, connection: &Connection, offer: Offer) {
        let handle = {
            let mut registry = self.shared.registry();
            let Some(entry) = registry.connections.get_mut(&connection.number()) else {
                return;
            };
            match &entry.handle {
                Some(handle) => handle.clone(),
                None => return entry.early.push(offer),
            }
        };
        let incoming = IncomingLink::of_offer(handle, offer);
        let session = connection.adopt(incoming.session().clone(), None);
        let handler = self
            .shared
            .registry()
            .session_handler(connection.number(), session.key());
        let event = LinkOpeningEvent::new(
            connection.clone(),
            incoming.attach().clone(),
            incoming.answer(),
        );
        let result = self.attempt(handler.as_ref(), |handler| handler.on_link_opening(&event));
        if result.is_err() {
            self.judge(Some(connection), result);
            let error = amqp_types::transport::Error::new(ErrorCondition::InternalError);
            return incoming.refuse(error);
        }
        if let Some(error) = event.refusal.into_inner() {
            return incoming.refuse(error);
        }
        let own = event
            .handler
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let options = self.options_of(own.as_ref().or(handler.as_ref()));
        let prefetch = event.prefetch.get().unwrap_or(options.prefetch);
        let accept = AcceptOptions {
            credit: (prefetch > 0).then_some(prefetch),
            manual_drain: true,
            manual_settle: !options.auto_settle,
            max_queued_messages: usize::MAX,
            max_queued_bytes: usize::MAX,
            ..AcceptOptions::default()
        };
        let (link, key) = match incoming.accept_as(event.answer.into_inner(), accept) {
            listener::Link::Sender(handle) => {
                let key = link_key(&LinkShared::Sender(handle.shared().clone()));
                (Link::Sender(Sender::new(handle, session)), key)
            }
            listener::Link::Receiver(handle) => {
                let key = link_key(&LinkShared::Receiver(handle.shared().clone()));
                (Link::Receiver(Receiver::new(handle, session)), key)
            }
        };
        let entry = LinkEntry {
            link: link.clone(),
            handler: own,
            answer: None,
            asked: None,
            required: Vec::new(),
            opened: true,
            draining: false,
            manual_drain: false,
            told: HashMap::new(),
        };
        self.shared.registry().links.insert(key, entry);
        self.tell_link(connection, key, &link, None, |h, e| h.on_link_opened(e));
    }
}
