//! SASL mechanisms: what a client and a listener say to each other to authenticate.
//!
//! Decides the arithmetic of each mechanism and which one a client uses. Which frame is due when is
//! the engine's; the mechanisms run beside the driver, so that hashing, token providers and
//! credential stores may take their time. Section 5.3; RFC 4422.

mod choose;
mod oauth;
mod scram;
mod server;
mod simple;
mod store;
mod token;

use std::fmt;
use std::pin::Pin;

use amqp_types::Symbol;

pub use oauth::TokenProvider;
pub use scram::{ScramHash, ScramSecret};
pub use server::{ServerContext, ServerExchange, ServerMechanism, ServerStep};
pub use store::{CredentialStore, StoreError, Users};

pub(crate) use choose::{Policy, Start};
pub(crate) use oauth::Dialect;
pub(crate) use server::{Anonymous, External, Plain, Scram};
pub(crate) use token::Oauth;

use crate::error::Error;
use crate::transport::Security;

/// A step of a mechanism, which may wait for something.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a client's mechanism knows of the connection.
#[derive(Clone, Debug)]
pub struct ClientContext<'a> {
    /// The host that is talked to, where it is known.
    pub host: Option<&'a str>,
    /// The port, where it is known.
    pub port: Option<u16>,
    /// The layers below.
    pub security: &'a Security,
    /// What the listener offers; empty when the mechanism starts without waiting for the offer.
    pub offered: &'a [Symbol],
}

/// A mechanism by which a client authenticates; one serves any number of connections.
pub trait ClientMechanism: Send + Sync + fmt::Debug {
    /// The registered name, for example `PLAIN`.
    fn name(&self) -> Symbol;

    /// Whether it may be used here; a mechanism that would show a secret to others says no, and why.
    ///
    /// # Errors
    /// Why it may not be used on such a connection.
    fn permits(&self, context: &ClientContext<'_>) -> Result<(), Error> {
        let _ = context;
        Ok(())
    }

    /// Begins an exchange on one connection.
    fn start(&self, context: &ClientContext<'_>) -> Box<dyn ClientExchange>;
}

/// One run of a client's mechanism.
pub trait ClientExchange: Send {
    /// The initial response; `None` when the listener has to speak first. Section 5.3.3.2.
    fn initial(&mut self) -> Pending<'_, Result<Option<Vec<u8>>, Error>>;

    /// The answer to a challenge. Section 5.3.3.4.
    fn respond<'a>(&'a mut self, challenge: &'a [u8]) -> Pending<'a, Result<Vec<u8>, Error>>;

    /// Judges the listener once it said ok, by what came with it. Section 5.3.3.5.
    ///
    /// # Errors
    /// Why the listener is not believed.
    fn verify(&mut self, additional_data: Option<&[u8]>) -> Result<(), Error> {
        let _ = additional_data;
        Ok(())
    }
}
