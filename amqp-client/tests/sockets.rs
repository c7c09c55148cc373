//! Below AMQP: Unix sockets, and tunnels through an HTTP proxy.

use amqp_client::listener::Access;
use amqp_client::sasl::Users;
use amqp_client::transport::{ListenOptions, Proxy};
use amqp_client::{ConnectionOptions, Container, Error, ErrorKind, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn users() -> Access {
    Access::users(Users::new().user("u", "p")).mechanisms(["PLAIN"])
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_are_connected_to_and_listened_on() {
    let folder = std::env::temp_dir().join(format!("amqp unix {}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("socket");
    let container = Container::new("listener");
    let listen = || container.listen_unix(&path, users(), ListenOptions::new());
    // A file of a listener that has died is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    let listener = listen().expect("it listens");
    assert_eq!(listener.socket_path(), Some(path.as_path()));
    let error = listen().expect_err("somebody listens there");
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");

    // The path is percent-encoded, and a password may be shown on this machine.
    let encoded = path.to_str().expect("a path").replace(' ', "%20");
    let url = format!("amqp+unix://u:p@{encoded}");
    let client = Container::new("client").connect(&url).await;
    let client = client.expect("it opens");
    let accepted = listener.accept().await.expect("it is accepted");
    assert_eq!(accepted.identity(), Some("u"));
    assert!(accepted.security().is_private() && client.security().is_private());
    client.close().await.expect("it closes");

    drop(listener);
    while path.exists() {
        tokio::task::yield_now().await;
    }
    let error = Container::new("client").connect(&url).await;
    let error = error.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    // What is no socket is left alone.
    std::fs::write(&path, "precious").expect("written");
    assert!(listen().is_err());
    assert_eq!(std::fs::read(&path).expect("read"), b"precious");
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// A proxy that takes one client: the request's head, and the tunnel if the answer is 200.
async fn proxy(socket: TcpListener, answer: &'static [u8]) -> String {
    let (mut client, _) = socket.accept().await.expect("a client");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("octets"));
    }
    let head = String::from_utf8(head).expect("text");
    client.write_all(answer).await.expect("written");
    if answer.starts_with(b"HTTP/1.1 200") {
        let peer = head.split(' ').nth(1).expect("where to").to_owned();
        let mut peer = TcpStream::connect(peer).await.expect("connected");
        let _ = tokio::io::copy_bidirectional(&mut client, &mut peer).await;
    }
    head
}

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n";

/// A proxy's address, and what it does.
async fn with_proxy(answer: &'static [u8]) -> (Proxy, tokio::task::JoinHandle<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = socket.local_addr().expect("an address").port();
    let task = tokio::spawn(proxy(socket, answer));
    let known = Proxy::new("127.0.0.1", port).credentials("me", Secret::from("hunter2"));
    (known, task)
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_with_credentials() {
    let container = Container::new("listener");
    let listener = container
        .listen("127.0.0.1:0", Access::anyone())
        .await
        .expect("it listens");
    let (proxy, task) = with_proxy(ESTABLISHED).await;
    let options = ConnectionOptions::new().proxy(proxy);
    let url = format!("amqp://{}", listener.local_addr());
    let client = Container::new("client").connect_with(&url, options).await;
    let client = client.expect("it opens");
    // Where a tunnel ends nobody knows: a password is not shown there.
    assert!(!client.security().is_private());
    client.close().await.expect("it closes");
    let head = task.await.expect("it ends");
    let asked = format!(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n",
        listener.local_addr()
    );
    assert!(head.starts_with(&asked), "{head}");
    assert!(head.contains("\r\nProxy-Authorization: Basic bWU6aHVudGVyMg==\r\n"));
}

async fn refused(answer: &'static [u8]) -> Error {
    let (proxy, task) = with_proxy(answer).await;
    let options = ConnectionOptions::new().proxy(proxy);
    assert!(!format!("{options:?}").contains("hunter2"));
    let client = Container::new("client")
        .connect_with("amqp://127.0.0.1:1", options)
        .await;
    let error = client.expect_err("no tunnel");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    task.await.expect("it ends");
    error
}

#[tokio::test]
async fn a_proxy_that_refuses_or_talks_nonsense_is_an_error_of_its_own() {
    let error = refused(b"HTTP/1.1 407 Who are you?\r\n\r\n").await;
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("407") && !error.is_retryable());
    let error = refused(b"HTTP/1.1 503 Down\r\n\r\n").await;
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("answers 503"), "{error}");
    let error = refused(b"220 mail.example ESMTP\r\n\r\n").await;
    assert!(error.to_string().contains("not speak HTTP"), "{error}");
    let error = refused(b"").await;
    assert!(error.to_string().contains("ask the proxy"), "{error}");
    static ENDLESS: [u8; 9000] = [b'x'; 9000];
    let error = refused(&ENDLESS).await;
    assert!(error.to_string().contains("does not end"), "{error}");
}

#[cfg(feature = "websocket")]
#[tokio::test]
async fn web_sockets_go_through_the_tunnel_too() {
    let container = Container::new("listener");
    let listen = ListenOptions::new().websocket();
    let listener = container
        .listen_with("127.0.0.1:0", Access::anyone(), listen)
        .await
        .expect("it listens");
    let (proxy, task) = with_proxy(ESTABLISHED).await;
    let options = ConnectionOptions::new().proxy(proxy);
    let url = format!("ws://{}", listener.local_addr());
    let client = Container::new("client").connect_with(&url, options).await;
    client.expect("it opens").close().await.expect("it closes");
    task.await.expect("it ends");
}
