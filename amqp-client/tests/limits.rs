//! What a hostile or broken peer can make a connection keep beside the engine: octets that it does not
//! read, links that it does not keep. Rows of `docs/limits.md`.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use amqp_client::listener::{Access, Link};
use amqp_client::proto::{Config, SessionConfig};
use amqp_client::sasl::Users;
use amqp_client::transport::ListenOptions;
use amqp_client::types::transport::{
    Attach, Begin, Detach, End, ErrorCondition, Flow, Handle, Open, Role, TransferNumber,
};
use amqp_client::types::{Encode, Symbol};
use amqp_client::{
    Connection, ConnectionOptions, Container, Deadlines, Message, ReceiverOptions, SendSettings,
    SenderOptions, SessionOptions,
};
use bytes::{BufMut, BytesMut};
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

const AMQP: &[u8; 8] = b"AMQP\x00\x01\x00\x00";

fn frame(out: &mut BytesMut, channel: u16, performative: &impl Encode) {
    let start = out.len();
    out.put_slice(&[0, 0, 0, 0, 2, 0]);
    out.put_u16(channel);
    performative.encode(out);
    let size = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Header, open and a session on channel 0.
fn opening() -> BytesMut {
    let mut out = BytesMut::from(&AMQP[..]);
    frame(&mut out, 0, &Open::new("hostile"));
    frame(&mut out, 0, &Begin::new(TransferNumber(0), 100, 100));
    out
}

/// An attach with `octets` of properties.
fn attach(name: &str, handle: u32, octets: usize) -> Attach {
    let mut attach = Attach::new(name, Handle(handle), Role::Receiver);
    let mut properties = amqp_client::types::transport::Fields::default();
    properties.insert(Symbol::from_static("x"), "x".repeat(octets));
    attach.properties = Some(properties);
    attach
}

fn detach(handle: u32) -> Detach {
    let mut detach = Detach::new(Handle(handle));
    detach.closed = true;
    detach
}

/// A pipe of which the far end reads nothing once `stuck` is set; measures what waits to be written.
struct Stuck {
    pipe: DuplexStream,
    stuck: Arc<AtomicBool>,
    waiting: Arc<AtomicUsize>,
}

impl AsyncRead for Stuck {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stuck {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.stuck.load(Ordering::Relaxed) {
            self.waiting.fetch_max(octets.len(), Ordering::Relaxed);
            return Poll::Pending;
        }
        Pin::new(&mut self.pipe).poll_write(cx, octets)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        assert!(self.stuck.load(Ordering::Relaxed), "nothing large is sent");
        let octets = slices.iter().map(|slice| slice.len()).sum();
        self.waiting.fetch_max(octets, Ordering::Relaxed);
        Poll::Pending
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_can_ask_for_as_much_as_it_likes() {
    for what in ["flows", "refused links", "sessions"] {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (stuck, waiting) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let stream = Stuck {
            pipe: ours,
            stuck: stuck.clone(),
            waiting: waiting.clone(),
        };
        let listener = Container::new("listener");
        let access = Access::anyone();
        let mut theirs = theirs;
        let (connection, ()) = tokio::join!(listener.accept_stream(stream, &access), async {
            theirs
                .write_all(&opening())
                .await
                .expect("the pipe is whole");
        });
        let connection = connection.expect("open");
        stuck.store(true, Ordering::Relaxed);
        let mut flood = BytesMut::new();
        for round in 0..500 {
            match what {
                "flows" => {
                    let mut flow = Flow::new(100, TransferNumber(0), 100);
                    flow.next_incoming_id = Some(TransferNumber(0));
                    flow.echo = true;
                    frame(&mut flood, 0, &flow);
                }
                "refused links" => {
                    frame(&mut flood, 0, &attach(&round.to_string(), 0, 5_000));
                    frame(&mut flood, 0, &detach(0));
                }
                _ => {
                    frame(&mut flood, 1, &Begin::new(TransferNumber(0), 100, 100));
                    frame(&mut flood, 1, &End::default());
                }
            }
        }
        let flooding = async {
            for _ in 0..100 {
                if theirs.write_all(&flood).await.is_err() {
                    // It was too much for the listener.
                    return;
                }
            }
        };
        let refusing = async {
            while let Ok(link) = connection.next_link().await {
                drop(link);
            }
        };
        let deadline = std::time::Duration::from_secs(30);
        tokio::select! {
            () = flooding => {}
            () = refusing => {}
            () = tokio::time::sleep(deadline) => {}
        }
        let waiting = waiting.load(Ordering::Relaxed);
        assert!(waiting > 0, "{what}: the stream is stuck");
        // The backlog, a turn's writing, and one frame.
        let limit = 256 * 1024 + 128 * 1024 + 64 * 1024;
        assert!(waiting <= limit, "{what}: {waiting}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_offer_lasts_as_long_as_its_link() {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let listener = Container::new("listener");
    let access = Access::anyone();
    let (connection, ()) = tokio::join!(listener.accept_stream(ours, &access), async {
        theirs
            .write_all(&opening())
            .await
            .expect("the pipe is whole");
    });
    let connection = connection.expect("open");
    let (mut read, mut write) = tokio::io::split(theirs);
    let reads = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut read, &mut tokio::io::sink()).await;
    });
    for round in 0..2_000 {
        let mut octets = BytesMut::new();
        frame(&mut octets, 0, &attach(&round.to_string(), 0, 1_000));
        frame(&mut octets, 0, &detach(0));
        write.write_all(&octets).await.expect("the pipe is whole");
    }
    let mut octets = BytesMut::new();
    frame(&mut octets, 0, &attach("last", 0, 0));
    write.write_all(&octets).await.expect("the pipe is whole");
    // One that arrives while somebody waits may be gone when it is looked at; none was kept.
    let link = connection.next_link().await.expect("a link");
    assert_eq!(link.name(), "last");
    drop((link, connection));
    reads.await.expect("it ends with the connection");
}

#[tokio::test(start_paused = true)]
async fn messages_are_limited_unless_somebody_wants_any() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    let announced = async |options: ReceiverOptions| {
        let (receiver, size) = tokio::join!(client.create_receiver_with("q", options), async {
            let link = listener.next_link().await.expect("a link");
            let size = link.attach().max_message_size;
            (link.accept(), size)
        });
        receiver.expect("attached");
        size.1
    };
    let default = 128 * 1024 * 1024;
    assert_eq!(announced(ReceiverOptions::new()).await, Some(default));
    let any = ReceiverOptions::new().max_message_size(0);
    assert_eq!(announced(any).await, None);
    assert_eq!(announced(ReceiverOptions::new().streaming()).await, None);
    // The same where a listener accepts; a sender is told before it sends.
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.expect("a link").accept()
    });
    let sender = sender.expect("attached");
    let remote = sender.remote().expect("the listener's attach");
    assert_eq!(remote.max_message_size, Some(default));
    let Link::Receiver(_receiver) = link else {
        panic!("the peer sends")
    };

    // A receiver that takes less: a message beyond it closes the link, and nothing else.
    let small = ReceiverOptions::new().max_message_size(1_000);
    let (receiver, link) = tokio::join!(client.create_receiver_with("q", small), async {
        listener.next_link().await.expect("a link").accept()
    });
    let receiver = receiver.expect("attached");
    let Link::Sender(sender) = link else {
        panic!("the peer receives")
    };
    let refused = sender.send(Message::from("x".repeat(2_000))).await;
    let error = refused.expect_err("it is larger than the peer takes");
    assert_eq!(error.kind(), amqp_client::ErrorKind::Limit);
    let (fits, ()) = tokio::join!(sender.send(Message::from("x".repeat(900))), async {
        receiver.recv().await.expect("a delivery").accept();
    });
    fits.expect("it fits");
}

