//! The options of a broker.
//!
//! Decides the defaults: a free loopback port, anybody may connect, queues as they are asked for.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use amqp_types::{Str, Symbol};

use super::settings::Settings;
use crate::handles::{ConnectionOptions, Container};
use crate::listener::Access;
use crate::transport::ListenOptions;

/// What the broker can do with messages on a link without an address. [ANON-01]
const ANONYMOUS_RELAY: Symbol = Symbol::from_static("ANONYMOUS-RELAY");

/// Sets up a [`Broker`](super::Broker).
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `start`"]
pub struct Builder {
    address: SocketAddr,
    container_id: Str,
    connection: ConnectionOptions,
    users: HashMap<String, Password>,
    anonymous: bool,
    access: Option<Access>,
    layers: ListenOptions,
    settings: Settings,
}

/// A password that shows nowhere.
#[derive(Clone)]
struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            container_id: Str::from_static("broker"),
            connection: ConnectionOptions::new().close_deadline(Duration::from_secs(2)),
            users: HashMap::new(),
            anonymous: true,
            access: None,
            layers: ListenOptions::new(),
            settings: Settings::default(),
        }
    }

    /// The socket address to listen on. Default: a free port of 127.0.0.1.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// The broker's container-id. Default: `broker`. Section 2.4.1.
    pub fn container_id(mut self, id: impl Into<Str>) -> Self {
        self.container_id = id.into();
        self
    }

    /// What connections are accepted with: frame size, windows, time-outs. Sections 2.7.1, 2.7.2.
    pub fn connection(mut self, options: ConnectionOptions) -> Self {
        self.connection = options;
        self
    }

    /// Lets a user in by SASL PLAIN. From the first user on, nobody else is let in. Section 5.3.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.insert(name.into(), Password(password.into()));
        self.anonymous = false;
        self
    }

    /// Lets those in as well who do not say who they are. To be called after [`user`](Self::user).
    pub fn or_anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Lets these in instead of [`user`](Self::user)s and anonymous clients: by SCRAM, by certificate,
    /// or however a store knows them. Section 5.3.
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Listens with TLS, WebSocket or both. Default: TCP alone. Sections 2.2, 5.2.
    pub fn layers(mut self, layers: ListenOptions) -> Self {
        self.layers = layers;
        self
    }

    /// There are these queues and no others: attaching to another address is refused with
    /// `amqp:not-found`. Default: a queue of every address that is attached to.
    pub fn queues<Q: Into<Str>>(mut self, addresses: impl IntoIterator<Item = Q>) -> Self {
        self.settings.queues = Some(addresses.into_iter().map(Into::into).collect());
        self
    }

    /// How many messages a queue holds, those with receivers included; more are rejected with
    /// `amqp:resource-limit-exceeded`. Default: 10 million.
    pub fn max_queue_messages(mut self, messages: usize) -> Self {
        self.settings.limits.messages = messages;
        self
    }

    /// How many octets the messages of a queue may have, with about 128 more for each message.
    /// Default: 1 GiB.
    pub fn max_queue_bytes(mut self, octets: usize) -> Self {
        self.settings.limits.bytes = octets;
        self
    }

    /// How many nodes there may be, those made for links included; an attach that needs another one is
    /// refused with `amqp:resource-limit-exceeded`. Default: 100,000.
    pub fn max_nodes(mut self, nodes: usize) -> Self {
        self.settings.max_nodes = nodes;
        self
    }

    /// The largest message that is taken, in octets; 0 is any. Default: 128 MiB. Section 2.7.3.
    pub fn max_message_size(mut self, octets: u64) -> Self {
        self.settings.max_message_size = octets;
        self
    }

    /// How many messages each sender may have under way. Default: 1000. Section 2.6.7.
    pub fn credit(mut self, messages: u32) -> Self {
        self.settings.credit = messages.max(1);
        self
    }

    /// Keeps rejected messages in this queue, with the receiver's error as the delivery annotation
    /// `rejected`. Default: they are dropped. Section 3.4.3.
    pub fn dead_letters(mut self, address: impl Into<Str>) -> Self {
        let address = address.into();
        if let Some(queues) = &mut self.settings.queues {
            queues.push(address.clone());
        }
        self.settings.dead_letters = Some(address);
        self
    }

    /// Rejects durable messages with `amqp:precondition-failed`, since they would not survive the
    /// broker. Default: they are taken like others. Section 3.2.1.
    pub fn refuse_durable(mut self) -> Self {
        self.settings.keep_durable = false;
        self
    }

    /// What the broker is made of: who it is, where and how it listens, who may connect, its rules.
    pub(super) fn into_parts(self) -> Parts {
        let users = access(self.users, self.anonymous);
        let options = self.connection.offered_capabilities([ANONYMOUS_RELAY]);
        let container = Container::with_options(self.container_id, options);
        Parts {
            container,
            address: self.address,
            layers: self.layers,
            access: self.access.unwrap_or(users),
            settings: self.settings,
        }
    }
}

/// What a [`Builder`] says, each part for whom it concerns.
pub(super) struct Parts {
    pub(super) container: Container,
    pub(super) address: SocketAddr,
    pub(super) layers: ListenOptions,
    pub(super) access: Access,
    pub(super) settings: Settings,
}

fn access(users: HashMap<String, Password>, anonymous: bool) -> Access {
    if users.is_empty() {
        return Access::anyone();
    }
    let users = Arc::new(users);
    let access = Access::plain(move |user, password| {
        let known = users
            .get(&user)
            .is_some_and(|Password(expected)| *expected == password);
        async move { known }
    });
    match anonymous {
        true => access.or_anonymous(),
        false => access,
    }
}
