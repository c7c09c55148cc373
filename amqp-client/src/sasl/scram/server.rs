//! SCRAM, the listener's half.
//!
//! Decides whether a client has proved that it knows the password, without telling by its answers
//! which users there are. RFC 5802, RFC 9266.

use std::sync::Arc;

use amqp_types::security::SaslCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::server::{ServerContext, ServerExchange, ServerStep};
use super::super::{CredentialStore, Pending};
use super::message::{attribute, unescape};
use super::{ScramHash, ScramSecret, nonce, xor};
use crate::secret::same;

/// One run of the listener's half.
pub(crate) struct ScramExchange {
    hash: ScramHash,
    plus: bool,
    /// Whether the binding variant was offered beside this one.
    plus_offered: bool,
    exporter: Option<Vec<u8>>,
    store: Arc<dyn CredentialStore>,
    state: State,
}

enum State {
    First,
    Proof(Box<Proof>),
    Done,
}

/// What the proof is judged by.
struct Proof {
    user: String,
    /// The client's header, which it has to repeat.
    header: String,
    nonce: String,
    /// Both first messages.
    so_far: String,
    secret: ScramSecret,
    /// Whether there is such a user.
    known: bool,
}

impl ScramExchange {
    pub(crate) fn new(
        hash: ScramHash,
        plus: bool,
        store: Arc<dyn CredentialStore>,
        context: &ServerContext<'_>,
    ) -> Self {
        let exporter = context.security.tls().and_then(|tls| tls.exporter());
        Self {
            hash,
            plus,
            plus_offered: context.offered.iter().any(|name| name.ends_with("-PLUS")),
            exporter: exporter.map(<[u8]>::to_vec),
            store,
            state: State::First,
        }
    }

    async fn first(&mut self, message: &[u8]) -> Option<ServerStep> {
        let text = std::str::from_utf8(message).ok()?;
        let mut split = text.splitn(3, ',');
        let (flag, authzid, bare) = (split.next()?, split.next()?, split.next()?);
        let acceptable = match flag {
            "n" => !self.plus,
            // The client believes that binding is not offered. If it was, somebody cut it out.
            "y" => !self.plus && !self.plus_offered,
            "p=tls-exporter" => self.plus,
            _ => false,
        };
        if !acceptable {
            return None;
        }
        let mut parts = bare.split(',');
        let user = unescape(attribute(&mut parts, "n")?)?;
        let client_nonce = attribute(&mut parts, "r").filter(|nonce| !nonce.is_empty())?;
        // Acting as somebody else is nobody's right here.
        let acts_as = authzid.strip_prefix("a=").map(unescape);
        if !authzid.is_empty() && acts_as != Some(Some(user.clone())) {
            return None;
        }
        let found = match self.store.scram(&user, self.hash).await {
            Ok(found) => found.filter(|secret| secret.hash == self.hash),
            Err(error) => return Some(ServerStep::Refuse(error.code())),
        };
        let known = found.is_some();
        let secret = match found {
            Some(secret) => secret,
            None => self.decoy(&user)?,
        };
        let nonce = format!("{client_nonce}{}", nonce().ok()?);
        let challenge = format!(
            "r={nonce},s={},i={}",
            BASE64.encode(&secret.salt),
            secret.iterations
        );
        self.state = State::Proof(Box::new(Proof {
            user,
            header: format!("{flag},{authzid},"),
            nonce,
            so_far: format!("{bare},{challenge}"),
            secret,
            known,
        }));
        Some(ServerStep::Challenge(challenge.into_bytes()))
    }

    /// What an unknown user is challenged with: the same salt each time, and no proof fits.
    fn decoy(&self, user: &str) -> Option<ScramSecret> {
        static KEY: std::sync::OnceLock<[u8; 32]> = std::sync::OnceLock::new();
        if KEY.get().is_none() {
            let mut key = [0; 32];
            getrandom::fill(&mut key).ok()?;
            let _ = KEY.set(key);
        }
        let made = self.hash.hmac(KEY.get()?, user.as_bytes());
        let salt = &made[..16];
        Some(ScramSecret::from_parts(
            self.hash,
            salt,
            *super::ITERATIONS.start(),
            &self.hash.hash(&made),
            &made,
        ))
    }

    fn judge(&self, proof: &Proof, message: &[u8]) -> Option<ServerStep> {
        let text = std::str::from_utf8(message).ok()?;
        let (without_proof, sent) = text.rsplit_once(",p=")?;
        let mut parts = without_proof.split(',');
        let bound = BASE64.decode(attribute(&mut parts, "c")?).ok()?;
        let mut expected = proof.header.clone().into_bytes();
        if self.plus {
            expected.extend_from_slice(self.exporter.as_deref()?);
        }
        let nonce = attribute(&mut parts, "r")?;
        if !same(&bound, &expected) || !same(nonce.as_bytes(), proof.nonce.as_bytes()) {
            return None;
        }
        let sent = BASE64.decode(sent).ok()?;
        let exchange = format!("{},{without_proof}", proof.so_far);
        let signature = self
            .hash
            .hmac(&proof.secret.stored_key, exchange.as_bytes());
        let key = self.hash.hash(&xor(&sent, &signature));
        let good = sent.len() == signature.len() && same(&key, &proof.secret.stored_key);
        if !good || !proof.known {
            return None;
        }
        let own = self
            .hash
            .hmac(&proof.secret.server_key, exchange.as_bytes());
        Some(ServerStep::Accept {
            identity: Some(proof.user.clone()),
            additional_data: Some(format!("v={}", BASE64.encode(own)).into_bytes()),
        })
    }
}

impl ServerExchange for ScramExchange {
    fn step<'a>(&'a mut self, message: Option<&'a [u8]>) -> Pending<'a, ServerStep> {
        Box::pin(async move {
            let message = message.unwrap_or_default();
            let step = match std::mem::replace(&mut self.state, State::Done) {
                State::First if message.is_empty() => {
                    // The client left the first word to us.
                    self.state = State::First;
                    Some(ServerStep::Challenge(Vec::new()))
                }
                State::First => self.first(message).await,
                State::Proof(proof) => self.judge(&proof, message),
                State::Done => None,
            };
            step.unwrap_or(ServerStep::Refuse(SaslCode::Auth))
        })
    }
}
