//! TLS of the side that is connected to.
//!
//! Decides what a listener shows and whether it wants to see a client's certificate. Section 5.2.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::{BINDING_LABEL, Pem, TlsProvider, info, refused, versions};
use crate::error::Error;
use crate::transport::BoxedStream;
use crate::transport::accept::linger;
use crate::transport::security::TlsInfo;

/// What a listener's TLS shows and trusts.
///
/// Clones share the certificate: [`reload`](Self::reload) of one is seen by all.
#[derive(Clone, Debug)]
pub struct TlsAccept {
    chain: Pem,
    key: Pem,
    authorities: Vec<Pem>,
    /// Whether clients have to show a certificate.
    required: bool,
    provider: TlsProvider,
    alpn: Vec<Vec<u8>>,
    only_13: bool,
    made: Arc<RwLock<Option<Arc<ServerConfig>>>>,
}

impl TlsAccept {
    /// Shows this certificate chain, with its key: two PEM files.
    pub fn files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self::new(Pem::file(chain), Pem::file(key))
    }

    /// Shows this certificate chain, with its key: two PEM texts.
    pub fn pem(chain: &[u8], key: &[u8]) -> Self {
        Self::new(Pem::octets(chain), Pem::octets(key))
    }

    fn new(chain: Pem, key: Pem) -> Self {
        Self {
            chain,
            key,
            authorities: Vec::new(),
            required: false,
            provider: TlsProvider::Default,
            alpn: Vec::new(),
            only_13: false,
            made: Arc::default(),
        }
    }

    /// Asks clients for a certificate of these authorities, a PEM file; who has none may still come.
    pub fn client_ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.authorities.push(Pem::file(path));
        self.changed()
    }

    /// Asks clients for a certificate of these authorities, PEM text; who has none may still come.
    pub fn client_ca_pem(mut self, pem: &[u8]) -> Self {
        self.authorities.push(Pem::octets(pem));
        self.changed()
    }

    /// Turns away clients without a certificate of the authorities that were named.
    pub fn require_client_certificate(mut self) -> Self {
        self.required = true;
        self.changed()
    }

    /// Takes one of these protocols by ALPN, the first that the client offers too.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.alpn = protocols.into_iter().collect();
        self.changed()
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

    /// Reads the files now and shows what they say to every client from here on; who is connected
    /// stays so.
    ///
    /// # Errors
    /// Configuration when the files can not be used; what was shown before is shown on.
    pub fn reload(&self) -> Result<(), Error> {
        let config = Arc::new(self.make()?);
        *self.made.write().unwrap_or_else(PoisonError::into_inner) = Some(config);
        Ok(())
    }

    fn changed(mut self) -> Self {
        self.made = Arc::default();
        self
    }

    fn config(&self) -> Result<Arc<ServerConfig>, Error> {
        let made = self
            .made
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(config) = made {
            return Ok(config);
        }
        self.reload()?;
        let made = self
            .made
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        made.ok_or_else(|| Error::configuration("TLS was not set up"))
    }

    fn make(&self) -> Result<ServerConfig, Error> {
        let provider = self.provider.get()?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions(self.only_13))
            .map_err(refused)?;
        let builder = match self.authorities.is_empty() {
            true if self.required => {
                return Err(Error::configuration(
                    "client certificates are required, and no authority is named",
                ));
            }
            true => builder.with_no_client_auth(),
            false => {
                let mut roots = RootCertStore::empty();
                for pem in &self.authorities {
                    for certificate in pem.certificates()? {
                        roots.add(certificate).map_err(refused)?;
                    }
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match self.required {
                    true => verifier,
                    false => verifier.allow_unauthenticated(),
                };
                let verifier = verifier.build().map_err(|error| {
                    Error::configuration(format!("client authorities: {error}"))
                })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(self.chain.certificates()?, self.key.key()?)
            .map_err(refused)?;
        config.alpn_protocols.clone_from(&self.alpn);
        Ok(config)
    }

    /// Shakes hands. [TLS-04]
    pub(crate) async fn accept(
        &self,
        stream: BoxedStream,
    ) -> Result<(BoxedStream, TlsInfo), Error> {
        let options = self.clone();
        let config = tokio::task::spawn_blocking(move || options.config())
            .await
            .map_err(|_| Error::configuration("reading certificates was cut off"))??;
        let accept = TlsAcceptor::from(config).accept(stream).into_fallible();
        let stream = match accept.await {
            Ok(stream) => stream,
            Err((error, stream)) => {
                // The alert has been written.
                linger(stream).await;
                return Err(Error::io("TLS handshake", error));
            }
        };
        let (_, connection) = stream.get_ref();
        let exporter = connection
            .export_keying_material([0; 32], BINDING_LABEL, Some(b""))
            .ok();
        let mut info = info(connection, exporter);
        info.server_name = connection.server_name().map(str::to_owned);
        Ok((Box::new(stream), info))
    }
}
