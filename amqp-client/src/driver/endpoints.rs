//! Sessions and links as they come and go.
//!
//! Decides who learns that one is there, was offered or is over, and what is kept of it. Sections 2.5.5,
//! 2.6.3 to 2.6.6.

use std::sync::Arc;

use amqp_types::transport::{self, Attach, ErrorCondition, Role};
use tracing::Span;

use super::commands::answer;
use super::{Driver, LinkEntry, LinkShared, MAX_MESSAGE_SIZE, Notice, Offer, spans};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{Key, LinkKey};

impl Driver {
    pub(super) fn link_attached(&mut self, link: LinkKey, attach: Box<Attach>) {
        let Some(entry) = self.links.get_mut(&link) else {
            // Nobody knows the link any more.
            self.engine.detach(link, true, None);
            return;
        };
        let refused = match attach.role {
            Role::Receiver => attach.target.is_none(),
            Role::Sender => attach.source.is_none(),
        };
        if refused {
            // The reason comes in the detach that follows. [LNK-09]
            return;
        }
        let turned = entry
            .again
            .as_mut()
            .is_some_and(|again| std::mem::take(&mut again.turning));
        spans::attached(&entry.span, &attach, entry.again.is_some());
        self.meter.attached(entry);
        entry.shared.attached(Arc::new((*attach).clone()));
        let shared = entry.shared.clone();
        if let Some(reply) = entry.attached.take()
            && reply.send(Ok(attach)).is_err()
        {
            // Whoever asked has given up; what can be resumed still can.
            let closed = !shared.is_resumable();
            self.engine.detach(link, closed, None);
        }
        if !turned {
            self.notice(|| Notice::LinkAttached(shared));
        }
    }

    /// The span of a link in a session.
    pub(super) fn link_span(&self, session: Option<Key>, ours: &Attach, by_peer: bool) -> Span {
        let session = session.and_then(|session| self.sessions.get(&session));
        spans::link(session.map(|entry| &entry.span), &self.span, ours, by_peer)
    }

    pub(super) fn link_offered(&mut self, link: LinkKey, attach: Box<Attach>) {
        let session = self
            .sessions
            .get(&link.session)
            .map(|entry| entry.shared.clone());
        let (true, Some(session)) = (self.offers.is_some() || self.tap.is_some(), session) else {
            let mirror = Box::new(mirror(&attach));
            let error = transport::Error::new(transport::ErrorCondition::NotAllowed);
            self.engine.refuse_link(link, mirror, Box::new(error));
            return;
        };
        // A placeholder until the application answers: the link has to be known for its detach.
        let ours = mirror(&attach);
        let span = self.link_span(Some(link.session), &ours, true);
        let shared = LinkShared::Receiver(super::ReceiverShared::new(
            self.shared.clone(),
            super::Template {
                attach: ours,
                resumable: false,
            },
            0,
        ));
        self.links.insert(link, LinkEntry::new(shared, span));
        let offer = Offer {
            link,
            session,
            attach,
        };
        match &self.tap {
            Some(tap) => tap.tell(Notice::LinkOffered(offer)),
            None => {
                if let Some(offers) = &self.offers {
                    offers.push(offer);
                }
            }
        }
    }

