//! Authentication over an in-memory pipe: every mechanism both ways, refusals, silence, secrets.

use std::sync::Arc;
use std::time::Duration;

use amqp_client::listener::Access;
use amqp_client::sasl::{
    ClientContext, ClientExchange, ClientMechanism, CredentialStore, Pending, ServerContext,
    ServerExchange, ServerMechanism, ServerStep, StoreError, Users,
};
use amqp_client::types::Symbol;
use amqp_client::types::security::SaslCode;
use amqp_client::{Connection, ConnectionOptions, Container, Error, ErrorKind, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const PASSWORD: &str = "hunter2-p@ss,=w\u{f6}rd";

async fn meet(
    options: ConnectionOptions,
    access: Access,
) -> (Result<Connection, Error>, Result<Connection, Error>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    )
}

fn users() -> Access {
    Access::users(Users::new().user("us,er=", PASSWORD))
}

fn user() -> ConnectionOptions {
    ConnectionOptions::new().credentials("us,er=", PASSWORD)
}

#[tokio::test]
async fn every_scram_works_both_ways_with_and_without_waiting_for_the_offer() {
    for name in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        // [SASL-10]: one mechanism alone goes out with the header.
        let (client, listener) = meet(user().mechanisms([name]), users()).await;
        client.expect("the client opens");
        assert_eq!(listener.expect("it opens").identity(), Some("us,er="));
        // [SASL-08]
        let (client, listener) = meet(user(), users().mechanisms([name])).await;
        client.expect("the client opens");
        assert_eq!(listener.expect("it opens").identity(), Some("us,er="));
    }
}

#[tokio::test]
async fn plain_over_a_stream_of_ones_own_has_to_be_allowed() {
    let access = || users().mechanisms(["PLAIN"]);
    // [SASL-20]
    let (client, _) = meet(user(), access()).await;
    let error = client.expect_err("a password in the clear");
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("use TLS"), "{error}");
    let (client, listener) = meet(user().allow_plain_without_tls(), access()).await;
    client.expect("the client opens");
    assert_eq!(listener.expect("it opens").identity(), Some("us,er="));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same() {
    for name in ["SCRAM-SHA-256", "PLAIN"] {
        for user in ["us,er=", "nobody"] {
            let options = ConnectionOptions::new()
                .credentials(user, "wrong")
                .allow_plain_without_tls()
                .mechanisms([name]);
            let (client, listener) = meet(options, users()).await;
            let error = client.expect_err("wrong");
            assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
            // [SASL-13]
            assert_eq!(error.sasl_code(), Some(SaslCode::Auth));
            assert!(!error.is_retryable());
            assert!(listener.is_err());
        }
    }
}

#[tokio::test]
async fn nothing_weaker_than_what_was_given_is_used() {
    let (client, _) = meet(user(), Access::anyone().require_sasl()).await;
    let error = client.expect_err("no downgrade to ANONYMOUS");
    assert!(error.to_string().contains("offers ANONYMOUS"), "{error}");
    let strict = user().mechanisms(["SCRAM-SHA-512", "SCRAM-SHA-256"]);
    let (client, _) = meet(strict, users().mechanisms(["SCRAM-SHA-1"])).await;
    let error = client.expect_err("no downgrade to SHA-1");
    assert!(error.to_string().contains("SCRAM-SHA-1"), "{error}");
}

/// A store that says what it is told to.
struct Answers(Result<Option<String>, StoreError>);

