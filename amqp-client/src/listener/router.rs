//! A router: which service a message is for, by the address that its link was attached to.
//!
//! Decides what services share: how many messages are worked on at once, and what becomes of them. The
//! outcome is what the service returns; a service that panics has its message released.
//! Sections 2.6.3, 3.4.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use amqp_types::messaging::Outcome;
use amqp_types::transport::{self, ErrorCondition, Role};
use amqp_types::{EncodedMessage, Message, Str};
use tokio::sync::Semaphore;

use super::{IncomingLink, Listener};
use crate::error::Error;
use crate::handles::{Connection, Delivery, Receiver, ReceiverOptions};

/// How many messages are worked on at once, unless it is said otherwise.
const CONCURRENCY: usize = 64;

type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Gives messages to services by address.
///
/// ```
/// use amqp_client::listener::Router;
/// use amqp_client::types::messaging::{Accepted, Outcome};
///
/// let router = Router::new()
///     .concurrency(8)
///     .route("orders/*", async |request| {
///         println!("{}: {:?}", request.address(), request.message());
///         Outcome::Accepted(Accepted::default())
///     });
/// # let _ = router;
/// ```
#[derive(Clone)]
pub struct Router {
    routes: Arc<Vec<Arc<Route>>>,
    permits: Arc<Semaphore>,
    concurrency: usize,
}

struct Route {
    pattern: String,
    service: Box<dyn Fn(Request) -> Work + Send + Sync>,
}

/// A message for a service.
#[derive(Debug)]
pub struct Request {
    address: Str,
    delivery: Arc<Delivery>,
}

impl Request {
    /// The address that the peer's link names.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Decodes the message. Section 3.2.
    ///
    /// # Errors
    /// Codec when the octets are no message.
    pub fn message(&self) -> Result<Message, Error> {
        self.delivery.message()
    }

    /// The message with its sections told apart, none of them decoded.
    ///
    /// # Errors
    /// Codec when the sections can not be told apart.
    pub fn encoded(&self) -> Result<EncodedMessage, Error> {
        self.delivery.encoded()
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let patterns: Vec<_> = self.routes.iter().map(|route| &route.pattern).collect();
        f.debug_struct("Router")
            .field("patterns", &patterns)
            .field("concurrency", &self.concurrency)
            .finish()
    }
}

impl Router {
    /// A router without services, which work on 64 messages at once.
    pub fn new() -> Self {
        Self {
            routes: Arc::default(),
            permits: Arc::new(Semaphore::new(CONCURRENCY)),
            concurrency: CONCURRENCY,
        }
    }

    /// How many messages all services together work on at once.
    pub fn concurrency(mut self, messages: usize) -> Self {
        self.concurrency = messages.clamp(1, Semaphore::MAX_PERMITS);
        self.permits = Arc::new(Semaphore::new(self.concurrency));
        self
    }

    /// Adds a service. In a pattern `*` stands for one part of an address between slashes, and `**` at
    /// its end for all the rest. The first pattern that fits counts. Clones that were made before do not
    /// learn of it.
    pub fn route<F, R>(mut self, pattern: impl Into<String>, service: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let route = Route {
            pattern: pattern.into(),
            service: Box::new(move |request| Box::pin(service(request))),
        };
        let mut routes = (*self.routes).clone();
        routes.push(Arc::new(route));
        self.routes = Arc::new(routes);
        self
    }

    /// Serves every connection of a listener, until the listener fails.
    ///
    /// # Errors
    /// As [`Listener::accept`].
    ///
    /// # Cancel safety
    /// Connections that have been accepted are served on when the future is dropped.
    pub async fn run(&self, listener: &Listener) -> Result<(), Error> {
        loop {
            let connection = listener.accept().await?;
            let router = self.clone();
            tokio::spawn(async move { router.serve(&connection).await });
        }
    }

    /// Serves one connection until it is over; answers why.
    ///
    /// # Cancel safety
    /// Links that have been accepted are served on when the future is dropped.
    pub async fn serve(&self, connection: &Connection) -> Error {
        loop {
            match connection.next_link().await {
                Ok(link) => self.accept(link),
                Err(error) => return error,
            }
        }
    }

    /// Answers a link. Services take messages; who wants to receive is refused. [LNK-08]
    fn accept(&self, link: IncomingLink) {
        if link.role() == Role::Sender {
            let error = fault(
                ErrorCondition::NotImplemented,
                "services only take messages",
            );
            return link.refuse(error);
        }
        let address = Str::from(link.address().unwrap_or_default().to_owned());
        let found = self
            .routes
            .iter()
            .find(|route| fits(&route.pattern, &address));
        let Some(route) = found.cloned() else {
            let error = fault(
                ErrorCondition::NotFound,
                "there is no service at this address",
            );
            return link.refuse(error);
        };
        let ahead = u32::try_from(self.concurrency.min(500)).unwrap_or(500);
        let options = ReceiverOptions::new().prefetch(ahead);
        match link.accept_receiver(options) {
            Ok(receiver) => drop(tokio::spawn(self.clone().receive(receiver, address, route))),
            Err(error) => {
                tracing::debug!(target: "amqp_client::listener", %error, "a link was not accepted")
            }
        }
    }

    async fn receive(self, receiver: Receiver, address: Str, route: Arc<Route>) {
        loop {
            let Ok(delivery) = receiver.recv().await else {
                return;
            };
            // Behind the message: a link on which nothing comes keeps no permit from others.
            let Ok(permit) = self.permits.clone().acquire_owned().await else {
                return;
            };
            let delivery = Arc::new(delivery);
            let request = Request {
                address: address.clone(),
                delivery: delivery.clone(),
            };
            let route = route.clone();
            // A service that panics releases its message, and harms no other.
            tokio::spawn(async move {
                let _permit = permit;
                let work = (route.service)(request);
                #[cfg(feature = "opentelemetry")]
                let work = opentelemetry::trace::FutureExt::with_context(
                    work,
                    delivery.span().cloned().unwrap_or_default(),
                );
                delivery.settle(work.await);
            });
        }
    }
}

fn fits(pattern: &str, address: &str) -> bool {
    let mut parts = address.split('/');
    for wanted in pattern.split('/') {
        if wanted == "**" {
            return true;
        }
        match parts.next() {
            Some(part) if wanted == "*" || wanted == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

fn fault(condition: ErrorCondition, text: &'static str) -> transport::Error {
    let mut error = transport::Error::new(condition);
    error.description = Some(text.into());
    error
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_part_by_part() {
        assert!(fits("orders", "orders"));
        assert!(fits("orders/*", "orders/new"));
        assert!(fits("orders/**", "orders/new/urgent"));
        assert!(fits("**", "anything"));
        assert!(!fits("orders", "orders/new"));
        assert!(!fits("orders/*", "orders"));
        assert!(!fits("orders/*", "orders/new/urgent"));
        assert!(!fits("*/new", "orders/old"));
    }
}
