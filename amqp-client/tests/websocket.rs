//! AMQP over WebSocket, message by message, against a peer of another make.
#![cfg(feature = "websocket")]

use std::time::Duration;

use amqp_client::listener::Access;
use amqp_client::transport::ListenOptions;
use amqp_client::{Connection, ConnectionOptions, Container, Error, ErrorKind};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as WebError, Message};

const HEADER: &[u8] = b"AMQP\0\x01\0\0";
/// open with an empty container-id, an idle-time-out of none.
const OPEN: &[u8] = b"\0\0\0\x10\x02\0\0\0\0\x53\x10\xc0\x03\x01\xa1\0";
const CLOSE: &[u8] = b"\0\0\0\x0c\x02\0\0\0\0\x53\x18\x45";
const PROTOCOL: &str = "sec-websocket-protocol";

type Web = WebSocketStream<TcpStream>;

/// Takes one client; `agree` says whether to answer with the subprotocol.
async fn accept(socket: TcpListener, agree: bool) -> Web {
    let (stream, _) = socket.accept().await.expect("a client");
    #[allow(clippy::result_large_err)] // the library's callback
    let judge = |request: &Request, mut response: Response| {
        // tests: [WS-01]
        assert_eq!(request.headers()[PROTOCOL], "amqp");
        if agree {
            let name = HeaderValue::from_static("amqp");
            response.headers_mut().insert(PROTOCOL, name);
        }
        Ok(response)
    };
    tokio_tungstenite::accept_hdr_async(stream, judge)
        .await
        .expect("upgraded")
}

/// A client without SASL, and what happens to it.
async fn client(
    options: ConnectionOptions,
) -> (TcpListener, impl Future<Output = Result<Connection, Error>>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("ws://{}/path", socket.local_addr().expect("an address"));
    let options = options.without_sasl();
    let connect = async move { Container::new("client").connect_with(&url, options).await };
    (socket, connect)
}

/// The octets of binary messages until something has come.
async fn until(web: &mut Web, what: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.windows(what.len()).any(|window| window == what) {
        match web.next().await.expect("a message").expect("a message") {
            // tests: [WS-05]
            Message::Binary(octets) => read.extend_from_slice(&octets),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
    read
}

async fn say(web: &mut Web, octets: &[u8]) {
    // tests: [WS-04]: an octet a message.
    for octet in octets {
        let message = Message::binary(vec![*octet]);
        web.send(message).await.expect("sent");
    }
}

#[tokio::test]
async fn headers_and_frames_are_in_binary_messages_and_the_close_is_the_web_sockets_too() {
    let (socket, connect) = client(ConnectionOptions::new()).await;
    let script = async {
        let mut web = accept(socket, true).await;
        // tests: [WS-03]
        assert!(until(&mut web, b"\0\x53\x10").await.starts_with(HEADER));
        say(&mut web, HEADER).await;
        say(&mut web, OPEN).await;
        // tests: [WS-09]: answered below AMQP.
        web.send(Message::Ping("are you there?".into()))
            .await
            .expect("sent");
        until(&mut web, b"\0\x53\x18").await;
        say(&mut web, CLOSE).await;
        // tests: [WS-08]
        loop {
            match web.next().await.expect("a message").expect("a message") {
                Message::Close(Some(close)) => break assert_eq!(u16::from(close.code), 1000),
                Message::Pong(_) | Message::Binary(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let client = async { connect.await.expect("it opens").close().await };
    tokio::join!(client, script).0.expect("it closes");
}

#[tokio::test]
async fn without_the_subprotocol_the_socket_is_closed() {
    let (socket, connect) = client(ConnectionOptions::new()).await;
    let script = async {
        // tests: [WS-02]
        let mut web = accept(socket, false).await;
        assert!(!matches!(web.next().await, Some(Ok(Message::Binary(_)))));
    };
    let error = tokio::join!(connect, script).0.expect_err("no AMQP");
    assert!(error.to_string().contains("subprotocol"), "{error}");

    let listener = Container::new("listener");
    let listen = ListenOptions::new().websocket();
    let listener = listener
        .listen_with("127.0.0.1:0", Access::anyone(), listen)
        .await
        .expect("it listens");
    let url = format!("ws://{}", listener.local_addr());
    let request = url.into_client_request().expect("a request");
    let stream = TcpStream::connect(listener.local_addr())
        .await
        .expect("connected");
    let answer = tokio_tungstenite::client_async(request, stream).await;
    assert!(matches!(answer, Err(WebError::Http(answer)) if answer.status() == 400));
}

#[tokio::test]
async fn a_text_message_ends_the_connection() {
    let (socket, connect) = client(ConnectionOptions::new()).await;
    let script = async {
        let mut web = accept(socket, true).await;
        until(&mut web, b"\0\x53\x10").await;
        // tests: [WS-05]
        web.send(Message::text("AMQP")).await.expect("sent");
        while let Some(Ok(_)) = web.next().await {}
    };
    let error = tokio::join!(connect, script).0.expect_err("text");
    assert!(error.to_string().contains("text message"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn pings_do_not_count_for_the_idle_time_out() {
    let limit = Duration::from_secs(4);
    let options = ConnectionOptions::new().idle_time_out(Some(limit));
    let (socket, connect) = client(options).await;
    let script = async {
        let mut web = accept(socket, true).await;
        until(&mut web, b"\0\x53\x10").await;
        say(&mut web, HEADER).await;
        say(&mut web, OPEN).await;
        // tests: [WS-09]
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = beat.tick() => if web.send(Message::Ping("x".into())).await.is_err() { return },
                next = web.next() => if !matches!(next, Some(Ok(_))) { return },
            }
        }
    };
    let client = async { connect.await.expect("it opens").closed().await };
    let (ended, ()) = tokio::join!(client, script);
    assert_eq!(ended.expect_err("silence").kind(), ErrorKind::TimedOut);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn the_header_of_the_tls_layer_is_not_used_inside() {
    // tests: [WS-06]
    let tls = amqp_client::transport::TlsOptions::new().in_band();
    let (socket, connect) = client(ConnectionOptions::new().tls(tls)).await;
    let script = async {
        let mut web = accept(socket, true).await;
        assert!(until(&mut web, b"\0\x53\x10").await.starts_with(HEADER));
    };
    let ended = tokio::join!(connect, script)
        .0
        .expect_err("the peer is gone");
    assert_ne!(ended.kind(), ErrorKind::Tls);
}
