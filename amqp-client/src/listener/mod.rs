//! Being connected to: accepting connections, and the links that peers attach.
//!
//! Decides how a listener's application meets its peers. The protocol is the engine's; the nodes
//! behind the links are the application's. Sections 2.2, 2.6.3.

mod link;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use amqp_types::Symbol;
use amqp_types::security::SaslCode;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::{Mutex, mpsc};

pub use link::{AcceptOptions, IncomingLink, Link};

use crate::driver::{Credentials, Judge, Offer, Verdict};
use crate::error::{Error, ErrorScope};
use crate::handles::{Connection, ConnectionOptions, Container, start};
use crate::proto::{Connection as Engine, SaslServer};
use crate::transport::Stream;

/// How many connections may be in their opening exchange, or open and not yet accepted, at once.
const BACKLOG: usize = 128;

/// Who may connect.
#[derive(Clone, Default)]
pub struct Access {
    anonymous: bool,
    plain: Option<Arc<dyn Check>>,
    required: bool,
}

/// Judges a user and a password.
trait Check: Send + Sync {
    fn check(&self, user: String, password: String) -> Pin<Box<dyn Future<Output = bool> + Send>>;
}

impl<F, R> Check for F
where
    F: Fn(String, String) -> R + Send + Sync,
    R: Future<Output = bool> + Send + 'static,
{
    fn check(&self, user: String, password: String) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(self(user, password))
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("anonymous", &self.anonymous)
            .field("plain", &self.plain.is_some())
            .field("required", &self.required)
            .finish()
    }
}

impl Access {
    /// Everybody: with SASL ANONYMOUS, or without a SASL layer.
    pub fn anyone() -> Self {
        Self {
            anonymous: true,
            ..Self::default()
        }
    }

    /// Only who presents a user and a password that `check` approves, by SASL PLAIN. Section 5.3.
    pub fn plain<F, R>(check: F) -> Self
    where
        F: Fn(String, String) -> R + Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        Self {
            anonymous: false,
            plain: Some(Arc::new(check)),
            required: true,
        }
    }

    /// Lets anonymous clients in as well.
    pub fn or_anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    fn mechanisms(&self) -> Vec<Symbol> {
        let mut offer = Vec::new();
        if self.plain.is_some() {
            offer.push(Symbol::from_static("PLAIN"));
        }
        if self.anonymous {
            offer.push(Symbol::from_static("ANONYMOUS"));
        }
        offer
    }

    fn judge(&self) -> Judge {
        let access = self.clone();
        Box::new(move |credentials| {
            let access = access.clone();
            Box::pin(async move { access.verdict(credentials).await })
        })
    }

    async fn verdict(&self, credentials: Credentials) -> Verdict {
        let refused = Verdict {
            code: SaslCode::Auth,
            identity: None,
        };
        match credentials.mechanism.as_str() {
            "ANONYMOUS" if self.anonymous => Verdict {
                code: SaslCode::Ok,
                identity: None,
            },
            "PLAIN" => {
                let Some(check) = &self.plain else {
                    return refused;
                };
                let Some((user, password)) = credentials
                    .initial_response
                    .as_deref()
                    .and_then(plain_credentials)
                else {
                    return refused;
                };
                match check.check(user.clone(), password).await {
                    true => Verdict {
                        code: SaslCode::Ok,
                        identity: Some(user),
                    },
                    false => refused,
                }
            }
            _ => refused,
        }
    }
}

/// Takes `authzid NUL authcid NUL password` apart. RFC 4616.
fn plain_credentials(response: &[u8]) -> Option<(String, String)> {
    let mut parts = response.split(|octet| *octet == 0);
    let (_, user, password, none) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
    if none.is_some() || user.is_empty() {
        return None;
    }
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).ok();
    Some((text(user)?, text(password)?))
}

/// A socket that peers connect to.
///
/// Each connection has its opening exchange in a task of its own, so that a slow or silent client
/// keeps nobody waiting.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
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
        let socket = TcpListener::bind(address)
            .await
            .map_err(|error| Error::io("bind", error))?;
        let address = socket
            .local_addr()
            .map_err(|error| Error::io("local address", error))?;
        let (sender, accepted) = mpsc::channel(BACKLOG);
        let task = tokio::spawn(accept_all(self.clone(), socket, access, sender));
        Ok(Listener {
            address,
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
        let ConnectionOptions {
            mut config,
            open_deadline,
            close_deadline,
            ..
        } = self.options().clone();
        config.container_id = self.id().to_owned().into();
        let sasl = SaslServer::new(access.mechanisms());
        let now = tokio::time::Instant::now().into_std();
        let engine = Engine::listener(now, config, Some(sasl), access.required);
        let offers = mpsc::unbounded_channel::<Offer>();
        let opening = start(
            Box::new(stream),
            engine,
            close_deadline,
            Some(offers),
            Some(access.judge()),
            None,
            None,
        );
        tokio::time::timeout(open_deadline, opening)
            .await
            .map_err(|_| Error::timed_out("open", ErrorScope::Connection))?
    }
}

/// Accepts sockets for ever; each opening exchange runs by itself.
async fn accept_all(
    container: Container,
    socket: TcpListener,
    access: Access,
    accepted: mpsc::Sender<Connection>,
) {
    loop {
        // A place is kept before the socket is taken: a flood of clients waits in the kernel.
        let Ok(permit) = accepted.clone().reserve_owned().await else {
            return;
        };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Out of descriptors, for example: others may close theirs meanwhile.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let (container, access) = (container.clone(), access.clone());
        tokio::spawn(async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY");
            }
            match container.accept_stream(stream, &access).await {
                Ok(connection) => drop(permit.send(connection)),
                Err(error) => tracing::debug!(%error, "a connection was not opened"),
            }
        });
    }
}

impl Listener {
    /// The address that is listened on, with the port that was found.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
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
