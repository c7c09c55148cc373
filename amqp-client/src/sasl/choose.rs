//! Which mechanism a client uses.
//!
//! Decides the order of strength, and that nothing weaker is fallen back to than what the user has
//! allowed: who gave credentials is never anonymous, and a password is never shown to others.
//! Section 5.3.2.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::oauth::{Dialect, Token};
use super::scram::{ITERATIONS, ScramClient, ScramHash};
use super::simple::{Anonymous, External, Plain};
use super::{ClientContext, ClientMechanism, TokenProvider};
use crate::error::Error;
use crate::proto::SaslFailure;
use crate::secret::Secret;

/// What a client may authenticate with.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) token: Option<(String, Arc<dyn TokenProvider>)>,
    /// Who to act as by EXTERNAL, where that was asked for.
    pub(crate) external: Option<String>,
    /// The only mechanisms that may be used; any that fits otherwise.
    pub(crate) allowed: Option<Vec<String>>,
    /// The user's own mechanisms, which come first.
    pub(crate) own: Vec<Arc<dyn ClientMechanism>>,
    /// Whether secrets may be shown where others may listen.
    pub(crate) anywhere: bool,
    pub(crate) iterations: RangeInclusive<u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            user: None,
            password: None,
            token: None,
            external: None,
            allowed: None,
            own: Vec::new(),
            anywhere: false,
            iterations: ITERATIONS,
        }
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("user", &self.user)
            .field("password", &self.password)
            .field("token", &self.token.is_some())
            .field("external", &self.external)
            .field("allowed", &self.allowed)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// How an exchange begins.
#[derive(Debug)]
pub(crate) enum Start {
    /// With this mechanism, without waiting for the offer. [SASL-10]
    Fixed(Arc<dyn ClientMechanism>),
    /// With what the offer allows.
    ByOffer,
}

impl Policy {
    /// Decides whether the offer has to be waited for: not when the user allows one mechanism alone.
    ///
    /// # Errors
    /// Why the one mechanism may not be used on such a connection.
    pub(crate) fn start(&self, context: &ClientContext<'_>) -> Result<Start, Error> {
        if self.allowed.as_ref().is_none_or(|names| names.len() != 1) {
            return Ok(Start::ByOffer);
        }
        match self.candidates(context).pop() {
            Some(mechanism) => mechanism.permits(context).map(|()| Start::Fixed(mechanism)),
            None => Err(Error::configuration(format!(
                "the one SASL mechanism that is allowed, {:?}, needs credentials that were not given",
                self.allowed.as_deref().unwrap_or_default()
            ))),
        }
    }

    /// The strongest mechanism that is offered, allowed and fit for the connection. [SASL-08]
    ///
    /// # Errors
    /// No common mechanism, or why the one that was found may not be used.
    pub(crate) fn choose(
        &self,
        context: &ClientContext<'_>,
    ) -> Result<Arc<dyn ClientMechanism>, Error> {
        let mut why_not = None;
        for mechanism in self.candidates(context) {
            if !context.offered.contains(&mechanism.name()) {
                continue;
            }
            match mechanism.permits(context) {
                Ok(()) => return Ok(mechanism),
                Err(error) => why_not = Some(error),
            }
        }
        let none = || Error::sasl(&SaslFailure::NoMechanism(context.offered.to_vec()));
        Err(why_not.unwrap_or_else(none))
    }

