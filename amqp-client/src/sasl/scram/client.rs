//! SCRAM, the client's half.
//!
//! Decides what the client says and whether the listener has proved itself; the slow hashing is done
//! on a thread where it may block. RFC 5802, RFC 9266.

use std::ops::RangeInclusive;

use amqp_types::Symbol;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::super::{ClientContext, ClientExchange, ClientMechanism, Pending};
use super::message::{attribute, escape, prepare};
use super::{ScramHash, nonce, xor};
use crate::error::Error;
use crate::secret::{Secret, same};

/// User and password, shown to nobody.
#[derive(Debug)]
pub(in crate::sasl) struct ScramClient {
    pub(in crate::sasl) hash: ScramHash,
    /// Whether the exchange is bound to the TLS channel.
    pub(in crate::sasl) plus: bool,
    pub(in crate::sasl) user: String,
    pub(in crate::sasl) password: Secret,
    pub(in crate::sasl) iterations: RangeInclusive<u32>,
}

impl ClientMechanism for ScramClient {
    fn name(&self) -> Symbol {
        Symbol::from_static(self.hash.mechanism(self.plus))
    }

    fn permits(&self, context: &ClientContext<'_>) -> Result<(), Error> {
        let bound = context.security.tls().and_then(|tls| tls.exporter());
        match self.plus && bound.is_none() {
            true => Err(refused("there is no TLS 1.3 channel to bind to")),
            false => Ok(()),
        }
    }

    fn start(&self, context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        let exporter = context.security.tls().and_then(|tls| tls.exporter());
        let (header, binding) = match (self.plus, exporter) {
            (true, Some(exporter)) => ("p=tls-exporter,,", exporter.to_vec()),
            // The flag `y`, "I could bind and you do not offer it", would show the listener an offer
            // that was cut short on the way; Qpid Broker-J refuses whoever sends it. Who needs the
            // binding allows the mechanisms that bind, and no others.
            _ => ("n,,", Vec::new()),
        };
        Box::new(Exchange {
            hash: self.hash,
            user: self.user.clone(),
            password: self.password.clone(),
            iterations: self.iterations.clone(),
            header,
            binding,
            state: State::Start,
        })
    }
}

struct Exchange {
    hash: ScramHash,
    user: String,
    password: Secret,
    iterations: RangeInclusive<u32>,
    header: &'static str,
    binding: Vec<u8>,
    state: State,
}

enum State {
    Start,
    /// The nonce and the first message without its header.
    First {
        nonce: String,
        bare: String,
    },
    /// The signature that only a listener who knows the user can make.
    Final {
        signature: Vec<u8>,
    },
    /// The listener has proved itself.
    Proved,
}

fn refused(what: &str) -> Error {
    Error::authentication(format!("SCRAM: {what}"))
}

impl ClientExchange for Exchange {
    fn initial(&mut self) -> Pending<'_, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let nonce = nonce()?;
            let user = prepare(&self.user)?;
            let bare = format!("n={},r={nonce}", escape(&user));
            let message = format!("{}{bare}", self.header);
            self.state = State::First { nonce, bare };
            Ok(Some(message.into_bytes()))
        })
    }

    fn respond<'a>(&'a mut self, challenge: &'a [u8]) -> Pending<'a, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            match std::mem::replace(&mut self.state, State::Start) {
                State::First { nonce, bare } => self.prove(&nonce, &bare, challenge).await,
                State::Final { signature } => {
                    // Some listeners send their signature as a challenge of its own.
                    check(&signature, challenge)?;
                    self.state = State::Proved;
                    Ok(Vec::new())
                }
                State::Start | State::Proved => Err(refused("a challenge that is not due")),
            }
        })
    }

    /// [SASL-17]
    fn verify(&mut self, additional_data: Option<&[u8]>) -> Result<(), Error> {
        match (&self.state, additional_data) {
            (State::Proved, _) => Ok(()),
            (State::Final { signature }, Some(message)) => check(signature, message),
            _ => Err(refused(
                "the peer says ok without having proved that it knows the password",
            )),
        }
    }
}

impl Exchange {
    /// Answers salt and iteration count with the proof.
    async fn prove(&mut self, nonce: &str, bare: &str, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        let first =
            std::str::from_utf8(challenge).map_err(|_| refused("a challenge that is no text"))?;
        let (full_nonce, salt, iterations) =
            server_first(first).ok_or_else(|| refused("a challenge that can not be read"))?;
        if full_nonce.len() <= nonce.len() || !full_nonce.starts_with(nonce) {
            return Err(refused("the peer's nonce does not continue ours"));
        }
        if !self.iterations.contains(&iterations) {
            return Err(refused(&format!(
                "the peer asks for {iterations} iterations, allowed are {} to {}",
                self.iterations.start(),
                self.iterations.end()
            )));
        }
        let hash = self.hash;
        let password = prepare(self.password.expose())?;
        let salted = tokio::task::spawn_blocking(move || {
            hash.salted(password.as_bytes(), &salt, iterations)
        })
        .await
        .map_err(|_| refused("the hashing was cut off"))?;
        let client_key = Zeroizing::new(hash.hmac(&salted, b"Client Key"));
        let stored_key = Zeroizing::new(hash.hash(&client_key));
        let server_key = Zeroizing::new(hash.hmac(&salted, b"Server Key"));
        let bound = [self.header.as_bytes(), &self.binding].concat();
        let without_proof = format!("c={},r={full_nonce}", BASE64.encode(bound));
        let exchange = format!("{bare},{first},{without_proof}");
        let proof = xor(&client_key, &hash.hmac(&stored_key, exchange.as_bytes()));
        self.state = State::Final {
            signature: hash.hmac(&server_key, exchange.as_bytes()),
        };
        Ok(format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes())
    }
}

/// Nonce, salt and iteration count; mandatory extensions are not known.
fn server_first(text: &str) -> Option<(&str, Vec<u8>, u32)> {
    let mut parts = text.split(',');
    let nonce = attribute(&mut parts, "r")?;
    let salt = BASE64.decode(attribute(&mut parts, "s")?).ok()?;
    let iterations = attribute(&mut parts, "i")?.parse().ok()?;
    (!salt.is_empty()).then_some((nonce, salt, iterations))
}

/// Judges the listener's last message.
fn check(expected: &[u8], message: &[u8]) -> Result<(), Error> {
    let text =
        std::str::from_utf8(message).map_err(|_| refused("a last message that is no text"))?;
    let mut parts = text.split(',');
    let signature = attribute(&mut parts, "v")
        .and_then(|text| BASE64.decode(text).ok())
        .ok_or_else(|| refused("the peer's last message has no signature"))?;
    match same(&signature, expected) {
        true => Ok(()),
        false => Err(refused(
            "the peer's signature is wrong: it does not know the password",
        )),
    }
}