#[tokio::test]
async fn so_many_connections_may_be_opening_at_once() {
    opening_at_once(ListenOptions::new().max_opening(1), 1).await;
    opening_at_once(ListenOptions::new(), 128).await;
}

async fn opening_at_once(options: ListenOptions, places: usize) {
    let container = Container::new("listener");
    let listener = container
        .listen_with("127.0.0.1:0", Access::anyone(), options)
        .await
        .expect("it listens");
    // Those that say nothing take all places.
    let address = listener.local_addr();
    let mut silent = Vec::new();
    for _ in 0..places {
        let connected = tokio::net::TcpStream::connect(address).await;
        let mut socket = connected.expect("connected");
        socket.write_all(&AMQP[..4]).await.expect("written");
        silent.push(socket);
    }
    let url = format!("amqp://{address}");
    let client = Container::new("client");
    let options = ConnectionOptions::new();
    let deadlines = amqp_client::Deadlines {
        sasl: std::time::Duration::from_millis(300),
        ..Default::default()
    };
    let waits = client
        .connect_with(&url, options.deadlines(deadlines))
        .await;
    assert_eq!(
        waits.expect_err("there is no place").kind(),
        amqp_client::ErrorKind::TimedOut
    );
    drop(silent.pop());
    client.connect(&url).await.expect("there is a place again");
}

