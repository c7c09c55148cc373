//! What connections, sessions and links can be opened with.
//!
//! Decides the defaults of the public API; how they appear in frames is decided where the frames
//! are made. Those of links are in `link`. Sections 2.7.1 to 2.7.3.

mod link;

use std::sync::Arc;
use std::time::Duration;

use amqp_types::transport::Fields;
use amqp_types::{Limits, Str, Symbol};

pub(crate) use link::LinkTerms;
pub use link::{ReceiverOptions, SenderOptions};

use crate::backoff::Backoff;
use crate::deadlines::Deadlines;
use crate::driver::ConnectionShared;
use crate::metrics::{Metrics, Observer};
use crate::proto::{Config, SessionConfig};
use crate::sasl::{ClientMechanism, Policy, TokenProvider};
use crate::secret::Secret;
#[cfg(feature = "tls")]
use crate::transport::TlsOptions;
use crate::transport::{Dial, Proxy};

/// Options of a connection.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    pub(crate) auth: Policy,
    pub(crate) sasl: bool,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) proxy: Option<Proxy>,
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsOptions,
    #[cfg(feature = "websocket")]
    pub(crate) headers: Vec<(String, Secret)>,
    pub(crate) deadlines: Deadlines,
    /// When connecting is tried again; never where there is none.
    pub(crate) retry: Option<Backoff>,
    pub(crate) config: Config,
    /// Who is told what is counted.
    pub(crate) metrics: Option<Observer>,
    #[cfg(feature = "opentelemetry")]
    pub(crate) trace_messages: bool,
    /// What the connection is going to share with its driver, where that was made before.
    pub(crate) prepared: Option<Arc<ConnectionShared>>,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            auth: Policy::default(),
            sasl: true,
            keep_alive: None,
            proxy: None,
            #[cfg(feature = "tls")]
            tls: TlsOptions::default(),
            #[cfg(feature = "websocket")]
            headers: Vec::new(),
            deadlines: Deadlines::default(),
            retry: None,
            config: Config::new(""),
            metrics: None,
            #[cfg(feature = "opentelemetry")]
            trace_messages: false,
            prepared: None,
        }
    }
}