impl CredentialStore for Answers {
    fn password<'a>(&'a self, _: &'a str, _: &'a Secret) -> Pending<'a, Result<bool, StoreError>> {
        let answer = self.0.clone().map(|user| user.is_some());
        Box::pin(async move { answer })
    }

    fn token<'a>(&'a self, token: &'a Secret) -> Pending<'a, Result<Option<String>, StoreError>> {
        assert_eq!(token.expose(), PASSWORD);
        let answer = self.0.clone();
        Box::pin(async move { answer })
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_told_apart_and_can_be_retried() {
    for (answer, code, retryable) in [
        (StoreError::Temporary, SaslCode::SysTemp, true),
        (StoreError::Permanent, SaslCode::SysPerm, false),
    ] {
        let access = Access::store(Answers(Err(answer))).mechanisms(["PLAIN"]);
        let (client, _) = meet(user().allow_plain_without_tls(), access).await;
        let error = client.expect_err("the store is away");
        assert_eq!(error.sasl_code(), Some(code));
        assert_eq!(error.is_retryable(), retryable);
    }
}

#[tokio::test]
async fn tokens_come_from_a_provider_and_are_judged_by_the_store() {
    let options = |user: &str| {
        ConnectionOptions::new()
            .token_provider(user, || async { Ok(Secret::from(PASSWORD)) })
            .allow_plain_without_tls()
    };
    let access = |name: &str, answer| {
        Access::store(Answers(answer))
            .mechanisms([name])
            .allow_plain_without_tls()
    };
    let known = || Ok(Some("to,kens".to_owned()));
    for name in ["OAUTHBEARER", "XOAUTH2"] {
        for user in ["", "to,kens"] {
            let (client, listener) = meet(options(user), access(name, known())).await;
            client.expect("the client opens");
            assert_eq!(listener.expect("it opens").identity(), Some("to,kens"));
        }
        // RFC 7628: the reason comes as a challenge, the outcome after our empty answer.
        for (user, answer) in [("", Ok(None)), ("somebody else", known())] {
            let (client, _) = meet(options(user), access(name, answer)).await;
            let error = client.expect_err("bad token");
            assert_eq!(error.sasl_code(), Some(SaslCode::Auth));
        }
        let (client, _) = meet(options(""), access(name, Err(StoreError::Temporary))).await;
        let error = client.expect_err("the issuer is away");
        assert!(error.is_retryable() && error.sasl_code() == Some(SaslCode::SysTemp));
    }

    let failing = ConnectionOptions::new()
        .token_provider("", || async { Err("the issuer is away".into()) })
        .allow_plain_without_tls();
    let (client, _) = meet(failing, access("OAUTHBEARER", Ok(None))).await;
    let error = client.expect_err("no token");
    assert!(error.to_string().contains("the issuer is away") && error.is_retryable());
}

#[tokio::test]
async fn each_connection_asks_for_a_token_of_its_own() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    let options = ConnectionOptions::new()
        .token_provider("", move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async { Ok(Secret::from(PASSWORD)) }
        })
        .allow_plain_without_tls();
    for expected in [1, 2] {
        let access = Access::store(Answers(Ok(Some("u".to_owned())))).mechanisms(["XOAUTH2"]);
        meet(options.clone(), access).await.0.expect("it opens");
        assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), expected);
    }
}

/// A mechanism of one's own: the listener asks, the client says the word.
#[derive(Clone, Debug)]
struct Knock;

impl ClientMechanism for Knock {
    fn name(&self) -> Symbol {
        Symbol::from_static("X-KNOCK")
    }

    fn start(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        Box::new(Knock)
    }
}

impl ClientExchange for Knock {
    fn initial(&mut self) -> Pending<'_, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async { Ok(None) })
    }

    fn respond<'a>(&'a mut self, challenge: &'a [u8]) -> Pending<'a, Result<Vec<u8>, Error>> {
        assert_eq!(challenge, b"who?");
        Box::pin(async { Ok(b"it is me".to_vec()) })
    }
}

impl ServerMechanism for Knock {
    fn name(&self) -> Symbol {
        Symbol::from_static("X-KNOCK")
    }

    fn start(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(Knock)
    }
}

impl ServerExchange for Knock {
    fn step<'a>(&'a mut self, message: Option<&'a [u8]>) -> Pending<'a, ServerStep> {
        Box::pin(async move {
            match message {
                None => ServerStep::Challenge(b"who?".to_vec()),
                Some(_) => ServerStep::Accept {
                    identity: Some("me".to_owned()),
                    additional_data: None,
                },
            }
        })
    }
}

#[tokio::test]
async fn a_mechanism_of_ones_own_works_both_ways() {
    let options = user().mechanism(Knock);
    let (client, listener) = meet(options, users().mechanism(Knock)).await;
    client.expect("the client opens");
    assert_eq!(listener.expect("it opens").identity(), Some("me"));
}

