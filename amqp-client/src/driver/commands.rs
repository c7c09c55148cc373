//! What commands do to the engine.
//!
//! Decides which verb of the engine each command is. What happens in return is [`super::dispatch`].

use amqp_types::transport::Attach;

use super::receiver::Settlement;
use super::spans;
use super::stats::waits;
use super::{
    Again, AttachOrder, Command, Driver, LinkEntry, LinkShared, Notice, ReceiverShared,
    SessionEntry, SessionShared,
};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{Key, LinkKey, Load, StreamEnd};

impl Driver {
    pub(super) fn take_commands(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        self.shared.swap(&mut commands);
        for command in commands.drain(..) {
            match self.waits_for_peer(&command) {
                true => self.deferred.push(command),
                false => self.handle_command(command),
            }
        }
        self.commands = commands;
    }

    /// Whether a command has to wait until the peer has said who it is: a link with a name of the
    /// user's choice, which another link to the peer may have, and what is asked behind it. [LNK-01]
    fn waits_for_peer(&self, command: &Command) -> bool {
        match command {
            Command::Attach { claim: Some(_), .. } if self.shared.named().is_none() => true,
            Command::Close { .. } | Command::Named | Command::Sasl(_) | Command::Tap(_) => false,
            _ => !self.deferred.is_empty(),
        }
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Outbox(link) => {
                if let Some(key) = link.take_outbox(&mut self.outbox) {
                    self.trace_sent(key);
                    self.engine.send(key, self.outbox.drain(..));
                }
                self.outbox.clear();
            }
            Command::Stream {
                link,
                seq,
                part,
                end,
            } => {
                if let Some(key) = link.key() {
                    if end == Some(StreamEnd::Aborted) {
                        self.trace_end(key, seq, "aborted");
                    }
                    self.engine.stream(key, seq, part, end);
                }
            }
            Command::SettleHeld { link, seq } => {
                if let Some(key) = link.key() {
                    self.engine.settle_sent(key, seq);
                }
            }
            Command::Inbox(link) => self.take_inbox(&link),
            Command::Begin {
                session,
                config,
                reply,
            } => match self.engine.begin(config) {
                Some(key) => {
                    session.set_key(key);
                    let entry = SessionEntry {
                        shared: session,
                        span: spans::session(&self.span, self.engine.channel(key), false),
                        open: false,
                        begun: reply,
                        ended: Vec::new(),
                    };
                    self.sessions.insert(key, entry);
                }
                None => {
                    let error = limit(
                        ErrorScope::Session,
                        "no channel is left for another session",
                    );
                    session.finish(error.clone());
                    self.notice(|| Notice::SessionEnded {
                        session,
                        error: error.clone(),
                        by_peer: false,
                    });
                    answer(reply, Err(error));
                }
            },
            Command::End {
                session,
                error,
                reply,
            } => match session.key() {
                Some(key) => {
                    self.engine.end(key, error);
                    if let Some(entry) = self.sessions.get_mut(&key) {
                        entry.ended.retain(waits);
                        entry.ended.extend(reply);
                    }
                }
                None => answer(reply, Ok(())),
            },
            Command::Attach {
                session,
                order,
                claim,
                reply,
            } => match self.shared.claim(&order.shared, claim) {
                Ok(()) => self.attach(&session, order, reply),
                Err(error) => {
                    order.shared.finish(&error, true);
                    self.not_attached(order.shared, error, reply);
                }
            },
            Command::Named => {
                for command in std::mem::take(&mut self.deferred) {
                    self.handle_command(command);
                }
            }
            Command::Accept { link, order } => {
                let AttachOrder {
                    shared,
                    attach,
                    config,
                } = order;
                self.leaves(&shared, link.session);
                shared.attach(link);
                if let Some(entry) = self.links.get_mut(&link) {
                    entry.shared = shared;
                    spans::attached(&entry.span, &attach, config.resume.is_some());
                    self.meter.attached(entry);
                    self.trace_resumed(link, config.resume.as_ref());
                    self.engine.accept_link(link, attach, config);
                } else {
                    // The peer was quicker to give it up.
                    let error = Error::new(
                        ErrorKind::LinkDetached,
                        ErrorScope::Link,
                        Initiator::Remote,
                        "the link was closed",
                    );
                    shared.finish(&error, true);
                    self.notice(|| Notice::LinkDetached {
                        link: shared,
                        closed: true,
                        error,
                        by_peer: true,
                    });
                }
            }
            Command::Refuse {
                link,
                attach,
                error,
            } => {
                if let Some(entry) = self.links.remove(&link) {
                    spans::refused(&entry.span, &error);
                    self.meter
                        .detached(&entry, &Error::closed_locally(ErrorScope::Link));
                }
                self.engine.refuse_link(link, attach, error);
            }
            Command::Detach {
                link,
                closed,
                error,
                reply,
            } => match link.key() {
                Some(key) => {
                    if let (LinkShared::Receiver(receiver), false) = (&link, closed) {
                        // What has been decided so far is still told, the rest in the next attach.
                        receiver.turn();
                        self.take_inbox(receiver);
                    }
                    self.engine.detach(key, closed, error);
                    if let Some(entry) = self.links.get_mut(&key) {
                        entry.closing |= closed;
                        entry.detached.retain(waits);
                        entry.detached.extend(reply);
                    }
                }
                None => {
                    if closed && let Some(key) = link.detached() {
                        self.forget(key);
                    }
                    answer(reply, Ok(()));
                }
            },
            Command::Forget(link) => self.forget(link),
            Command::Steal { link, error } => {
                // Nothing of it concerns its handles any more: they may be attached elsewhere by now.
                self.trace_detached(link);
                if let Some(entry) = self.links.remove(&link) {
                    spans::stolen(&entry.span);
                    self.meter
                        .detached(&entry, &Error::closed_locally(ErrorScope::Link));
                }
                self.engine.detach(link, error.is_some(), error);
            }
            Command::Watch { receiver, link, id } => self.watches.push((receiver, link, id)),
            Command::Credit { link, credit } => {
                if let Some(key) = link.key() {
                    self.engine.set_credit(key, credit);
                }
            }
            Command::AddCredit { link, more } => {
                if let Some(key) = link.key() {
                    self.engine.add_credit(key, more);
                }
            }
            Command::AutoCredit { link, window } => {
                if let Some(key) = link.key() {
                    self.engine.set_auto_credit(key, window);
                }
            }
            Command::Drain { link, reply } => match link.key() {
                Some(key) => {
                    if let Some(entry) = self.links.get_mut(&key) {
                        entry.drained.retain(waits);
                        entry.drained.push(reply);
                    }
                    self.engine.drain(key);
                }
                None => drop(reply.send(Err(Error::closed_locally(ErrorScope::Link)))),
            },
            Command::Drained(link) => {
                if let Some(key) = link.key() {
                    self.engine.drained(key);
                }
            }
            Command::Close { error } => {
                let deadline = tokio::time::Instant::now().into_std() + self.close_deadline;
                self.give_up.get_or_insert(deadline);
                self.engine.close(error);
            }
            Command::Stats(reply) => drop(reply.send(Ok(self.stats()))),
            Command::Tap(tap) => self.tap = Some(tap),
            Command::Sasl(answer) => self.sasl_answered(answer),
        }
    }

    /// What a receiver's application has done since the last time.
    pub(super) fn take_inbox(&mut self, link: &ReceiverShared) {
        let mut work = std::mem::take(&mut self.work);
        if let Some(key) = link.take_work(&mut work) {
            let watched = self.traces_outcomes() || self.meter.is_watched();
            for settlement in work.settlements.drain(..) {
                if watched {
                    self.settle_watched(key, settlement);
                    continue;
                }
                let Settlement { id, settled, .. } = settlement;
                match settlement.state {
                    Some(state) if settlement.up_to => {
                        self.engine.settle_up_to(key, id, &state, settled);
                    }
                    state => {
                        self.engine.settle(key.session, id, state, settled);
                    }
                }
            }
            if work.load != Load::default() {
                self.engine.taken(key, work.load);
            }
            if work.consumed > 0 {
                self.engine.consumed(key, work.consumed);
            }
        }
        work.settlements.clear();
        (work.load, work.consumed) = (Load::default(), 0);
        self.work = work;
    }

    /// Settles what was decided on, where somebody wants to know of it.
    #[cold]
    fn settle_watched(&mut self, key: LinkKey, settlement: Settlement) {
        self.trace_settlement(key, &settlement);
        let Settlement { id, settled, .. } = settlement;
        match settlement.state {
            Some(state) if settlement.up_to => {
                let decided = self.engine.settle_up_to(key, id, &state, settled);
                self.meter.decided(&state, decided);
            }
            state => {
                let decision = state.clone();
                let open = self.engine.settle(key.session, id, state, settled);
                if let Some(decision) = decision {
                    self.meter.decided(&decision, usize::from(open));
                }
            }
        }
    }

    /// A detached link is attached again: under a new key, in its session or another one.
    pub(super) fn leaves(&mut self, link: &LinkShared, session: Key) {
        if let Some(former) = link.detached()
            && self.suspended.remove(&former).is_some()
            && former.session != session
        {
            self.engine.forget(former);
        }
    }

    fn forget(&mut self, link: LinkKey) {
        if self.suspended.remove(&link).is_some() {
            self.engine.forget(link);
        }
    }

    fn attach(
        &mut self,
        session: &SessionShared,
        order: AttachOrder,
        reply: super::Reply<Box<Attach>>,
    ) {
        let AttachOrder {
            shared,
            attach,
            config,
        } = order;
        let again = Again::of(&config);
        let resume = spans::resumed(&config);
        let span = self.link_span(session.key(), &attach, false);
        let key = session.key().and_then(|key| {
            self.leaves(&shared, key);
            self.engine.attach(key, attach, config)
        });
        match key {
            Some(key) => {
                shared.attach(key);
                let entry = LinkEntry {
                    attached: Some(reply),
                    again,
                    ..LinkEntry::new(shared, span)
                };
                self.links.insert(key, entry);
                self.trace_resumed(key, resume.as_ref());
            }
            None => {
                let error = match session.key() {
                    Some(_) => limit(ErrorScope::Link, "no handle is left for another link"),
                    None => session.over_error(),
                };
                shared.finish(&error, false);
                self.not_attached(shared, error, reply);
            }
        }
    }

    /// A link was not even asked for.
    fn not_attached(&self, link: LinkShared, error: Error, reply: super::Reply<Box<Attach>>) {
        self.notice(|| Notice::LinkDetached {
            link,
            closed: true,
            error: error.clone(),
            by_peer: false,
        });
        drop(reply.send(Err(error)));
    }
}

/// Tells whoever waits, if anybody does.
pub(super) fn answer(reply: Option<super::Reply<()>>, result: Result<(), Error>) {
    if let Some(reply) = reply {
        let _ = reply.send(result);
    }
}

fn limit(scope: ErrorScope, what: &str) -> Error {
    Error::new(ErrorKind::Limit, scope, Initiator::Library, what)
}
