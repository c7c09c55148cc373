//! A sender, as its user holds it.
//!
//! Decides how messages are handed over and how their outcomes come back. Section 2.6.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use amqp_types::Str;
use amqp_types::messaging::{self, Outcome};
use amqp_types::transport::{self, Attach, ErrorCondition};
use tokio::sync::oneshot;

use super::receipt::Receipt;
use super::resuming::attach_again;
use super::sendable::{Encodable, SendSettings, Sendable};
use super::session::{Session, SessionInner};
use super::sink::MessageSink;
use crate::driver::{
    Command, LinkShared, Refusal, SendOptions, SenderShared, Status, Ticket, reply_within,
};
use crate::error::{Error, ErrorKind, ErrorScope};
use crate::proto::LinkConfig;

/// A link that sends; clones stand for the same one. Dropping the last handle closes it; what was
/// enqueued before is still sent as far as the peer's credit goes. Section 2.6.
#[derive(Clone)]
pub struct Sender {
    inner: Arc<SenderInner>,
}

#[derive(Debug)]
pub(super) struct SenderInner {
    pub(super) shared: Arc<SenderShared>,
    /// Keeps the session open as long as the link is used.
    session: Mutex<Arc<SessionInner>>,
    /// Whether the peer refused the link for the unsettled deliveries that it told of.
    without_map: AtomicBool,
    /// Whether messages are sent settled.
    settled: bool,
    /// Whether the program settles what it enqueues.
    hold: bool,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("name", &self.name())
            .field("address", &self.address())
            .field("credit", &self.credit())
            .finish_non_exhaustive()
    }
}

impl Drop for SenderInner {
    fn drop(&mut self) {
        self.shared.leave();
        self.shared.give_up();
        self.shared.connection().push(Command::Detach {
            link: LinkShared::Sender(self.shared.clone()),
            closed: true,
            error: None,
            reply: None,
        });
    }
}

impl Sender {
    pub(crate) fn new(
        shared: Arc<SenderShared>,
        session: Arc<SessionInner>,
        settled: bool,
        hold: bool,
    ) -> Self {
        Self {
            inner: Arc::new(SenderInner {
                shared,
                session: Mutex::new(session),
                without_map: AtomicBool::new(false),
                settled,
                hold,
            }),
        }
    }

