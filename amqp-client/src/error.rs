//! The one error of the public API.
//!
//! Decides what a user learns of a failure: what kind it is, how wide, whose doing, the AMQP
//! condition if there is one, and whether trying again makes sense. Outcomes of deliveries are not
//! errors. Sections 2.8.14 to 2.8.18.

use std::fmt;
use std::sync::Arc;

use amqp_types::security::SaslCode;
use amqp_types::transport::{self, ErrorCondition};
use amqp_types::{DecodeError, Value};

use crate::proto::{SaslFailure, Violation, condition_of};

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An address or an option that can not be used.
    Configuration,
    /// The socket: it could not be connected, or it broke.
    Io,
    /// The TLS layer: a certificate that is not trusted, has expired or is for another host; an alert
    /// of the peer. Section 5.2.
    Tls,
    /// The SASL layer: no common mechanism, or the credentials were refused. Section 5.3.
    Authentication,
    /// The peer closed the connection. Section 2.4.3.
    ConnectionClosed,
    /// The session was ended. Section 2.5.4.
    SessionEnded,
    /// The link was detached or refused. Sections 2.6.3, 2.6.5.
    LinkDetached,
    /// The peer broke the protocol.
    Protocol,
    /// A message could not be decoded or encoded. Section 3.2.
    Codec,
    /// A limit of this side or of the peer stands in the way.
    Limit,
    /// The peer can not do what was asked for, such as a filter. Section 3.5.3.
    Unsupported,
    /// A deadline passed, or the idle time-out. Section 2.4.5.
    TimedOut,
    /// A handler of the application failed.
    Handler,
    /// A request was not accepted.
    Request,
}

/// How much is affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorScope {
    /// One delivery; the link goes on.
    Delivery,
    /// One link; the session goes on.
    Link,
    /// One session; the connection goes on.
    Session,
    /// The whole connection.
    Connection,
}

/// Whose doing it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// The application, for example by closing what it still uses.
    Local,
    /// This library, which found fault with something.
    Library,
    /// The peer, or the network in between.
    Remote,
}

/// Where a peer sends us: parts that it leaves out stay as they are. Sections 2.8.16, 2.8.18.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// The host name to ask for in the open.
    pub hostname: Option<String>,
    /// The host to connect to.
    pub network_host: Option<String>,
    /// The port to connect to.
    pub port: Option<u16>,
    /// How to connect there, of a peer that speaks WebSocket: `ws` or `wss`. [WS-07]
    pub scheme: Option<String>,
    /// The path of the WebSocket's request.
    pub path: Option<String>,
    /// The address of the node, for a link.
    pub address: Option<String>,
}

/// A failure; cheap to clone, so that everything that waited for the same thing learns the same.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    scope: ErrorScope,
    initiator: Initiator,
    amqp: Option<transport::Error>,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    sasl: Option<SaslCode>,
    retryable: bool,
    closed: bool,
}

impl Error {
    /// What failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// How much is affected.
    pub fn scope(&self) -> ErrorScope {
        self.0.scope
    }

    /// Whose doing it was.
    pub fn initiator(&self) -> Initiator {
        self.0.initiator
    }

    /// The AMQP error condition, when one was exchanged.
    pub fn condition(&self) -> Option<&ErrorCondition> {
        self.0.amqp.as_ref().map(|error| &error.condition)
    }

    /// The AMQP error as it was exchanged, with description and info map. Section 2.8.14.
    pub fn amqp(&self) -> Option<&transport::Error> {
        self.0.amqp.as_ref()
    }