#[tokio::test(start_paused = true)]
async fn a_broker_has_so_many_nodes() {
    let broker = amqp_client::broker::Broker::builder()
        .max_nodes(2)
        .start()
        .await;
    let broker = broker.expect("it starts");
    let connection = Container::new("client")
        .connect_stream(broker.connect_stream(), ConnectionOptions::new())
        .await
        .expect("open");
    for address in ["a", "b", "a"] {
        connection
            .create_sender(address)
            .await
            .expect("there is room");
    }
    let error = connection
        .create_sender("c")
        .await
        .expect_err("one too many");
    assert_eq!(
        error.condition(),
        Some(&ErrorCondition::ResourceLimitExceeded)
    );
}

#[tokio::test(start_paused = true)]
async fn a_sender_takes_so_much_and_then_waits() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    let few = SenderOptions::new().max_queued_messages(2);
    let small = SenderOptions::new().max_queued_bytes(100);
    for options in [few, small] {
        let (sender, link) = tokio::join!(client.create_sender_with("q", options), async {
            listener.next_link().await.expect("a link").accept()
        });
        let sender = sender.expect("attached");
        let Link::Receiver(receiver) = link else {
            panic!("the peer sends")
        };
        let message = || Message::from("x".repeat(60));
        let first = sender
            .try_enqueue(message())
            .expect("attached")
            .expect("room");
        let second = sender
            .try_enqueue(message())
            .expect("attached")
            .expect("room");
        assert!(sender.try_enqueue(message()).expect("attached").is_none());
        receiver.recv().await.expect("a delivery").accept();
        first.await.expect("accepted");
        let third = sender.enqueue(message()).await.expect("room again");
        for receipt in [second, third] {
            receiver.recv().await.expect("a delivery").accept();
            receipt.await.expect("accepted");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_message_waits_for_the_peer_after_256_kib() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, ConnectionOptions::new()),
        listener.accept_stream(theirs, &access),
    );
    let (client, listener) = (client.expect("open"), listener.expect("open"));
    let (sender, _receiver) = tokio::join!(client.create_sender("q"), async {
        let link = listener.next_link().await.expect("a link");
        link.accept_receiver(ReceiverOptions::new().manual_credit())
    });
    let sender = sender.expect("attached");
    let stream = sender
        .stream(Message::default(), SendSettings::default())
        .await;
    let mut stream = stream.expect("room");
    let mut written = 0;
    let piece = vec![0; 32 * 1024];
    let moment = std::time::Duration::from_secs(1);
    while let Ok(result) = tokio::time::timeout(moment, stream.write(piece.clone())).await {
        result.expect("attached");
        written += piece.len();
        assert!(written <= 300 * 1024, "without credit nothing goes out");
    }
    assert!(written >= 256 * 1024, "{written}");
}

async fn pair(options: ConnectionOptions) -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (client, listener) = (Container::new("client"), Container::new("listener"));
    let access = Access::anyone();
    let (client, listener) = tokio::join!(
        client.connect_stream(ours, options),
        listener.accept_stream(theirs, &access),
    );
    (client.expect("it opens"), listener.expect("it opens"))
}

