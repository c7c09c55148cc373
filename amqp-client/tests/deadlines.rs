//! A peer that goes silent: at each point the error says which one it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use amqp_client::listener::{Access, Link};
use amqp_client::sasl::Users;
use amqp_client::transport::Proxy;
use amqp_client::{
    Connection, ConnectionOptions, Container, Deadlines, Error, ErrorKind, ErrorScope, Message,
    ReceiverOptions, SessionOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A peer that opens and then says nothing any more.
async fn mute(mut peer: tokio::io::DuplexStream) {
    let mut header = [0; 8];
    peer.read_exact(&mut header).await.expect("a header");
    peer.write_all(&header).await.expect("written");
    // open with an empty container-id.
    let open = b"\0\0\0\x10\x02\0\0\0\0\x53\x10\xc0\x03\x01\xa1\0";
    peer.write_all(open).await.expect("written");
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.expect("an end");
}

async fn pair() -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    (client.expect("it opens"), listener.expect("it opens"))
}

fn is_late(error: &Error, point: &str, scope: ErrorScope) {
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert_eq!(error.scope(), scope);
    assert!(error.to_string().contains(point), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn an_attach_that_nobody_answers_ends() {
    let (client, _listener) = pair().await;
    let error = client.create_sender("q").await.expect_err("nobody answers");
    is_late(&error, "attach", ErrorScope::Link);
    let error = client
        .create_receiver("q")
        .await
        .expect_err("nobody answers");
    is_late(&error, "attach", ErrorScope::Link);
    // The connection goes on.
    client.close().await.expect("it closes");
}

#[tokio::test(start_paused = true)]
async fn a_send_without_credit_or_without_an_outcome_ends() {
    for (credit, point) in [(0, "waits for credit"), (10, "waits for the outcome")] {
        let (client, listener) = pair().await;
        let accept = async {
            let link = listener.next_link().await.expect("a link");
            let receiver = link
                .accept_receiver(ReceiverOptions::new().manual_credit())
                .expect("the peer sends");
            receiver.set_credit(credit);
            receiver
        };
        let (sender, _receiver) = tokio::join!(client.create_sender("q"), accept);
        let sender = sender.expect("attached");
        let error = sender
            .send(amqp_client::Message::from("hello"))
            .await
            .expect_err("nothing happens");
        is_late(&error, point, ErrorScope::Delivery);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_begun_ends_and_so_does_a_close() {
    let (ours, peer) = tokio::io::duplex(64 * 1024);
    let script = tokio::spawn(mute(peer));
    let options = ConnectionOptions::new().without_sasl().idle_time_out(None);
    let client = Container::new("client")
        .connect_stream(ours, options)
        .await
        .expect("it opens");
    let error = client
        .create_session(SessionOptions::new())
        .await
        .expect_err("nobody answers");
    is_late(&error, "begin", ErrorScope::Session);
    let error = client.close().await.expect_err("nobody answers");
    is_late(&error, "close", ErrorScope::Connection);
    script.await.expect("the socket was dropped");
}

#[tokio::test(start_paused = true)]
async fn silence_beyond_the_idle_time_out_ends_everything_that_waits() {
    // tests: [CON-38]
    let (ours, peer) = tokio::io::duplex(64 * 1024);
    let script = tokio::spawn(mute(peer));
    let limit = std::time::Duration::from_secs(5);
    let options = ConnectionOptions::new()
        .without_sasl()
        .idle_time_out(Some(limit));
    let client = Container::new("client")
        .connect_stream(ours, options)
        .await
        .expect("it opens");
    let start = tokio::time::Instant::now();
    let waiting = client.create_sender("q");
    let (ended, waited) = tokio::join!(client.closed(), waiting);
    let late = ended.expect_err("the peer is silent");
    is_late(&late, "5000 ms", ErrorScope::Connection);
    let late = waited.expect_err("the peer is silent");
    assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
    assert!(start.elapsed() < 4 * limit);
    script.await.expect("the socket was dropped");
}

/// Like [`pair`]; once the switch is on, the client hears nothing any more.
async fn pair_with_a_switch() -> (Connection, Connection, Arc<AtomicBool>) {
    let (ours, wire) = tokio::io::duplex(64 * 1024);
    let (theirs, far) = tokio::io::duplex(64 * 1024);
    let silent = Arc::new(AtomicBool::new(false));
    let cut = silent.clone();
    tokio::spawn(async move {
        let (mut from_client, mut to_client) = tokio::io::split(wire);
        let (mut from_listener, mut to_listener) = tokio::io::split(far);
        let forth = tokio::io::copy(&mut from_client, &mut to_listener);
        let back = async {
            let mut octets = vec![0; 4096];
            while let Ok(n @ 1..) = from_listener.read(&mut octets).await {
                if !cut.load(Ordering::Relaxed) {
                    to_client.write_all(&octets[..n]).await.ok();
                }
            }
        };
        let _ = tokio::join!(forth, back);
    });
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    (
        client.expect("it opens"),
        listener.expect("it opens"),
        silent,
    )
}

#[tokio::test(start_paused = true)]
async fn a_drain_a_detach_an_end_and_a_close_that_nobody_answers_end() {
    let (client, listener, silent) = pair_with_a_switch().await;
    let accept = async {
        let first = listener.next_link().await.expect("a link").accept();
        let second = listener.next_link().await.expect("a link").accept();
        (first, second)
    };
    let attach = async {
        let session = client.create_session(SessionOptions::new()).await;
        let session = session.expect("it begins");
        let options = ReceiverOptions::new().manual_credit();
        let receiver = session.create_receiver_with("q", options).await;
        let sender = session.create_sender("q").await;
        (
            session,
            receiver.expect("attached"),
            sender.expect("attached"),
        )
    };
    let ((session, receiver, sender), _links) = tokio::join!(attach, accept);
    silent.store(true, Ordering::Relaxed);
    receiver.set_credit(10);
    let begun = tokio::time::Instant::now();
    let error = receiver.drain().await.expect_err("nobody answers");
    is_late(&error, "drain", ErrorScope::Link);
    assert_eq!(
        begun.elapsed().as_secs(),
        Deadlines::default().drain.as_secs()
    );
    let error = receiver.detach().await.expect_err("nobody answers");
    is_late(&error, "detach", ErrorScope::Link);
    let error = sender.close().await.expect_err("nobody answers");
    is_late(&error, "detach", ErrorScope::Link);
    let error = session.end().await.expect_err("nobody answers");
    is_late(&error, "end", ErrorScope::Session);
    let error = client.close().await.expect_err("nobody answers");
    is_late(&error, "close", ErrorScope::Connection);
}

/// A socket whose clients are connected and hear nothing.
fn silent_socket() -> (std::net::TcpListener, String) {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = socket.local_addr().expect("an address").to_string();
    (socket, address)
}

async fn late(url: &str, options: ConnectionOptions, point: &str) {
    let error = Container::new("client").connect_with(url, options).await;
    is_late(
        &error.expect_err("nobody answers"),
        point,
        ErrorScope::Connection,
    );
}

#[tokio::test(start_paused = true)]
async fn a_proxy_a_tls_and_a_web_socket_peer_that_say_nothing_are_left() {
    let (socket, address) = silent_socket();
    let port = socket.local_addr().expect("an address").port();
    let proxied = ConnectionOptions::new().proxy(Proxy::new("127.0.0.1", port));
    late("amqp://127.0.0.1:1", proxied, "proxy").await;
    late(
        &format!("amqp://{address}"),
        ConnectionOptions::new(),
        "sasl",
    )
    .await;
    #[cfg(feature = "websocket")]
    late(
        &format!("ws://{address}"),
        ConnectionOptions::new(),
        "websocket",
    )
    .await;
    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    {
        let tls = amqp_client::transport::TlsOptions::new().dangerous_accept_any_certificate();
        let options = ConnectionOptions::new().tls(tls);
        late(&format!("amqps://{address}"), options.clone(), "tls").await;
        late(
            &format!("amqp://{address}"),
            options.tls(
                amqp_client::transport::TlsOptions::new()
                    .dangerous_accept_any_certificate()
                    .in_band(),
            ),
            "tls",
        )
        .await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_take_the_connection_is_left() {
    use socket2::{Domain, SockAddr, Socket, Type};
    // A queue of one that nobody empties: the kernel drops whoever comes then.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&SockAddr::from(any)).expect("bound");
    socket.listen(0).expect("it listens");
    let address = socket.local_addr().expect("an address");
    let first = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    first.connect(&address).expect("connected");
    let address = address.as_socket().expect("an address");
    late(
        &format!("amqp://{address}"),
        ConnectionOptions::new(),
        "connect",
    )
    .await;
}

/// Where a side goes silent: before a protocol header, or before the first frame with such a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    SaslHeader,
    AmqpHeader,
    Frame(u8),
    Nothing,
}

/// Hands on what comes, frame by frame, up to the silence; answers when that was.
async fn forward(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    silence: Before,
) -> Option<tokio::time::Instant> {
    let mut silent = None;
    let mut head = [0; 8];
    while from.read_exact(&mut head).await.is_ok() {
        let mut all = head.to_vec();
        let next = match &head {
            b"AMQP\x03\x01\0\0" => Before::SaslHeader,
            b"AMQP\0\x01\0\0" => Before::AmqpHeader,
            _ => {
                let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
                all.resize(size as usize, 0);
                from.read_exact(&mut all[8..]).await.expect("a whole frame");
                // 0x00 0x53, then which performative; nothing in an empty frame.
                Before::Frame(all.get(10).copied().unwrap_or_default())
            }
        };
        if next == silence {
            silent.get_or_insert_with(tokio::time::Instant::now);
        }
        if silent.is_none() && to.write_all(&all).await.is_err() {
            break;
        }
    }
    if silent.is_none() {
        let _ = to.shutdown().await;
    }
    silent
}

/// Everything that is answered in the life of a connection.
async fn life(client: Result<Connection, Error>) -> Result<(), Error> {
    let client = client?;
    let session = client.create_session(SessionOptions::new()).await?;
    let sender = session.create_sender("q").await?;
    sender.send(Message::from("hello")).await?;
    sender.detach().await?;
    session.end().await?;
    client.close().await
}

/// A listener that does what it is asked for, until the connection is over.
async fn serve(listener: Result<Connection, Error>) -> Result<(), Error> {
    let listener = listener?;
    while let Ok(link) = listener.next_link().await {
        let Link::Receiver(receiver) = link.accept() else {
            panic!("the peer sends")
        };
        tokio::spawn(async move {
            while let Ok(delivery) = receiver.recv().await {
                delivery.accept();
            }
        });
    }
    listener.closed().await
}

/// One connection of which one side hears no more from some point on: what client and listener make
/// of it, and how long after.
async fn with_silence(
    of_listener: Before,
    of_client: Before,
) -> [(Result<(), Error>, Duration); 2] {
    let (ours, near) = tokio::io::duplex(64 * 1024);
    let (far, theirs) = tokio::io::duplex(64 * 1024);
    let (near, far) = (tokio::io::split(near), tokio::io::split(far));
    let forth = tokio::spawn(forward(near.0, far.1, of_client));
    let back = tokio::spawn(forward(far.0, near.1, of_listener));
    let options = ConnectionOptions::new().idle_time_out(None);
    let listener = Container::with_options("listener", options.clone());
    let client = Container::new("client");
    let access = Access::users(Users::new().user("u", "p"));
    let sides = async {
        let ours = async {
            let ended = life(
                client
                    .connect_stream(ours, options.credentials("u", "p"))
                    .await,
            );
            (ended.await, tokio::time::Instant::now())
        };
        let theirs = async {
            let ended = serve(listener.accept_stream(theirs, &access).await);
            (ended.await, tokio::time::Instant::now())
        };
        tokio::join!(ours, theirs)
    };
    let (ours, theirs) = sides.await;
    let ends = (forth.await.expect("it ends"), back.await.expect("it ends"));
    let silent = ends.0.or(ends.1).expect("it came to that point");
    [ours, theirs].map(|(ended, at)| (ended, at.duration_since(silent)))
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_go_silent_at_every_point_and_the_error_says_at_which() {
    let limits = Deadlines::default();
    let (connection, session) = (ErrorScope::Connection, ErrorScope::Session);
    for (before, point, scope, limit) in [
        (Before::SaslHeader, "sasl", connection, limits.sasl),
        // mechanisms, challenge, outcome
        (Before::Frame(0x40), "sasl", connection, limits.sasl),
        (Before::Frame(0x42), "sasl", connection, limits.sasl),
        (Before::Frame(0x44), "sasl", connection, limits.sasl),
        (Before::AmqpHeader, "open", connection, limits.open),
        (Before::Frame(0x10), "open", connection, limits.open),
        (Before::Frame(0x11), "begin", session, limits.begin),
        (
            Before::Frame(0x12),
            "attach",
            ErrorScope::Link,
            limits.attach,
        ),
        (
            Before::Frame(0x13),
            "waits for credit",
            ErrorScope::Delivery,
            limits.send,
        ),
        (
            Before::Frame(0x15),
            "waits for the outcome",
            ErrorScope::Delivery,
            limits.send,
        ),
        (
            Before::Frame(0x16),
            "detach",
            ErrorScope::Link,
            limits.detach,
        ),
        (Before::Frame(0x17), "end", session, limits.end),
        (Before::Frame(0x18), "close", connection, limits.close),
    ] {
        let [(ended, after), _] = with_silence(before, Before::Nothing).await;
        is_late(&ended.expect_err("the peer is silent"), point, scope);
        assert_eq!(after.as_secs(), limit.as_secs(), "{before:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_go_silent_at_every_point_of_the_start_and_the_error_says_at_which() {
    let limits = Deadlines::default();
    for (before, point, limit) in [
        (Before::SaslHeader, "sasl", limits.sasl),
        // init, response
        (Before::Frame(0x41), "sasl", limits.sasl),
        (Before::Frame(0x43), "sasl", limits.sasl),
        (Before::AmqpHeader, "open", limits.open),
        (Before::Frame(0x10), "open", limits.open),
    ] {
        let [_, (ended, after)] = with_silence(Before::Nothing, before).await;
        let error = ended.expect_err("the client is silent");
        is_late(&error, point, ErrorScope::Connection);
        assert_eq!(after.as_secs(), limit.as_secs(), "{before:?}");
    }
}
