//! What the application asks of sessions and links.
//!
//! Decides nothing: each verb goes to the session that it is about, and what that owes then is noted.
//! Sections 2.5, 2.6.

use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{Attach, Error};
use bytes::Bytes;

use super::super::arena::Key;
use super::super::delivery::{Load, Outgoing, StreamEnd};
use super::super::event::LinkKey;
use super::super::link::LinkConfig;
use super::Connection;

impl Connection {
    /// Ends a session.
    pub fn end(&mut self, session: Key, error: Option<Box<Error>>) {
        self.with(session, |session, _| {
            session.end(error);
        });
    }

    /// Attaches a link. `None` when no handle is left.
    pub fn attach(
        &mut self,
        session: Key,
        attach: Box<Attach>,
        config: LinkConfig,
    ) -> Option<LinkKey> {
        let link = self.with(session, |s, _| s.attach(attach, config))??;
        Some(LinkKey { session, link })
    }

    /// Accepts a link that the partner attached.
    pub fn accept_link(&mut self, link: LinkKey, attach: Box<Attach>, config: LinkConfig) {
        let max_frame = self.limits.max_frame_size as usize;
        self.with(link.session, |s, events| {
            s.accept_link(link.link, attach, config, max_frame, events)
        });
    }

    /// Refuses a link that the partner attached. [LNK-08]
    pub fn refuse_link(&mut self, link: LinkKey, attach: Box<Attach>, error: Box<Error>) {
        self.with(link.session, |s, events| {
            s.refuse_link(link.link, attach, error, events)
        });
    }

    /// Detaches a link, or closes it.
    pub fn detach(&mut self, link: LinkKey, closed: bool, error: Option<Box<Error>>) {
        self.with(link.session, |s, events| {
            if !s.take_back(link.link, events) {
                s.detach(link.link, closed, error);
            }
        });
    }

    /// Forgets the deliveries of a link that is detached and was to keep them. [PRF-23]
    pub fn forget(&mut self, link: LinkKey) {
        self.with(link.session, |s, _| s.forget(link.link));
    }

    /// Queues messages on a sending link.
    pub fn send(&mut self, link: LinkKey, messages: impl IntoIterator<Item = Outgoing>) {
        self.with(link.session, |s, _| s.send(link.link, messages));
    }

    /// Hands over a part of a message that was queued as streamed, or its end.
    pub fn stream(&mut self, link: LinkKey, seq: u64, part: Option<Bytes>, end: Option<StreamEnd>) {
        self.with(link.session, |s, _| s.stream(link.link, seq, part, end));
    }

    /// The application has nothing more to send on a link that answers drains by hand.
    pub fn drained(&mut self, link: LinkKey) {
        self.with(link.session, |s, events| s.drained(link.link, events));
    }

    /// Settles a message that was sent with `hold`, once its outcome has been told.
    pub fn settle_sent(&mut self, link: LinkKey, seq: u64) {
        self.with(link.session, |s, events| {
            s.settle_sent(link.link, seq, events)
        });
    }

    /// Takes back a message that has not been handed to the transport; answers whether it was there.
    pub fn withdraw(&mut self, link: LinkKey, seq: u64) -> bool {
        self.with(link.session, |s, _| s.withdraw(link.link, seq)) == Some(true)
    }

    /// The application took deliveries of this weight off a link's queue.
    pub fn taken(&mut self, link: LinkKey, load: Load) {
        self.with(link.session, |s, _| s.taken(link.link, load));
    }

    /// Settles every delivery of a link up to one, with the same outcome; answers how many.
    pub fn settle_up_to(
        &mut self,
        link: LinkKey,
        last: u32,
        state: &DeliveryState,
        settled: bool,
    ) -> usize {
        let done = self.with(link.session, |s, _| {
            s.settle_up_to(link.link, last, state, settled)
        });
        done.unwrap_or(0)
    }

    /// The application is done with `n` deliveries of a link that came settled.
    pub fn consumed(&mut self, link: LinkKey, n: u32) {
        self.with(link.session, |s, _| s.consumed(link.link, n));
    }

    /// Reports the outcome of a delivery, and settles it if `settled`. Answers whether it was open.
    pub fn settle(
        &mut self,
        session: Key,
        id: u32,
        state: Option<DeliveryState>,
        settled: bool,
    ) -> bool {
        self.with(session, |s, _| s.settle(id, state, settled)) == Some(true)
    }

    /// Grants exactly `credit` on a receiving link, by hand from now on.
    pub fn set_credit(&mut self, link: LinkKey, credit: u32) {
        self.with(link.session, |s, _| s.set_credit(link.link, credit));
    }

    /// Grants `more` on a receiving link beside what is granted, by hand from now on.
    pub fn add_credit(&mut self, link: LinkKey, more: u32) {
        self.with(link.session, |s, _| s.add_credit(link.link, more));
    }

    /// Keeps `window` granted on a receiving link by itself from now on.
    pub fn set_auto_credit(&mut self, link: LinkKey, window: u32) {
        self.with(link.session, |s, _| s.set_auto_credit(link.link, window));
    }

    /// Asks the sender to use up its credit.
    pub fn drain(&mut self, link: LinkKey) {
        self.with(link.session, |s, events| s.drain(link.link, events));
    }
}
