//! From an accepted socket to a stream that AMQP can be spoken on.
//!
//! Decides by the first octets which layers a client wants, and which it may have. Sections 2.2, 5.2.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::BoxedStream;
use super::connect::in_time;
use super::rewind::Rewind;
use super::security::Security;
use super::socket::Accepted;
use crate::deadlines::Deadlines;
use crate::error::Error;

/// The header that asks for the TLS layer. Section 5.2.
const TLS_HEADER: &[u8; 8] = b"AMQP\x02\x01\x00\x00";

/// What a client that says nothing is waited for.
const FIRST: &str = "the first octets";

/// How long a client that is turned away is listened to, and how many octets.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 64 * 1024);

/// Which layers a listener has.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    #[cfg(feature = "tls")]
    tls: Option<super::TlsAccept>,
    plain_too: bool,
    websocket: bool,
    keep_alive: Option<Duration>,
    pub(crate) max_opening: Option<usize>,
}

impl ListenOptions {
    /// AMQP over TCP and nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// TLS: for clients that begin with it (`amqps`) and for those that ask by the header of the TLS
    /// layer. Others are told so and dropped. Section 5.2.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: super::TlsAccept) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Takes clients without TLS on the same port.
    pub fn plain_too(mut self) -> Self {
        self.plain_too = true;
        self
    }

    /// Takes WebSocket clients on the same port, of any path, with the subprotocol `amqp`.
    #[cfg(feature = "websocket")]
    pub fn websocket(mut self) -> Self {
        self.websocket = true;
        self
    }

    /// How many connections may be in their opening exchange, or open and not yet accepted, at once;
    /// more wait in the kernel. At least 1. Default 128.
    pub fn max_opening(mut self, connections: usize) -> Self {
        self.max_opening = Some(connections.max(1));
        self
    }

    /// Probes a silent client's socket this often. Default: never.
    pub fn keep_alive(mut self, idle: Duration) -> Self {
        self.keep_alive = Some(idle);
        self
    }

    /// The scheme of URLs for clients without WebSocket: `amqps` where TLS is demanded, else `amqp`.
    pub fn scheme(&self) -> &'static str {
        match self.has_tls() && !self.plain_too {
            true => "amqps",
            false => "amqp",
        }
    }

    fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Finds out what the client wants, in so much time.
    pub(crate) async fn accept(
        &self,
        accepted: Accepted,
        deadlines: &Deadlines,
    ) -> Result<(BoxedStream, Security), Error> {
        let (stream, security) = accepted.prepared(self.keep_alive)?;
        self.over(stream, security, deadlines).await
    }

    async fn over(
        &self,
        stream: BoxedStream,
        security: Security,
        deadlines: &Deadlines,
    ) -> Result<(BoxedStream, Security), Error> {
        if !self.has_tls() && !self.websocket {
            return Ok((stream, security));
        }
        let (stream, security, web) = self.layers(stream, security, deadlines.tls).await?;
        #[cfg(feature = "websocket")]
        if web {
            let upgraded = super::websocket::accept(stream);
            let stream = in_time("websocket", deadlines.websocket, upgraded).await?;
            return Ok((stream, security));
        }
        let _ = web;
        Ok((stream, security))
    }

    /// Passes the TLS layer, if there is one; tells whether a WebSocket is wanted on top.
    async fn layers(
        &self,
        mut stream: BoxedStream,
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "TLS is a feature"))]
        mut security: Security,
        limit: Duration,
    ) -> Result<(BoxedStream, Security, bool), Error> {
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "TLS is a feature"))]
        let mut first = in_time(FIRST, limit, peek(&mut stream)).await?;
        if self.has_tls() {
            let hello = first.starts_with(&[0x16]);
            let asked = first[..] == TLS_HEADER[..];
            if !hello && !asked && !self.plain_too {
                // [CON-08]
                let _ = stream.write_all(TLS_HEADER).await;
                linger(stream).await;
                return Err(Error::io(
                    "accept",
                    std::io::Error::other("the client does not speak TLS"),
                ));
            }
            #[cfg(feature = "tls")]
            if let Some(tls) = self.tls.as_ref().filter(|_| hello || asked) {
                let rewound: BoxedStream = match asked {
                    // [TLS-01] [TLS-07]: nothing behind the header has been read.
                    true => {
                        let io = |error| Error::io("answer the header", error);
                        stream.write_all(TLS_HEADER).await.map_err(io)?;
                        stream
                    }
                    false => Box::new(Rewind::new(first.freeze(), stream)),
                };
                let (secured, info) = in_time("tls", limit, tls.accept(rewound)).await?;
                stream = secured;
                security.tls = Some(info);
                if !self.websocket {
                    return Ok((stream, security, false));
                }
                first = in_time(FIRST, limit, peek(&mut stream)).await?;
            }
        }
        let web = self.websocket && first.starts_with(b"GET");
        let rewound: BoxedStream = Box::new(Rewind::new(first.freeze(), stream));
        Ok((rewound, security, web))
    }
}

