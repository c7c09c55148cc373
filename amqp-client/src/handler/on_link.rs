//! What happens to links and their deliveries, as callbacks.
//!
//! Decides the order of callbacks for one message, and what is done when they return. Section 2.6.

use std::sync::Arc;

use amqp_types::messaging::{DeliveryState, Modified, Outcome};

use super::callbacks::{HandlerError, HandlerResult, MessagingHandler};
use super::connection::Connection;
use super::dispatch::Dispatcher;
use super::event::{DeliveryEvent, LinkEvent, MessageEvent, ReceiverEvent, SenderEvent, Subject};
use super::link::{Link, Receiver, Sender, Tracker};
use super::registry::{SharedHandler, link_key};
use crate::driver::{LinkShared, Notice};
use crate::error::Error;
use crate::handles::{Delivery, unmet};

impl<H: MessagingHandler> Dispatcher<H> {
    pub(super) fn link_notice(&mut self, connection: &Connection, notice: Notice) {
        match notice {
            Notice::LinkOffered(offer) => self.offered(connection, offer),
            Notice::LinkAttached(link) => self.attached(connection, &link),
            Notice::LinkDetached {
                link,
                closed,
                error,
                by_peer,
            } => self.detached(connection, &link, closed, error, by_peer),
            Notice::Flow {
                link,
                credit,
                drain,
            } => {
                let key = link_key(&LinkShared::Sender(link));
                self.flow(connection, key, Some((credit, drain)));
            }
            Notice::Sent(link) => self.flow(connection, link_key(&LinkShared::Sender(link)), None),
            Notice::Updated { link, seq, state } => {
                let key = link_key(&LinkShared::Sender(link));
                self.reported(connection, key, seq, state, false);
            }
            Notice::Settled { link, outcomes } => {
                let key = link_key(&LinkShared::Sender(link));
                for (seq, outcome) in outcomes {
                    self.reported(connection, key, seq, DeliveryState::from(outcome), true);
                }
            }
            Notice::Deliveries { link, count } => {
                self.deliveries(connection, link_key(&LinkShared::Receiver(link)), count);
            }
            Notice::Aborted(link) => {
                let key = link_key(&LinkShared::Receiver(link));
                self.tell_receiver(connection, key, |h, e| h.on_aborted(e));
            }
            Notice::Drained(link) => {
                let key = link_key(&LinkShared::Receiver(link));
                self.tell_receiver(connection, key, |h, e| h.on_drain_finish(e));
            }
            Notice::Told {
                link,
                tag,
                state,
                settled,
            } => {
                let key = link_key(&LinkShared::Receiver(link));
                if let Some((link, handler)) = self.link(connection, key) {
                    let event = DeliveryEvent {
                        connection: connection.clone(),
                        link,
                        of: Subject::Received(tag),
                        state,
                    };
                    self.call(Some(connection), handler.as_ref(), |h| {
                        if event.state.is_some() {
                            h.on_delivery_updated(&event)?;
                        }
                        match settled {
                            true => h.on_settled(&event),
                            false => Ok(()),
                        }
                    });
                }
            }
            // Connections and sessions are told elsewhere.
            Notice::Opened(_)
            | Notice::SessionBegun { .. }
            | Notice::SessionEnded { .. }
            | Notice::Closed(_)
            | Notice::Over(_) => {}
        }
    }

    /// A link that is known, and who hears of it.
    fn link(&self, connection: &Connection, key: usize) -> Option<(Link, Option<SharedHandler>)> {
        let registry = self.shared.registry();
        let link = registry.links.get(&key)?.link.clone();
        Some((link, registry.link_handler(connection.number(), key)))
    }

    // ---- coming and going

