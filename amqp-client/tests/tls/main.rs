//! TLS and WebSocket over loopback sockets: who is trusted, who is not, and what is agreed on.
#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]

mod authority;
mod peers;

use amqp_client::broker::Broker;
use amqp_client::listener::Access;
use amqp_client::sasl::Users;
use amqp_client::transport::{ListenOptions, TlsAccept, TlsOptions};
use amqp_client::{Connection, ConnectionOptions, Container, Error, ErrorKind, Message};
use authority::{Authority, Signed};

fn users() -> Access {
    Access::users(Users::new().user("u", "p").trust_common_names())
}

fn with(tls: TlsOptions) -> ConnectionOptions {
    ConnectionOptions::new().credentials("u", "p").tls(tls)
}

/// Client and listener of one meeting.
async fn meet(
    url: &str,
    options: ConnectionOptions,
    listen: ListenOptions,
) -> (Result<Connection, Error>, Option<Connection>) {
    let container = Container::new("listener");
    let listener = container
        .listen_with("127.0.0.1:0", users(), listen)
        .await
        .expect("it listens");
    let url = url.replace("PORT", &listener.local_addr().port().to_string());
    let client = Container::new("client").connect_with(&url, options).await;
    let accepted = match &client {
        Ok(_) => Some(listener.accept().await.expect("it is accepted")),
        Err(_) => None,
    };
    (client, accepted)
}

const URL: &str = "amqps://localhost:PORT";

#[tokio::test]
async fn both_sides_know_what_was_agreed_on_and_scram_is_bound_to_the_channel() {
    let authority = Authority::new();
    let tls = authority.trusted().alpn([b"amqp".to_vec()]);
    let accept = authority.server("localhost").alpn([b"amqp".to_vec()]);
    // [TLS-02] [TLS-04]
    let options = with(tls).mechanisms(["SCRAM-SHA-256-PLUS"]);
    let (client, listener) = meet(URL, options, ListenOptions::new().tls(accept)).await;
    let (client, listener) = (client.expect("it opens"), listener.expect("it opens"));
    assert_eq!(listener.identity(), Some("u"));
    for side in [&client, &listener] {
        let tls = side.security().tls().expect("there is TLS");
        assert_eq!(tls.version(), "TLSv1.3");
        assert_eq!(tls.server_name(), Some("localhost"));
        assert_eq!(tls.alpn(), Some(&b"amqp"[..]));
    }
    client.close().await.expect("it closes");
}

#[tokio::test]
async fn who_is_not_trusted_is_refused_each_for_its_own_reason() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let expired = authority.sign("localhost", |params| {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    });
    let expired = TlsAccept::pem(&expired.chain, &expired.key);
    // [TLS-03]
    for (accept, trusted, reason) in [
        (stranger.server("localhost"), &authority, "UnknownIssuer"),
        (expired, &authority, "expired"),
        (
            authority.server("elsewhere"),
            &authority,
            "not valid for name",
        ),
    ] {
        let options = with(trusted.trusted());
        let (client, _) = meet(URL, options, ListenOptions::new().tls(accept)).await;
        let error = client.expect_err(reason);
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert!(!error.is_retryable());
        assert!(error.to_string().contains(reason), "{error}");
    }
    let anybody = with(TlsOptions::new().dangerous_accept_any_certificate());
    let accept = ListenOptions::new().tls(stranger.server("elsewhere"));
    meet(URL, anybody, accept).await.0.expect("it opens");
}

#[tokio::test]
async fn a_client_certificate_says_who_it_is() {
    let authority = Authority::new();
    let accept = || {
        authority
            .server("localhost")
            .client_ca_pem(&authority.pem())
    };
    let own = authority.sign("somebody", |_| {});
    let tls = authority
        .trusted()
        .client_certificate_pem(&own.chain, &own.key);
    let options = ConnectionOptions::new().tls(tls);
    let listen = ListenOptions::new().tls(accept().require_client_certificate());
    let (client, listener) = meet(URL, options, listen.clone()).await;
    client.expect("it opens");
    let listener = listener.expect("it opens");
    assert_eq!(listener.identity(), Some("somebody"));
    let tls = listener.security().tls().expect("there is TLS");
    assert_eq!(
        tls.peer_certificates()[0].common_name().as_deref(),
        Some("somebody")
    );
    // Without a certificate the alert comes after the client's handshake.
    let (client, _) = meet(URL, with(authority.trusted()), listen).await;
    let error = client.expect_err("no certificate");
    assert!(
        matches!(error.kind(), ErrorKind::Tls | ErrorKind::Io),
        "{error}"
    );
    // Where it is only asked for, others may come by password.
    let listen = ListenOptions::new().tls(accept());
    let (client, listener) = meet(URL, with(authority.trusted()), listen).await;
    client.expect("it opens");
    assert_eq!(listener.expect("it opens").identity(), Some("u"));
}

