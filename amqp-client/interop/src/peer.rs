//! The brokers that our client meets: where they are, how they write addresses, what they cannot do.

use amqp_client::{Connection, Container};

use crate::check::During;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Artemis,
    Rabbit,
}

/// A broker on loopback; user guest, password guest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    port: u16,
}

impl Peer {
    pub(crate) fn parse(name: &str, port: u16) -> Result<Self, String> {
        let kind = match name {
            "artemis" => Kind::Artemis,
            "rabbit" => Kind::Rabbit,
            _ => return Err(format!("there are artemis and rabbit, no `{name}`")),
        };
        Ok(Self { kind, port })
    }

    /// The address of a queue.
    pub(crate) fn queue(&self, name: &str) -> String {
        match self.kind {
            Kind::Artemis => name.to_owned(),
            Kind::Rabbit => format!("/queues/{name}"),
        }
    }

    /// `user` is `user:password@` or nothing.
    pub(crate) fn url(&self, user: &str) -> String {
        format!("amqp://{user}127.0.0.1:{}", self.port)
    }

    /// The listener where a full queue answers with modified: Artemis has it on the next port.
    pub(crate) fn lenient_url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.port + 1)
    }

    /// A connection as guest. Every scenario has one of its own.
    pub(crate) async fn connect(&self) -> Result<Connection, String> {
        Container::new("amqp-interop")
            .connect(&self.url("guest:guest@"))
            .await
            .during("connect")
    }
}
