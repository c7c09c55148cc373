//! Certificates for tests.

use amqp_client::transport::{TlsAccept, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// An authority and what it signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

pub(crate) struct Signed {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        // Two authorities of one name would be taken for each other, and a signature for broken.
        let name = format!("authority {:?}", std::time::Instant::now());
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    pub(crate) fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Signed {
            chain: certificate.pem().into_bytes(),
            key: key.serialize_pem().into_bytes(),
        }
    }

    pub(crate) fn server(&self, name: &str) -> TlsAccept {
        let signed = self.sign(name, |_| {});
        TlsAccept::pem(&signed.chain, &signed.key)
    }

    pub(crate) fn trusted(&self) -> TlsOptions {
        TlsOptions::new().ca_pem(&self.pem())
    }
}
