//! A peer that reads nothing for a while and then all at once: what waited goes out to the last octet, without
//! anything else having to happen.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use amqp_client::listener::Access;
use amqp_client::types::Binary;
use amqp_client::types::messaging::Outcome;
use amqp_client::{Connection, ConnectionOptions, Container, Message, Sender};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Whether octets pass, and who waits for that.
#[derive(Debug, Default)]
struct Gate(Mutex<(bool, Option<Waker>)>);

impl Gate {
    fn close(&self) {
        self.0.lock().expect("no panic").0 = true;
    }

    fn open(&self) {
        let mut gate = self.0.lock().expect("no panic");
        gate.0 = false;
        if let Some(waker) = gate.1.take() {
            waker.wake();
        }
    }

    /// Whether somebody waits for the gate.
    fn holds(&self) -> bool {
        self.0.lock().expect("no panic").1.is_some()
    }

    fn passes(&self, cx: &Context<'_>) -> bool {
        let mut gate = self.0.lock().expect("no panic");
        if gate.0 {
            gate.1 = Some(cx.waker().clone());
        }
        !gate.0
    }
}

/// A pipe that takes all there is, or nothing.
struct Gated(DuplexStream, Arc<Gate>);

impl AsyncRead for Gated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.1.passes(cx) {
            true => Pin::new(&mut self.0).poll_write(cx, octets),
            false => Poll::Pending,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.1.passes(cx) {
            true => Pin::new(&mut self.0).poll_write_vectored(cx, slices),
            false => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A sender with frames of 1 MiB through the gate, to a listener that accepts what comes.
async fn sender(gate: &Arc<Gate>) -> (Connection, Sender) {
    let (ours, theirs) = tokio::io::duplex(16 << 20);
    let options = ConnectionOptions::new().max_frame_size(1 << 20);
    let listener = Container::with_options("listener", options.clone());
    tokio::spawn(async move {
        let access = Access::anyone();
        let peer = listener.accept_stream(theirs, &access).await;
        let peer = peer.expect("it opens");
        let link = peer.next_link().await.expect("a link");
        let receiver = link.accept_receiver(Default::default()).expect("it sends");
        while let Ok(delivery) = receiver.recv().await {
            delivery.accept();
        }
    });
    let stream = Gated(ours, gate.clone());
    let connection = Container::new("client")
        .connect_stream(stream, options)
        .await
        .expect("it opens");
    let sender = connection.create_sender("q").await.expect("attached");
    (connection, sender)
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_the_peer_is_followed_by_the_rest() {
    let gate = Arc::new(Gate::default());
    let (connection, sender) = sender(&gate).await;
    gate.close();
    let message = Message::new().with_body(Binary::from(vec![7; 5 << 20]));
    let opener = async {
        while !gate.holds() {
            tokio::task::yield_now().await;
        }
        gate.open();
    };
    // Sooner than any heartbeat, which would set the connection going again.
    let sent = tokio::time::timeout(Duration::from_secs(1), sender.send(message));
    let (sent, ()) = tokio::join!(sent, opener);
    let outcome = sent.expect("in time").expect("sent");
    assert!(matches!(outcome, Outcome::Accepted(_)));
    connection.close().await.expect("it closes");
}
