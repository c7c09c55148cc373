//! What a listener knows of its users.
//!
//! Decides the questions that mechanisms ask, and answers them from memory for who needs no more.
//! Section 5.3.

use std::collections::HashMap;
use std::sync::Mutex;

use amqp_types::security::SaslCode;

use super::Pending;
use super::scram::{ITERATIONS, ScramHash, ScramSecret};
use crate::error::Error;
use crate::secret::Secret;
use crate::transport::Certificate;

/// Where a listener looks its users up. Each question has a default answer: no.
///
/// The answers are awaited beside the connection's task: a look-up may take its time.
pub trait CredentialStore: Send + Sync + 'static {
    /// Whether this is the user's password. For PLAIN.
    fn password<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Pending<'a, Result<bool, StoreError>> {
        let _ = (user, password);
        Box::pin(async { Ok(false) })
    }

    /// What is kept for the user for SCRAM with this hash function; `None` for an unknown one.
    fn scram<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> Pending<'a, Result<Option<ScramSecret>, StoreError>> {
        let _ = (user, hash);
        Box::pin(async { Ok(None) })
    }

    /// Whose token this is, if it is good. For OAUTHBEARER and XOAUTH2; a client that claims to be
    /// somebody else is refused.
    fn token<'a>(&'a self, token: &'a Secret) -> Pending<'a, Result<Option<String>, StoreError>> {
        let _ = token;
        Box::pin(async { Ok(None) })
    }

    /// Who presents this certificate, the first, whose chain has been checked. For EXTERNAL. The
    /// default is nobody.
    fn certificate<'a>(
        &'a self,
        chain: &'a [Certificate],
    ) -> Pending<'a, Result<Option<String>, StoreError>> {
        let _ = chain;
        Box::pin(async { Ok(None) })
    }
}

/// Why a store could not answer. The client is told to try again later, or not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The store can not be reached now: outcome `sys-temp`.
    Temporary,
    /// The store will not answer without somebody's doing: outcome `sys-perm`.
    Permanent,
}

impl StoreError {
    /// [SASL-13]
    pub(crate) fn code(self) -> SaslCode {
        match self {
            Self::Temporary => SaslCode::SysTemp,
            Self::Permanent => SaslCode::SysPerm,
        }
    }
}

/// Users in memory.
///
/// Passwords are held in wiped memory; what SCRAM needs is derived when a user first comes.
#[derive(Debug, Default)]
pub struct Users {
    users: HashMap<String, Secret>,
    /// Whether a certificate's common name is a user name.
    common_names: bool,
    derived: Mutex<HashMap<(String, ScramHash), ScramSecret>>,
}

impl Users {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or gives one another password.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.users.insert(name.into(), password.into());
        self
    }

    /// Takes the common name of a client's certificate for its user, whoever that is.
    pub fn trust_common_names(mut self) -> Self {
        self.common_names = true;
        self
    }

    fn known(&self, user: &str, hash: ScramHash) -> Option<ScramSecret> {
        let derived = self.derived.lock().unwrap_or_else(|e| e.into_inner());
        derived.get(&(user.to_owned(), hash)).cloned()
    }
}

impl CredentialStore for Users {
    fn password<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Pending<'a, Result<bool, StoreError>> {
        let good = self.users.get(user).is_some_and(|known| known == password);
        Box::pin(async move { Ok(good) })
    }

    fn scram<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> Pending<'a, Result<Option<ScramSecret>, StoreError>> {
        Box::pin(async move {
            if let Some(secret) = self.known(user, hash) {
                return Ok(Some(secret));
            }
            let Some(password) = self.users.get(user).cloned() else {
                return Ok(None);
            };
            let derive = move || -> Result<ScramSecret, Error> {
                let mut salt = [0; 16];
                getrandom::fill(&mut salt)
                    .map_err(|error| Error::authentication(error.to_string()))?;
                ScramSecret::derive(hash, password.expose(), &salt, *ITERATIONS.start())
            };
            let secret = tokio::task::spawn_blocking(derive)
                .await
                .map_err(|_| StoreError::Temporary)?
                .map_err(|_| StoreError::Permanent)?;
            let mut derived = self.derived.lock().unwrap_or_else(|e| e.into_inner());
            let kept = derived.entry((user.to_owned(), hash)).or_insert(secret);
            Ok(Some(kept.clone()))
        })
    }

    fn certificate<'a>(
        &'a self,
        chain: &'a [Certificate],
    ) -> Pending<'a, Result<Option<String>, StoreError>> {
        let name = chain.first().filter(|_| self.common_names);
        let name = name.and_then(Certificate::common_name);
        Box::pin(async move { Ok(name) })
    }
}
