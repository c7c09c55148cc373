//! A receiver, as its user holds it.
//!
//! Decides how deliveries are taken and how credit is steered. Section 2.6.

use amqp_types::messaging;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use amqp_types::Str;
use amqp_types::transport::{self, Attach, ErrorCondition};
use tokio::sync::oneshot;

use super::deliveries::Deliveries;
use super::delivery::Delivery;
use super::resuming::attach_again;
use super::session::{Session, SessionInner};
use crate::driver::{Command, LinkShared, ReceiverShared, Status, reply_within};
use crate::error::{Error, ErrorKind, ErrorScope};
use crate::proto::LinkConfig;

/// A link that receives; clones stand for the same one, and each delivery goes to one of them. The
/// link is closed when the last handle and the last delivery are dropped. Section 2.6.
#[derive(Clone)]
pub struct Receiver {
    inner: Arc<ReceiverInner>,
}

#[derive(Debug)]
pub(crate) struct ReceiverInner {
    pub(crate) shared: Arc<ReceiverShared>,
    /// What is fetched ahead when the link is attached again.
    credit: Option<u32>,
    /// Keeps the session open as long as the link is used.
    session: Mutex<Arc<SessionInner>>,
    /// Whether the peer refused the link for the unsettled deliveries that it told of.
    without_map: AtomicBool,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("name", &self.name())
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Drop for ReceiverInner {
    fn drop(&mut self) {
        self.shared.leave();
        self.shared.connection().push(Command::Detach {
            link: LinkShared::Receiver(self.shared.clone()),
            closed: true,
            error: None,
            reply: None,
        });
    }
}

impl Receiver {
    pub(crate) fn new(
        shared: Arc<ReceiverShared>,
        session: Arc<SessionInner>,
        credit: Option<u32>,
    ) -> Self {
        Self {
            inner: Arc::new(ReceiverInner {
                shared,
                credit,
                session: Mutex::new(session),
                without_map: AtomicBool::new(false),
            }),
        }
    }

    /// The next delivery.
    ///
    /// # Errors
    /// Whatever ended the link, once the deliveries that came settled before have been taken.
    ///
    /// # Cancel safety
    /// No delivery is lost when the future is dropped.
    pub async fn recv(&self) -> Result<Delivery, Error> {
        let (incoming, report) = self.inner.shared.take().await?;
        Ok(Delivery::new(self.inner.clone(), incoming, report))
    }

    /// The next delivery if one is there.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Option<Delivery>, Error> {
        let taken = self.inner.shared.try_take()?;
        Ok(taken.map(|(incoming, report)| Delivery::new(self.inner.clone(), incoming, report)))
    }

    /// The deliveries as a `Stream`; that of a clone where the receiver is still needed.
    pub fn into_stream(self) -> Deliveries {
        Deliveries::new(self)
    }

    /// Grants exactly `credit` deliveries, by hand from now on; 2,147,483,647 at most, since serial
    /// numbers that are farther apart can not be compared. Section 2.6.7.
    pub fn set_credit(&self, credit: u32) {
        let link = self.inner.shared.clone();
        self.inner
            .shared
            .connection()
            .push(Command::Credit { link, credit });
    }

    /// Keeps `deliveries` fetched ahead from now on. Section 2.6.7.
    pub fn set_prefetch(&self, deliveries: u32) {
        let link = self.inner.shared.clone();
        self.inner.shared.connection().push(Command::AutoCredit {
            link,
            window: deliveries.max(1),
        });
    }

    /// Asks the sender to send what it has or to give the credit back, and waits until it has: every
    /// delivery that it sent can be taken then. Section 2.6.7.
    ///
    /// # Errors
    /// Whatever ends the link.
    ///
    /// # Cancel safety
    /// The drain goes on when the future is dropped.
    pub async fn drain(&self) -> Result<(), Error> {
        let connection = self.inner.shared.connection();
        let (reply_to, answer) = oneshot::channel();
        connection.push(Command::Drain {
            link: self.inner.shared.clone(),
            reply: reply_to,
        });
        let limit = connection.deadlines().drain;
        reply_within(&connection, answer, limit, "drain", ErrorScope::Link).await
    }

