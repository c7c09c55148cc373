//! The mechanisms that a listener offers.
//!
//! Decides how a client's claim is judged; what there is to know of users is the store's. Tokens are
//! judged in `token`. Section 5.3; RFC 4422, RFC 4616.

use std::fmt;
use std::sync::Arc;

use amqp_types::Symbol;
use amqp_types::security::SaslCode;

use super::scram::{ScramExchange, ScramHash};
use super::{CredentialStore, Pending};
use crate::secret::Secret;
use crate::transport::Security;

/// What a listener's mechanism knows of the connection.
#[derive(Clone, Debug)]
pub struct ServerContext<'a> {
    /// The layers below: privacy, the client's certificate.
    pub security: &'a Security,
    /// What is offered on this connection; empty while that is being decided.
    pub offered: &'a [Symbol],
    /// The host that the client believes it talks to, once it has said so. Section 5.3.3.2.
    pub hostname: Option<&'a str>,
}

/// A mechanism by which a listener's clients authenticate.
pub trait ServerMechanism: Send + Sync + fmt::Debug {
    /// The registered name, for example `PLAIN`.
    fn name(&self) -> Symbol;

    /// Whether it is offered on such a connection.
    fn is_offered(&self, context: &ServerContext<'_>) -> bool {
        let _ = context;
        true
    }

    /// Begins an exchange with one client.
    fn start(&self, context: &ServerContext<'_>) -> Box<dyn ServerExchange>;
}

/// One run of a listener's mechanism.
pub trait ServerExchange: Send {
    /// Takes the client's next message: the initial response, if there was one, then its responses.
    fn step<'a>(&'a mut self, message: Option<&'a [u8]>) -> Pending<'a, ServerStep>;
}

/// What a listener's mechanism says next.
pub enum ServerStep {
    /// Ask on. Section 5.3.3.3.
    Challenge(Vec<u8>),
    /// Let the client in. Section 5.3.3.5.
    Accept {
        /// Who it is; `None` is nobody in particular.
        identity: Option<String>,
        /// What proves the listener to the client.
        additional_data: Option<Vec<u8>>,
    },
    /// Turn it away: [`SaslCode::Auth`] for wrong credentials, [`SaslCode::SysTemp`] when trying
    /// again later may help. Section 5.3.3.6.
    Refuse(SaslCode),
}

impl ServerStep {
    pub(super) fn accept(identity: Option<String>) -> Self {
        Self::Accept {
            identity,
            additional_data: None,
        }
    }

    pub(super) const REFUSED: Self = Self::Refuse(SaslCode::Auth);
}

/// Everybody may come in.
#[derive(Debug)]
pub(crate) struct Anonymous;

impl ServerMechanism for Anonymous {
    fn name(&self) -> Symbol {
        Symbol::from_static("ANONYMOUS")
    }

    fn start(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(AnonymousExchange)
    }
}

struct AnonymousExchange;

impl ServerExchange for AnonymousExchange {
    fn step<'a>(&'a mut self, _message: Option<&'a [u8]>) -> Pending<'a, ServerStep> {
        Box::pin(async { ServerStep::accept(None) })
    }
}

/// User and password in the clear.
pub(crate) struct Plain {
    pub(crate) store: Arc<dyn CredentialStore>,
    /// Whether it is offered where others may listen.
    pub(crate) anywhere: bool,
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }
}

impl ServerMechanism for Plain {
    fn name(&self) -> Symbol {
        Symbol::from_static("PLAIN")
    }

    /// [SASL-20]
    fn is_offered(&self, context: &ServerContext<'_>) -> bool {
        self.anywhere || context.security.is_private()
    }

    fn start(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(PlainExchange(self.store.clone()))
    }
}

struct PlainExchange(Arc<dyn CredentialStore>);

impl ServerExchange for PlainExchange {
    fn step<'a>(&'a mut self, message: Option<&'a [u8]>) -> Pending<'a, ServerStep> {
        Box::pin(async move {
            let Some((user, password)) = message.and_then(plain_credentials) else {
                return ServerStep::REFUSED;
            };
            match self.0.password(&user, &password).await {
                Ok(true) => ServerStep::accept(Some(user)),
                Ok(false) => ServerStep::REFUSED,
                Err(error) => ServerStep::Refuse(error.code()),
            }
        })
    }
}

/// Takes `authzid NUL authcid NUL password` apart; nobody may act as somebody else. [SASL-19]
fn plain_credentials(response: &[u8]) -> Option<(String, Secret)> {
    let mut parts = response.split(|octet| *octet == 0);
    let (acts_as, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || user.is_empty() || !(acts_as.is_empty() || acts_as == user) {
        return None;
    }
    let user = std::str::from_utf8(user).ok()?.to_owned();
    Some((user, Secret::from(std::str::from_utf8(password).ok()?)))
}

/// The client's certificate says who it is.
pub(crate) struct External(pub(crate) Arc<dyn CredentialStore>);

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("External")
    }
}

impl ServerMechanism for External {
    fn name(&self) -> Symbol {
        Symbol::from_static("EXTERNAL")
    }

    fn is_offered(&self, context: &ServerContext<'_>) -> bool {
        let tls = context.security.tls();
        tls.is_some_and(|tls| !tls.peer_certificates().is_empty())
    }

    fn start(&self, context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(ExternalExchange {
            store: self.0.clone(),
            security: context.security.clone(),
        })
    }
}

struct ExternalExchange {
    store: Arc<dyn CredentialStore>,
    security: Security,
}

impl ServerExchange for ExternalExchange {
    fn step<'a>(&'a mut self, message: Option<&'a [u8]>) -> Pending<'a, ServerStep> {
        Box::pin(async move {
            let (Some(message), Some(tls)) = (message, self.security.tls()) else {
                // The client left the first word to us.
                return ServerStep::Challenge(Vec::new());
            };
            let Ok(acts_as) = std::str::from_utf8(message) else {
                return ServerStep::REFUSED;
            };
            match self.store.certificate(tls.peer_certificates()).await {
                Ok(Some(user)) if acts_as.is_empty() || acts_as == user => {
                    ServerStep::accept(Some(user))
                }
                Ok(_) => ServerStep::REFUSED,
                Err(error) => ServerStep::Refuse(error.code()),
            }
        })
    }
}

/// SCRAM with one hash function.
pub(crate) struct Scram {
    pub(crate) store: Arc<dyn CredentialStore>,
    pub(crate) hash: ScramHash,
    /// Whether the exchange is bound to the TLS channel.
    pub(crate) plus: bool,
}

impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.mechanism(self.plus))
    }
}

impl ServerMechanism for Scram {
    fn name(&self) -> Symbol {
        Symbol::from_static(self.hash.mechanism(self.plus))
    }

    fn is_offered(&self, context: &ServerContext<'_>) -> bool {
        let tls = context.security.tls();
        !self.plus || tls.is_some_and(|tls| tls.exporter().is_some())
    }

    fn start(&self, context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(ScramExchange::new(
            self.hash,
            self.plus,
            self.store.clone(),
            context,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_taken_apart_at_its_zeros() {
        // tests: [SASL-19]
        let (user, password) = plain_credentials(b"\0us\0p w").expect("user and password");
        assert_eq!((user.as_str(), password.expose()), ("us", "p w"));
        for bad in [
            &b""[..],
            b"user",
            b"\0user",
            b"\0\0pw",
            b"a\0b\0c",
            b"\0a\0b\0c",
        ] {
            assert!(plain_credentials(bad).is_none(), "{}", bad.escape_ascii());
        }
        assert!(plain_credentials(b"a\0a\0c").is_some());
    }
}
