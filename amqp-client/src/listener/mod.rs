//! Being connected to: accepting connections, and the links that peers attach.
//!
//! Decides how a listener's application meets its peers. The protocol is the engine's; the nodes
//! behind the links are the application's. Sections 2.2, 2.6.3.

mod access;
mod authenticate;
mod link;
mod router;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::{Mutex, mpsc};

pub use access::Access;
pub use link::{AcceptOptions, IncomingLink, Link};
pub use router::{Request, Router};

use self::authenticate::Judge;
use crate::driver::Kept;
use crate::error::{Error, ErrorScope};
use crate::handles::{Connection, ConnectionOptions, Container, Starting, start};
use crate::proto::{Connection as Engine, SaslServer};
use crate::transport::{BoxedStream, ListenOptions, Security, Socket, Stream};

/// How many connections may be in their opening exchange, or open and not yet accepted, at once.
const MAX_OPENING: usize = 128;

/// A socket that peers connect to.
///
/// Each connection has its opening exchange in a task of its own, so that a slow or silent client
/// keeps nobody waiting.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    path: Option<PathBuf>,
    accepted: Mutex<mpsc::Receiver<Connection>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Container {
    /// Listens on a socket address, for example `127.0.0.1:5672`, or port 0 for a free one.
    ///
    /// # Errors
    /// I/O when the address can not be bound.
    ///
    /// # Cancel safety
    /// Dropping the future binds nothing.
    pub async fn listen(
        &self,
        address: impl ToSocketAddrs,
        access: Access,
    ) -> Result<Listener, Error> {
        self.listen_with(address, access, ListenOptions::new())
            .await
    }

    /// Like [`listen`](Self::listen), with TLS, WebSocket or both.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    ///
    /// # Cancel safety
    /// As [`listen`](Self::listen).
    pub async fn listen_with(
        &self,
        address: impl ToSocketAddrs,
        access: Access,
        options: ListenOptions,
    ) -> Result<Listener, Error> {
        let socket = TcpListener::bind(address)
            .await
            .map_err(|error| Error::io("bind", error))?;
        self.serve(Socket::Tcp(socket), access, options, false)
    }

    /// Listens on a Unix socket, which clients reach as `amqp+unix:///its/path`. A file that a dead
    /// listener has left there is replaced; the listener's own is removed with it. Who may connect
    /// is up to the permissions of the folder: a password may be shown here. To be called in a
    /// runtime's context.
    ///
    /// # Errors
    /// I/O when the path can not be bound.
    #[cfg(unix)]
    pub fn listen_unix(
        &self,
        path: impl AsRef<Path>,
        access: Access,
        options: ListenOptions,
    ) -> Result<Listener, Error> {
        let path = path.as_ref();
        let socket = crate::transport::UnixSocket::bind(path)
            .map_err(|error| Error::io(&format!("bind {}", path.display()), error))?;
        self.serve(Socket::Unix(socket), access, options, false)
    }

    /// Listens on a socket that is bound already; it has to be in non-blocking mode. To be called in
    /// a runtime's context.
    ///
    /// # Errors
    /// I/O when the socket is of no use.
    pub fn listen_on(
        &self,
        socket: std::net::TcpListener,
        access: Access,
        options: ListenOptions,
    ) -> Result<Listener, Error> {
        let socket = TcpListener::from_std(socket).map_err(|error| Error::io("listen", error))?;
        self.serve(Socket::Tcp(socket), access, options, false)
    }

    /// Like [`listen_on`](Self::listen_on), for a handler: what happens on a connection is kept until
    /// somebody listens in.
    pub(crate) fn listen_kept(
        &self,
        socket: std::net::TcpListener,
        access: Access,
        options: ListenOptions,
    ) -> Result<Listener, Error> {
        let socket = TcpListener::from_std(socket).map_err(|error| Error::io("listen", error))?;
        self.serve(Socket::Tcp(socket), access, options, true)
    }

    fn serve(
        &self,
        socket: Socket,
        access: Access,
        options: ListenOptions,
        keep: bool,
    ) -> Result<Listener, Error> {
        let path = socket.path().map(Path::to_owned);
        let address = socket
            .local_addr()
            .map_err(|error| Error::io("local address", error))?;
        let (sender, accepted) = mpsc::channel(options.max_opening.unwrap_or(MAX_OPENING));
        let task = tokio::spawn(accept_all(
            self.clone(),
            socket,
            access,
            options,
            keep,
            sender,
        ));
        Ok(Listener {
            address,
            path,
            accepted: Mutex::new(accepted),
            task,
        })
    }

    /// Speaks AMQP as a listener over any stream, for example an in-memory pipe.
    ///
    /// # Errors
    /// Authentication, protocol and I/O errors of the opening exchange, and its deadline.
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub async fn accept_stream(
        &self,
        stream: impl Stream + 'static,
        access: &Access,
    ) -> Result<Connection, Error> {
        // A stream that was handed over is the application's to judge.
        let security = Security {
            local: true,
            tls: None,
        };
        self.accept_secured(Box::new(stream), security, access, false)
            .await
    }

    async fn accept_secured(
        &self,
        stream: BoxedStream,
        security: Security,
        access: &Access,
        keep: bool,
    ) -> Result<Connection, Error> {
        let ConnectionOptions {
            mut config,
            deadlines,
            metrics,
            ..
        } = self.options().clone();
        config.container_id = self.id().to_owned().into();
        let judge = Judge::new(&access.all(), security.clone());
        let offered = judge.offered();
        // An empty offer is none at all: without a mechanism the layer can not be passed. [SASL-07]
        if offered.is_empty() && access.required {
            return Err(Error::configuration(
                "no SASL mechanism can be offered on this connection: use TLS, or say allow_plain_without_tls",
            ));
        }
        let sasl = (!offered.is_empty()).then(|| SaslServer::new(offered));
        let now = tokio::time::Instant::now().into_std();
        let engine = Engine::listener(now, config, sasl, access.required);
        start(Starting {
            stream,
            engine,
            container: self.id().to_owned().into(),
            security,
            deadlines,
            sasl: Some(Box::new(move |steps, shared| {
                Box::pin(judge.run(steps, shared))
            })),
            listens: true,
            first_session: None,
            prepared: None,
            kept: keep.then(Kept::new),
            names: self.names().clone(),
            address: None,
            metrics,
            #[cfg(feature = "opentelemetry")]
            trace_messages: self.options().trace_messages,
        })
        .await
    }
}

