//! The mechanisms of one message, a client's half: ANONYMOUS, PLAIN, EXTERNAL.
//!
//! Decides what they say, and that PLAIN is not said where others listen. Section 5.3; RFC 4505,
//! RFC 4616, RFC 4422 appendix A.

use amqp_types::Symbol;

use super::{ClientContext, ClientExchange, ClientMechanism, Pending};
use crate::error::Error;
use crate::secret::Secret;

/// Authentication without an identity.
#[derive(Debug)]
pub(super) struct Anonymous;

impl ClientMechanism for Anonymous {
    fn name(&self) -> Symbol {
        Symbol::from_static("ANONYMOUS")
    }

    fn start(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        Box::new(OneMessage(Some(Vec::new())))
    }
}

/// User and password in the clear.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) user: String,
    pub(super) password: Secret,
    /// Whether the user allowed it where others may listen.
    pub(super) anywhere: bool,
}

impl ClientMechanism for Plain {
    fn name(&self) -> Symbol {
        Symbol::from_static("PLAIN")
    }

    /// [SASL-20]
    fn permits(&self, context: &ClientContext<'_>) -> Result<(), Error> {
        if self.anywhere || context.security.is_private() {
            return Ok(());
        }
        Err(Error::authentication(
            "PLAIN would show the password: use TLS, or say allow_plain_without_tls",
        ))
    }

    fn start(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        // [SASL-19]
        let password = self.password.expose();
        let mut response = Vec::with_capacity(self.user.len() + password.len() + 2);
        response.push(0);
        response.extend_from_slice(self.user.as_bytes());
        response.push(0);
        response.extend_from_slice(password.as_bytes());
        Box::new(OneMessage(Some(response)))
    }
}

/// Who we are is known from below: the client certificate.
#[derive(Debug)]
pub(super) struct External {
    /// Who to act as; empty is whoever the certificate says.
    pub(super) authorize_as: String,
}

impl ClientMechanism for External {
    fn name(&self) -> Symbol {
        Symbol::from_static("EXTERNAL")
    }

    fn start(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        Box::new(OneMessage(Some(self.authorize_as.clone().into_bytes())))
    }
}

/// All is said in the initial response.
pub(super) struct OneMessage(pub(super) Option<Vec<u8>>);

impl ClientExchange for OneMessage {
    fn initial(&mut self) -> Pending<'_, Result<Option<Vec<u8>>, Error>> {
        let message = self.0.take();
        Box::pin(async move { Ok(message) })
    }

    fn respond<'a>(&'a mut self, _challenge: &'a [u8]) -> Pending<'a, Result<Vec<u8>, Error>> {
        Box::pin(async {
            Err(Error::authentication(
                "the peer challenges where the mechanism has nothing more to say",
            ))
        })
    }
}
