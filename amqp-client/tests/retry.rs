//! Connecting over sockets: what is tried again, at whom, and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use amqp_client::listener::Access;
use amqp_client::sasl::Users;
use amqp_client::types::transport::{Error as AmqpError, ErrorCondition, Fields};
use amqp_client::types::{Symbol, Value};
use amqp_client::{
    Backoff, Connection, ConnectionOptions, Container, Error, ErrorKind, SenderOptions,
};
use tokio::net::{TcpListener, TcpStream};

/// Three attempts, with hardly a delay.
fn options() -> ConnectionOptions {
    let backoff = Backoff::new().initial_delay(Duration::from_millis(1));
    ConnectionOptions::new().retry(backoff.max_attempts(3))
}

/// A socket each of whose clients is handed to `serve`, with the number of those before; how many
/// there were.
async fn serve<F>(serve: impl Fn(TcpStream, usize) -> F + Send + 'static) -> (u16, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = socket.local_addr().expect("an address").port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let before = counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream, before));
        }
    });
    (port, count)
}

/// Takes a client and keeps it until it goes.
async fn welcome(stream: TcpStream) {
    let listener = Container::new("listener");
    if let Ok(connection) = listener.accept_stream(stream, &Access::anyone()).await {
        while let Ok(link) = connection.next_link().await {
            link.accept();
        }
    }
}

/// Refuses a client with an open and a close behind it.
async fn turn_away(stream: TcpStream, condition: ErrorCondition) {
    let mut properties = Fields::default();
    let failed = Symbol::from_static("amqp:connection-establishment-failed");
    properties.0.insert(failed, Value::from(true));
    let options = ConnectionOptions::new().properties(properties);
    let listener = Container::with_options("listener", options);
    let accepted = listener.accept_stream(stream, &Access::anyone()).await;
    let accepted: Connection = accepted.expect("it opens");
    let _ = accepted.close_with_error(AmqpError::new(condition)).await;
}

async fn connect(url: &str, options: ConnectionOptions) -> Result<Connection, Error> {
    Container::new("client").connect_with(url, options).await
}

#[tokio::test]
async fn who_drops_the_socket_or_is_going_down_is_asked_again() {
    let (port, count) = serve(|stream, before| async move {
        match before {
            0 => drop(stream),
            1 => turn_away(stream, ErrorCondition::ConnectionForced).await,
            _ => welcome(stream).await,
        }
    })
    .await;
    let url = format!("amqp://127.0.0.1:{port}");
    let client = connect(&url, options()).await.expect("the third opens");
    client.close().await.expect("closed");
    assert_eq!(count.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn it_is_over_when_the_attempts_are_used_up_and_without_a_back_off_at_once() {
    for (options, attempts) in [(options(), 3), (ConnectionOptions::new(), 1)] {
        let (port, count) = serve(|stream, _| {
            drop(stream);
            std::future::ready(())
        })
        .await;
        let url = format!("amqp://127.0.0.1:{port}");
        let error = connect(&url, options).await.expect_err("it is dropped");
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert_eq!(count.load(Ordering::Relaxed), attempts);
    }
}

#[tokio::test]
async fn who_refuses_us_for_good_is_asked_once() {
    let (port, count) = serve(|stream, _| turn_away(stream, ErrorCondition::NotAllowed)).await;
    let url = format!("amqp://127.0.0.1:{port}");
    let error = connect(&url, options()).await.expect_err("refused");
    assert_eq!(error.condition(), Some(&ErrorCondition::NotAllowed));
    assert_eq!(count.load(Ordering::Relaxed), 1);

    let (port, count) = serve(|stream, _| async move {
        let access = Access::users(Users::new().user("u", "p"));
        let listener = Container::new("listener");
        let accepted = listener.accept_stream(stream, &access).await;
        accepted.expect_err("a wrong password");
    })
    .await;
    let url = format!("amqp://u:wrong@127.0.0.1:{port}");
    let error = connect(&url, options()).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[tokio::test]
async fn who_shows_a_certificate_that_is_not_trusted_is_asked_once() {
    use amqp_client::transport::{ListenOptions, TlsAccept, TlsOptions};
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let made = made.expect("a certificate");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = TlsAccept::pem(chain.as_bytes(), key.as_bytes());
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let other = other.expect("a certificate").cert.pem();
    let layers = ListenOptions::new().tls(tls);
    let listener = Container::new("listener")
        .listen_with("127.0.0.1:0", Access::anyone(), layers)
        .await
        .expect("it listens");
    let peer = listener.local_addr();
    let (port, count) = serve(move |mut stream, _| async move {
        let mut peer = TcpStream::connect(peer).await.expect("connected");
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut peer).await;
    })
    .await;
    let url = format!("amqps://localhost:{port}");
    let options = options().tls(TlsOptions::new().ca_pem(other.as_bytes()));
    let error = connect(&url, options).await.expect_err("not trusted");
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn links_by_url_and_redirects_go_by_the_same_rules_over_a_list() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let gone = socket.local_addr().expect("an address").port();
    drop(socket);
    for way in 0..4 {
        let (port, count) = serve(|stream, before| async move {
            match before {
                0 => drop(stream),
                _ => welcome(stream).await,
            }
        })
        .await;
        let url = format!("amqp://127.0.0.1:{gone},127.0.0.1:{port}/q");
        let client = Container::with_options("client", options());
        let (open, links) = (options(), SenderOptions::new());
        match way {
            0 => drop(client.create_sender(&url).await.expect("attached")),
            1 => drop(client.create_receiver(&url).await.expect("attached")),
            2 => drop(client.connect_following(&url, open, 1).await.expect("open")),
            _ => {
                let sender = client.sender_following(&url, open, links, 1).await;
                assert_eq!(sender.expect("attached").address().as_deref(), Some("q"));
            }
        }
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