    pub(super) fn link_detached(
        &mut self,
        link: LinkKey,
        closed: bool,
        error: Option<Box<transport::Error>>,
        by_peer: bool,
    ) {
        self.trace_detached(link);
        let Some(entry) = self.links.remove(&link) else {
            return;
        };
        if let (Some(offers), None) = (&self.offers, entry.shared.key()) {
            // Nobody has answered it.
            offers.withdraw(link);
        }
        let local = !by_peer && error.is_none();
        let turning = entry.again.as_ref().is_some_and(|again| again.turning);
        if turning && local && !closed && !entry.closing && entry.detached.is_empty() {
            // [LNK-64]
            spans::turned(&entry.span);
            self.meter
                .detached(&entry, &Error::closed_locally(ErrorScope::Link));
            entry.shared.turn();
            self.suspended.insert(link, entry.shared.clone());
            if let Some(again) = entry.again {
                self.attach_round(link, entry.shared, again);
            }
            return;
        }
        let reason = if local {
            Error::closed_locally(ErrorScope::Link)
        } else {
            let what = if closed {
                "the link was closed"
            } else {
                "the link was detached"
            };
            let initiator = if by_peer || entry.attached.is_some() {
                Initiator::Remote
            } else {
                Initiator::Library
            };
            let error = error.map(|error| *error);
            Error::amqp_error(
                ErrorKind::LinkDetached,
                ErrorScope::Link,
                initiator,
                what,
                error,
            )
        }
        .link_closed(closed);
        spans::detached(&entry.span, entry.open, closed, by_peer, &reason);
        self.meter.detached(&entry, &reason);
        // What is left of a link is kept when only the link is gone, not its terminus; an attach
        // that was refused leaves things as they were.
        let attaching = entry.attached.is_some() || (turning && !entry.closing);
        let for_good = (closed || entry.closing) && !attaching;
        if let LinkShared::Receiver(receiver) = &entry.shared {
            // What was decided before goes out ahead of our detach.
            self.take_inbox(receiver);
        }
        entry.shared.finish(&reason, for_good);
        if entry.shared.detached() == Some(link) {
            self.suspended.insert(link, entry.shared.clone());
        }
        self.notice(|| Notice::LinkDetached {
            link: entry.shared.clone(),
            closed,
            error: reason.clone(),
            by_peer,
        });
        if let Some(reply) = entry.attached {
            let _ = reply.send(Err(reason.clone()));
        }
        for reply in entry.drained {
            let _ = reply.send(Err(reason.clone()));
        }
        for reply in entry.detached {
            let result = if reason.condition().is_some() {
                Err(reason.clone())
            } else {
                Ok(())
            };
            let _ = reply.send(result);
        }
    }

    pub(super) fn session_ended(
        &mut self,
        session: Key,
        error: Option<Box<transport::Error>>,
        by_peer: bool,
    ) {
        let Some(entry) = self.sessions.remove(&session) else {
            return;
        };
        let reason = match (error, by_peer) {
            (None, false) => Error::closed_locally(ErrorScope::Session),
            (error, by_peer) => {
                let initiator = if by_peer {
                    Initiator::Remote
                } else {
                    Initiator::Library
                };
                let kind = match &error {
                    // A capability that we require, and nothing else. [CON-46]
                    Some(error)
                        if error.condition == ErrorCondition::NotImplemented && !by_peer =>
                    {
                        ErrorKind::Unsupported
                    }
                    _ => ErrorKind::SessionEnded,
                };
                Error::amqp_error(
                    kind,
                    ErrorScope::Session,
                    initiator,
                    "the session was ended",
                    error.map(|error| *error),
                )
            }
        };
        spans::ended(&entry.span, &reason, by_peer);
        self.meter.ended(&entry, &reason);
        entry.shared.finish(reason.clone());
        self.notice(|| Notice::SessionEnded {
            session: entry.shared.clone(),
            error: reason.clone(),
            by_peer,
        });
        answer(entry.begun, Err(reason.clone()));
        for reply in entry.ended {
            let result = if reason.condition().is_some() {
                Err(reason.clone())
            } else {
                Ok(())
            };
            let _ = reply.send(result);
        }
        if let Some(offers) = &self.offers {
            offers.withdraw_session(session);
        }
        self.suspended.retain(|link, _| link.session != session);
        let gone: Vec<LinkKey> = self
            .links
            .keys()
            .filter(|link| link.session == session)
            .copied()
            .collect();
        for link in gone {
            self.trace_detached(link);
            if let Some(entry) = self.links.remove(&link) {
                self.meter.detached(&entry, &reason);
                entry.shared.finish(&reason, false);
                if let Some(reply) = entry.attached {
                    let _ = reply.send(Err(reason.clone()));
                }
            }
        }
    }
}

/// Our attach for a link that the peer attached, agreeing with everything.
pub(crate) fn mirror(attach: &Attach) -> Attach {
    let role = match attach.role {
        Role::Sender => Role::Receiver,
        Role::Receiver => Role::Sender,
    };
    let mut mine = Attach::new(attach.name.clone(), attach.handle, role);
    mine.snd_settle_mode = attach.snd_settle_mode;
    mine.rcv_settle_mode = attach.rcv_settle_mode;
    mine.source = attach.source.clone();
    mine.target = attach.target.clone();
    if role == Role::Receiver {
        mine.max_message_size = Some(MAX_MESSAGE_SIZE);
    }
    mine
}
