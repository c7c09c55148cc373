//! The client for programs without a runtime: every call waits, at most for a timeout.
//!
//! ```
//! use amqp_client::Message;
//! use amqp_client::blocking::BlockingConnection;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # let broker = runtime.block_on(amqp_client::broker::Broker::start())?;
//! # let url = broker.url();
//! let connection = BlockingConnection::connect(&url)?;
//! let receiver = connection.create_receiver("examples")?;
//! let sender = connection.create_sender("examples")?;
//! sender.send(Message::from("Hello World!"))?;
//! let delivery = receiver.receive()?;
//! assert_eq!(delivery.message()?.body.as_str(), Some("Hello World!"));
//! delivery.accept();
//! connection.close()?;
//! # Ok(()) }
//! ```
//!
//! The connection lives on a thread of its own: heartbeats go on between calls. Everything here can be
//! cloned and used from many threads at once. In an asynchronous context each call is an error, since
//! it would block others.
//!
//! Decides how calls wait. The work is that of the asynchronous handles.

mod request;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use amqp_types::messaging::Outcome;
use tokio::runtime::Handle;

pub use request::SyncRequestResponse;

use crate::error::{Error, ErrorScope};
use crate::handles::{
    Background, Connection, ConnectionOptions, Container, Delivery, Receiver, ReceiverOptions,
    Sendable, Sender, SenderOptions,
};

/// How long a call waits unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection whose calls wait; clones stand for the same one. Dropping the last handle of it and of
/// its links closes it.
#[derive(Clone, Debug)]
pub struct BlockingConnection {
    connection: Connection,
    waiting: Waiting,
}

/// Where calls wait, and for how long.
#[derive(Clone, Debug)]
struct Waiting {
    runtime: Arc<Background>,
    timeout: Option<Duration>,
}

impl Waiting {
    fn wait<T>(
        &self,
        what: &str,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.wait_for(self.timeout, what, future)
    }

    fn wait_for<T>(
        &self,
        timeout: Option<Duration>,
        what: &str,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if Handle::try_current().is_ok() {
            return Err(Error::configuration(
                "a blocking call in an asynchronous context would block others",
            ));
        }
        self.runtime.handle().block_on(async {
            match timeout {
                Some(timeout) => tokio::time::timeout(timeout, future)
                    .await
                    .unwrap_or_else(|_| Err(Error::timed_out(what, ErrorScope::Delivery))),
                None => future.await,
            }
        })
    }
}

impl BlockingConnection {
    /// Connects to `amqp://user:password@host:port`, or to the first that opens of several hosts or URLs
    /// with commas between them. Calls wait for 60 s at most. A connection that is lost afterwards is
    /// lost: every call says so.
    ///
    /// # Errors
    /// As [`Container::connect`].
    pub fn connect(url: &str) -> Result<Self, Error> {
        let id = format!("blocking-{}", std::process::id());
        Self::connect_with(
            &Container::new(id),
            url,
            ConnectionOptions::new(),
            Some(TIMEOUT),
        )
    }

    /// Connects as a container, with options and a timeout for each call; `None` waits for ever.
    ///
    /// # Errors
    /// As [`Container::connect_with`].
    pub fn connect_with(
        container: &Container,
        url: &str,
        options: ConnectionOptions,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let waiting = Waiting {
            runtime: Arc::new(Background::start()?),
            timeout,
        };
        let connection = waiting.wait("open", container.connect_with(url, options))?;
        Ok(Self {
            connection,
            waiting,
        })
    }

    /// Attaches a sender to a node.
    ///
    /// # Errors
    /// As [`Connection::create_sender`]; a timeout.
    pub fn create_sender(&self, address: &str) -> Result<BlockingSender, Error> {
        self.create_sender_with(address, SenderOptions::default())
    }