/// A listener that speaks SCRAM and does not know the password.
#[derive(Clone, Debug)]
struct Liar {
    /// What is made of the client's nonce, and what follows it in the challenge.
    challenge: fn(&str) -> String,
    last: Option<&'static str>,
    asked: bool,
}

impl ServerMechanism for Liar {
    fn name(&self) -> Symbol {
        Symbol::from_static("SCRAM-SHA-256")
    }

    fn start(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(self.clone())
    }
}

impl ServerExchange for Liar {
    fn step<'a>(&'a mut self, message: Option<&'a [u8]>) -> Pending<'a, ServerStep> {
        let said = String::from_utf8_lossy(message.unwrap_or_default()).into_owned();
        let step = match std::mem::replace(&mut self.asked, true) {
            false => {
                let (_, nonce) = said.split_once(",r=").expect("a nonce");
                ServerStep::Challenge((self.challenge)(nonce).into_bytes())
            }
            true => ServerStep::Accept {
                identity: None,
                additional_data: self.last.map(|last| last.as_bytes().to_vec()),
            },
        };
        Box::pin(async move { step })
    }
}

#[tokio::test]
async fn a_listener_that_does_not_know_the_password_is_found_out() {
    let good: fn(&str) -> String = |nonce| format!("r={nonce}x,s=c2FsdA==,i=4096");
    let unread = "can not be read";
    // tests: [SASL-17]
    for (challenge, last, reason) in [
        (good, None, "without having proved"),
        (good, Some("v=AAAA"), "signature is wrong"),
        (good, Some("v=!"), "no signature"),
        (good, Some("e=other-error"), "no signature"),
        (good, Some(""), "no signature"),
        (
            |nonce| format!("r={nonce},s=c2FsdA==,i=4096"),
            None,
            "does not continue ours",
        ),
        (
            |_| "r=other,s=c2FsdA==,i=4096".to_owned(),
            None,
            "does not continue ours",
        ),
        (
            |nonce| format!("r={nonce}x,s=c2FsdA==,i=4095"),
            None,
            "4095 iterations",
        ),
        (
            |nonce| format!("r={nonce}x,s=c2FsdA==,i=4294967295"),
            None,
            "4294967295 iterations",
        ),
        (
            |nonce| format!("r={nonce}x,s=c2FsdA==,i=many"),
            None,
            unread,
        ),
        (|nonce| format!("r={nonce}x,s=,i=4096"), None, unread),
        (
            |nonce| format!("m=must,r={nonce}x,s=c2FsdA==,i=4096"),
            None,
            unread,
        ),
        (|_| String::new(), None, unread),
    ] {
        let liar = Liar {
            challenge,
            last,
            asked: false,
        };
        let (client, _) = meet(user(), Access::anyone().mechanism(liar)).await;
        let error = client.expect_err(reason);
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.is_retryable());
    }
}

/// Reads exactly so many octets.
async fn read(stream: &mut DuplexStream, octets: usize) -> Vec<u8> {
    let mut read = vec![0; octets];
    stream.read_exact(&mut read).await.expect("octets come");
    read
}

const SASL_HEADER: &[u8] = b"AMQP\x03\x01\x00\x00";
/// sasl-mechanisms with SCRAM-SHA-256 alone.
const OFFER: &[u8] =
    b"\0\0\0\x20\x02\x01\0\0\0\x53\x40\xc0\x13\x01\xe0\x10\x01\xa3\x0dSCRAM-SHA-256";
/// sasl-outcome ok without additional data.
const OK: &[u8] = b"\0\0\0\x10\x02\x01\0\0\0\x53\x44\xc0\x03\x01\x50\0";