#[tokio::test]
async fn the_layer_can_be_asked_for_in_band_and_is_demanded_so() {
    let authority = Authority::new();
    let listen = ListenOptions::new().tls(authority.server("localhost"));
    let url = "amqp://localhost:PORT";
    // [TLS-01]
    let (client, _) = meet(url, with(authority.trusted().in_band()), listen.clone()).await;
    assert!(client.expect("it opens").security().tls().is_some());
    // [CON-08]: who leaves it out is told so.
    let (client, _) = meet(url, with(authority.trusted()), listen.clone()).await;
    let error = client.expect_err("TLS is demanded");
    assert!(
        error.to_string().contains("AMQP\\x02\\x01\\x00\\x00"),
        "{error}"
    );
    let (client, _) = meet(url, with(authority.trusted()), listen.plain_too()).await;
    assert!(client.expect("it opens").security().tls().is_none());
    // A listener that has no such layer.
    let asked = with(authority.trusted().in_band());
    assert!(meet(url, asked, ListenOptions::new()).await.0.is_err());
}

#[tokio::test]
async fn octets_before_the_handshake_do_not_get_into_the_layer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let authority = Authority::new();
    let container = Container::new("listener");
    let listen = ListenOptions::new().tls(authority.server("localhost"));
    let listener = container
        .listen_with("127.0.0.1:0", users(), listen)
        .await
        .expect("it listens");
    let mut stream = tokio::net::TcpStream::connect(listener.local_addr())
        .await
        .expect("connected");
    // [TLS-07]: the SASL header in the clear is taken for a broken handshake.
    stream
        .write_all(b"AMQP\x02\x01\0\0AMQP\x03\x01\0\0")
        .await
        .expect("written");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"AMQP\x02\x01\0\0"));
    assert!(!answer.windows(5).any(|w| w == b"AMQP\x03"));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_sessions_are_resumed() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = std::env::temp_dir().join(format!("amqp-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let write = |signed: Signed| {
        std::fs::write(&chain, signed.chain).expect("written");
        std::fs::write(&key, signed.key).expect("written");
    };
    write(old.sign("localhost", |_| {}));
    let accept = TlsAccept::files(&chain, &key);
    let listen = ListenOptions::new().tls(accept.clone());
    let container = Container::new("listener");
    let listener = container
        .listen_with("127.0.0.1:0", users(), listen)
        .await
        .expect("it listens");
    let url = format!("amqps://localhost:{}", listener.local_addr().port());
    let client = Container::new("client");
    let trusts_old = with(old.trusted());
    for resumed in [false, true] {
        let connection = client
            .connect_with(&url, trusts_old.clone())
            .await
            .expect("it opens");
        let tls = connection.security().tls().expect("there is TLS");
        assert_eq!(tls.is_resumed(), resumed);
        connection.close().await.expect("it closes");
    }
    write(new.sign("localhost", |_| {}));
    accept.reload().expect("it can be read");
    client
        .connect_with(&url, with(new.trusted()))
        .await
        .expect("the new one is shown");
    std::fs::write(&key, "nonsense").expect("written");
    assert!(accept.reload().is_err());
    client
        .connect_with(&url, with(new.trusted()))
        .await
        .expect("it is shown on");
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test]
async fn all_octets_to_the_last_are_inside_the_layer_and_the_end_is_no_error() {
    // tests: [TLS-05] [TLS-06]
    let authority = Authority::new();
    let listen = ListenOptions::new().tls(authority.server("localhost"));
    let container = Container::new("listener");
    let listener = container
        .listen_with("127.0.0.1:0", users(), listen)
        .await
        .expect("it listens");
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let url = format!(
        "amqps://localhost:{}",
        socket.local_addr().expect("an address").port()
    );
    let between = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (client, _) = socket.accept().await.expect("a client");
        let (mut from, mut to) = client.into_split();
        let peer = tokio::net::TcpStream::connect(listener.local_addr())
            .await
            .expect("connected");
        let (mut peer_from, mut peer_to) = peer.into_split();
        let back = async {
            let _ = tokio::io::copy(&mut peer_from, &mut to).await;
            let _ = to.shutdown().await;
        };
        let forth = async {
            let mut head = [0; 5];
            // A record: its type, from 20 to 23, a version, and the length of what follows.
            while from.read(&mut head[..1]).await.expect("octets") == 1 {
                from.read_exact(&mut head[1..]).await.expect("a head");
                assert!((20..=23).contains(&head[0]) && head[1] == 3, "{head:?}");
                let mut rest = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
                from.read_exact(&mut rest).await.expect("a whole record");
                let _ = peer_to.write_all(&[&head[..], &rest].concat()).await;
            }
            let _ = peer_to.shutdown().await;
        };
        tokio::join!(back, forth);
    };
    let client = async {
        let options = with(authority.trusted());
        let client = Container::new("client").connect_with(&url, options).await;
        client.expect("it opens").close().await
    };
    let served = async { listener.accept().await.expect("it opens").closed().await };
    let (closed, served, ()) = tokio::join!(client, served, between);
    closed.expect("it closes");
    let end = served.expect_err("the peer closes");
    assert_eq!(end.kind(), ErrorKind::ConnectionClosed, "{end}");
}

