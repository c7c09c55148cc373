//! AMQP over WebSocket.
//!
//! Decides what the opening handshake asks for and agrees to. What travels in messages then is
//! decided by `octets`. The OASIS binding of AMQP to WebSocket, section 2; RFC 6455, 4.

mod head;
mod octets;

use std::io;

use tokio_tungstenite::tungstenite::Error as WebError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, StatusCode};
use zeroize::Zeroizing;

use self::head::Head;
use self::octets::{Octets, Role};
use super::{Address, BoxedStream};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::secret::Secret;

/// The name of the subprotocol. [WS-01]
const SUBPROTOCOL: &str = "amqp";
const SUBPROTOCOL_HEADER: &str = "sec-websocket-protocol";

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
    let mut lines = Zeroizing::new(Vec::with_capacity(512));
    for (name, value) in headers {
        let known = HeaderName::try_from(name.as_str());
        let legal = HeaderValue::try_from(value.expose());
        let (Ok(known), Ok(legal)) = (known, legal) else {
            return Err(Error::configuration(
                "a header of the WebSocket has characters that HTTP forbids",
            ));
        };
        match all.contains_key(&known) {
            true => drop(all.insert(known, legal)),
            false => {
                let parts = [name.as_bytes(), b": ", value.expose().as_bytes(), b"\r\n"];
                parts.iter().for_each(|part| lines.extend_from_slice(part));
            }
        }
    }
    let stream = Head::new(stream, lines);
    let (web, response) = tokio_tungstenite::client_async(request, stream)
        .await
        .map_err(refused)?;
    let agreed = response.headers().get(SUBPROTOCOL_HEADER);
    if agreed.is_none_or(|name| name.as_bytes() != SUBPROTOCOL.as_bytes()) {
        return Err(unsupported("the peer does not speak the subprotocol amqp"));
    }
    let (stream, read) = web.into_inner().into_parts();
    Ok(Box::new(Octets::new(stream, Role::Client, read)))
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
    let stream = Head::new(stream, Zeroizing::default());
    let web = tokio_tungstenite::accept_hdr_async(stream, judge)
        .await
        .map_err(|error| failed("WebSocket handshake", error))?;
    let (stream, read) = web.into_inner().into_parts();
    Ok(Box::new(Octets::new(stream, Role::Server, read)))
}