impl ConnectionOptions {
    /// The defaults: SASL, frames of 64 KiB, an idle time-out of 60 s, and [`Deadlines`] for all that is waited for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Authenticates with user and password; those in the URL count for less.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.auth.user = Some(user.into());
        self.auth.password = Some(password.into());
        self
    }

    /// Authenticates with a token, by OAUTHBEARER or XOAUTH2. The user may be empty where the token
    /// says who it is.
    pub fn token_provider(mut self, user: impl Into<String>, provider: impl TokenProvider) -> Self {
        self.auth.token = Some((user.into(), Arc::new(provider)));
        self
    }

    /// Authenticates by the client certificate, SASL EXTERNAL. A connection that has a certificate
    /// and nothing else to authenticate with does so by itself where it is offered.
    pub fn external(mut self) -> Self {
        self.auth.external = Some(String::new());
        self
    }

    /// The only SASL mechanisms that may be used, by name. Default: whatever fits the credentials,
    /// the strongest that is offered. With one alone the offer is not waited for: the mechanism's
    /// first message goes out with the protocol header, which saves a round trip. Section 5.3.2.
    pub fn mechanisms<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.auth.allowed = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a mechanism of one's own, which is preferred to all others where it is offered.
    pub fn mechanism(mut self, mechanism: impl ClientMechanism + 'static) -> Self {
        self.auth.own.push(Arc::new(mechanism));
        self
    }

    /// Lets a password or a token be sent as it is where others may listen: without TLS to another
    /// machine, or over a stream of one's own. Default: that is an error, except on loopback
    /// addresses and Unix sockets.
    pub fn allow_plain_without_tls(mut self) -> Self {
        self.auth.anywhere = true;
        self
    }

    /// How many iterations a listener may ask for in SCRAM. Default 4096 to 1,000,000.
    pub fn scram_iterations(mut self, range: std::ops::RangeInclusive<u32>) -> Self {
        self.auth.iterations = range;
        self
    }

    /// The largest SASL frame that is taken, in octets, at least 512. Default 16,384. Section 5.3.1.
    pub fn max_sasl_frame_size(mut self, octets: u32) -> Self {
        self.config.max_sasl_frame_size = octets;
        self
    }

    /// What TLS trusts and shows, for `amqps` and `wss`. Section 5.2.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = tls;
        self
    }

    /// Adds a header to the request of a WebSocket; its value may be a secret, and is held as one.
    #[cfg(feature = "websocket")]
    pub fn websocket_header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Connects by an HTTP proxy, whatever the scheme.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Probes a silent peer's TCP socket this often. Default: never, since the idle time-out of
    /// AMQP sees more.
    pub fn keep_alive(mut self, idle: Duration) -> Self {
        self.keep_alive = Some(idle);
        self
    }

    pub(crate) fn dial(&self) -> Dial {
        Dial {
            deadlines: self.deadlines,
            keep_alive: self.keep_alive,
            proxy: self.proxy.clone(),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            #[cfg(feature = "websocket")]
            headers: self.headers.clone(),
        }
    }

    /// How long the peer may take at each point.
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Tries again where no address can be connected to, as long as time may mend it. Default: each
    /// address is tried once, so that a call that is waited for tells what is wrong. This is for
    /// making connections; one that was open and is lost is not made again.
    pub fn retry(mut self, backoff: Backoff) -> Self {
        self.retry = Some(backoff);
        self
    }

    /// Leaves the SASL layer out. Section 5.3.
    pub fn without_sasl(mut self) -> Self {
        self.sasl = false;
        self
    }

    /// The host name that is asked for, where it differs from the one that is connected to. Section 2.7.1.
    pub fn hostname(mut self, hostname: impl Into<Str>) -> Self {
        self.config.hostname = Some(hostname.into());
        self
    }

    /// The largest frame that this side takes, in octets; at least 512. Default 65,536. Section 2.7.1.
    pub fn max_frame_size(mut self, octets: u32) -> Self {
        self.config.max_frame_size = octets;
        self
    }

    /// The highest channel number that this side takes. Default 255. Section 2.7.1.
    pub fn channel_max(mut self, channel: u16) -> Self {
        self.config.channel_max = channel;
        self
    }

    /// How many links the peer may attach, all sessions together. Above it a link is refused with
    /// resource-limit-exceeded; above twice as many, refused ones that the peer keeps included, the
    /// session is ended with it. Default 4096.
    pub fn max_links(mut self, links: usize) -> Self {
        self.config.max_links = links;
        self
    }

    /// How many octets the attaches of all links of the peer may have together; above it the session is
    /// ended with resource-limit-exceeded. Default 4 MiB.
    pub fn max_link_octets(mut self, octets: usize) -> Self {
        self.config.max_link_octets = octets;
        self
    }

    /// Bounds for decoding frames: how deep values may be nested, and the like. Default
    /// [`Limits::DEFAULT`]. Section 1.6.
    pub fn decode_limits(mut self, limits: Limits) -> Self {
        self.config.decode = limits;
        self
    }

    /// How long the peer may be silent; `None` is for ever. Default 60 s. Section 2.4.5.
    pub fn idle_time_out(mut self, limit: Option<Duration>) -> Self {
        self.config.idle_time_out = limit;
        self
    }

    /// How long the peer may take to open. Default 10 s; see [`Deadlines`] for all others.
    pub fn open_deadline(mut self, limit: Duration) -> Self {
        self.deadlines.open = limit;
        self
    }

    /// How long the peer may take to answer a close. Default 10 s.
    pub fn close_deadline(mut self, limit: Duration) -> Self {
        self.deadlines.close = limit;
        self
    }

    /// Connection properties. Section 2.7.1.
    pub fn properties(mut self, properties: Fields) -> Self {
        self.config.properties = Some(properties);
        self
    }

    /// Capabilities that this side offers. Section 2.7.1.
    pub fn offered_capabilities(mut self, capabilities: impl IntoIterator<Item = Symbol>) -> Self {
        self.config.offered_capabilities = capabilities.into_iter().collect();
        self
    }

    /// Capabilities that this side would like the peer to have. Section 2.7.1.
    pub fn desired_capabilities(mut self, capabilities: impl IntoIterator<Item = Symbol>) -> Self {
        self.config.desired_capabilities = capabilities.into_iter().collect();
        self
    }

    /// Capabilities without which the connection is of no use: they are asked for, and it is closed with
    /// an Unsupported error when the peer does not offer one. What a peer offers is in
    /// [`Connection::remote`](super::Connection::remote). Section 2.7.1. [CON-46]
    pub fn require_capabilities(mut self, capabilities: impl IntoIterator<Item = Symbol>) -> Self {
        self.config.required_capabilities = capabilities.into_iter().collect();
        self
    }

    /// Who takes what the connection counts. Options of a container pass it to all of its connections, as
    /// a client and as a listener.
    pub fn metrics(mut self, metrics: Arc<dyn Metrics>) -> Self {
        self.metrics = Some(Observer(metrics));
        self
    }

    /// Gives every message that is sent a span and its context, and every one that is processed a span in
    /// the one that sent it: [`telemetry`](crate::telemetry). Options of a container do it for all of its
    /// connections. Default: messages stay as they are.
    #[cfg(feature = "opentelemetry")]
    pub fn trace_messages(mut self) -> Self {
        self.trace_messages = true;
        self
    }

    /// What the sessions of the connection are begun with unless they say otherwise.
    pub fn session(mut self, session: SessionOptions) -> Self {
        self.config.session = session.config;
        self
    }
}

