//! The brokers that our client meets: where they are, how they write addresses, what they make on demand.

use std::process::Command;
use std::time::Duration;

use amqp_client::types::transport::Fields;
use amqp_client::types::{Symbol, Value};
use amqp_client::{Connection, ConnectionOptions, Container};

use crate::check::{During, soon};
use crate::control::{self, Shape};

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Artemis,
    Rabbit,
    BrokerJ,
}

/// A broker on loopback; user guest, password guest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    port: u16,
    /// Its process, where it may be stopped for a while.
    process: Option<u32>,
}

/// The property that says who a connection is where management does not tell its container-id.
pub(crate) const PROPERTY: &str = "interop-container";

/// What the name of every container begins with.
pub(crate) const CONTAINER: &str = "ok-amqp-interop";

impl Peer {
    pub(crate) fn parse(name: &str, port: u16, process: Option<u32>) -> Result<Self, String> {
        let kind = match name {
            "artemis" => Kind::Artemis,
            "rabbit" => Kind::Rabbit,
            "brokerj" => Kind::BrokerJ,
            _ => {
                return Err(format!(
                    "there are artemis, rabbit and brokerj, no `{name}`"
                ));
            }
        };
        Ok(Self {
            kind,
            port,
            process,
        })
    }

    /// The address of a queue that is there, or that the broker makes on demand.
    pub(crate) fn queue(&self, name: &str) -> String {
        match self.kind {
            Kind::Artemis => name.to_owned(),
            Kind::Rabbit => format!("/queues/{name}"),
            Kind::BrokerJ if name.contains('.') => name.to_owned(),
            Kind::BrokerJ => format!("auto.{name}"),
        }
    }

    /// A name that no other run has used.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}.{}", std::process::id())
    }

    /// The address of a queue that nobody has used before.
    pub(crate) async fn fresh(&self, name: &str) -> Result<String, String> {
        match self.kind {
            Kind::Artemis => Ok(self.name(name)),
            Kind::Rabbit => self.shaped(name, Shape::default()).await,
            Kind::BrokerJ => Ok(format!("auto.{}", self.name(name))),
        }
    }

    /// The address of a queue of a certain shape, made by the broker's management; for Artemis the name says the shape.
    pub(crate) async fn shaped(&self, name: &str, shape: Shape) -> Result<String, String> {
        let name = self.name(name);
        control::make_queue(self, &name, shape).await?;
        Ok(self.queue(&name))
    }

    /// The name of the queue that `shaped` and `fresh` give the address of.
    pub(crate) fn bare<'a>(&self, address: &'a str) -> &'a str {
        address.strip_prefix("/queues/").unwrap_or(address)
    }

    /// `user` is `user:password@` or nothing.
    pub(crate) fn url(&self, user: &str) -> String {
        self.url_at(user, 0)
    }

    /// The URL of another listener of the same broker, so many ports after the first.
    pub(crate) fn url_at(&self, user: &str, offset: u16) -> String {
        // Broker-J lets in the anonymous at the second port alone.
        let offset = match (self.kind, user, offset) {
            (Kind::BrokerJ, "", 0) => 1,
            _ => offset,
        };
        format!("amqp://{user}127.0.0.1:{}", self.port + offset)
    }

    /// The port of management by HTTP; Artemis has none.
    pub(crate) fn http_port(&self) -> u16 {
        match self.kind {
            Kind::BrokerJ => self.port + 7,
            _ => self.port + 3,
        }
    }

    /// The listener where a full queue answers with modified: Artemis has it on the next port.
    pub(crate) fn lenient_url(&self) -> String {
        self.url_at("guest:guest@", 1)
    }

    /// A connection as guest. Every scenario has one of its own.
    pub(crate) async fn connect(&self) -> Result<Connection, String> {
        self.connect_with(CONTAINER, ConnectionOptions::new()).await
    }

    /// A connection as guest, of this container, with options.
    pub(crate) async fn connect_with(
        &self,
        container: &str,
        options: ConnectionOptions,
    ) -> Result<Connection, String> {
        Container::new(container.to_owned())
            .connect_with(&self.url("guest:guest@"), options)
            .await
            .during("connect")
    }

    /// A connection that management finds again: by its container-id, or by a property that says the same.
    pub(crate) async fn connect_as(&self, container: &str) -> Result<Connection, String> {
        let mut properties = Fields::default();
        properties.insert(Symbol::from_static(PROPERTY), Value::from(container));
        let options = ConnectionOptions::new().properties(properties);
        self.connect_with(container, options).await
    }

    /// Stops the broker's process in its tracks until the guard is dropped.
    pub(crate) async fn freeze(&self) -> Result<Frozen, String> {
        let process = self.process.ok_or("the broker's process is not known")?;
        let frozen = Frozen(process);
        signal(process, "-STOP")?;
        let stopped = async {
            while !all_stopped(process)? {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<_, String>(())
        };
        soon("stop the broker", stopped).await??;
        Ok(frozen)
    }
}

/// A broker that does not run at the moment.
#[derive(Debug)]
pub(crate) struct Frozen(u32);

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Err(error) = signal(self.0, "-CONT") {
            eprintln!("{error}");
        }
    }
}

/// Whether each thread of the process has come to a halt: the signal takes a moment to reach those that run.
fn all_stopped(process: u32) -> Result<bool, String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    for thread in threads.during("look at the broker's threads")?.flatten() {
        // A thread that is gone since then does nothing either.
        let Ok(line) = std::fs::read_to_string(thread.path().join("stat")) else {
            continue;
        };
        // The state stands behind the name, which is in parentheses and may hold any character.
        let state = line.rsplit(')').next().unwrap_or_default().trim_start();
        if !state.starts_with(['T', 'Z', 'X']) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn signal(process: u32, signal: &str) -> Result<(), String> {
    let status = Command::new("kill")
        .args([signal, &process.to_string()])
        .status()
        .during("kill")?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("kill {signal} {process}: {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_have_addresses_by_broker() {
        let peer = |name| Peer::parse(name, 1000, None).unwrap();
        assert_eq!(peer("artemis").queue("a"), "a");
        assert_eq!(peer("rabbit").queue("a"), "/queues/a");
        assert_eq!(peer("brokerj").queue("a"), "auto.a");
        assert_eq!(peer("rabbit").bare("/queues/a"), "a");
        assert_eq!(peer("brokerj").url(""), "amqp://127.0.0.1:1001");
    }
}
