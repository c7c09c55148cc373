//! The container: who we are to every peer.
//!
//! Decides how a connection comes to be from a URL or a stream. Section 2.4.1.

use std::sync::Arc;

use amqp_types::Str;

use super::attempts::connect_any;
use super::authenticate::Authenticator;
use super::connection::{Beside, Connection, Starting, start};
use super::options::ConnectionOptions;
use crate::driver::LinkNames;
use crate::error::{Error, ErrorScope};
use crate::proto::Connection as Engine;
use crate::transport::{Address, BoxedStream, Security, Stream};

/// An application that takes part in AMQP, named by its container-id. Section 2.4.1.
///
/// Between two containers a link is its name and its direction, whatever connection it is on. The
/// names that the library makes up are unique. A name of one's own that is attached to the same peer,
/// on this connection or another one of the container, is a Configuration error, unless the new link is
/// to [take its place](super::SenderOptions::take_over). On a listener the peer decides: a link that it
/// attaches anew is closed where it was, with the condition `amqp:link:stolen`; peers with different
/// users do not get at each other's links. Section 2.6.1. [LNK-05]
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
    /// The names of the links of all connections.
    names: Arc<LinkNames>,
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
            names: Arc::default(),
        }
    }

    /// The container-id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn names(&self) -> &Arc<LinkNames> {
        &self.names
    }

    pub(crate) fn options(&self) -> &ConnectionOptions {
        &self.options
    }

    /// Connects to `amqp://user:password@host:port` and waits until the peer has opened. Other
    /// schemes are `amqps`, `ws`, `wss` and, for a Unix socket, `amqp+unix:///its/path`; several addresses, separated by commas, are
    /// tried in turn.
    ///
    /// # Errors
    /// Configuration for a bad URL, I/O, authentication, what the peer says when it refuses, and the
    /// deadlines of [`Deadlines`](crate::Deadlines).
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket.
    pub async fn connect(&self, url: &str) -> Result<Connection, Error> {
        self.connect_with(url, (*self.options).clone()).await
    }

    /// Like [`connect`](Self::connect), with options of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket, and no other attempt is made.
    pub async fn connect_with(
        &self,
        url: &str,
        options: ConnectionOptions,
    ) -> Result<Connection, Error> {
        connect_any(url, &options, |address| {
            let options = options.clone();
            async move { self.connect_to(&address, options).await }
        })
        .await
    }

    /// Connects to an address that has been taken apart.
    pub(crate) async fn connect_to(
        &self,
        address: &Address,
        mut options: ConnectionOptions,
    ) -> Result<Connection, Error> {
        if options.auth.user.is_none() {
            options.auth.user = address.user().map(str::to_owned);
            options.auth.password = address.password().cloned();
        }
        // The path of a Unix socket is no host.
        let host = (!address.host().is_empty()).then(|| address.host().to_owned());
        if options.config.hostname.is_none() {
            options.config.hostname = host.clone().map(Str::from);
        }
        let (stream, security) = options.dial().connect(address).await?;
        let peer = host.map(|host| (host, address.port()));
        self.handshake(stream, security, peer, options).await
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
        self.handshake(Box::new(stream), Security::default(), None, options)
            .await
    }

    async fn handshake(
        &self,
        stream: BoxedStream,
        security: Security,
        peer: Option<(String, u16)>,
        options: ConnectionOptions,
    ) -> Result<Connection, Error> {
        let mut config = options.config;
        config.container_id = self.id.clone();
        let address = peer.clone();
        let (host, port) = peer.unzip();
        let mut authenticator = options.sasl.then(|| {
            let hostname = config.hostname.clone();
            Authenticator::new(options.auth, security.clone(), host, port, hostname)
        });
        let sasl = match &mut authenticator {
            Some(authenticator) => {
                let made = tokio::time::timeout(options.deadlines.sasl, authenticator.engine());
                let late = || Error::timed_out("sasl", ErrorScope::Connection);
                Some(made.await.map_err(|_| late())??)
            }
            None => None,
        };
        let session = config.session.clone();
        let now = tokio::time::Instant::now().into_std();
        let engine = Engine::client(now, config, sasl);
        start(Starting {
            stream,
            engine,
            container: self.id.clone(),
            security,
            deadlines: options.deadlines,
            sasl: authenticator.map(|authenticator| -> Beside {
                Box::new(move |steps, shared| Box::pin(authenticator.run(steps, shared)))
            }),
            listens: false,
            // Who prepared the connection begins its sessions too.
            first_session: options.prepared.is_none().then_some(session),
            prepared: options.prepared,
            kept: None,
            names: self.names.clone(),
            address,
            metrics: options.metrics,
            #[cfg(feature = "opentelemetry")]
            trace_messages: options.trace_messages,
        })
        .await
    }
}
