//! Byte streams to a peer, and the addresses that name them.
//!
//! Decides how a stream comes to be; what flows through it is left to the engine, which this module
//! does not know. Section 5.1.

mod address;
mod security;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub use address::Address;
pub use security::{Certificate, Security, TlsInfo};

use crate::error::{Error, ErrorScope};

/// Anything that octets can be read from and written to.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream of any kind.
pub type BoxedStream = Box<dyn Stream>;

/// Connects a TCP stream to an address, without Nagle's delay.
pub(crate) async fn connect(
    address: &Address,
    deadline: Duration,
) -> Result<(BoxedStream, Security), Error> {
    if address.is_tls() {
        return Err(Error::configuration(
            "amqps: this build has no TLS; use amqp:// or hand a stream to connect_stream",
        ));
    }
    let target = (address.host(), address.port());
    let stream = tokio::time::timeout(deadline, TcpStream::connect(target))
        .await
        .map_err(|_| Error::timed_out("connect", ErrorScope::Connection))?
        .map_err(|error| Error::io(&format!("connect to {}:{}", target.0, target.1), error))?;
    stream
        .set_nodelay(true)
        .map_err(|error| Error::io("set TCP_NODELAY", error))?;
    let local = stream
        .peer_addr()
        .is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
    Ok((Box::new(stream), Security { local, tls: None }))
}