    /// Like [`create_sender`](Self::create_sender), with options.
    ///
    /// # Errors
    /// As [`create_sender`](Self::create_sender).
    pub fn create_sender_with(
        &self,
        address: &str,
        options: SenderOptions,
    ) -> Result<BlockingSender, Error> {
        let attaching = self.connection.create_sender_with(address, options);
        Ok(BlockingSender {
            sender: self.waiting.wait("attach", attaching)?,
            waiting: self.waiting.clone(),
        })
    }

    /// Attaches a receiver to a node.
    ///
    /// # Errors
    /// As [`Connection::create_receiver`]; a timeout.
    pub fn create_receiver(&self, address: &str) -> Result<BlockingReceiver, Error> {
        self.create_receiver_with(address, ReceiverOptions::default())
    }

    /// Like [`create_receiver`](Self::create_receiver), with options.
    ///
    /// # Errors
    /// As [`create_receiver`](Self::create_receiver).
    pub fn create_receiver_with(
        &self,
        address: &str,
        options: ReceiverOptions,
    ) -> Result<BlockingReceiver, Error> {
        let attaching = self.connection.create_receiver_with(address, options);
        Ok(BlockingReceiver {
            receiver: self.waiting.wait("attach", attaching)?,
            waiting: self.waiting.clone(),
        })
    }

    /// The asynchronous handle of the same connection.
    pub fn handle(&self) -> &Connection {
        &self.connection
    }

    /// Closes the connection and waits for the peer's answer. Section 2.4.3.
    ///
    /// # Errors
    /// As [`Connection::close`].
    pub fn close(&self) -> Result<(), Error> {
        self.waiting.wait("close", self.connection.close())
    }
}

/// A sender whose calls wait; clones stand for the same one.
#[derive(Clone, Debug)]
pub struct BlockingSender {
    sender: Sender,
    waiting: Waiting,
}

impl BlockingSender {
    /// Sends a message and waits until it is settled. All outcomes are answered, none is an error: a
    /// rejection keeps its condition.
    ///
    /// # Errors
    /// As [`Sender::send`]; a timeout, after which the message may still arrive.
    pub fn send(&self, message: impl Sendable) -> Result<Outcome, Error> {
        self.waiting.wait("outcome", self.sender.send(message))
    }

    /// Like [`send`](Self::send), with a timeout of its own; `None` waits for ever.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_timeout(
        &self,
        message: impl Sendable,
        timeout: Option<Duration>,
    ) -> Result<Outcome, Error> {
        let sending = self.sender.send(message);
        self.waiting.wait_for(timeout, "outcome", sending)
    }

    /// The asynchronous handle of the same link.
    pub fn handle(&self) -> &Sender {
        &self.sender
    }

    /// Closes the link and waits for the peer's answer. Section 2.6.6.
    ///
    /// # Errors
    /// As [`Sender::close`].
    pub fn close(&self) -> Result<(), Error> {
        self.waiting.wait("close", self.sender.close())
    }
}

/// A receiver whose calls wait; clones stand for the same one.
#[derive(Clone, Debug)]
pub struct BlockingReceiver {
    receiver: Receiver,
    waiting: Waiting,
}

impl BlockingReceiver {
    /// Waits for the next delivery, which is settled by its own handle, in any order and from any
    /// thread.
    ///
    /// # Errors
    /// As [`Receiver::recv`]; a timeout.
    pub fn receive(&self) -> Result<Delivery, Error> {
        self.waiting.wait("message", self.receiver.recv())
    }

    /// Like [`receive`](Self::receive), with a timeout of its own; `None` waits for ever.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_timeout(&self, timeout: Option<Duration>) -> Result<Delivery, Error> {
        let receiving = self.receiver.recv();
        self.waiting.wait_for(timeout, "message", receiving)
    }

    /// The asynchronous handle of the same link.
    pub fn handle(&self) -> &Receiver {
        &self.receiver
    }

    /// Closes the link and waits for the peer's answer. Section 2.6.6.
    ///
    /// # Errors
    /// As [`Receiver::close`].
    pub fn close(&self) -> Result<(), Error> {
        self.waiting.wait("close", self.receiver.close())
    }
}
