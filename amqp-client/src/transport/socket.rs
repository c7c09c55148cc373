//! Sockets that are listened on.
//!
//! Decides how TCP and Unix sockets are bound and what their clients have in common. Section 5.1.

use std::net::SocketAddr;
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::connect::is_local;
use super::{BoxedStream, Security, dial};
use crate::error::Error;

/// A bound socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

/// A client that nothing has been said to.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Socket {
    /// Waits for a client. Dropping the future loses none.
    pub(crate) async fn accept(&self) -> std::io::Result<Accepted> {
        match self {
            Self::Tcp(socket) => Ok(Accepted::Tcp(socket.accept().await?.0)),
            #[cfg(unix)]
            Self::Unix(socket) => Ok(Accepted::Unix(socket.listener.accept().await?.0)),
        }
    }

    /// The address of a TCP socket; of another kind, the one that is nowhere.
    pub(crate) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr(),
            #[cfg(unix)]
            Self::Unix(_) => Ok((std::net::Ipv4Addr::UNSPECIFIED, 0).into()),
        }
    }

    /// Where a Unix socket is.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Tcp(_) => None,
            #[cfg(unix)]
            Self::Unix(socket) => Some(&socket.path),
        }
    }
}

impl Accepted {
    /// Sets the socket, and tells who can listen to it.
    pub(super) fn prepared(
        self,
        keep_alive: Option<Duration>,
    ) -> Result<(BoxedStream, Security), Error> {
        let (stream, local): (BoxedStream, bool) = match self {
            Self::Tcp(stream) => {
                dial::prepare(&stream, keep_alive)?;
                let local = is_local(&stream);
                (Box::new(stream), local)
            }
            #[cfg(unix)]
            Self::Unix(stream) => (Box::new(stream), true),
        };
        Ok((stream, Security { local, tls: None }))
    }
}

/// A Unix socket that is listened on; its file goes with it.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixSocket {
    listener: tokio::net::UnixListener,
    path: PathBuf,
}

#[cfg(unix)]
impl UnixSocket {
    /// Binds the path. A file that a dead listener has left there is replaced; one that somebody
    /// listens on is an error, and so is a file of another kind.
    pub(crate) fn bind(path: &Path) -> std::io::Result<Self> {
        use std::io::ErrorKind;
        use std::os::unix::fs::FileTypeExt as _;
        use std::os::unix::net::UnixStream;

        let listener = match tokio::net::UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let is_socket = std::fs::symlink_metadata(path)
                    .is_ok_and(|found| found.file_type().is_socket());
                let is_dead = || {
                    UnixStream::connect(path)
                        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
                };
                if !is_socket || !is_dead() {
                    return Err(error);
                }
                std::fs::remove_file(path)?;
                tokio::net::UnixListener::bind(path)?
            }
            bound => bound?,
        };
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }
}

#[cfg(unix)]
impl Drop for UnixSocket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(target: "amqp_client::listener", %error, "the file of a Unix socket stays");
        }
    }
}