#[tokio::test]
async fn a_listener_that_says_ok_without_its_proof_is_not_believed() {
    let (ours, mut peer) = tokio::io::duplex(4096);
    let script = async {
        assert_eq!(read(&mut peer, 8).await, SASL_HEADER);
        peer.write_all(SASL_HEADER).await.expect("written");
        peer.write_all(OFFER).await.expect("written");
        let size = read(&mut peer, 4).await;
        read(&mut peer, usize::from(size[3]) - 4).await;
        peer.write_all(OK).await.expect("written");
        // [SASL-17]: nothing of the next layer comes.
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).await.expect("an end");
        assert_eq!(rest, b"");
    };
    let client = Container::new("client");
    let (client, ()) = tokio::join!(client.connect_stream(ours, user()), script);
    let error = client.expect_err("no proof");
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(
        error.to_string().contains("without having proved"),
        "{error}"
    );
}

#[tokio::test]
async fn a_listener_that_leaves_the_sasl_layer_out_is_refused() {
    let (ours, mut peer) = tokio::io::duplex(4096);
    let script = async {
        read(&mut peer, 8).await;
        peer.write_all(b"AMQP\x00\x01\x00\x00")
            .await
            .expect("written");
    };
    let client = Container::new("client");
    let (client, ()) = tokio::join!(client.connect_stream(ours, user()), script);
    let error = client.expect_err("no downgrade");
    assert!(error.to_string().contains("not acceptable"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_silent_is_left_with_the_point_named() {
    let (ours, _silent) = tokio::io::duplex(4096);
    let client = Container::new("client");
    let error = client
        .connect_stream(ours, user())
        .await
        .expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("sasl"), "{error}");
    let (ours, _silent) = tokio::io::duplex(4096);
    let options = ConnectionOptions::new().without_sasl();
    let error = client
        .connect_stream(ours, options)
        .await
        .expect_err("silence");
    assert!(error.to_string().contains("open"), "{error}");
    // A provider that never answers is silent too.
    let (ours, _silent) = tokio::io::duplex(4096);
    let options = ConnectionOptions::new()
        .token_provider("", std::future::pending)
        .allow_plain_without_tls()
        .mechanisms(["OAUTHBEARER"]);
    let error = client
        .connect_stream(ours, options)
        .await
        .expect_err("silence");
    assert!(error.to_string().contains("sasl"), "{error}");
    // A client that says nothing keeps a listener for so long only.
    let (_silent, theirs) = tokio::io::duplex(4096);
    let error = client
        .accept_stream(theirs, &users())
        .await
        .expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn header_and_init_go_out_in_one_write_and_so_do_header_open_and_begin() {
    let (ours, mut peer) = tokio::io::duplex(4096);
    let script = async {
        let mut first = vec![0; 4096];
        let n = peer.read(&mut first).await.expect("octets");
        assert!(
            n > 8 && first.starts_with(SASL_HEADER),
            "the init is in the first write"
        );
        peer.write_all(SASL_HEADER).await.expect("written");
        let offer = b"\0\0\0\x1c\x02\x01\0\0\0\x53\x40\xc0\x0f\x01\xe0\x0c\x01\xa3\x09ANONYMOUS";
        peer.write_all(offer).await.expect("written");
        peer.write_all(OK).await.expect("written");
        let n = peer.read(&mut first).await.expect("octets");
        let second = &first[..n];
        assert!(second.starts_with(b"AMQP\x00\x01\x00\x00"));
        // open is 0x10, begin 0x11.
        assert!(second.windows(3).any(|w| w == b"\0\x53\x10"));
        assert!(second.windows(3).any(|w| w == b"\0\x53\x11"));
        drop(peer);
    };
    let client = Container::new("client");
    let options = ConnectionOptions::new().mechanisms(["ANONYMOUS"]);
    let (client, ()) = tokio::join!(client.connect_stream(ours, options), script);
    assert!(client.is_err());
}

#[tokio::test]
async fn a_listener_waits_no_longer_than_its_deadline() {
    tokio::time::pause();
    let (_silent, theirs) = tokio::io::duplex(64);
    let options = ConnectionOptions::new().deadlines(amqp_client::Deadlines {
        sasl: Duration::from_secs(1),
        ..Default::default()
    });
    let begun = tokio::time::Instant::now();
    let listener = Container::with_options("l", options);
    assert!(listener.accept_stream(theirs, &users()).await.is_err());
    assert_eq!(begun.elapsed().as_secs(), 1);
}