    /// All that the credentials are good for, strongest first.
    fn candidates(&self, context: &ClientContext<'_>) -> Vec<Arc<dyn ClientMechanism>> {
        let mut all: Vec<Arc<dyn ClientMechanism>> = self.own.clone();
        let certificate = context
            .security
            .tls()
            .is_some_and(|tls| tls.own_certificate);
        let nothing_else = self.user.is_none() && self.token.is_none() && self.own.is_empty();
        match &self.external {
            Some(name) => all.push(Arc::new(External {
                authorize_as: name.clone(),
            })),
            // A certificate of one's own and nothing else: that is who we are.
            None if certificate && nothing_else => all.push(Arc::new(External {
                authorize_as: String::new(),
            })),
            None => {}
        }
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            for (hash, plus) in [
                (ScramHash::Sha512, true),
                (ScramHash::Sha256, true),
                (ScramHash::Sha512, false),
                (ScramHash::Sha256, false),
                (ScramHash::Sha1, true),
                (ScramHash::Sha1, false),
            ] {
                // Without a channel to bind to, the binding variant is no candidate.
                let bound = context.security.tls().and_then(|tls| tls.exporter());
                if plus && bound.is_none() {
                    continue;
                }
                all.push(Arc::new(ScramClient {
                    hash,
                    plus,
                    user: user.clone(),
                    password: password.clone(),
                    iterations: self.iterations.clone(),
                }));
            }
        }
        if let Some((user, provider)) = &self.token {
            for dialect in [Dialect::OauthBearer, Dialect::Xoauth2] {
                all.push(Arc::new(Token {
                    dialect,
                    user: user.clone(),
                    provider: provider.clone(),
                    anywhere: self.anywhere,
                }));
            }
        }
        if let Some(user) = &self.user {
            all.push(Arc::new(Plain {
                user: user.clone(),
                password: self.password.clone().unwrap_or_default(),
                anywhere: self.anywhere,
            }));
        }
        if nothing_else && self.external.is_none() {
            all.push(Arc::new(Anonymous));
        }
        if let Some(allowed) = &self.allowed {
            all.retain(|mechanism| {
                allowed
                    .iter()
                    .any(|name| *name == mechanism.name().as_str())
            });
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use amqp_types::Symbol;

    use super::*;
    use crate::transport::{Security, TlsInfo};

    fn chosen(policy: &Policy, security: &Security, offered: &[&str]) -> Result<String, String> {
        let offered: Vec<Symbol> = offered
            .iter()
            .map(|name| Symbol::try_from(*name).expect("a symbol"))
            .collect();
        let context = ClientContext {
            host: None,
            port: None,
            security,
            offered: &offered,
        };
        match policy.choose(&context) {
            Ok(mechanism) => Ok(mechanism.name().as_str().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn user() -> Policy {
        Policy {
            user: Some("u".into()),
            password: Some("p".into()),
            ..Policy::default()
        }
    }

    fn tls() -> Security {
        Security {
            local: false,
            tls: Some(TlsInfo {
                exporter: Some([7; 32]),
                ..TlsInfo::default()
            }),
        }
    }

    #[test]
    fn the_strongest_that_is_offered_is_used_whatever_the_order() {
        let open = Security::default();
        let offer = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-512", "SCRAM-SHA-256"];
        assert_eq!(chosen(&user(), &open, &offer), Ok("SCRAM-SHA-512".into()));
        assert_eq!(
            chosen(&user(), &tls(), &["SCRAM-SHA-512", "SCRAM-SHA-256-PLUS"]),
            Ok("SCRAM-SHA-256-PLUS".into())
        );
        assert_eq!(
            chosen(&user(), &tls(), &["PLAIN", "ANONYMOUS"]),
            Ok("PLAIN".into())
        );
    }

    #[test]
    fn a_password_is_not_shown_to_others_unless_allowed() {
        let open = Security::default();
        let error = chosen(&user(), &open, &["PLAIN"]).expect_err("not in the clear");
        assert!(error.contains("use TLS"), "{error}");
        let allowed = Policy {
            anywhere: true,
            ..user()
        };
        assert_eq!(chosen(&allowed, &open, &["PLAIN"]), Ok("PLAIN".into()));
        let local = Security {
            local: true,
            tls: None,
        };
        assert_eq!(chosen(&user(), &local, &["PLAIN"]), Ok("PLAIN".into()));
    }

    #[test]
    fn who_gave_credentials_is_never_anonymous() {
        let error = chosen(&user(), &tls(), &["ANONYMOUS", "EXTERNAL"]).expect_err("no downgrade");
        assert!(error.contains("ANONYMOUS, EXTERNAL"), "{error}");
        let nobody = Policy::default();
        assert_eq!(
            chosen(&nobody, &tls(), &["PLAIN", "ANONYMOUS"]),
            Ok("ANONYMOUS".into())
        );
    }

    #[test]
    fn what_is_not_allowed_is_not_used() {
        let strict = Policy {
            allowed: Some(vec!["SCRAM-SHA-512".into(), "SCRAM-SHA-256".into()]),
            ..user()
        };
        assert!(chosen(&strict, &tls(), &["SCRAM-SHA-1", "PLAIN"]).is_err());
    }
}
