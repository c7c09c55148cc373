//! Secrets are looked for in all that is logged, traced, printed or told as an error.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use amqp_client::listener::Access;
use amqp_client::sasl::{
    CredentialStore, Pending, ScramHash, ScramSecret, ServerStep, StoreError, Users,
};
use amqp_client::transport::{Address, Proxy};
use amqp_client::{Connection, ConnectionOptions, Container, Error, Secret};
use base64::Engine as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// In each secret of these tests, so that one search finds all.
const MARK: &str = "hunter2hunter2";
const PASSWORD: &str = "pass-hunter2hunter2-w\u{f6}rd";
const WRONG: &str = "wrong-hunter2hunter2";
const TOKEN: &str = "token-hunter2hunter2";
/// As it stands in a URL.
const IN_URL: &str = "pass-hunter2hunter2-w%C3%B6rd";

/// All that was said, by anybody in this process.
static SAID: Mutex<String> = Mutex::new(String::new());

fn said() -> MutexGuard<'static, String> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

fn say(text: impl Debug) {
    said().push_str(&format!("{text:?} {text:#?}\n"));
}

/// An error in every shape, with all that it is due to.
fn say_error(error: &Error) {
    say(error);
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        said().push_str(&format!("{error} {error:?}\n"));
        next = error.source();
    }
}

/// Takes what is traced at every level, frames included, and what libraries log.
struct Everything;

impl tracing::field::Visit for Everything {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        said().push_str(&format!("{field}={value:?}\n"));
    }
}

impl tracing::Subscriber for Everything {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut Self);
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut Self);
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        said().push_str(event.metadata().target());
        event.record(&mut Self);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

impl log::Log for Everything {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}\n", record.target(), record.args());
        said().push_str(&line);
    }

    fn flush(&self) {}
}

fn listen_in() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Everything).expect("nobody listens yet");
        log::set_logger(&Everything).expect("nobody listens yet");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// The mark as it is, in hexadecimal digits, as a list of numbers, and in base64 wherever it begins.
fn disguises() -> Vec<String> {
    let octets = MARK.as_bytes();
    let numbers: Vec<String> = octets.iter().map(u8::to_string).collect();
    let mut all = vec![
        MARK.to_owned(),
        octets.iter().map(|octet| format!("{octet:02x}")).collect(),
        octets.iter().map(|octet| format!("{octet:02X}")).collect(),
        numbers.join(", "),
    ];
    for before in 0..3 {
        let text = [&b"xxx"[..before], octets].concat();
        let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&text);
        // The first and the last digits depend on the neighbours.
        all.push(encoded[4.min(before * 4)..text.len() / 3 * 4].to_owned());
    }
    all
}

/// Looks through all that was said since.
fn nothing_shows(expected: &[&str]) {
    let said = said();
    for part in expected {
        assert!(said.contains(part), "nothing was heard of {part}");
    }
    for disguise in disguises() {
        if let Some(at) = said.find(&disguise) {
            let from = said[..at].rfind('\n').unwrap_or_default();
            let to = said[at..].find('\n').map_or(said.len(), |end| at + end);
            panic!("{disguise} in {}", &said[from..to]);
        }
    }
}

#[test]
fn a_secret_would_be_found_in_each_disguise() {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    for text in [
        format!("a {PASSWORD}"),
        format!("{:?}", PASSWORD.as_bytes()),
        encode(PASSWORD),
        encode(&format!("\0u\0{WRONG}")),
        encode(&format!("u:{TOKEN}")),
        encode(&format!("me:{TOKEN}")),
    ] {
        let found = disguises().iter().any(|disguise| text.contains(disguise));
        assert!(found, "{text}");
    }
}

/// Knows one token and one password.
#[derive(Debug)]
struct Store;

impl CredentialStore for Store {
    fn password<'a>(
        &'a self,
        _: &'a str,
        given: &'a Secret,
    ) -> Pending<'a, Result<bool, StoreError>> {
        say(given);
        Box::pin(async move { Ok(*given == Secret::from(PASSWORD)) })
    }

    fn token<'a>(&'a self, given: &'a Secret) -> Pending<'a, Result<Option<String>, StoreError>> {
        say(given);
        let user = (given.expose() == TOKEN).then(|| "u".to_owned());
        Box::pin(async move { Ok(user) })
    }
}

