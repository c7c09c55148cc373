//! SCRAM: neither side shows the password, and the listener proves that it knows the user.
//!
//! Decides the arithmetic, the bounds on the work that a peer may ask for, and how names are
//! written. RFC 5802, RFC 7677, RFC 9266.

mod client;
mod message;
mod server;

use std::fmt;
use std::ops::RangeInclusive;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

pub(super) use client::ScramClient;
pub(super) use message::{escape, unescape};
pub(crate) use server::ScramExchange;

use crate::error::Error;

/// How often a listener may have a client hash. Fewer would make stolen exchanges cheap to search,
/// more would keep the client busy at the listener's will.
pub(crate) const ITERATIONS: RangeInclusive<u32> = 4096..=1_000_000;

/// The hash function of a SCRAM mechanism; the later the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScramHash {
    /// SCRAM-SHA-1. RFC 5802.
    Sha1,
    /// SCRAM-SHA-256. RFC 7677.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramHash {
    /// The name of the mechanism, with channel binding if `plus`.
    pub(crate) fn mechanism(self, plus: bool) -> &'static str {
        match (self, plus) {
            (Self::Sha1, false) => "SCRAM-SHA-1",
            (Self::Sha1, true) => "SCRAM-SHA-1-PLUS",
            (Self::Sha256, false) => "SCRAM-SHA-256",
            (Self::Sha256, true) => "SCRAM-SHA-256-PLUS",
            (Self::Sha512, false) => "SCRAM-SHA-512",
            (Self::Sha512, true) => "SCRAM-SHA-512-PLUS",
        }
    }

    fn hash(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
            Self::Sha512 => Sha512::digest(octets).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, octets),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, octets),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, octets),
        }
    }

    /// The slow step: `Hi` of RFC 5802, 2.2.
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(match self {
            Self::Sha1 => vec![0; 20],
            Self::Sha256 => vec![0; 32],
            Self::Sha512 => vec![0; 64],
        });
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut out),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut out),
        }
        out
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], octets: &[u8]) -> Vec<u8> {
    // invariant: HMAC takes keys of every length
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(octets);
    mac.finalize().into_bytes().to_vec()
}

/// What a listener keeps of a user's password: enough to check a client, too little to be one.
#[derive(Clone)]
pub struct ScramSecret {
    hash: ScramHash,
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Zeroizing<Vec<u8>>,
    server_key: Zeroizing<Vec<u8>>,
}

impl ScramSecret {
    /// Derives it from a password; takes milliseconds for each ten thousand iterations.
    ///
    /// # Errors
    /// Configuration for a password that may not be one: RFC 4013.
    pub fn derive(
        hash: ScramHash,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, Error> {
        let password = message::prepare(password)?;
        let salted = hash.salted(password.as_bytes(), salt, iterations.max(1));
        let client_key = Zeroizing::new(hash.hmac(&salted, b"Client Key"));
        Ok(Self {
            hash,
            salt: salt.to_vec(),
            iterations: iterations.max(1),
            stored_key: Zeroizing::new(hash.hash(&client_key)),
            server_key: Zeroizing::new(hash.hmac(&salted, b"Server Key")),
        })
    }

    /// Takes what another program has stored: RFC 5803.
    pub fn from_parts(
        hash: ScramHash,
        salt: &[u8],
        iterations: u32,
        stored_key: &[u8],
        server_key: &[u8],
    ) -> Self {
        Self {
            hash,
            salt: salt.to_vec(),
            iterations,
            stored_key: Zeroizing::new(stored_key.to_vec()),
            server_key: Zeroizing::new(server_key.to_vec()),
        }
    }

    /// For which hash function.
    pub fn hash(&self) -> ScramHash {
        self.hash
    }
}

impl fmt::Debug for ScramSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramSecret")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// A nonce that nobody can foresee, printable and without commas.
fn nonce() -> Result<String, Error> {
    use base64::Engine as _;
    let mut octets = [0; 24];
    getrandom::fill(&mut octets)
        .map_err(|error| Error::authentication(format!("no random numbers: {error}")))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(octets))
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_rfcs_examples() {
        use base64::Engine as _;
        let decode = |text: &str| {
            base64::engine::general_purpose::STANDARD
                .decode(text)
                .expect("base64")
        };
        // RFC 5802, 5 and RFC 7677, 3: password "pencil", and the server's signatures there.
        let sha1 =
            ScramSecret::derive(ScramHash::Sha1, "pencil", &decode("QSXCR+Q6sek8bf92"), 4096)
                .expect("a password");
        let auth = "n=user,r=fyko+d2lbbFgONRv9qkxdawL,\
            r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,\
            c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
        assert_eq!(
            ScramHash::Sha1.hmac(&sha1.server_key, auth.as_bytes()),
            decode("rmF9pqV8S7suAoZWja4dJRkFsKQ=")
        );
        let sha256 = ScramSecret::derive(
            ScramHash::Sha256,
            "pencil",
            &decode("W22ZaJ0SNY7soEsUEjb6gQ=="),
            4096,
        )
        .expect("a password");
        let auth = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        assert_eq!(
            ScramHash::Sha256.hmac(&sha256.server_key, auth.as_bytes()),
            decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        );
    }
}
