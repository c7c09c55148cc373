//! Byte streams to a peer, and the addresses that name them.
//!
//! Decides how a stream comes to be; what flows through it is left to the engine, which this module
//! does not know. Section 5.1.

mod accept;
mod address;
mod connect;
mod dial;
mod proxy;
mod rewind;
mod security;
mod socket;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "websocket")]
mod websocket;

use tokio::io::{AsyncRead, AsyncWrite};

pub use accept::ListenOptions;
pub use address::{Address, Scheme};
pub use proxy::Proxy;
#[cfg(feature = "tls")]
pub use tls::{TlsAccept, TlsOptions, TlsProvider};

pub(crate) use connect::Dial;
pub use security::{Certificate, Security, TlsInfo};
pub(crate) use socket::Socket;
#[cfg(unix)]
pub(crate) use socket::UnixSocket;

/// Anything that octets can be read from and written to.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream of any kind.
pub type BoxedStream = Box<dyn Stream>;
