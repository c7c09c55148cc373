//! How long a peer may take.
//!
//! Decides the defaults. Whatever passes its deadline ends in an error of kind
//! [`TimedOut`](crate::ErrorKind::TimedOut) that says at which point the peer went silent.
//! Sections 2.4, 2.5, 2.6, 5.2, 5.3.

use std::time::Duration;

/// How long a peer may take to answer, one limit for each thing that is waited for.
///
/// | point | default | what happens then |
/// | --- | --- | --- |
/// | `connect` | 10 s | the next address is tried, then the next host |
/// | `proxy`, `tls`, `websocket` | 10 s | the socket is dropped |
/// | `sasl` | 15 s | the socket is dropped |
/// | `open` | 10 s | the socket is dropped |
/// | `begin`, `attach` | 15 s | the session is ended, the link is detached |
/// | `send` | 60 s | the message may go out all the same, as when the future is dropped; its outcome is not known |
/// | `drain` | 15 s | the drain goes on |
/// | `detach`, `end` | 10 s | the handle is over all the same |
/// | `close` | 10 s | the socket is dropped |
///
/// ```
/// use std::time::Duration;
/// use amqp_client::{ConnectionOptions, Deadlines};
///
/// let hasty = Deadlines { connect: Duration::from_secs(2), ..Deadlines::default() };
/// let options = ConnectionOptions::new().deadlines(hasty);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Looking a host up and connecting to it.
    pub connect: Duration,
    /// A proxy's answer.
    pub proxy: Duration,
    /// The TLS handshake. On a listener that has such layers also, before that and inside it, the
    /// octets by which a client says what it wants.
    pub tls: Duration,
    /// The WebSocket handshake.
    pub websocket: Duration,
    /// The SASL layer, from its header to its outcome; token providers and stores included.
    pub sasl: Duration,
    /// The AMQP header and the open.
    pub open: Duration,
    /// The answer to a begin.
    pub begin: Duration,
    /// The answer to an attach.
    pub attach: Duration,
    /// Credit for a message and its outcome, in `send`; enqueued messages wait as long as they are
    /// waited for.
    pub send: Duration,
    /// The end of a drain: the credit is used up, or the peer has nothing to send.
    pub drain: Duration,
    /// The answer to a detach.
    pub detach: Duration,
    /// The answer to an end.
    pub end: Duration,
    /// The answer to a close.
    pub close: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(10),
            proxy: seconds(10),
            tls: seconds(10),
            websocket: seconds(10),
            sasl: seconds(15),
            open: seconds(10),
            begin: seconds(15),
            attach: seconds(15),
            send: seconds(60),
            drain: seconds(15),
            detach: seconds(10),
            end: seconds(10),
            close: seconds(10),
        }
    }
}

impl Deadlines {
    /// The same limit for everything.
    pub fn all(limit: Duration) -> Self {
        Self {
            connect: limit,
            proxy: limit,
            tls: limit,
            websocket: limit,
            sasl: limit,
            open: limit,
            begin: limit,
            attach: limit,
            send: limit,
            drain: limit,
            detach: limit,
            end: limit,
            close: limit,
        }
    }
}
