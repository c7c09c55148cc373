//! As much of HTTP as the management of RabbitMQ and Broker-J takes: one request, one answer, the connection closed after it.

use std::net::Ipv4Addr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::check::During;
use crate::peer::Peer;

/// guest:guest, as basic authentication has it.
const GUEST: &str = "Z3Vlc3Q6Z3Vlc3Q=";

/// Sends a request; the answer's JSON, or null where it has none. Any status but 2xx is an error.
pub(super) async fn call(
    peer: &Peer,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, String> {
    let what = format!("{method} {path}");
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, peer.http_port()))
        .await
        .during(&what)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {GUEST}\r\nConnection: close\r\n\
        Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.during(&what)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.during(&what)?;
    let (status, body) = parse(&answer).during(&what)?;
    match status {
        200..=299 => Ok(serde_json::from_slice(&body).unwrap_or(Value::Null)),
        _ => Err(format!(
            "{what}: {status} {}",
            String::from_utf8_lossy(&body)
        )),
    }
}

/// Status and body of a whole answer.
fn parse(answer: &[u8]) -> Result<(u16, Vec<u8>), &'static str> {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("the answer has no end of its header")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.parse().ok());
    let status = status.ok_or("the answer has no status")?;
    let rest = &answer[end + 4..];
    let body = match head.contains("transfer-encoding: chunked") {
        true => chunks(rest)?,
        false => rest.to_vec(),
    };
    Ok((status, body))
}

/// Puts together a body that came in chunks.
fn chunks(mut rest: &[u8]) -> Result<Vec<u8>, &'static str> {
    const BROKEN: &str = "the answer's chunks are broken";
    let mut body = Vec::new();
    loop {
        let line = rest
            .windows(2)
            .position(|two| two == b"\r\n")
            .ok_or(BROKEN)?;
        let size = String::from_utf8_lossy(&rest[..line]);
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| BROKEN)?;
        let chunk = rest.get(line + 2..line + 2 + size).ok_or(BROKEN)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(chunk);
        rest = rest.get(line + 4 + size..).ok_or(BROKEN)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_in_chunks() {
        let whole = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n[]";
        assert_eq!(parse(whole), Ok((201, b"[]".to_vec())));
        let pieces =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n";
        assert_eq!(parse(pieces), Ok((200, b"[1]".to_vec())));
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nx").is_err());
    }
}
