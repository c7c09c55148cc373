//! OAUTHBEARER and XOAUTH2, a client's half: a token instead of a password.
//!
//! Decides how a token is presented; where it comes from is the provider's. RFC 7628.

use std::sync::Arc;

use amqp_types::Symbol;

use super::{ClientContext, ClientExchange, ClientMechanism, Pending};
use crate::error::Error;
use crate::secret::Secret;

/// Where tokens come from. Asked once a connection, so that an expired one is replaced.
///
/// Any `Fn() -> impl Future<Output = Result<Secret, …>>` is one:
///
/// ```
/// use amqp_client::{ConnectionOptions, Secret};
///
/// let options = ConnectionOptions::new()
///     .token_provider("user", || async { Ok(Secret::from("ya29.token")) });
/// ```
pub trait TokenProvider: Send + Sync + 'static {
    /// A token that is good now.
    fn token(&self) -> Pending<'_, Result<Secret, Box<dyn std::error::Error + Send + Sync>>>;
}

impl<F, R> TokenProvider for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<Secret, Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    fn token(&self) -> Pending<'_, Result<Secret, Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(self())
    }
}

/// Which of the two spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OauthBearer,
    Xoauth2,
}

impl Dialect {
    /// The registered name of the mechanism.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
        }
    }
}

/// Presents a token.
pub(super) struct Token {
    pub(super) dialect: Dialect,
    pub(super) user: String,
    pub(super) provider: Arc<dyn TokenProvider>,
    /// Whether the user allowed it where others may listen.
    pub(super) anywhere: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("dialect", &self.dialect)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl ClientMechanism for Token {
    fn name(&self) -> Symbol {
        Symbol::from_static(self.dialect.name())
    }

    /// A token is as good as a password. [SASL-20]
    fn permits(&self, context: &ClientContext<'_>) -> Result<(), Error> {
        if self.anywhere || context.security.is_private() {
            return Ok(());
        }
        Err(Error::authentication(
            "a token would be shown to others: use TLS, or say allow_plain_without_tls",
        ))
    }

    fn start(&self, context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        let before = match self.dialect {
            Dialect::OauthBearer => {
                let mut head = match self.user.is_empty() {
                    true => "n,,".to_owned(),
                    false => format!("n,a={},", super::scram::escape(&self.user)),
                };
                if let Some(host) = context.host {
                    head.push_str(&format!("\x01host={host}"));
                }
                if let Some(port) = context.port {
                    head.push_str(&format!("\x01port={port}"));
                }
                head.push('\x01');
                head
            }
            Dialect::Xoauth2 => format!("user={}\x01", self.user),
        };
        Box::new(TokenExchange {
            dialect: self.dialect,
            before,
            provider: self.provider.clone(),
        })
    }
}

struct TokenExchange {
    dialect: Dialect,
    /// What stands in front of the token.
    before: String,
    provider: Arc<dyn TokenProvider>,
}

impl ClientExchange for TokenExchange {
    fn initial(&mut self) -> Pending<'_, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let token = self.provider.token().await.map_err(|error| {
                Error::authentication(format!("the token provider failed: {error}")).retryable()
            })?;
            let (before, token) = (self.before.as_bytes(), token.expose().as_bytes());
            let parts = [before, b"auth=Bearer ", token, b"\x01\x01"];
            Ok(Some(parts.concat()))
        })
    }

    /// A challenge tells why the token was refused; the outcome follows our empty answer. RFC 7628, 3.2.3.
    fn respond<'a>(&'a mut self, _challenge: &'a [u8]) -> Pending<'a, Result<Vec<u8>, Error>> {
        let answer = match self.dialect {
            Dialect::OauthBearer => vec![1],
            Dialect::Xoauth2 => Vec::new(),
        };
        Box::pin(async move { Ok(answer) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Security;

    #[tokio::test]
    async fn a_token_is_written_as_each_dialect_wants_it() {
        let security = Security::default();
        let context = ClientContext {
            host: Some("h"),
            port: Some(5671),
            security: &security,
            offered: &[],
        };
        let mechanism = |dialect| Token {
            dialect,
            user: "u,=".to_owned(),
            provider: Arc::new(|| async { Ok(Secret::from("tok")) }),
            anywhere: false,
        };
        let mut exchange = mechanism(Dialect::OauthBearer).start(&context);
        let initial = exchange
            .initial()
            .await
            .expect("a token")
            .expect("a message");
        assert_eq!(
            initial.escape_ascii().to_string(),
            r"n,a=u=2C=3D,\x01host=h\x01port=5671\x01auth=Bearer tok\x01\x01"
        );
        let mut exchange = mechanism(Dialect::Xoauth2).start(&context);
        let initial = exchange
            .initial()
            .await
            .expect("a token")
            .expect("a message");
        assert_eq!(
            initial.escape_ascii().to_string(),
            r"user=u,=\x01auth=Bearer tok\x01\x01"
        );
        assert!(mechanism(Dialect::Xoauth2).permits(&context).is_err());
        assert!(!format!("{:?}", mechanism(Dialect::Xoauth2)).contains("tok\""));
    }
}
