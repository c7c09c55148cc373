//! What lies between a URL and an open connection: SASL mechanisms, TLS, WebSocket, and each refusal by its own error.
//! Sections 5.2, 5.3.
//!
//! The peer is Artemis or Qpid Broker-J with the ports that are named here, counted from the first; the folder holds
//! `ca.pem`, `client.pem`, `client.key` and a stranger's `stranger.pem`.

use std::path::Path;
use std::time::Duration;

use amqp_client::transport::TlsOptions;
use amqp_client::types::security::SaslCode;
use amqp_client::types::transport::ErrorCondition;
use amqp_client::{Connection, ConnectionOptions, Container, Deadlines, Error, ErrorKind, Message};

use crate::check::{During, is};
use crate::report::{self, Verdict};

/// What is expected of an attempt.
enum Expected {
    /// A message gets through; TLS of this version, or none.
    Open(Option<&'static str>),
    /// Authentication fails, with this code if the peer said one.
    Refused(Option<SaslCode>),
    /// An error of this kind whose text holds this.
    Fails(ErrorKind, &'static str),
    /// The connection opens, and every link is refused with this condition.
    NoLinks(ErrorCondition),
}

struct Attempt {
    name: &'static str,
    url: String,
    options: ConnectionOptions,
    expected: Expected,
}

/// Runs every attempt whose name holds one of `names`, or every one if there are no names; whether none failed.
pub(crate) async fn run(
    peer: &str,
    port: u16,
    certificates: &str,
    names: &[&str],
) -> Result<bool, String> {
    let (attempts, queue) = match peer {
        "artemis" => (artemis(port, Path::new(certificates)), "secure"),
        "brokerj" => (brokerj(port, Path::new(certificates)), "auto.secure"),
        _ => return Err(format!("there are artemis and brokerj, no `{peer}`")),
    };
    let mut all = true;
    let wanted = |attempt: &Attempt| {
        names.is_empty() || names.iter().any(|name| attempt.name.contains(name))
    };
    for attempt in attempts.into_iter().filter(wanted) {
        let made = Container::new("amqp-interop")
            .connect_with(&attempt.url, attempt.options)
            .await;
        let result = judge(made, attempt.expected, queue).await;
        all &= report::print(attempt.name, &result.map(|()| Verdict::Pass));
    }
    Ok(all)
}

async fn judge(
    made: Result<Connection, Error>,
    expected: Expected,
    queue: &str,
) -> Result<(), String> {
    match (expected, made) {
        (Expected::Open(version), Ok(connection)) => {
            let tls = connection.security().tls().map(|tls| tls.version());
            if tls != version {
                return Err(format!("TLS is {tls:?}, not {version:?}"));
            }
            let sender = connection.create_sender(queue).await.during("attach")?;
            let outcome = sender.send(Message::from("secure")).await.during("send")?;
            is(&outcome, "accepted")?;
            connection.close().await.during("close")
        }
        (Expected::NoLinks(condition), Ok(connection)) => {
            let link = connection.create_sender(queue).await;
            let error = link.err().ok_or("the link was attached")?;
            crate::check::condition(&error, &condition)?;
            connection.close().await.during("close")
        }
        (Expected::Open(_) | Expected::NoLinks(_), Err(error)) => {
            Err(format!("not opened: {error}"))
        }
        (_, Ok(_)) => Err("the peer let us in".to_owned()),
        (Expected::Refused(code), Err(error)) => {
            let right = error.kind() == ErrorKind::Authentication && error.sasl_code() == code;
            right.then_some(()).ok_or_else(|| format!("{error:?}"))
        }
        (Expected::Fails(kind, text), Err(error)) => {
            let right = error.kind() == kind && error.to_string().contains(text);
            right.then_some(()).ok_or_else(|| format!("{error:?}"))
        }
    }
}

fn user() -> ConnectionOptions {
    ConnectionOptions::new().credentials("guest", "guest")
}

fn options(user: &str, mechanism: &str) -> ConnectionOptions {
    let options = ConnectionOptions::new().mechanisms([mechanism]);
    match user {
        "" => options,
        user => options.credentials(user, user),
    }
}

/// Ports: 0 plain and ws, 1 TLS and wss, 2 TLS 1.2 alone, 3 another host's certificate, 4 an expired one, 7 for clients that name localhost.
fn artemis(port: u16, folder: &Path) -> Vec<Attempt> {
    let trusted = || TlsOptions::new().ca_file(folder.join("ca.pem"));
    let own =
        || trusted().client_certificate_files(folder.join("client.pem"), folder.join("client.key"));
    let url = |scheme: &str, n: u16| format!("{scheme}://localhost:{}", port + n);
    let mut all = vec![
        Attempt {
            name: "the strongest that is offered",
            url: url("amqp", 0),
            options: user(),
            expected: Expected::Open(None),
        },
        Attempt {
            name: "EXTERNAL",
            url: url("amqps", 1),
            options: ConnectionOptions::new().external().tls(own()),
            expected: Expected::Open(Some("TLSv1.3")),
        },
        Attempt {
            name: "EXTERNAL without a certificate",
            url: url("amqps", 1),
            options: options("", "EXTERNAL").external().tls(trusted()),
            expected: Expected::Refused(Some(SaslCode::Sys)),
        },
        Attempt {
            name: "TLS 1.2",
            url: url("amqps", 2),
            options: ConnectionOptions::new()
                .credentials("guest", "guest")
                .tls(trusted()),
            expected: Expected::Open(Some("TLSv1.2")),
        },
        Attempt {
            name: "TLS 1.2 where 1.3 is demanded",
            url: url("amqps", 2),
            options: options("guest", "PLAIN").tls(trusted().only_tls13()),
            expected: Expected::Fails(ErrorKind::Tls, "alert"),
        },
        Attempt {
            name: "wrong host name",
            url: url("amqps", 3),
            options: options("guest", "PLAIN").tls(trusted()),
            expected: Expected::Fails(ErrorKind::Tls, "not valid for name"),
        },
        Attempt {
            name: "expired certificate",
            url: url("amqps", 4),
            options: options("guest", "PLAIN").tls(trusted()),
            expected: Expected::Fails(ErrorKind::Tls, "expired"),
        },
        Attempt {
            name: "no common mechanism",
            url: url("amqp", 0),
            options: ConnectionOptions::new()
                .credentials("guest", "guest")
                .mechanisms(["SCRAM-SHA-1", "XOAUTH2"]),
            expected: Expected::Refused(None),
        },
        Attempt {
            name: "a certificate of nobody",
            url: url("amqps", 1),
            options: ConnectionOptions::new().external().tls(
                trusted()
                    .client_certificate_files(folder.join("nobody.pem"), folder.join("nobody.key")),
            ),
            expected: Expected::NoLinks(ErrorCondition::UnauthorizedAccess),
        },
        Attempt {
            name: "a host name that the peer has not",
            url: url("amqps", 7),
            options: user().tls(trusted().server_name("elsewhere.example")),
            expected: Expected::Fails(ErrorKind::Tls, "UnrecognisedName"),
        },
        Attempt {
            name: "TLS at a port without it",
            url: url("amqps", 0),
            options: hasty(user().tls(trusted())),
            expected: Expected::Fails(ErrorKind::TimedOut, ": tls"),
        },
        Attempt {
            name: "no TLS at a port that wants it",
            url: url("amqp", 1),
            options: hasty(user()),
            expected: Expected::Fails(ErrorKind::TimedOut, ": sasl"),
        },
        Attempt {
            name: "TLS in the band",
            url: url("amqp", 0),
            options: hasty(user().tls(trusted().in_band())),
            expected: Expected::Fails(ErrorKind::Tls, "where the TLS layer was asked for"),
        },
    ];
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        all.extend(password(mechanism, "guest", url("amqp", 0)));
    }
    all.extend(layers(user(), &trusted, folder, &url, [0, 1, 0, 1]));
    all
}

/// Ports: 0 plain, 2 ws, 3 TLS, 4 wss, 5 TLS with a client certificate, 6 SCRAM-SHA-256 from hashes, 8 the certificate of
/// another host, 9 an expired one, 10 TLS 1.2 alone.
fn brokerj(port: u16, folder: &Path) -> Vec<Attempt> {
    let trusted = || TlsOptions::new().ca_file(folder.join("ca.pem"));
    let own =
        || trusted().client_certificate_files(folder.join("client.pem"), folder.join("client.key"));
    let url = |scheme: &str, n: u16| format!("{scheme}://localhost:{}", port + n);
    let mut all = vec![
        Attempt {
            name: "the strongest that is offered",
            url: url("amqp", 0),
            options: user(),
            expected: Expected::Open(None),
        },
        Attempt {
            name: "SCRAM-SHA-256 from hashes",
            url: url("amqp", 6),
            options: user(),
            expected: Expected::Open(None),
        },
        Attempt {
            name: "EXTERNAL",
            url: url("amqps", 5),
            options: ConnectionOptions::new().external().tls(own()),
            expected: Expected::Open(Some("TLSv1.3")),
        },
        Attempt {
            name: "TLS 1.2",
            url: url("amqps", 10),
            options: user().tls(trusted()),
            expected: Expected::Open(Some("TLSv1.2")),
        },
        Attempt {
            name: "wrong host name",
            url: url("amqps", 8),
            options: user().tls(trusted()),
            expected: Expected::Fails(ErrorKind::Tls, "not valid for name"),
        },
        Attempt {
            name: "expired certificate",
            url: url("amqps", 9),
            options: user().tls(trusted()),
            expected: Expected::Fails(ErrorKind::Tls, "expired"),
        },
        Attempt {
            name: "no common mechanism",
            url: url("amqp", 0),
            options: options("guest", "SCRAM-SHA-512"),
            expected: Expected::Refused(None),
        },
        Attempt {
            name: "TLS 1.2 where 1.3 is demanded",
            // It ends the stream instead of sending an alert.
            url: url("amqps", 10),
            options: user().tls(trusted().only_tls13()),
            expected: Expected::Fails(ErrorKind::Io, "TLS handshake"),
        },
        Attempt {
            name: "EXTERNAL without a certificate",
            url: url("amqps", 5),
            options: options("", "EXTERNAL").external().tls(trusted()),
            expected: Expected::Fails(ErrorKind::Io, "without sending TLS close_notify"),
        },
        Attempt {
            name: "TLS at a port without it",
            url: url("amqps", 0),
            options: hasty(user().tls(trusted())),
            expected: Expected::Fails(ErrorKind::Tls, "corrupt message"),
        },
        Attempt {
            name: "no TLS at a port that wants it",
            url: url("amqp", 3),
            options: hasty(user()),
            expected: Expected::Fails(ErrorKind::Io, "dropped the connection"),
        },
        Attempt {
            name: "TLS in the band",
            url: url("amqp", 0),
            options: hasty(user().tls(trusted().in_band())),
            expected: Expected::Fails(ErrorKind::Tls, "where the TLS layer was asked for"),
        },
        Attempt {
            name: "WebSocket, no such path",
            url: format!("{}/elsewhere", url("ws", 2)),
            options: ConnectionOptions::new(),
            expected: Expected::Fails(ErrorKind::Unsupported, "404"),
        },
    ];
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"] {
        all.extend(password(mechanism, "guest", url("amqp", 0)));
    }
    all.extend(layers(
        ConnectionOptions::new(),
        &trusted,
        folder,
        &url,
        [0, 3, 2, 4],
    ));
    all
}