    fn attached(&mut self, connection: &Connection, link: &LinkShared) {
        let key = link_key(link);
        let (link, asked, required) = {
            let mut registry = self.shared.registry();
            let Some(entry) = registry.links.get_mut(&key) else {
                return;
            };
            entry.answer = None;
            entry.opened = true;
            let required = std::mem::take(&mut entry.required);
            (entry.link.clone(), entry.asked.take(), required)
        };
        let remote = match &link {
            Link::Sender(sender) => sender.remote(),
            Link::Receiver(receiver) => receiver.remote(),
        };
        let unmet = remote.and_then(|remote| unmet(&required, asked.as_ref(), &remote));
        if let Some((error, refusal)) = unmet {
            link.close_as(true, Some(Box::new(refusal)));
            return self.tell_link(connection, key, &link, Some(error), |h, e| {
                h.on_link_error(e)
            });
        }
        self.tell_link(connection, key, &link, None, |h, e| h.on_link_opened(e));
    }

    fn detached(
        &mut self,
        connection: &Connection,
        link: &LinkShared,
        closed: bool,
        error: Error,
        by_peer: bool,
    ) {
        let key = link_key(link);
        let Some((link, _)) = self.link(connection, key) else {
            return;
        };
        let opened = {
            let registry = self.shared.registry();
            registry.links.get(&key).is_some_and(|entry| entry.opened)
        };
        // One that could not even be asked for has failed as well.
        let failed = !opened && !by_peer && !link.is_closed();
        if failed || error.condition().is_some() {
            self.tell_link(connection, key, &link, Some(error), |h, e| {
                h.on_link_error(e)
            });
            self.tell_link(connection, key, &link, None, |h, e| h.on_link_closed(e));
        } else if by_peer && !closed {
            self.tell_link(connection, key, &link, None, |h, e| h.on_link_detached(e));
        } else {
            if by_peer && !link.is_closed() {
                self.tell_link(connection, key, &link, None, |h, e| h.on_link_closing(e));
            }
            self.tell_link(connection, key, &link, None, |h, e| h.on_link_closed(e));
        }
        let forgotten = self.shared.registry().links.remove(&key);
        drop(forgotten);
    }

    pub(super) fn tell_link(
        &mut self,
        connection: &Connection,
        key: usize,
        link: &Link,
        error: Option<Error>,
        f: impl FnOnce(&mut dyn MessagingHandler, &LinkEvent) -> HandlerResult,
    ) {
        let handler = self
            .shared
            .registry()
            .link_handler(connection.number(), key);
        let event = LinkEvent {
            connection: connection.clone(),
            link: link.clone(),
            error,
        };
        self.call(Some(connection), handler.as_ref(), |handler| {
            f(handler, &event)
        });
    }

    // ---- sending

    /// Credit has come or been used. `told` is credit and drain as the peer's flow left them: by the time that
    /// the handler hears of it they may be those of the next one.
    fn flow(&mut self, connection: &Connection, key: usize, told: Option<(u32, bool)>) {
        let Some((Link::Sender(sender), handler)) = self.link(connection, key) else {
            return;
        };
        let event = SenderEvent {
            connection: connection.clone(),
            sender: sender.clone(),
        };
        let some = told.is_none_or(|(credit, _)| credit > 0) && sender.credit() > 0;
        if some && self.wants(connection, &sender) {
            self.call(Some(connection), handler.as_ref(), |h| {
                h.on_sendable(&event)
            });
        }
        let Some((credit, draining)) = told else {
            return;
        };
        let (starts, manual) = {
            let mut registry = self.shared.registry();
            let Some(entry) = registry.links.get_mut(&key) else {
                return;
            };
            let known = std::mem::replace(&mut entry.draining, draining);
            let starts = draining && (!known || credit > 0);
            (starts, entry.manual_drain)
        };
        if starts && self.wants(connection, &sender) {
            self.call(Some(connection), handler.as_ref(), |h| {
                h.on_drain_start(&event)
            });
        }
        if starts && !manual {
            sender.return_credit();
        }
    }

