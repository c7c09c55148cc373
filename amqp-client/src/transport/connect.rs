//! From an address to a stream that AMQP can be spoken on, layer by layer.
//!
//! Decides which layers there are: a socket or a tunnel, TLS, WebSocket. Sections 5.1, 5.2.

use std::time::Duration;

use super::address::{Address, Scheme};
use super::proxy::Proxy;
use super::security::Security;
use super::{BoxedStream, dial};
use crate::deadlines::Deadlines;
use crate::error::{Error, ErrorScope};

/// How an address is connected to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dial {
    pub(crate) deadlines: Deadlines,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) proxy: Option<Proxy>,
    #[cfg(feature = "tls")]
    pub(crate) tls: super::TlsOptions,
    #[cfg(feature = "websocket")]
    pub(crate) headers: Vec<(String, crate::secret::Secret)>,
}

impl Dial {
    /// Connects, layer by layer.
    pub(crate) async fn connect(
        &self,
        address: &Address,
    ) -> Result<(BoxedStream, Security), Error> {
        if cfg!(not(feature = "tls")) && address.is_tls() {
            return Err(Error::configuration(
                "this build has no TLS: enable the feature ring or aws-lc-rs",
            ));
        }
        if cfg!(not(feature = "websocket")) && matches!(address.scheme(), Scheme::Ws | Scheme::Wss)
        {
            return Err(Error::configuration(
                "this build has no WebSocket: enable the feature websocket",
            ));
        }
        let (stream, security) = self.socket(address).await?;
        self.layers(address, stream, security).await
    }

    async fn socket(&self, address: &Address) -> Result<(BoxedStream, Security), Error> {
        let connect = self.deadlines.connect;
        if address.scheme() == Scheme::Unix {
            return in_time("connect", connect, unix(address)).await;
        }
        let (host, port) = (address.host(), address.port());
        let Some(proxy) = &self.proxy else {
            let dialled = dial::tcp(host, port, self.keep_alive);
            let stream = in_time("connect", connect, dialled).await?;
            let local = is_local(&stream);
            return Ok((Box::new(stream), Security { local, tls: None }));
        };
        let dialled = dial::tcp(&proxy.host, proxy.port, self.keep_alive);
        let mut stream = in_time("connect to the proxy", connect, dialled).await?;
        let tunnel = proxy.tunnel(&mut stream, host, port);
        in_time("proxy", self.deadlines.proxy, tunnel).await?;
        // Where a tunnel ends nobody knows.
        Ok((Box::new(stream), Security::default()))
    }

    #[cfg(not(any(feature = "tls", feature = "websocket")))]
    async fn layers(
        &self,
        _address: &Address,
        stream: BoxedStream,
        security: Security,
    ) -> Result<(BoxedStream, Security), Error> {
        Ok((stream, security))
    }

    #[cfg(any(feature = "tls", feature = "websocket"))]
    async fn layers(
        &self,
        address: &Address,
        stream: BoxedStream,
        security: Security,
    ) -> Result<(BoxedStream, Security), Error> {
        #[allow(unused_mut)]
        let (mut stream, mut security) = (stream, security);
        #[cfg(feature = "tls")]
        {
            // [WS-06]: the header of the TLS layer is for AMQP over TCP alone.
            let in_band = self.tls.in_band && address.scheme() == Scheme::Amqp;
            if address.is_tls() || in_band {
                let shaken = self.tls.connect(stream, address.host(), in_band);
                let (secured, info) = in_time("tls", self.deadlines.tls, shaken).await?;
                stream = secured;
                security.tls = Some(info);
            }
        }
        #[cfg(feature = "websocket")]
        if matches!(address.scheme(), Scheme::Ws | Scheme::Wss) {
            let upgraded = super::websocket::connect(stream, address, &self.headers);
            stream = in_time("websocket", self.deadlines.websocket, upgraded).await?;
        }
        Ok((stream, security))
    }
}

/// Waits no longer than that; the error says for what.
pub(super) async fn in_time<T>(
    point: &str,
    limit: Duration,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, step)
        .await
        .map_err(|_| Error::timed_out(point, ErrorScope::Connection))?
}

/// Whether a socket's octets stay on this machine.
pub(super) fn is_local(stream: &tokio::net::TcpStream) -> bool {
    stream
        .peer_addr()
        .is_ok_and(|peer| peer.ip().to_canonical().is_loopback())
}

#[cfg(unix)]
async fn unix(address: &Address) -> Result<(BoxedStream, Security), Error> {
    let path = address
        .socket_path()
        .ok_or_else(|| Error::configuration("the address has no path of a socket"))?;
    let stream = tokio::net::UnixStream::connect(&path)
        .await
        .map_err(|error| Error::io(&format!("connect to {path}"), error))?;
    let security = Security {
        local: true,
        tls: None,
    };
    Ok((Box::new(stream), security))
}

#[cfg(not(unix))]
async fn unix(_address: &Address) -> Result<(BoxedStream, Security), Error> {
    Err(Error::configuration("there are no Unix sockets here"))
}
