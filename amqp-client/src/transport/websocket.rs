//! AMQP over WebSocket.
//!
//! Decides how octets travel in binary messages, whose borders mean nothing. The OASIS binding of
//! AMQP to WebSocket, section 2; RFC 6455.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WebError, Message};

use super::{Address, BoxedStream};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::secret::Secret;

/// The name of the subprotocol. [WS-01]
const SUBPROTOCOL: &str = "amqp";
const SUBPROTOCOL_HEADER: &str = "sec-websocket-protocol";
/// The most that one message carries.
const MESSAGE: usize = 64 * 1024;

fn failed(what: &str, error: WebError) -> Error {
    Error::io(what, into_io(error))
}

fn into_io(error: WebError) -> io::Error {
    match error {
        WebError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// Why there is no WebSocket: what HTTP says can be worth another attempt, or not.
fn refused(error: WebError) -> Error {
    let WebError::Http(answer) = &error else {
        return failed("WebSocket handshake", error);
    };
    let status = answer.status();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::authentication(format!(
            "WebSocket handshake: the peer wants credentials, or other ones ({status})"
        )),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            failed("WebSocket handshake", error)
        }
        status if status.is_server_error() => failed("WebSocket handshake", error),
        status => unsupported(&format!("the peer answers {status}")),
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        ErrorScope::Connection,
        Initiator::Remote,
        format!("WebSocket handshake: {what}"),
    )
}

/// Upgrades a connected stream. [WS-01] [WS-02]
pub(super) async fn connect(
    stream: BoxedStream,
    address: &Address,
    headers: &[(String, Secret)],
) -> Result<BoxedStream, Error> {
    let url = format!("{address}{}", address.resource());
    let mut request = url
        .into_client_request()
        .map_err(|error| failed("WebSocket request", error))?;
    let all = request.headers_mut();
    all.insert(SUBPROTOCOL_HEADER, HeaderValue::from_static(SUBPROTOCOL));
    for (name, value) in headers {
        let name = HeaderName::try_from(name.as_str());
        let value = HeaderValue::try_from(value.expose());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(Error::configuration(
                "a header of the WebSocket has characters that HTTP forbids",
            ));
        };
        value.set_sensitive(true);
        all.insert(name, value);
    }
    let (stream, response) = tokio_tungstenite::client_async(request, stream)
        .await
        .map_err(refused)?;
    let agreed = response.headers().get(SUBPROTOCOL_HEADER);
    if agreed.is_none_or(|name| name.as_bytes() != SUBPROTOCOL.as_bytes()) {
        return Err(unsupported("the peer does not speak the subprotocol amqp"));
    }
    Ok(Box::new(Octets::new(stream)))
}

/// Answers a client that asks for the upgrade.
pub(super) async fn accept(stream: BoxedStream) -> Result<BoxedStream, Error> {
    #[allow(clippy::result_large_err)] // the library's callback
    let judge = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let offered = request.headers().get_all(SUBPROTOCOL_HEADER).iter();
        let speaks = offered
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|name| name.trim() == SUBPROTOCOL);
        if !speaks {
            let mut refusal = ErrorResponse::new(Some("the subprotocol is amqp".to_owned()));
            *refusal.status_mut() = StatusCode::BAD_REQUEST;
            return Err(refusal);
        }
        let name = HeaderValue::from_static(SUBPROTOCOL);
        response.headers_mut().insert(SUBPROTOCOL_HEADER, name);
        Ok(response)
    };
    let stream = tokio_tungstenite::accept_hdr_async(stream, judge)
        .await
        .map_err(|error| failed("WebSocket handshake", error))?;
    Ok(Box::new(Octets::new(stream)))
}

/// Octets in binary messages, from the first protocol header on. [WS-03] [WS-04] [WS-05]
struct Octets {
    web: WebSocketStream<BoxedStream>,
    read: Bytes,
    /// Whether our close has been said.
    closing: bool,
}

impl Octets {
    fn new(web: WebSocketStream<BoxedStream>) -> Self {
        Self {
            web,
            read: Bytes::new(),
            closing: false,
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>, octets: Bytes) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.web).poll_ready(cx)).map_err(into_io)?;
        let n = octets.len();
        Pin::new(&mut self.web)
            .start_send(Message::Binary(octets))
            .map_err(into_io)?;
        // What the socket does not take now goes with the flush.
        if let Poll::Ready(flushed) = Pin::new(&mut self.web).poll_flush(cx) {
            flushed.map_err(into_io)?;
        }
        Poll::Ready(Ok(n))
    }
}

impl AsyncRead for Octets {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.read.is_empty() {
            let message = match ready!(Pin::new(&mut self.web).poll_next(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(message)) => message,
                Some(Err(WebError::ConnectionClosed | WebError::AlreadyClosed)) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(into_io(error))),
            };
            match message {
                Message::Binary(octets) => self.read = octets,
                // [WS-09]: answered by the library.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                Message::Close(_) => return Poll::Ready(Ok(())),
                Message::Text(_) => {
                    let error = io::Error::other("the peer sent a text message");
                    return Poll::Ready(Err(error));
                }
            }
        }
        let n = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..n]);
        self.read.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Octets {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let octets = Bytes::copy_from_slice(&buf[..buf.len().min(MESSAGE)]);
        self.poll_message(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut octets = BytesMut::new();
        for buf in bufs {
            let room = MESSAGE - octets.len();
            octets.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        self.poll_message(cx, octets.freeze())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.web).poll_flush(cx).map_err(into_io)
    }

    /// The closing handshake. [WS-08]
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            let mut said = ready!(Pin::new(&mut self.web).poll_ready(cx));
            if said.is_ok() {
                let frame = CloseFrame {
                    code: CloseCode::Normal,
                    reason: "".into(),
                };
                said = Pin::new(&mut self.web).start_send(Message::Close(Some(frame)));
            }
            self.closing = true;
            match said {
                Ok(()) => {}
                Err(WebError::ConnectionClosed | WebError::AlreadyClosed) => {
                    return Poll::Ready(Ok(()));
                }
                Err(error) => return Poll::Ready(Err(into_io(error))),
            }
        }
        match ready!(Pin::new(&mut self.web).poll_close(cx)) {
            Ok(()) | Err(WebError::ConnectionClosed | WebError::AlreadyClosed) => {
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(into_io(error))),
        }
    }
}