    /// The name of the link. Section 2.6.1.
    pub fn name(&self) -> &str {
        &self.inner.shared.name
    }

    /// The source as the peer describes it, which is the one that counts. Section 2.6.3. [LNK-10]
    pub fn source(&self) -> Option<messaging::SourceArchetype> {
        self.inner.shared.remote()?.source.clone()
    }

    /// The address of the source, as the peer gives it: for a dynamic node this is how it is reached.
    pub fn address(&self) -> Option<Str> {
        match self.source()? {
            messaging::SourceArchetype::Source(source) => source.address.map(|address| address.0),
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

    /// Waits until the link is over; answers why.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn closed(&self) -> Error {
        self.inner.shared.wait_over().await
    }

    /// Closes the link and waits for the peer's answer. Deliveries that were not settled are the
    /// sender's again. Section 2.6.6.
    ///
    /// # Errors
    /// What ended the link, when it was not this close.
    ///
    /// # Cancel safety
    /// The link is closed even when the future is dropped.
    pub async fn close(&self) -> Result<(), Error> {
        self.detach_with(true, None).await
    }

    /// Detaches the link and leaves the terminus at the peer in place. Section 2.6.4.
    ///
    /// # Errors
    /// What ended the link, when it was not this detach.
    ///
    /// # Cancel safety
    /// The link is detached even when the future is dropped.
    pub async fn detach(&self) -> Result<(), Error> {
        self.detach_with(false, None).await
    }

    /// Attaches a [resumable](crate::ReceiverOptions::resumable) link again, in this session or another one,
    /// of this connection or another one: after [`detach`](Self::detach), after the session ended, or
    /// after the connection was lost. Deliveries that the application holds stay valid: they are
    /// settled once the sender has resumed them, and do not come a second time. With a sender that
    /// does not resume links they come again as new ones. Section 2.6.13.
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
    pub async fn resume(&self, session: &Session) -> Result<(), Error> {
        let inner = &self.inner;
        let tell = !inner.without_map.load(Ordering::Relaxed);
        let result = self.reattach(session, tell).await;
        match &result {
            Err(error) if tell && error.condition() == Some(&ErrorCondition::NotImplemented) => {
                // A peer that will not hear of unsettled deliveries: it is attached to without.
                inner.without_map.store(true, Ordering::Relaxed);
                if error.kind() == ErrorKind::SessionEnded {
                    return result;
                }
                self.reattach(session, false).await
            }
            _ => result,
        }
    }

    pub(super) fn inner(&self) -> Arc<ReceiverInner> {
        self.inner.clone()
    }

    pub(crate) fn shared(&self) -> &Arc<ReceiverShared> {
        &self.inner.shared
    }

    pub(crate) fn credit(&self) -> Option<u32> {
        self.inner.credit
    }

    /// From now on the link keeps this session open.
    pub(crate) fn move_to(&self, session: Arc<SessionInner>) {
        *self
            .inner
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = session;
    }

    async fn reattach(&self, session: &Session, tell: bool) -> Result<(), Error> {
        let inner = session.inner().clone();
        let connection = inner.shared().connection.clone();
        let shared = &self.inner.shared;
        let (attach, resume) = shared.resume(connection.clone(), tell)?;
        self.move_to(inner.clone());
        let config = LinkConfig {
            credit: self.inner.credit,
            resume,
            keep: true,
            ..LinkConfig::default()
        };
        attach_again(&inner, LinkShared::Receiver(shared.clone()), attach, config).await
    }

    /// Closes the link with an error for the peer. Section 2.6.5.
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
            link: LinkShared::Receiver(self.inner.shared.clone()),
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