#[tokio::test(start_paused = true)]
async fn a_client_refuses_the_links_of_its_peer() {
    let (client, listener) = pair(ConnectionOptions::new()).await;
    let refused = [
        listener.create_sender("q").await.err(),
        listener.create_receiver("q").await.err(),
    ];
    for error in refused {
        let error = error.expect("the client takes no links");
        assert_eq!(
            error.condition(),
            Some(&ErrorCondition::NotAllowed),
            "{error:?}"
        );
    }
    // The connection goes on.
    let (sender, link) = tokio::join!(client.create_sender("q"), async {
        listener.next_link().await.expect("a link").accept()
    });
    sender.expect("attached");
    drop(link);
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_is_what_the_page_says() {
    let (client, listener) = pair(ConnectionOptions::new()).await;
    for side in [&client, &listener] {
        let open = side.remote();
        assert_eq!(open.max_frame_size, 65_536);
        assert_eq!(open.channel_max, 255);
        assert_eq!(open.idle_time_out.map(|time| time.0), Some(30_000));
    }
    let (receiver, link) = tokio::join!(client.create_receiver("q"), async {
        listener.next_link().await.expect("a link").accept()
    });
    let Link::Sender(sender) = link else {
        panic!("the peer receives")
    };
    let receiver = receiver.expect("attached");
    assert_eq!(sender.wait_credit().await.expect("attached"), 500);
    // Not settled, they use the credit up.
    for _ in 0..500 {
        drop(sender.enqueue(Message::from("m")).await.expect("room"));
    }
    let mut held = Vec::new();
    for _ in 0..500 {
        held.push(receiver.recv().await.expect("a delivery"));
    }
    assert_eq!(sender.credit(), 0);
    held.iter().for_each(|delivery| delivery.accept());
    assert!(sender.wait_credit().await.expect("attached") >= 250);
}

#[test]
fn what_is_not_announced_is_what_the_page_says() {
    let config = Config::new("any");
    assert_eq!(config.max_sasl_frame_size, 16_384);
    assert_eq!(config.idle_time_out, Some(Duration::from_secs(60)));
    assert_eq!(config.write_budget, 128 * 1024);
    assert_eq!(config.max_links, 4096);
    assert_eq!(config.max_link_octets, 4 * 1024 * 1024);
    assert_eq!(config.decode.max_depth, 32);
    assert_eq!(config.decode.max_zero_width_items, 65_536);
    let session = SessionConfig::default();
    assert_eq!(session.handle_max, 4095);
    assert_eq!(session.incoming_window, 4096);
    assert_eq!(session.incoming_octets, 64 * 1024 * 1024);
    assert_eq!(session.max_unsettled, 262_144);
    let deadlines = Deadlines::default();
    let opening = [
        deadlines.tls,
        deadlines.websocket,
        deadlines.sasl,
        deadlines.open,
    ];
    assert_eq!(opening.map(|time| time.as_secs()), [10, 10, 15, 10]);
}

#[tokio::test]
async fn a_listener_may_not_ask_for_any_number_of_iterations() {
    let attempt = async |range| {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let options = ConnectionOptions::new()
            .credentials("user", "password")
            .mechanisms(["SCRAM-SHA-256"]);
        let options = match range {
            Some(range) => options.scram_iterations(range),
            None => options,
        };
        let access = Access::users(Users::new().user("user", "password"));
        let (client, listener) = (Container::new("client"), Container::new("listener"));
        let (client, _listener) = tokio::join!(
            client.connect_stream(ours, options),
            listener.accept_stream(theirs, &access),
        );
        client.map(drop)
    };
    // Our listeners ask for 4096, the least of what is allowed.
    attempt(None).await.expect("it is allowed");
    attempt(Some(4096..=4096)).await.expect("it is allowed");
    for range in [4097..=1_000_000, 1..=4095] {
        let error = attempt(Some(range)).await.expect_err("it is not allowed");
        assert_eq!(error.kind(), amqp_client::ErrorKind::Authentication);
    }
}

/// A pipe that counts what is read, up to the first write.
struct Counted {
    pipe: DuplexStream,
    read: Arc<AtomicUsize>,
    at_write: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.pipe).poll_read(cx, buf);
        let octets = buf.filled().len() - before;
        self.read.fetch_add(octets, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let read = self.read.load(Ordering::Relaxed);
        self.at_write.fetch_min(read, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_pours_in_does_not_keep_other_work_waiting() {
    let (ours, mut theirs) = tokio::io::duplex(8 << 20);
    let (read, at_write) = (Arc::default(), Arc::default());
    let stream = Counted {
        pipe: ours,
        read: Arc::clone(&read),
        at_write: Arc::clone(&at_write),
    };
    let mut octets = BytesMut::from(&AMQP[..]);
    frame(&mut octets, 0, &Open::new("hostile"));
    theirs.write_all(&octets).await.expect("there is room");
    let client = Container::new("client");
    let opened = client.connect_stream(stream, ConnectionOptions::new().without_sasl());
    let connection = opened.await.expect("it opens");

    // 4 MiB of empty frames lie there when a session is asked for.
    read.store(0, Ordering::Relaxed);
    at_write.store(usize::MAX, Ordering::Relaxed);
    let heartbeat = [0, 0, 0, 8, 2, 0, 0, 0].repeat(512 * 1024);
    theirs.write_all(&heartbeat).await.expect("there is room");
    let options = SessionOptions::new();
    let asked = connection.create_session(options);
    tokio::pin!(asked);
    assert!(asked.as_mut().now_or_never().is_none());
    while read.load(Ordering::Relaxed) < heartbeat.len() {
        tokio::task::yield_now().await;
    }
    // A turn reads 256 KiB, and as much more as the last read brings.
    let octets = at_write.load(Ordering::Relaxed);
    assert!(octets <= 2 * (256 + 64) * 1024, "{octets} come first");
}
