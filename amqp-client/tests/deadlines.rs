//! A peer that goes silent: at each point the error says which one it was.

use amqp_client::listener::Access;
use amqp_client::{
    Connection, ConnectionOptions, Container, Error, ErrorKind, ErrorScope, ReceiverOptions,
    SessionOptions,
};

/// A peer that opens and then says nothing any more.
async fn mute(mut peer: tokio::io::DuplexStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
