//! Who may connect.
//!
//! Decides which mechanisms a listener has and whether it demands them. Judging is the mechanisms'.
//! Section 5.3.2.

use std::fmt;
use std::sync::Arc;

use crate::sasl::{
    Anonymous, CredentialStore, Dialect, External, Oauth, Pending, Plain, Scram, ScramHash,
    ServerMechanism, StoreError, Users,
};
use crate::secret::Secret;

/// Who may connect, and how they show who they are.
#[derive(Clone, Default)]
pub struct Access {
    store: Option<Arc<dyn CredentialStore>>,
    /// The names of the store's mechanisms, in the order of preference.
    names: Vec<String>,
    own: Vec<Arc<dyn ServerMechanism>>,
    anonymous: bool,
    /// Whether the SASL layer may not be left out.
    pub(super) required: bool,
    /// Whether secrets may be shown where others may listen.
    anywhere: bool,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("mechanisms", &self.names)
            .field("own", &self.own)
            .field("anonymous", &self.anonymous)
            .field("required", &self.required)
            .finish()
    }
}

impl Access {
    /// Everybody: with SASL ANONYMOUS, or without a SASL layer.
    pub fn anyone() -> Self {
        Self {
            anonymous: true,
            ..Self::default()
        }
    }

    /// Only who presents a user and a password that `check` approves, by SASL PLAIN, which is
    /// offered where nobody else listens: under TLS, on loopback addresses, Unix sockets and streams
    /// that were handed over. Section 5.3.
    pub fn plain<F, R>(check: F) -> Self
    where
        F: Fn(String, String) -> R + Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        Self::store(Check(check)).mechanisms(["PLAIN"])
    }

    /// Only these users: by SCRAM, by PLAIN where nobody else listens, and by certificate if their
    /// common names are trusted.
    pub fn users(users: Users) -> Self {
        Self::store(users).mechanisms([
            "EXTERNAL",
            "SCRAM-SHA-512",
            "SCRAM-SHA-256",
            "SCRAM-SHA-1",
            "PLAIN",
        ])
    }

    /// Only whom the store knows: by SCRAM-SHA-512 and SCRAM-SHA-256, unless
    /// [`mechanisms`](Self::mechanisms) says otherwise.
    pub fn store(store: impl CredentialStore) -> Self {
        Self {
            store: Some(Arc::new(store)),
            names: vec!["SCRAM-SHA-512".to_owned(), "SCRAM-SHA-256".to_owned()],
            required: true,
            ..Self::default()
        }
    }

    /// The mechanisms that the store is asked by, in the order of preference: `EXTERNAL`,
    /// `SCRAM-SHA-512`, `SCRAM-SHA-256`, `SCRAM-SHA-1`, `OAUTHBEARER`, `XOAUTH2`, `PLAIN`. Each SCRAM is
    /// offered with channel binding too where TLS allows it. Other names are left out.
    pub fn mechanisms<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Offers a mechanism of one's own, before all others.
    pub fn mechanism(mut self, mechanism: impl ServerMechanism + 'static) -> Self {
        self.own.push(Arc::new(mechanism));
        self.required = true;
        self
    }

    /// Lets anonymous clients in as well, by SASL ANONYMOUS.
    pub fn or_anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Takes clients that leave the SASL layer out; they are anonymous.
    pub fn or_without_sasl(mut self) -> Self {
        self.required = false;
        self
    }

    /// Demands the SASL layer, from anonymous clients too.
    pub fn require_sasl(mut self) -> Self {
        self.required = true;
        self
    }

    /// Offers PLAIN, OAUTHBEARER and XOAUTH2 where others may listen too: passwords and tokens travel in the
    /// clear.
    pub fn allow_plain_without_tls(mut self) -> Self {
        self.anywhere = true;
        self
    }

    /// All that may be offered, in the order of preference.
    pub(super) fn all(&self) -> Vec<Arc<dyn ServerMechanism>> {
        let mut all = self.own.clone();
        if let Some(store) = &self.store {
            for plus in [true, false] {
                for name in &self.names {
                    all.extend(self.of_store(name, plus, store));
                }
            }
        }
        if self.anonymous {
            all.push(Arc::new(Anonymous));
        }
        all
    }

    fn of_store(
        &self,
        name: &str,
        plus: bool,
        store: &Arc<dyn CredentialStore>,
    ) -> Option<Arc<dyn ServerMechanism>> {
        let (store, anywhere) = (store.clone(), self.anywhere);
        let hash = match name {
            "SCRAM-SHA-512" => ScramHash::Sha512,
            "SCRAM-SHA-256" => ScramHash::Sha256,
            "SCRAM-SHA-1" => ScramHash::Sha1,
            _ if plus => return None,
            "EXTERNAL" => return Some(Arc::new(External(store))),
            "OAUTHBEARER" | "XOAUTH2" => {
                let dialect = match name {
                    "XOAUTH2" => Dialect::Xoauth2,
                    _ => Dialect::OauthBearer,
                };
                return Some(Arc::new(Oauth {
                    dialect,
                    store,
                    anywhere,
                }));
            }
            "PLAIN" => return Some(Arc::new(Plain { store, anywhere })),
            _ => return None,
        };
        Some(Arc::new(Scram { store, hash, plus }))
    }
}

/// A store that is one function.
struct Check<F>(F);

impl<F, R> CredentialStore for Check<F>
where
    F: Fn(String, String) -> R + Send + Sync + 'static,
    R: Future<Output = bool> + Send + 'static,
{
    fn password<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Pending<'a, Result<bool, StoreError>> {
        let answer = self.0(user.to_owned(), password.expose().to_owned());
        Box::pin(async move { Ok(answer.await) })
    }
}
