//! TLS with rustls.
//!
//! Decides what is trusted, what is shown, and what is kept of a handshake. The provider of the
//! cryptography is a feature: aws-lc-rs, ring, or the process's own. Section 5.2.

mod client;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, CommonState, HandshakeKind, ProtocolVersion};

pub use client::TlsOptions;
pub use server::TlsAccept;

use super::security::{Certificate, TlsInfo};
use crate::error::Error;

/// PEM, from a file that is read when it is needed, or as it is.
#[derive(Clone)]
enum Pem {
    File(PathBuf),
    Octets(Arc<zeroize::Zeroizing<Vec<u8>>>),
}

impl Pem {
    fn file(path: impl AsRef<Path>) -> Self {
        Self::File(path.as_ref().to_owned())
    }

    fn octets(octets: &[u8]) -> Self {
        Self::Octets(Arc::new(zeroize::Zeroizing::new(octets.to_vec())))
    }

    fn read(&self) -> Result<Arc<zeroize::Zeroizing<Vec<u8>>>, Error> {
        match self {
            Self::Octets(octets) => Ok(octets.clone()),
            Self::File(path) => std::fs::read(path)
                .map(|octets| Arc::new(zeroize::Zeroizing::new(octets)))
                .map_err(|error| {
                    Error::configuration(format!("{} can not be read: {error}", path.display()))
                }),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Octets(_) => "the PEM that was given".to_owned(),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let octets = self.read()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => Err(Error::configuration(format!(
                "{} has no certificates",
                self.name()
            ))),
        }
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        let octets = self.read()?;
        PrivateKeyDer::from_pem_slice(&octets)
            .map_err(|_| Error::configuration(format!("{} has no private key", self.name())))
    }
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// Who does the cryptography of a TLS layer.
///
/// Each is there with the feature of its name; both can be, and each configuration may have its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsProvider {
    /// The one that the process has installed with rustls; else aws-lc-rs, where the feature is on,
    /// since it knows more: key exchange that withstands quantum computers, P-521; else ring.
    #[default]
    Default,
    /// The crate aws-lc-rs.
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
    /// The crate ring.
    #[cfg(feature = "ring")]
    Ring,
}

impl TlsProvider {
    fn get(self) -> Result<Arc<CryptoProvider>, Error> {
        match self {
            Self::Default => default_provider(),
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider())),
            #[cfg(feature = "ring")]
            Self::Ring => Ok(Arc::new(rustls::crypto::ring::default_provider())),
        }
    }
}

fn default_provider() -> Result<Arc<CryptoProvider>, Error> {
    if let Some(installed) = CryptoProvider::get_default() {
        return Ok(installed.clone());
    }
    #[cfg(feature = "aws-lc-rs")]
    return TlsProvider::AwsLcRs.get();
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return TlsProvider::Ring.get();
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    Err(Error::configuration(
        "TLS has no provider: enable the feature ring or aws-lc-rs, or install one",
    ))
}

/// The versions that are spoken.
fn versions(only_13: bool) -> &'static [&'static rustls::SupportedProtocolVersion] {
    static ONLY_13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    match only_13 {
        true => ONLY_13,
        false => rustls::ALL_VERSIONS,
    }
}

fn refused(error: rustls::Error) -> Error {
    Error::configuration(format!("TLS can not be set up: {error}"))
}

/// What both sides keep of a handshake.
fn info(state: &CommonState, exporter: Option<[u8; 32]>) -> TlsInfo {
    let certificates = state.peer_certificates().unwrap_or_default();
    TlsInfo {
        version: match state.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher_suite: state
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default(),
        alpn: state.alpn_protocol().map(<[u8]>::to_vec),
        server_name: None,
        resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        certificates: certificates
            .iter()
            .map(|der| Certificate(Bytes::copy_from_slice(der)))
            .collect(),
        own_certificate: false,
        // RFC 9266: TLS 1.3 alone is safe to bind to like this.
        exporter: exporter.filter(|_| state.protocol_version() == Some(ProtocolVersion::TLSv1_3)),
    }
}

/// RFC 9266, 2.
const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