/// One second for each layer: some peers say nothing at all to what they do not expect.
fn hasty(options: ConnectionOptions) -> ConnectionOptions {
    let second = Duration::from_secs(1);
    options.deadlines(Deadlines {
        tls: second,
        sasl: second,
        ..Deadlines::default()
    })
}

/// A mechanism with the right password and with a wrong one.
fn password(mechanism: &'static str, user: &str, url: String) -> [Attempt; 2] {
    let right = options(user, mechanism);
    let wrong = options(user, mechanism).credentials(user, "wrong");
    [
        Attempt {
            name: mechanism,
            url: url.clone(),
            options: right,
            expected: Expected::Open(None),
        },
        Attempt {
            name: "a wrong password",
            url,
            options: wrong,
            expected: Expected::Refused(Some(SaslCode::Auth)),
        },
    ]
}

/// TLS, WebSocket and both, on the ports of: plain, TLS, ws, wss. `web` is who comes by WebSocket: Broker-J's ports of it
/// let in the anonymous alone.
fn layers(
    web: ConnectionOptions,
    trusted: &dyn Fn() -> TlsOptions,
    folder: &Path,
    url: &dyn Fn(&str, u16) -> String,
    ports: [u16; 4],
) -> Vec<Attempt> {
    let [_, tls, ws, wss] = ports;
    let user = user();
    vec![
        Attempt {
            name: "TLS 1.3",
            url: url("amqps", tls),
            options: user.clone().tls(trusted()),
            expected: Expected::Open(Some("TLSv1.3")),
        },
        Attempt {
            name: "PLAIN over TLS",
            url: url("amqps", tls),
            options: user.clone().mechanisms(["PLAIN"]).tls(trusted()),
            expected: Expected::Open(Some("TLSv1.3")),
        },
        Attempt {
            name: "wrong CA",
            url: url("amqps", tls),
            options: user.tls(TlsOptions::new().ca_file(folder.join("stranger.pem"))),
            expected: Expected::Fails(ErrorKind::Tls, "UnknownIssuer"),
        },
        Attempt {
            name: "WebSocket",
            url: url("ws", ws),
            options: web.clone(),
            expected: Expected::Open(None),
        },
        Attempt {
            name: "WebSocket over TLS",
            url: url("wss", wss),
            options: web.tls(trusted()),
            expected: Expected::Open(Some("TLSv1.3")),
        },
    ]
}