    /// Sends a message and waits for its outcome. A message that is sent settled has none; it counts
    /// as accepted once it has been handed to the transport.
    ///
    /// # Errors
    /// Whatever ends the link, the session or the connection before the outcome is known; the
    /// message may have arrived all the same. A rejection is an outcome, not an error.
    ///
    /// # Cancel safety
    /// A message that was enqueued is sent even when the future is dropped; before that nothing has
    /// happened.
    pub async fn send(&self, message: impl Sendable) -> Result<Outcome, Error> {
        let limit = self.inner.shared.connection().deadlines().send;
        let options = SendSettings::default().options(self.inner.settled);
        let sent = async {
            let ticket = self.wait_and_put(&message, &options).await?;
            self.receipt(ticket).await
        };
        match tokio::time::timeout(limit, sent).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let point = match self.credit() {
                    0 => "send, which waits for credit",
                    _ => "send, which waits for the outcome",
                };
                Err(Error::timed_out(point, ErrorScope::Delivery))
            }
        }
    }

    /// Hands a message over as soon as there is room, and gives a receipt to await later. Messages
    /// of one sender go out in the order in which they were enqueued.
    ///
    /// # Errors
    /// Limit when the message is larger than the peer takes; whatever ended the link.
    ///
    /// # Cancel safety
    /// When the future is dropped the message has not been enqueued.
    pub async fn enqueue(&self, message: impl Sendable) -> Result<Receipt, Error> {
        self.enqueue_with(message, SendSettings::default()).await
    }

    /// Like [`enqueue`](Self::enqueue), with settings of its own for this message.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Cancel safety
    /// When the future is dropped the message has not been enqueued.
    pub async fn enqueue_with(
        &self,
        message: impl Sendable,
        settings: SendSettings,
    ) -> Result<Receipt, Error> {
        let options = self.held(settings);
        let ticket = self.wait_and_put(&message, &options).await?;
        Ok(self.receipt(ticket))
    }

    /// Like [`enqueue_with`](Self::enqueue_with), with the outcome left to
    /// [`collect_outcomes`](Self::collect_outcomes): for whoever has thousands of messages under way
    /// that are settled in any order. Answers a number that names the message there.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Cancel safety
    /// When the future is dropped the message has not been enqueued.
    pub async fn enqueue_collected(
        &self,
        message: impl Sendable,
        settings: SendSettings,
    ) -> Result<u64, Error> {
        let options = SendOptions {
            collect: true,
            ..settings.options(self.inner.settled)
        };
        Ok(self.wait_and_put(&message, &options).await?.seq)
    }

    /// Waits until messages of [`enqueue_collected`](Self::enqueue_collected) have outcomes, and
    /// appends all that there are. Messages that were sent settled never show up.
    ///
    /// # Errors
    /// Whatever ended the link, once no outcome is left.
    ///
    /// # Cancel safety
    /// No outcome is lost when the future is dropped.
    pub async fn collect_outcomes(&self, outcomes: &mut Vec<(u64, Outcome)>) -> Result<(), Error> {
        self.inner.shared.collect(outcomes).await
    }

    /// Like [`enqueue_collected`](Self::enqueue_collected) if there is room now; `Ok(None)` when there
    /// is not.
    ///
    /// # Errors
    /// Limit when the message is larger than the peer takes; whatever ended the link.
    pub fn try_enqueue_collected(
        &self,
        message: impl Sendable,
        settings: SendSettings,
    ) -> Result<Option<u64>, Error> {
        let options = SendOptions {
            collect: true,
            ..settings.options(self.inner.settled)
        };
        match self
            .inner
            .shared
            .try_enqueue(&Encodable(&message), &options)
        {
            Ok(ticket) => Ok(Some(ticket.seq)),
            Err(Refusal::Full) => Ok(None),
            Err(Refusal::Over(error)) => Err(error),
        }
    }

    /// Appends the outcomes that there are now, as [`collect_outcomes`](Self::collect_outcomes)
    /// does, which waits for some.
    pub fn try_collect_outcomes(&self, outcomes: &mut Vec<(u64, Outcome)>) {
        self.inner.shared.try_collect(outcomes);
    }

    pub(super) async fn wait_and_put(
        &self,
        message: &impl Sendable,
        options: &SendOptions,
    ) -> Result<Ticket, Error> {
        loop {
            match self.inner.shared.try_enqueue(&Encodable(message), options) {
                Ok(ticket) => return Ok(ticket),
                Err(Refusal::Over(error)) => return Err(error),
                Err(Refusal::Full) => self.inner.shared.wait_room().await?,
            }
        }
    }

    /// What a message is sent with whose sender may settle it by hand.
    fn held(&self, settings: SendSettings) -> SendOptions {
        SendOptions {
            hold: self.inner.hold,
            ..settings.options(self.inner.settled)
        }
    }

    pub(super) fn receipt(&self, ticket: Ticket) -> Receipt {
        Receipt::new(self.inner.clone(), ticket)
    }

    /// Hands a message over if there is room now; `Ok(None)` when there is not.
    ///
    /// # Errors
    /// Limit when the message is larger than the peer takes; whatever ended the link.
    pub fn try_enqueue(&self, message: impl Sendable) -> Result<Option<Receipt>, Error> {
        let options = self.held(SendSettings::default());
        match self
            .inner
            .shared
            .try_enqueue(&Encodable(&message), &options)
        {
            Ok(ticket) => Ok(Some(self.receipt(ticket))),
            Err(Refusal::Full) => Ok(None),
            Err(Refusal::Over(error)) => Err(error),
        }
    }

    /// Hands a message over without a receipt, if there is room; answers its number on the link.
    pub(crate) fn put(
        &self,
        message: &impl Sendable,
        settings: SendSettings,
    ) -> Result<Option<u64>, Error> {
        let options = self.held(settings);
        let shared = &self.inner.shared;
        match shared.try_enqueue(&Encodable(message), &options) {
            Ok(ticket) => {
                match options.hold {
                    true => shared.settle_by_hand(ticket),
                    false => shared.abandon(ticket),
                }
                Ok(Some(ticket.seq))
            }
            Err(Refusal::Full) => Ok(None),
            Err(Refusal::Over(error)) => Err(error),
        }
    }

    /// On a link of [`SenderOptions::manual_drain`](crate::SenderOptions::manual_drain): there is nothing more to send. What is enqueued
    /// is sent as far as the credit goes, the rest of the credit is given back. Section 2.6.7.
    pub fn drained(&self) {
        self.inner
            .shared
            .connection()
            .push(Command::Drained(self.inner.shared.clone()));
    }

    /// How many more messages the peer would take at once: its credit, less what is enqueued. Section 2.6.7.
    pub fn credit(&self) -> u32 {
        self.inner.shared.credit()
    }

    /// Waits until the peer would take a message at once; answers how many.
    ///
    /// # Errors
    /// Whatever ends the link.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_credit(&self) -> Result<u32, Error> {
        self.inner.shared.wait_credit().await
    }

    /// Whether the peer has asked for its credit to be used up or given back. Section 2.6.7.
    pub fn is_draining(&self) -> bool {
        self.inner.shared.is_draining()
    }

    /// Waits until the peer has changed its mind: until credit and drain are not `credit` and `drain`.
    ///
    /// # Errors
    /// Whatever ends the link.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn flow_changed(&self, credit: u32, drain: bool) -> Result<(), Error> {
        self.inner.shared.wait_flow(credit, drain).await
    }

    /// Waits until the link is over; answers why.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn closed(&self) -> Error {
        self.inner.shared.wait_over().await
    }

    /// This sender as a `Sink` of messages; a clone where the sender is still needed.
    pub fn into_sink<M: Sendable>(self) -> MessageSink<M> {
        MessageSink::new(self)
    }

    /// Waits until everything that was enqueued has been handed to the transport.
    ///
    /// # Errors
    /// Whatever ends the link.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn flush(&self) -> Result<(), Error> {
        self.inner.shared.wait_flushed().await
    }

    /// The name of the link. Section 2.6.1.
    pub fn name(&self) -> &str {
        &self.inner.shared.name
    }

    /// The target as the peer describes it, which is the one that counts. Section 2.6.3. [LNK-10]
    pub fn target(&self) -> Option<messaging::TargetArchetype> {
        self.inner.shared.remote()?.target.clone()
    }

    /// The address of the target, as the peer gives it: for a dynamic node this is how it is reached.
    pub fn address(&self) -> Option<Str> {
        match self.target()? {
            messaging::TargetArchetype::Target(target) => target.address.map(|address| address.0),
            _ => None,
        }
    }

    /// The peer's attach. Section 2.7.3.
    pub fn remote(&self) -> Option<Arc<Attach>> {
        self.inner.shared.remote()
    }

    /// Whether the link is over, and why.
    pub fn error(&self) -> Option<Error> {
        match self.inner.shared.status() {
            Status::Over(error) | Status::Suspended(error) => Some(error),
            _ => None,
        }
    }

    /// Waits until everything that was enqueued has been handed to the transport, then closes the
    /// link and waits for the peer's answer. Receipts that are still open end in an error. Section 2.6.6.
    ///
    /// # Errors
    /// What ended the link, when it was not this close.
    ///
    /// # Cancel safety
    /// Dropping the future while messages wait leaves the link open; afterwards it is closed all the
    /// same.
    pub async fn close(&self) -> Result<(), Error> {
        self.flush().await?;
        self.detach_with(true, None).await
    }

    /// Detaches the link and leaves the terminus at the peer in place. Section 2.6.4.
    ///
    /// # Errors
    /// What ended the link, when it was not this detach.
    ///
    /// # Cancel safety
    /// As [`close`](Self::close).
    pub async fn detach(&self) -> Result<(), Error> {
        self.flush().await?;
        self.detach_with(false, None).await
    }

    /// Attaches a [resumable](crate::SenderOptions::resumable) link again, in this session or another one, of
    /// this connection or another one: after [`detach`](Self::detach), after the session ended, or
    /// after the connection was lost. Receipts stay valid. What was enqueued and never left is sent;
    /// what may have reached the peer is sorted out with its help: nothing is lost, and nothing
    /// arrives twice when the peer resumes links. With a peer that does not, unsettled messages are
    /// sent again when `resend` says so, and otherwise their receipts end in an error. Section 2.6.13.
    ///
    /// More unsettled deliveries than fit into one attach are told in parts: the link is attached at once,
    /// detached and attached again by itself while they are settled, and carries new messages once all
    /// the rest has been told. The listener's side takes the link up each time. [LNK-64]
    ///
    /// # Errors
    /// Configuration when the link is attached; what the peer says when it refuses: the link can be
    /// resumed again then. A peer that knows no resumption may end the session over it, as RabbitMQ
    /// does, with not-implemented: in another session the link is attached without.
    ///
    /// # Cancel safety
    /// When the future is dropped the link is detached again and can be resumed.
    pub async fn resume(&self, session: &Session, resend: bool) -> Result<(), Error> {
        let inner = &self.inner;
        let tell = !inner.without_map.load(Ordering::Relaxed);
        let result = self.reattach(session, resend, tell).await;
        match &result {
            Err(error) if tell && error.condition() == Some(&ErrorCondition::NotImplemented) => {
                // A peer that will not hear of unsettled deliveries: it is attached to without.
                inner.without_map.store(true, Ordering::Relaxed);
                if error.kind() == ErrorKind::SessionEnded {
                    return result;
                }
                self.reattach(session, resend, false).await
            }
            _ => result,
        }
    }

    /// Whether messages of this link are sent settled.
    pub(super) fn is_settled(&self) -> bool {
        self.inner.settled
    }

    pub(crate) fn shared(&self) -> &Arc<SenderShared> {
        &self.inner.shared
    }

    /// From now on the link keeps this session open.
    pub(crate) fn move_to(&self, session: Arc<SessionInner>) {
        *self
            .inner
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = session;
    }

    async fn reattach(&self, session: &Session, resend: bool, tell: bool) -> Result<(), Error> {
        let inner = session.inner().clone();
        let connection = inner.shared().connection.clone();
        let shared = &self.inner.shared;
        let (attach, resume) = shared.resume(connection.clone(), resend, tell)?;
        self.move_to(inner.clone());
        let config = LinkConfig {
            resume: Some(resume),
            keep: true,
            ..LinkConfig::default()
        };
        attach_again(&inner, LinkShared::Sender(shared.clone()), attach, config).await
    }

    /// Closes the link with an error for the peer, at once. Section 2.6.5.
    ///
    /// # Errors
    /// What ended the link, when it was not this close.
    ///
    /// # Cancel safety
    /// The link is closed even when the future is dropped.
    pub async fn close_with_error(&self, error: transport::Error) -> Result<(), Error> {
        self.detach_with(true, Some(Box::new(error))).await
    }

    async fn detach_with(
        &self,
        closed: bool,
        error: Option<Box<transport::Error>>,
    ) -> Result<(), Error> {
        let connection = self.inner.shared.connection();
        self.inner.shared.leave();
        let (reply_to, answer) = oneshot::channel();
        connection.push(Command::Detach {
            link: LinkShared::Sender(self.inner.shared.clone()),
            closed,
            error,
            reply: Some(reply_to),
        });
        reply_within(
            &connection,
            answer,
            connection.deadlines().detach,
            "detach",
            ErrorScope::Link,
        )
        .await
    }
}
