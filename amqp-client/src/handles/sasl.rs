//! SASL mechanisms of the client: ANONYMOUS and PLAIN.
//!
//! Decides what these mechanisms say. Choosing among them is left to the engine. Section 5.3;
//! RFC 4505, RFC 4616.

use amqp_types::{Binary, Symbol};

use super::options::Secret;
use crate::proto::Mechanism;

/// Authentication without an identity.
#[derive(Debug)]
pub(crate) struct Anonymous;

impl Mechanism for Anonymous {
    fn name(&self) -> Symbol {
        Symbol::from_static("ANONYMOUS")
    }

    fn initial_response(&mut self) -> Option<Binary> {
        Some(Binary::from(Vec::new()))
    }

    fn respond(&mut self, _challenge: &[u8]) -> Option<Binary> {
        None
    }
}

/// User and password in the clear.
#[derive(Debug)]
pub(crate) struct Plain {
    user: String,
    password: Secret,
}

impl Plain {
    pub(crate) fn new(user: String, password: Secret) -> Self {
        Self { user, password }
    }
}

impl Mechanism for Plain {
    fn name(&self) -> Symbol {
        Symbol::from_static("PLAIN")
    }

    fn initial_response(&mut self) -> Option<Binary> {
        let mut response = Vec::with_capacity(self.user.len() + self.password.0.len() + 2);
        response.push(0);
        response.extend_from_slice(self.user.as_bytes());
        response.push(0);
        response.extend_from_slice(self.password.0.as_bytes());
        Some(Binary::from(response))
    }

    fn respond(&mut self, _challenge: &[u8]) -> Option<Binary> {
        None
    }
}