    /// Where the peer sends us instead, when the error is a redirect. Sections 2.8.16, 2.8.18.
    pub fn redirect(&self) -> Option<Redirect> {
        let error = self.0.amqp.as_ref()?;
        // [CON-49] [PRF-31]
        match error.condition {
            ErrorCondition::ConnectionRedirect | ErrorCondition::LinkRedirect => {}
            _ => return None,
        }
        let info = error.info.as_ref()?;
        let text = |key: &str| match info.iter().find(|(name, _)| name.as_str() == key)?.1 {
            Value::String(text) => Some(text.to_string()),
            Value::Symbol(text) => Some(text.as_str().to_owned()),
            _ => None,
        };
        let port = info.iter().find(|(name, _)| name.as_str() == "port");
        let port = match port.map(|(_, value)| value) {
            Some(Value::Ushort(port)) => Some(*port),
            Some(Value::Uint(port)) => u16::try_from(*port).ok(),
            Some(Value::Int(port)) => u16::try_from(*port).ok(),
            Some(Value::Ulong(port)) => u16::try_from(*port).ok(),
            Some(Value::Long(port)) => u16::try_from(*port).ok(),
            Some(Value::String(port)) => port.parse().ok(),
            _ => None,
        };
        Some(Redirect {
            hostname: text("hostname"),
            network_host: text("network-host"),
            port,
            // [WS-07]
            scheme: text("scheme"),
            path: text("path"),
            address: text("address"),
        })
    }

