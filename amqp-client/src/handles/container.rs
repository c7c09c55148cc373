//! The container: who we are to every peer.
//!
//! Decides how a connection comes to be from a URL or a stream. Section 2.4.1.

use std::sync::Arc;

use amqp_types::Str;

use super::connection::{Connection, start};
use super::options::{ConnectionOptions, Secret};
use super::sasl::{Anonymous, Plain};
use crate::error::{Error, ErrorScope};
use crate::proto::{Connection as Engine, Mechanism, SaslClient};
use crate::transport::{self, Address, BoxedStream, Stream};

/// An application that takes part in AMQP, named by its container-id. Section 2.4.1.
///
/// ```no_run
/// # async fn run() -> Result<(), amqp_client::Error> {
/// use amqp_client::{Container, Message};
///
/// let container = Container::new("orders");
/// let connection = container.connect("amqp://user:pass@localhost:5672").await?;
/// let sender = connection.create_sender("orders").await?;
/// let outcome = sender.send(Message::from("hello")).await?;
/// println!("{outcome:?}");
/// connection.close().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Container {
    id: Str,
    options: Arc<ConnectionOptions>,
}

impl Container {
    /// A container of this name; names should differ between applications.
    pub fn new(id: impl Into<Str>) -> Self {
        Self::with_options(id, ConnectionOptions::default())
    }

    /// A container whose connections have these options unless they are given others.
    pub fn with_options(id: impl Into<Str>, options: ConnectionOptions) -> Self {
        Self {
            id: id.into(),
            options: Arc::new(options),
        }
    }

    /// The container-id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn options(&self) -> &ConnectionOptions {
        &self.options
    }

    /// Connects to `amqp://user:password@host:port` and waits until the peer has opened.
    ///
    /// # Errors
    /// Configuration for a bad URL, I/O, authentication, what the peer says when it refuses, and a
    /// deadline of 30 s for all of it together.
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket.
    pub async fn connect(&self, url: &str) -> Result<Connection, Error> {
        self.connect_with(url, (*self.options).clone()).await
    }

    /// Like [`connect`](Self::connect), with options of its own.
    pub async fn connect_with(
        &self,
        url: &str,
        options: ConnectionOptions,
    ) -> Result<Connection, Error> {
        let address: Address = url.parse()?;
        self.connect_to(&address, options).await
    }

    /// Connects to an address that has been taken apart.
    pub(crate) async fn connect_to(
        &self,
        address: &Address,
        mut options: ConnectionOptions,
    ) -> Result<Connection, Error> {
        if options.user.is_none() {
            options.user = address.user().map(str::to_owned);
            options.password = address.password().map(|p| Secret(p.to_owned()));
        }
        if options.config.hostname.is_none() {
            options.config.hostname = Some(Str::from(address.host().to_owned()));
        }
        let deadline = options.open_deadline;
        let connecting = async {
            let stream = transport::connect(address, deadline).await?;
            self.handshake(stream, options).await
        };
        tokio::time::timeout(deadline, connecting)
            .await
            .map_err(|_| Error::timed_out("open", ErrorScope::Connection))?
    }

    /// Speaks AMQP as a client over any stream, for example an in-memory pipe.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub async fn connect_stream(
        &self,
        stream: impl Stream + 'static,
        options: ConnectionOptions,
    ) -> Result<Connection, Error> {
        let deadline = options.open_deadline;
        tokio::time::timeout(deadline, self.handshake(Box::new(stream), options))
            .await
            .map_err(|_| Error::timed_out("open", ErrorScope::Connection))?
    }

    async fn handshake(
        &self,
        stream: BoxedStream,
        options: ConnectionOptions,
    ) -> Result<Connection, Error> {
        let mut config = options.config;
        config.container_id = self.id.clone();
        let sasl = options.sasl.then(|| {
            let mechanism: Box<dyn Mechanism> = match (options.user, options.password) {
                (Some(user), password) => {
                    Box::new(Plain::new(user, password.unwrap_or(Secret(String::new()))))
                }
                (None, _) => Box::new(Anonymous),
            };
            SaslClient::new(vec![mechanism], config.hostname.clone())
        });
        let session = config.session.clone();
        let now = tokio::time::Instant::now().into_std();
        let engine = Engine::client(now, config, sasl);
        start(
            stream,
            engine,
            options.close_deadline,
            None,
            None,
            Some(session),
            options.prepared,
        )
        .await
    }
}