#[tokio::test]
async fn only_the_newest_version_is_spoken_where_that_is_asked_for() {
    let authority = Authority::new();
    let accept = authority.server("localhost").only_tls13();
    let options = with(authority.trusted().only_tls13());
    let (client, _) = meet(URL, options, ListenOptions::new().tls(accept)).await;
    let client = client.expect("it opens");
    assert_eq!(client.security().tls().expect("TLS").version(), "TLSv1.3");
}

#[tokio::test]
async fn tls_on_a_port_without_it_ends_in_an_error() {
    let authority = Authority::new();
    let (client, _) = meet(URL, with(authority.trusted()), ListenOptions::new()).await;
    assert!(client.is_err());
}

#[cfg(feature = "websocket")]
#[tokio::test]
async fn web_sockets_carry_amqp_with_and_without_tls() {
    let authority = Authority::new();
    let listen = ListenOptions::new()
        .tls(authority.server("localhost"))
        .plain_too()
        .websocket();
    for url in [
        "ws://localhost:PORT/any",
        "wss://localhost:PORT",
        "amqp://localhost:PORT",
        URL,
    ] {
        let options = with(authority.trusted()).websocket_header("x-a", "b");
        let (client, listener) = meet(url, options, listen.clone()).await;
        let (client, listener) = (client.expect(url), listener.expect("it opens"));
        assert_eq!(listener.identity(), Some("u"), "{url}");
        let incoming = tokio::spawn(async move {
            let link = listener.next_link().await.expect("a link");
            let amqp_client::listener::Link::Receiver(receiver) = link.accept() else {
                panic!("the peer sends")
            };
            let delivery = receiver.recv().await.expect("a delivery");
            delivery.accept();
            (receiver, listener)
        });
        // [WS-04]: larger than any message and any frame.
        let sender = client.create_sender("q").await.expect("attached");
        let message = amqp_client::Message::from(vec![7u8; 300_000]);
        sender.send(message).await.expect("settled");
        client.close().await.expect("it closes");
        incoming.await.expect("it ends");
    }
}

#[tokio::test]
async fn the_embedded_broker_takes_every_layer_that_a_listener_has() {
    let authority = Authority::new();
    let tls = authority.server("127.0.0.1");
    let broker = Broker::builder()
        .access(users())
        .layers(ListenOptions::new().tls(tls))
        .start()
        .await
        .expect("a broker");
    assert!(broker.url().starts_with("amqps://"), "{}", broker.url());
    let client = Container::new("client");
    let connection = client
        .connect_with(&broker.url(), with(authority.trusted()))
        .await
        .expect("a connection");
    assert!(connection.security().tls().is_some());
    let sender = connection.create_sender("q").await.expect("a link");
    sender
        .send(Message::from("hello"))
        .await
        .expect("an outcome");
    assert_eq!(broker.depth("q"), Some(1));
    connection.close().await.expect("a close");
    broker.shutdown().await;
}