    /// Whether the same attempt may succeed later or on another connection: the network, a broker
    /// that restarts, a lock, a lack of resources.
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Io => !self.is_forbidden(),
            ErrorKind::TimedOut => true,
            // [SASL-13]
            ErrorKind::Authentication => self.0.sasl == Some(SaslCode::SysTemp) || self.0.retryable,
            _ => matches!(
                self.condition(),
                Some(
                    ErrorCondition::ConnectionForced
                        | ErrorCondition::DetachForced
                        | ErrorCondition::ResourceLimitExceeded
                        | ErrorCondition::ResourceLocked
                        | ErrorCondition::InternalError
                )
            ),
        }
    }

    /// Whether the system says that it does not let us, or that there is no such thing here.
    fn is_forbidden(&self) -> bool {
        use std::io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
        let source = self.0.source.as_ref();
        let io = source.and_then(|source| source.downcast_ref::<std::io::Error>());
        io.is_some_and(|io| matches!(io.kind(), PermissionDenied | InvalidInput | Unsupported))
    }

    /// Whether the link was closed, by whichever side: its termini are gone. Of a link that was only
    /// detached, or lost with its session or connection, they may still be there for it to be attached
    /// again. Sections 2.6.4, 2.6.6.
    pub fn is_closed(&self) -> bool {
        self.0.closed
    }

    /// Says whether a link was closed; to be called before the error is shared.
    pub(crate) fn link_closed(mut self, closed: bool) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.closed = closed;
        }
        self
    }

    pub(crate) fn new(
        kind: ErrorKind,
        scope: ErrorScope,
        initiator: Initiator,
        message: impl Into<String>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            scope,
            initiator,
            amqp: None,
            message: message.into(),
            source: None,
            sasl: None,
            retryable: false,
            closed: false,
        }))
    }

    /// An error that the peer or the engine gave a condition for.
    pub(crate) fn amqp_error(
        kind: ErrorKind,
        scope: ErrorScope,
        initiator: Initiator,
        what: &str,
        amqp: Option<transport::Error>,
    ) -> Self {
        let message = match &amqp {
            Some(error) => match &error.description {
                Some(text) => format!("{what}: {} ({text})", error.condition.as_str()),
                None => format!("{what}: {}", error.condition.as_str()),
            },
            None => what.to_owned(),
        };
        Self(Arc::new(Inner {
            kind,
            scope,
            initiator,
            amqp,
            message,
            source: None,
            sasl: None,
            retryable: false,
            closed: false,
        }))
    }

    /// The SASL outcome code by which the peer refused: `auth` for wrong credentials, `sys-temp` when
    /// trying again later may help. Section 5.3.3.6.
    pub fn sasl_code(&self) -> Option<SaslCode> {
        self.0.sasl
    }

    fn with_sasl_code(mut self, code: SaslCode) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.sasl = Some(code);
        }
        self
    }

    /// Says that trying again may help; to be called before the error is shared.
    pub(crate) fn retryable(mut self) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.retryable = true;
        }
        self
    }

    pub(crate) fn authentication(message: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Authentication,
            ErrorScope::Connection,
            Initiator::Local,
            message,
        )
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Configuration,
            ErrorScope::Connection,
            Initiator::Local,
            message,
        )
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(message: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Tls,
            ErrorScope::Connection,
            Initiator::Library,
            message,
        )
    }

    /// What the socket says, or the TLS layer on it.
    pub(crate) fn io(what: &str, error: std::io::Error) -> Self {
        #[cfg(feature = "tls")]
        let is_tls = error
            .get_ref()
            .is_some_and(|inner| inner.is::<tokio_rustls::rustls::Error>());
        #[cfg(not(feature = "tls"))]
        let is_tls = false;
        Self(Arc::new(Inner {
            kind: match is_tls {
                true => ErrorKind::Tls,
                false => ErrorKind::Io,
            },
            scope: ErrorScope::Connection,
            initiator: Initiator::Remote,
            amqp: None,
            message: format!("{what}: {error}"),
            source: Some(Box::new(error)),
            sasl: None,
            retryable: false,
            closed: false,
        }))
    }

    pub(crate) fn timed_out(what: &str, scope: ErrorScope) -> Self {
        Self::new(
            ErrorKind::TimedOut,
            scope,
            Initiator::Library,
            format!("the peer did not answer in time: {what}"),
        )
    }

    pub(crate) fn closed_locally(scope: ErrorScope) -> Self {
        let (kind, message) = match scope {
            ErrorScope::Connection => (ErrorKind::ConnectionClosed, "the connection is closed"),
            ErrorScope::Session => (ErrorKind::SessionEnded, "the session is ended"),
            ErrorScope::Link | ErrorScope::Delivery => {
                (ErrorKind::LinkDetached, "the link is closed")
            }
        };
        Self::new(kind, scope, Initiator::Local, message)
    }

    pub(crate) fn violation(violation: &Violation) -> Self {
        // A capability that we require and the peer does not offer. [CON-46]
        let lacks = violation.condition == transport::ErrorCondition::NotImplemented
            && violation.section == "2.7.1";
        let (kind, what) = match violation.is_silence() {
            true => (ErrorKind::TimedOut, "the peer has gone silent"),
            false if lacks => (ErrorKind::Unsupported, "the peer can not do what is needed"),
            false => (ErrorKind::Protocol, "the peer broke the protocol"),
        };
        Self::amqp_error(
            kind,
            ErrorScope::Connection,
            Initiator::Library,
            what,
            Some(violation.to_error()),
        )
    }

    pub(crate) fn sasl(failure: &SaslFailure) -> Self {
        let message = match failure {
            SaslFailure::NoMechanism(offered) => {
                let offered: Vec<&str> = offered.iter().map(|name| name.as_str()).collect();
                format!(
                    "no common SASL mechanism; the peer offers {}",
                    offered.join(", ")
                )
            }
            SaslFailure::Refused(code) => match code {
                SaslCode::Auth => "the peer refused the credentials (auth)",
                SaslCode::SysTemp => "the peer can not authenticate anybody now (sys-temp)",
                SaslCode::SysPerm => "the peer's authentication needs mending there (sys-perm)",
                _ => "the peer's authentication failed by a fault of its own (sys)",
            }
            .to_owned(),
            SaslFailure::GivenUp => "authentication was given up".to_owned(),
        };
        let error = Self::new(
            ErrorKind::Authentication,
            ErrorScope::Connection,
            Initiator::Remote,
            message,
        );
        match failure {
            SaslFailure::Refused(code) => error.with_sasl_code(*code),
            _ => error,
        }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self(Arc::new(Inner {
            kind: ErrorKind::Codec,
            scope: ErrorScope::Delivery,
            initiator: Initiator::Remote,
            amqp: Some(transport::Error::new(condition_of(&error))),
            message: error.to_string(),
            source: Some(Box::new(error)),
            sasl: None,
            retryable: false,
            closed: false,
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("scope", &self.0.scope)
            .field("initiator", &self.0.initiator)
            .field("message", &self.0.message)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}