async fn meet(options: ConnectionOptions, access: Access) -> Result<Connection, Error> {
    say((&options, &access));
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    );
    say((&client, &listener));
    for side in [&client, &listener] {
        if let Err(error) = side {
            say_error(error);
        }
    }
    client
}

#[tokio::test]
async fn no_mechanism_shows_what_it_sends_whether_it_is_good_or_not() {
    listen_in();
    for name in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for password in [PASSWORD, WRONG] {
            let users = Users::new().user("u", PASSWORD);
            say(&users);
            let options = ConnectionOptions::new().credentials("u", password);
            let options = options.allow_plain_without_tls().mechanisms([name]);
            let access = Access::users(users).allow_plain_without_tls();
            let met = meet(options, access.mechanisms([name])).await;
            assert_eq!(met.is_ok(), password == PASSWORD, "{name}");
        }
    }
    for name in ["OAUTHBEARER", "XOAUTH2", "PLAIN"] {
        for token in [TOKEN, WRONG] {
            let provider = move || async move { Ok(Secret::from(token)) };
            let options = ConnectionOptions::new().token_provider("u", provider);
            let options = options.allow_plain_without_tls().mechanisms([name]);
            let access = Access::store(Store).mechanisms([name]);
            let met = meet(options, access.allow_plain_without_tls()).await;
            assert_eq!(met.is_ok(), token == TOKEN && name != "PLAIN", "{name}");
        }
    }
    // Not allowed, not fit, not offered.
    let options = || ConnectionOptions::new().credentials("u", PASSWORD);
    let plain = || Access::store(Store).mechanisms(["PLAIN"]);
    assert!(meet(options(), plain()).await.is_err());
    assert!(
        meet(options(), Access::anyone().require_sasl())
            .await
            .is_err()
    );
    let odd = ConnectionOptions::new().credentials("u", format!("{PASSWORD}\u{7}"));
    assert!(meet(odd, Access::users(Users::new())).await.is_err());
    nothing_shows(&[
        "mechanism=",
        "sasl-init(0x41)",
        "sasl-outcome(0x44)",
        "(masked)",
    ]);
}

#[tokio::test]
async fn no_url_shows_its_password_in_an_error_or_in_print() {
    listen_in();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = gone.local_addr().expect("an address").port();
    drop(gone);
    let (user, client) = (format!("u:{IN_URL}"), Container::new("client"));
    for url in [
        format!("amqp://{user}@127.0.0.1:{port}/q"),
        format!("amqp://{user}@127.0.0.1:{port},127.0.0.1:{port}/q"),
        format!("amqp+unix://{user}@/nowhere/socket"),
        format!("amqp://{user}@host x"),
        format!("amqp://{user}%zz@host"),
        format!("amqp://{user}%ff@host"),
        format!("amqp://{user}@host:99999"),
        format!("amqp://{user}@"),
        format!("ftp://{user}@host"),
        format!("{user}@host:x"),
    ] {
        say_error(&client.connect(&url).await.expect_err("it is of no use"));
        match Address::parse_list(&url) {
            Ok(all) => all.iter().for_each(|address| {
                say((address, address.password()));
                said().push_str(&address.to_string());
            }),
            Err(error) => say_error(&error),
        }
    }
    nothing_shows(&["not connected", "ftp"]);
}

/// A peer that answers whatever it is asked like this.
async fn answers(answer: &'static [u8]) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = socket.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = socket.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && client.read_buf(&mut head).await.is_ok() {}
            assert!(!head.is_empty());
            let _ = client.write_all(answer).await;
        }
    });
    port
}