/// Options of a session.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    pub(crate) config: SessionConfig,
}

impl SessionOptions {
    /// The defaults: a window of 4096 frames, handles up to 4095.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many transfer frames may wait for the application. Default 4096. Section 2.5.6.
    pub fn incoming_window(mut self, frames: u32) -> Self {
        self.config.incoming_window = frames.max(1);
        self
    }

    /// How many octets may wait for the application, should every frame be as large as it may be; at
    /// least one frame. Default 64 MiB. A slow reader holds the peer back.
    pub fn incoming_octets(mut self, octets: usize) -> Self {
        self.config.incoming_octets = octets;
        self
    }

    /// How many deliveries of the peer may be unsettled, all links together; above it the session is
    /// ended with resource-limit-exceeded. Default 262,144. Section 2.6.12.
    pub fn max_unsettled(mut self, deliveries: usize) -> Self {
        self.config.max_unsettled = deliveries;
        self
    }

    /// The highest link handle. Default 4095. Section 2.7.2.
    pub fn handle_max(mut self, handle: u32) -> Self {
        self.config.handle_max = handle;
        self
    }

    /// Session properties. Section 2.7.2.
    pub fn properties(mut self, properties: Fields) -> Self {
        self.config.properties = Some(properties);
        self
    }

    /// Capabilities that this side offers. Section 2.7.2.
    pub fn offered_capabilities(mut self, capabilities: impl IntoIterator<Item = Symbol>) -> Self {
        self.config.offered_capabilities = capabilities.into_iter().collect();
        self
    }

    /// Capabilities that this side would like the peer to have. Section 2.7.2.
    pub fn desired_capabilities(mut self, capabilities: impl IntoIterator<Item = Symbol>) -> Self {
        self.config.desired_capabilities = capabilities.into_iter().collect();
        self
    }

    /// Capabilities without which a session is of no use: they are asked for, and it is ended with an
    /// Unsupported error when the peer does not offer one. What a peer offers is in
    /// [`Session::remote`](super::Session::remote). Section 2.7.2. [CON-46]
    pub fn require_capabilities(mut self, capabilities: impl IntoIterator<Item = Symbol>) -> Self {
        self.config.required_capabilities = capabilities.into_iter().collect();
        self
    }
}
