//! Our client over WebSocket, met by a foreign listener that is no broker: what is sent comes back on the same connection.
//! Section 2.2.
//!
//! Decides the exchange only; the foreign listener offers a node `echo` that keeps what it gets for whoever receives from it.

use std::path::Path;

use amqp_client::transport::TlsOptions;
use amqp_client::{ConnectionOptions, Container, ErrorKind};

use crate::check::{During, is, next, receiver};
use crate::content;
use crate::report::{self, Verdict};

/// More than one frame each, so that WebSocket messages and AMQP frames do not coincide.
const SIZE: usize = 200_000;

/// So many messages each way.
const COUNT: u64 = 20;

/// Meets the listener on this port, and on the next one in TLS, in those rows whose names hold one of `names`, or in all if there are
/// none; whether nothing was off.
pub(crate) async fn run(port: u16, certificates: &str, names: &[&str]) -> bool {
    let folder = Path::new(certificates);
    let plain = format!("ws://127.0.0.1:{port}");
    // The name that the certificate is for.
    let secure = format!("wss://localhost:{}", port + 1);
    let trusting =
        |file: &str| ConnectionOptions::new().tls(TlsOptions::new().ca_file(folder.join(file)));
    let mut all = true;
    for (name, url, options, version) in [
        (
            "WebSocket, our client",
            &plain,
            ConnectionOptions::new(),
            None,
        ),
        (
            "WebSocket in TLS, our client",
            &secure,
            trusting("ca.pem"),
            Some("TLSv1.3"),
        ),
    ] {
        if names.is_empty() || names.iter().any(|wanted| name.contains(wanted)) {
            let result = exchange(url, options, version).await;
            all &= report::print(name, &result.map(|()| Verdict::Pass));
        }
    }
    let name = "WebSocket in TLS, wrong CA";
    if names.is_empty() || names.iter().any(|wanted| name.contains(wanted)) {
        let result = refused(&secure, trusting("stranger.pem")).await;
        all &= report::print(name, &result.map(|()| Verdict::Pass));
    }
    all
}

/// Messages there and back, through TLS of this version or none.
async fn exchange(
    url: &str,
    options: ConnectionOptions,
    version: Option<&str>,
) -> Result<(), String> {
    let connection = Container::new("amqp-interop")
        .connect_with(url, options)
        .await
        .during("connect")?;
    let tls = connection.security().tls().map(|tls| tls.version());
    if tls != version {
        return Err(format!("TLS is {tls:?}, not {version:?}"));
    }
    let sender = connection.create_sender("echo").await.during("attach")?;
    for number in 0..COUNT {
        let outcome = sender
            .send(content::message(number, SIZE))
            .await
            .during("send")?;
        is(&outcome, "accepted")?;
    }
    let receiver = receiver(&connection, "echo", COUNT as u32).await?;
    for number in 0..COUNT {
        let delivery = next(&receiver).await?;
        content::check(&delivery, number, SIZE)?;
        delivery.accept();
    }
    connection.close().await.during("close")
}

/// It is us who turn away.
async fn refused(url: &str, options: ConnectionOptions) -> Result<(), String> {
    let made = Container::new("amqp-interop")
        .connect_with(url, options)
        .await;
    let error = made.err().ok_or("the peer is trusted")?;
    let right = error.kind() == ErrorKind::Tls && error.to_string().contains("UnknownIssuer");
    right.then_some(()).ok_or_else(|| format!("{error:?}"))
}