#[tokio::test]
async fn no_proxy_and_no_web_socket_shows_who_we_are_to_it() {
    listen_in();
    for answer in [
        &b"HTTP/1.1 407 Who?\r\n\r\n"[..],
        b"HTTP/1.1 503 Down\r\n\r\n",
        b"HTTP/1.1 401 Who?\r\n\r\n",
        b"HTTP/1.1 404 Where?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ] {
        let port = answers(answer).await;
        let proxy = Proxy::new("127.0.0.1", port).credentials("me", PASSWORD);
        say(&proxy);
        let options = ConnectionOptions::new().proxy(proxy).without_sasl();
        say(&options);
        let client = Container::with_options("client", options);
        say(&client);
        say_error(
            &client
                .connect("amqp://127.0.0.1:1")
                .await
                .expect_err("no tunnel"),
        );
        #[cfg(feature = "websocket")]
        {
            let options = ConnectionOptions::new()
                .websocket_header("Authorization", format!("Bearer {TOKEN}"))
                .websocket_header("Cookie", format!("session={TOKEN}"));
            say(&options);
            let client = Container::with_options("client", options);
            let url = format!("ws://u:{IN_URL}@127.0.0.1:{port}/path");
            say_error(&client.connect(&url).await.expect_err("no WebSocket"));
        }
    }
    #[cfg(feature = "websocket")]
    {
        use amqp_client::broker::Broker;
        use amqp_client::transport::ListenOptions;
        // One that is good, with a password inside, and a message.
        let access = Access::users(Users::new().user("u", PASSWORD)).mechanisms(["PLAIN"]);
        let layers = ListenOptions::new().websocket();
        let broker = Broker::builder().access(access).layers(layers).start();
        let broker = broker.await.expect("a broker");
        say(&broker);
        let options = ConnectionOptions::new()
            .credentials("u", PASSWORD)
            .websocket_header("Authorization", format!("Bearer {TOKEN}"));
        let url = broker.url().replace("amqp://", "ws://");
        let client = Container::new("client").connect_with(&url, options).await;
        let client = client.expect("it opens");
        let sender = client.create_sender("q").await.expect("attached");
        sender
            .send(amqp_client::Message::from("hello"))
            .await
            .expect("accepted");
        client.close().await.expect("closed");
        let bad = ConnectionOptions::new().websocket_header("a\n", TOKEN);
        let bad = Container::new("client").connect_with(&url, bad).await;
        say_error(&bad.expect_err("no such header"));
        let bad = ConnectionOptions::new().websocket_header("a", format!("{TOKEN}\n"));
        let bad = Container::new("client").connect_with(&url, bad).await;
        say_error(&bad.expect_err("no such value"));
        nothing_shows(&["tungstenite"]);
    }
    nothing_shows(&["407", "503"]);
}

#[test]
fn what_holds_a_secret_does_not_print_it() {
    listen_in();
    say(Secret::from(PASSWORD));
    let secret = ScramSecret::derive(ScramHash::Sha256, PASSWORD, b"salt", 4096);
    say(secret.expect("a password"));
    say(ScramSecret::from_parts(
        ScramHash::Sha1,
        b"salt",
        4096,
        TOKEN.as_bytes(),
        TOKEN.as_bytes(),
    ));
    let users = Users::new().user("u", PASSWORD);
    say(&users);
    say(Access::users(users));
    let options = ConnectionOptions::new()
        .credentials("u", PASSWORD)
        .token_provider("u", || async { Ok(Secret::from(TOKEN)) })
        .proxy(Proxy::new("h", 1).credentials("u", PASSWORD));
    say(&options);
    say(Container::with_options("c", options));
    // What a mechanism answers is not for print at all.
    let _not_debug: fn(ServerStep) = drop;
    nothing_shows(&["[redacted]"]);
}

