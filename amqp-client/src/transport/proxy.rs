//! HTTP proxies: a tunnel by CONNECT.
//!
//! Decides what is said to the proxy; what goes through the tunnel is left to the layers above.
//! RFC 9110, 9.3.6.

use base64::Engine as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::Error;
use crate::secret::Secret;

/// No answer of a proxy is longer.
const MAX_ANSWER: usize = 8 * 1024;

/// An HTTP proxy that tunnels to peers.
#[derive(Clone, Debug)]
pub struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    credentials: Option<(String, Secret)>,
}

impl Proxy {
    /// A proxy at this host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            credentials: None,
        }
    }

    /// Who we are to the proxy; sent to it as it is.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Asks for a tunnel to the peer.
    pub(super) async fn tunnel(
        &self,
        stream: &mut TcpStream,
        host: &str,
        port: u16,
    ) -> Result<(), Error> {
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let mut request = zeroize::Zeroizing::new(format!(
            "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        ));
        if let Some((user, password)) = &self.credentials {
            let pair = zeroize::Zeroizing::new(format!("{user}:{}", password.expose()));
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
            let encoded = zeroize::Zeroizing::new(encoded);
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&encoded);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let io = |error| Error::io("ask the proxy", error);
        stream.write_all(request.as_bytes()).await.map_err(io)?;
        // One octet at a time: what follows the answer is the peer's.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= MAX_ANSWER {
                return Err(Error::io(
                    "the proxy's answer",
                    std::io::Error::other("it does not end"),
                ));
            }
            answer.push(stream.read_u8().await.map_err(io)?);
        }
        judge(&answer)
    }
}

/// What the answer's first line means.
fn judge(answer: &[u8]) -> Result<(), Error> {
    let status = answer.get(9..12).unwrap_or_default();
    let other = |what| Err(Error::io("the proxy", std::io::Error::other(what)));
    if !answer.starts_with(b"HTTP/1.") || !status.iter().all(u8::is_ascii_digit) {
        return other("it does not speak HTTP".to_owned());
    }
    match status {
        [b'2', ..] => Ok(()),
        b"407" => Err(Error::authentication(
            "the proxy wants credentials, or other ones (407)",
        )),
        status => other(format!("it answers {}", status.escape_ascii())),
    }
}