    /// Whether anybody wants to send on a link.
    fn wants(&self, connection: &Connection, sender: &Sender) -> bool {
        let closed = Link::Sender(sender.clone()).is_closed();
        !closed && !connection.is_closed() && !connection.has_failed()
    }

    fn reported(
        &mut self,
        connection: &Connection,
        key: usize,
        seq: u64,
        state: DeliveryState,
        settled: bool,
    ) {
        let Some((Link::Sender(sender), handler)) = self.link(connection, key) else {
            return;
        };
        let outcome = Outcome::try_from(state.clone()).ok();
        let told = outcome.is_some() && self.is_told(key, seq, &state, settled);
        let event = DeliveryEvent {
            connection: connection.clone(),
            of: Subject::Sent(Tracker::new(sender.clone(), seq)),
            link: Link::Sender(sender),
            state: Some(state),
        };
        self.call(Some(connection), handler.as_ref(), |h| {
            if !told {
                match outcome {
                    Some(Outcome::Accepted(_)) => h.on_accepted(&event)?,
                    Some(Outcome::Rejected(_)) => h.on_rejected(&event)?,
                    Some(Outcome::Released(_)) => h.on_released(&event)?,
                    Some(Outcome::Modified(_)) => h.on_modified(&event)?,
                    _ => {}
                }
                h.on_delivery_updated(&event)?;
            }
            match settled {
                true => h.on_settled(&event),
                false => Ok(()),
            }
        });
    }

    /// Whether an outcome has been told before, of a message that the handler settles.
    fn is_told(&self, key: usize, seq: u64, state: &DeliveryState, settled: bool) -> bool {
        let mut registry = self.shared.registry();
        let Some(entry) = registry.links.get_mut(&key) else {
            return false;
        };
        let before = match settled {
            true => entry.told.remove(&seq),
            false => entry.told.insert(seq, state.clone()),
        };
        before.as_ref() == Some(state)
    }

    // ---- receiving

    fn deliveries(&mut self, connection: &Connection, key: usize, count: usize) {
        for _ in 0..count {
            let Some((Link::Receiver(receiver), handler)) = self.link(connection, key) else {
                return;
            };
            // What came before the end of the link and was not taken is the peer's again.
            let Ok(Some(delivery)) = receiver.take() else {
                return;
            };
            if receiver.is_closed() || connection.is_closed() || connection.has_failed() {
                // Dropped, and so released.
                continue;
            }
            self.message(connection, receiver, handler.as_ref(), delivery);
        }
    }

    fn message(
        &mut self,
        connection: &Connection,
        receiver: Receiver,
        handler: Option<&SharedHandler>,
        delivery: Delivery,
    ) {
        let delivery = Arc::new(delivery);
        let event = MessageEvent {
            connection: connection.clone(),
            receiver,
            delivery: delivery.clone(),
        };
        // What the handler sends belongs to what it has received.
        #[cfg(feature = "opentelemetry")]
        let _context = delivery.span().map(|context| context.clone().attach());
        match self.attempt(handler, |h| h.on_message(&event)) {
            Ok(()) => {
                if self.options_of(handler).auto_accept {
                    delivery.accept();
                }
            }
            Err(HandlerError::Reject(error)) => delivery.reject(error),
            Err(HandlerError::Release) => {
                delivery.modify(Modified {
                    delivery_failed: Some(true),
                    ..Modified::default()
                });
            }
            failed => self.judge(Some(connection), failed),
        }
    }

    fn tell_receiver(
        &mut self,
        connection: &Connection,
        key: usize,
        f: impl FnOnce(&mut dyn MessagingHandler, &ReceiverEvent) -> HandlerResult,
    ) {
        let Some((Link::Receiver(receiver), handler)) = self.link(connection, key) else {
            return;
        };
        let event = ReceiverEvent {
            connection: connection.clone(),
            receiver,
        };
        self.call(Some(connection), handler.as_ref(), |h| f(h, &event));
    }
}
