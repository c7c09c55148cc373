//! OAUTHBEARER and XOAUTH2, a listener's half.
//!
//! Decides how a token and a claim are found in what the client says, and how it learns of a refusal;
//! whether the token is good is the store's. Section 5.3; RFC 7628.

use std::fmt;
use std::sync::Arc;

use amqp_types::Symbol;

use super::oauth::Dialect;
use super::server::{ServerContext, ServerExchange, ServerMechanism, ServerStep};
use super::{CredentialStore, Pending};
use crate::secret::Secret;

/// Takes tokens.
pub(crate) struct Oauth {
    pub(crate) dialect: Dialect,
    pub(crate) store: Arc<dyn CredentialStore>,
    /// Whether it is offered where others may listen.
    pub(crate) anywhere: bool,
}

impl fmt::Debug for Oauth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.dialect.name())
    }
}

impl ServerMechanism for Oauth {
    fn name(&self) -> Symbol {
        Symbol::from_static(self.dialect.name())
    }

    /// A token is as good as a password. [SASL-20]
    fn is_offered(&self, context: &ServerContext<'_>) -> bool {
        self.anywhere || context.security.is_private()
    }

    fn start(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(OauthExchange {
            dialect: self.dialect,
            store: self.store.clone(),
            refused: false,
        })
    }
}

struct OauthExchange {
    dialect: Dialect,
    store: Arc<dyn CredentialStore>,
    /// Whether the client has been told the reason: the outcome follows its empty answer.
    refused: bool,
}

impl OauthExchange {
    /// Tells why before the outcome does. RFC 7628, 3.2.2.
    fn refuse(&mut self, why: &'static str) -> ServerStep {
        self.refused = true;
        ServerStep::Challenge(match self.dialect {
            Dialect::OauthBearer => format!("{{\"status\":\"{why}\"}}").into_bytes(),
            Dialect::Xoauth2 => br#"{"status":"401","schemes":"bearer"}"#.to_vec(),
        })
    }
}

impl ServerExchange for OauthExchange {
    fn step<'a>(&'a mut self, message: Option<&'a [u8]>) -> Pending<'a, ServerStep> {
        Box::pin(async move {
            if self.refused {
                return ServerStep::REFUSED;
            }
            let Some(message) = message else {
                // The client left the first word to us.
                return ServerStep::Challenge(Vec::new());
            };
            let Some((claimed, token)) = presented(self.dialect, message) else {
                return self.refuse("invalid_request");
            };
            match self.store.token(&token).await {
                // Nobody may act as somebody else.
                Ok(Some(user)) if claimed.as_ref().is_none_or(|claimed| *claimed == user) => {
                    ServerStep::accept(Some(user))
                }
                Ok(_) => self.refuse("invalid_token"),
                Err(error) => ServerStep::Refuse(error.code()),
            }
        })
    }
}

/// Who the client claims to be, where it does, and its token. RFC 7628, 3.1.
fn presented(dialect: Dialect, message: &[u8]) -> Option<(Option<String>, Secret)> {
    let text = std::str::from_utf8(message).ok()?;
    let claimed = match dialect {
        Dialect::OauthBearer => {
            // There is no channel binding: `n` or `y`, then who to act as.
            let (head, _) = text.split_once('\x01')?;
            let claim = head.strip_prefix("n,").or(head.strip_prefix("y,"))?;
            match claim.strip_suffix(',')? {
                "" => None,
                claim => Some(super::scram::unescape(claim.strip_prefix("a=")?)?),
            }
        }
        Dialect::Xoauth2 => {
            let (user, _) = text.strip_prefix("user=")?.split_once('\x01')?;
            Some(user.to_owned())
        }
    };
    let token = text.split('\x01').find_map(|pair| {
        let (scheme, token) = pair.strip_prefix("auth=")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    })?;
    Some((claimed.filter(|user| !user.is_empty()), Secret::from(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claim_and_token_are_found_among_the_pairs() {
        let bearer = |message: &[u8]| presented(Dialect::OauthBearer, message);
        let (claimed, token) =
            bearer(b"n,a=u=2C,\x01host=h\x01auth=bearer x.y\x01\x01").expect("a token");
        assert_eq!((claimed.as_deref(), token.expose()), (Some("u,"), "x.y"));
        let (claimed, _) = bearer(b"n,,\x01auth=Bearer x\x01\x01").expect("a token");
        assert_eq!(claimed, None);
        for bad in [
            &b"n,,\x01\x01"[..],
            b"",
            b"p=tls-exporter,,\x01auth=Bearer x\x01\x01",
            b"n,a=u=\x01auth=Bearer x\x01\x01",
            b"n,,\x01auth=Basic x\x01\x01",
            b"\xff",
        ] {
            assert!(bearer(bad).is_none(), "{}", bad.escape_ascii());
        }
        let google = |message: &[u8]| presented(Dialect::Xoauth2, message);
        let (claimed, token) = google(b"user=u,=\x01auth=Bearer x\x01\x01").expect("a token");
        assert_eq!((claimed.as_deref(), token.expose()), (Some("u,="), "x"));
        assert!(google(b"auth=Bearer x\x01\x01").is_none());
    }
}