#[cfg(feature = "config")]
#[test]
fn no_file_shows_its_password_whether_it_is_good_or_not() {
    use amqp_client::config::ConnectConfig;
    listen_in();
    for rest in [
        "",
        r#", "nonsense": 1"#,
        r#", "port": "pass-hunter2hunter2""#,
        r#", "scheme": "pass-hunter2hunter2""#,
        r#", "host": "u:pass-hunter2hunter2@h""#,
        r#", "failover": ["amqp://u:pass-hunter2hunter2@h"]"#,
        r#", "sasl": {"enable": "pass-hunter2hunter2"}"#,
        r#", "reconnect": {"delay": "pass-hunter2hunter2"}"#,
        r#", "user": hunter2hunter2"#,
        r#", "sasl": /* hunter2hunter2"#,
    ] {
        let text = format!(r#"{{"user": "u", "password": "{PASSWORD}"{rest}}}"#);
        match ConnectConfig::parse(&text) {
            Ok(config) => {
                assert_eq!(rest, "");
                say((&config, config.url(), config.options()));
            }
            Err(error) => say_error(&error),
        }
    }
    let path = std::env::temp_dir().join(format!("connect-{}.json", std::process::id()));
    std::fs::write(
        &path,
        format!(r#"{{"password": ["{PASSWORD}"], "user": "u"}}"#),
    )
    .expect("written");
    say_error(&ConnectConfig::read(path.clone()).expect_err("a list"));
    std::fs::remove_file(path).expect("removed");
    nothing_shows(&["`reconnect.delay`", "`password`"]);
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[path = "tls/authority.rs"]
#[allow(dead_code)] // others need more of it
mod authority;

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[tokio::test]
async fn no_layer_of_tls_shows_a_key_or_what_goes_through_it() {
    use amqp_client::transport::{ListenOptions, TlsAccept, TlsOptions};
    listen_in();
    let (authority, stranger) = (authority::Authority::new(), authority::Authority::new());
    let (server, own) = (
        authority.sign("localhost", |_| {}),
        authority.sign("u", |_| {}),
    );
    let tls = TlsAccept::pem(&server.chain, &server.key).client_ca_pem(&authority.pem());
    let layers = ListenOptions::new().tls(tls.clone());
    say((&tls, &layers));
    let trusted = || {
        authority
            .trusted()
            .client_certificate_pem(&own.chain, &own.key)
    };
    let untrusted = || {
        stranger
            .trusted()
            .client_certificate_pem(&own.chain, &own.key)
    };
    for name in ["EXTERNAL", "SCRAM-SHA-256-PLUS", "PLAIN"] {
        for (client_tls, password) in [
            (trusted(), PASSWORD),
            (trusted(), WRONG),
            (untrusted(), PASSWORD),
        ] {
            let users = Users::new().user("u", PASSWORD).trust_common_names();
            let access = Access::users(users).mechanisms([name.trim_end_matches("-PLUS")]);
            let listener = Container::new("listener")
                .listen_with("127.0.0.1:0", access, layers.clone())
                .await
                .expect("it listens");
            say(&listener);
            let mut options = ConnectionOptions::new().tls(client_tls).mechanisms([name]);
            options = match name {
                "EXTERNAL" => options.external(),
                _ => options.credentials("u", password),
            };
            let url = format!("amqps://localhost:{}", listener.local_addr().port());
            let client = Container::new("client");
            let met = client.connect_with(&url, options.clone()).await;
            // With what was made of keys and sessions.
            say((&options, &tls, &layers, &met));
            match met {
                Ok(connection) => say(connection.security()),
                Err(error) => say_error(&error),
            }
        }
    }
    for bad in [
        TlsAccept::pem(&server.key, &server.chain),
        TlsAccept::pem(&server.chain, PASSWORD.as_bytes()),
        TlsAccept::pem(&server.chain, &own.key),
    ] {
        say(&bad);
        say_error(&bad.reload().expect_err("not a chain and its key"));
    }
    let bad = TlsOptions::new()
        .ca_pem(&own.key)
        .client_certificate_pem(&own.key, &own.chain);
    let bad = ConnectionOptions::new().tls(bad);
    let bad = Container::new("client")
        .connect_with("amqps://localhost:1", bad)
        .await;
    say_error(&bad.expect_err("nobody listens"));
    nothing_shows(&["UnknownIssuer", "CertifiedKey"]);
    let said = said();
    for key in [&server.key, &own.key] {
        let pem = std::str::from_utf8(key).expect("text");
        let secret = pem
            .lines()
            .find(|line| !line.starts_with('-'))
            .expect("a line");
        assert!(!said.contains(secret), "a key");
        let der = base64::engine::general_purpose::STANDARD;
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = der.decode(body).expect("base64");
        let numbers: Vec<String> = der[40..56].iter().map(u8::to_string).collect();
        let hex: String = der[40..56]
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        assert!(
            !said.contains(&numbers.join(", ")) && !said.contains(&hex),
            "a key"
        );
    }
}