/// Accepts sockets for ever; each opening exchange runs by itself.
async fn accept_all(
    container: Container,
    socket: Socket,
    access: Access,
    options: ListenOptions,
    keep: bool,
    accepted: mpsc::Sender<Connection>,
) {
    loop {
        // A place is kept before the socket is taken: a flood of clients waits in the kernel.
        let Ok(permit) = accepted.clone().reserve_owned().await else {
            return;
        };
        let stream = match socket.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(target: "amqp_client::listener", %error, "a connection could not be accepted");
                // Out of descriptors, for example: others may close theirs meanwhile.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let (container, access) = (container.clone(), access.clone());
        let options = options.clone();
        tokio::spawn(async move {
            let accepted = async {
                let deadlines = container.options().deadlines;
                let (stream, security) = options.accept(stream, &deadlines).await?;
                container
                    .accept_secured(stream, security, &access, keep)
                    .await
            };
            match accepted.await {
                Ok(connection) => drop(permit.send(connection)),
                Err(error) => {
                    tracing::info!(target: "amqp_client::listener", %error, "a connection was not opened")
                }
            }
        });
    }
}

impl Listener {
    /// The address that is listened on, with the port that was found; `0.0.0.0:0` for a Unix socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The path of the Unix socket that is listened on.
    pub fn socket_path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The next connection that has been opened.
    ///
    /// # Errors
    /// When the listener's runtime is gone.
    ///
    /// # Cancel safety
    /// No connection is lost when the future is dropped.
    pub async fn accept(&self) -> Result<Connection, Error> {
        self.accepted
            .lock()
            .await
            .recv()
            .await
            .ok_or_else(|| Error::closed_locally(ErrorScope::Connection))
    }
}
