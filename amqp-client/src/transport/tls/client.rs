//! TLS of the side that connects.
//!
//! Decides whom a client trusts: the platform's roots unless others are named, and the host name
//! always. Section 5.2.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as RustlsError, RootCertStore, SignatureScheme,
};

use super::{BINDING_LABEL, Pem, TlsProvider, info, refused, versions};
use crate::error::Error;
use crate::transport::BoxedStream;
use crate::transport::security::TlsInfo;

/// The header of the TLS layer. Section 5.2.
const TLS_HEADER: &[u8; 8] = b"AMQP\x02\x01\x00\x00";

/// What a client's TLS trusts and shows.
///
/// Files are read when the first connection needs them. Clones share sessions that can be resumed.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    authorities: Vec<Pem>,
    own: Option<(Pem, Pem)>,
    provider: TlsProvider,
    alpn: Vec<Vec<u8>>,
    server_name: Option<String>,
    only_13: bool,
    unverified: bool,
    pub(crate) in_band: bool,
    made: Arc<Mutex<Option<Arc<ClientConfig>>>>,
}

impl TlsOptions {
    /// The defaults: the platform's roots, the host's name, TLS 1.2 and 1.3, no certificate of one's own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authorities of this PEM file, and no longer the platform's. May be called again.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.authorities.push(Pem::file(path));
        self.changed()
    }

    /// Trusts the authorities in this PEM text, and no longer the platform's. May be called again.
    pub fn ca_pem(mut self, pem: &[u8]) -> Self {
        self.authorities.push(Pem::octets(pem));
        self.changed()
    }

    /// Shows this certificate chain, with its key, to peers that ask: two PEM files.
    pub fn client_certificate_files(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Self {
        self.own = Some((Pem::file(chain), Pem::file(key)));
        self.changed()
    }

    /// Shows this certificate chain, with its key, to peers that ask: two PEM texts.
    pub fn client_certificate_pem(mut self, chain: &[u8], key: &[u8]) -> Self {
        self.own = Some((Pem::octets(chain), Pem::octets(key)));
        self.changed()
    }

    /// Offers these protocols by ALPN. Default: none.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.alpn = protocols.into_iter().collect();
        self.changed()
    }

    /// Expects and asks for this name, where it differs from the host that is connected to.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Has this one do the cryptography. Default: [`TlsProvider::Default`].
    pub fn provider(mut self, provider: TlsProvider) -> Self {
        self.provider = provider;
        self.changed()
    }

    /// Speaks TLS 1.3 and nothing older. Default: 1.2 and 1.3.
    pub fn only_tls13(mut self) -> Self {
        self.only_13 = true;
        self.changed()
    }

    /// Asks for TLS by the header of the TLS layer on an `amqp` address, instead of speaking it from
    /// the first octet. Section 5.2.
    pub fn in_band(mut self) -> Self {
        self.in_band = true;
        self
    }

    /// Takes any certificate of anybody: whoever is in between reads and changes everything.
    pub fn dangerous_accept_any_certificate(mut self) -> Self {
        self.unverified = true;
        self.changed()
    }

    /// Reads the files again for the next connection. Sessions are no longer resumed.
    pub fn reload(&self) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What was made for other options is not shared.
    fn changed(mut self) -> Self {
        self.made = Arc::default();
        self
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*made {
            return Ok(config.clone());
        }
        let config = Arc::new(self.make()?);
        *made = Some(config.clone());
        Ok(config)
    }

    fn make(&self) -> Result<ClientConfig, Error> {
        let provider = self.provider.get()?;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions(self.only_13))
            .map_err(refused)?;
        let builder = match self.unverified {
            true => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider))),
            // [TLS-03]
            false => builder.with_root_certificates(self.roots()?),
        };
        let mut config = match &self.own {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.certificates()?, key.key()?)
                .map_err(refused)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        if self.authorities.is_empty() {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(Error::configuration(
                    "the platform has no root certificates",
                ));
            }
        }
        for pem in &self.authorities {
            for certificate in pem.certificates()? {
                roots.add(certificate).map_err(refused)?;
            }
        }
        Ok(roots)
    }

    /// Shakes hands; with `in_band` the header of the TLS layer goes before. [TLS-01] [TLS-02] [TLS-04]
    pub(crate) async fn connect(
        &self,
        mut stream: BoxedStream,
        host: &str,
        in_band: bool,
    ) -> Result<(BoxedStream, TlsInfo), Error> {
        let options = self.clone();
        let config = tokio::task::spawn_blocking(move || options.config())
            .await
            .map_err(|_| Error::configuration("reading certificates was cut off"))??;
        let name = self.server_name.as_deref().unwrap_or(host);
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| Error::configuration(format!("{name} is no name for TLS")))?;
        if in_band {
            let io = |error| Error::io("the header of the TLS layer", error);
            stream.write_all(TLS_HEADER).await.map_err(io)?;
            let mut answer = [0; 8];
            stream.read_exact(&mut answer).await.map_err(io)?;
            // [TLS-07]: not an octet more has been read.
            if answer != *TLS_HEADER {
                return Err(Error::tls(format!(
                    "the peer answers {} where the TLS layer was asked for",
                    answer.escape_ascii()
                )));
            }
        }
        let connected = TlsConnector::from(config).connect(server, stream).await;
        let stream = connected.map_err(|error| Error::io("TLS handshake", error))?;
        let (_, connection) = stream.get_ref();
        let exporter = connection
            .export_keying_material([0; 32], BINDING_LABEL, Some(b""))
            .ok();
        let mut info = info(connection, exporter);
        info.server_name = Some(name.to_owned());
        info.own_certificate = self.own.is_some();
        Ok((Box::new(stream), info))
    }
}

/// Takes anybody for whoever was asked for.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