/// Ends a stream so that what was said last arrives: a socket that is dropped with octets unread takes it
/// back from who has not read it yet. [TLS-06]
pub(super) async fn linger(mut stream: BoxedStream) {
    let (limit, mut octets) = LINGER;
    let drained = async {
        let _ = stream.shutdown().await;
        let mut nobodys = [0; 1024];
        while let Ok(n @ 1..) = stream.read(&mut nobodys).await {
            octets = octets.saturating_sub(n);
            if octets == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(limit, drained).await;
}

/// The first octets: eight, or fewer of what is no AMQP header.
async fn peek(stream: &mut BoxedStream) -> Result<BytesMut, Error> {
    let mut first = BytesMut::with_capacity(8);
    while first.len() < 8 {
        let io = |error| Error::io("accept", error);
        let mut octet = [0];
        if stream.read(&mut octet).await.map_err(io)? == 0 {
            break;
        }
        first.extend_from_slice(&octet);
        if !b"AMQP".starts_with(&first[..first.len().min(4)]) && first[0] == 0x16 {
            break;
        }
        if first.starts_with(b"GET") {
            break;
        }
    }
    Ok(first)
}

#[cfg(all(
    test,
    feature = "websocket",
    any(feature = "ring", feature = "aws-lc-rs")
))]
mod tests {
    use tokio::io::DuplexStream;
    use tokio::time::Instant;

    use super::*;
    use crate::error::ErrorKind;
    use crate::transport::{TlsAccept, TlsOptions};

    /// A listener's TLS, and the certificate that it shows.
    fn tls() -> (TlsAccept, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
        let made = made.expect("a certificate");
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        (TlsAccept::pem(chain.as_bytes(), key.as_bytes()), chain)
    }

    /// What a listener says of a client that goes silent, after how many seconds.
    async fn silence(
        options: &ListenOptions,
        client: impl AsyncFnOnce(DuplexStream),
    ) -> (String, u64) {
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        let (begun, deadlines) = (Instant::now(), Deadlines::default());
        let accepted = options.over(Box::new(theirs), Security::default(), &deadlines);
        let (accepted, ()) = tokio::join!(accepted, client(ours));
        let error = accepted.err().expect("the client is silent");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        (error.to_string(), begun.elapsed().as_secs())
    }

    /// Waits until the listener is gone.
    async fn mute(mut client: impl AsyncReadExt + Unpin) {
        let _ = client.read_to_end(&mut Vec::new()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_silent_is_left_and_the_error_says_where() {
        let (tls, certificate) = tls();
        let secure = ListenOptions::new().tls(tls.clone());
        let web = ListenOptions::new().websocket();
        for (options, said, point) in [
            (&secure, &b""[..], FIRST),
            (&secure, b"AMQP\x02", FIRST),
            (&secure, TLS_HEADER, "tls"),
            (&secure, b"\x16", "tls"),
            (&secure, b"\x16\x03\x01\x01\x00\x01", "tls"),
            (&web, b"", FIRST),
            (&web, b"GE", FIRST),
            (
                &web,
                b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n",
                "websocket",
            ),
        ] {
            let (error, seconds) = silence(options, async |mut client| {
                client.write_all(said).await.expect("written");
                mute(client).await;
            })
            .await;
            assert!(error.ends_with(point), "{}: {error}", said.escape_ascii());
            assert_eq!(seconds, 10, "{error}");
        }
        // Inside the layer there is a choice once more.
        let both = ListenOptions::new().tls(tls).websocket();
        let trusted = TlsOptions::new().ca_pem(certificate.as_bytes());
        for (said, point) in [(&b""[..], FIRST), (b"GET /", "websocket")] {
            let (error, seconds) = silence(&both, async |client| {
                let secured = trusted.connect(Box::new(client), "localhost", false).await;
                let (mut client, _) = secured.expect("TLS");
                client.write_all(said).await.expect("written");
                client.flush().await.expect("written");
                mute(client).await;
            })
            .await;
            assert!(error.ends_with(point), "{}: {error}", said.escape_ascii());
            assert_eq!(seconds, 10, "{error}");
        }
    }
}
