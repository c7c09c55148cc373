//! What the layers below AMQP give a connection: privacy, the peer's certificate, a binding.
//!
//! Decides what may be known of them without naming the library that made them. Section 5.2.

use std::fmt;

use bytes::Bytes;

/// How well the octets of a connection are kept from others.
#[derive(Clone, Debug, Default)]
pub struct Security {
    pub(crate) local: bool,
    pub(crate) tls: Option<TlsInfo>,
}

impl Security {
    /// Whether a password may be sent in the clear: under TLS, or when the octets never leave the
    /// machine (a loopback address, a Unix socket).
    pub fn is_private(&self) -> bool {
        self.local || self.tls.is_some()
    }

    /// What is known of the TLS layer, where there is one.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }
}

/// What was agreed on in a TLS handshake.
#[derive(Clone, Default)]
pub struct TlsInfo {
    pub(crate) version: &'static str,
    pub(crate) cipher_suite: String,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) server_name: Option<String>,
    pub(crate) resumed: bool,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) own_certificate: bool,
    pub(crate) exporter: Option<[u8; 32]>,
}

impl TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// The name of the cipher suite.
    pub fn cipher_suite(&self) -> &str {
        &self.cipher_suite
    }

    /// The protocol that ALPN agreed on.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// The host name that the client asked for (SNI).
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Whether the handshake resumed an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The peer's certificate and its chain; empty for a client without one.
    pub fn peer_certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The channel binding `tls-exporter` of RFC 9266; TLS 1.3 only.
    pub(crate) fn exporter(&self) -> Option<&[u8]> {
        self.exporter.as_ref().map(|binding| binding.as_slice())
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("server_name", &self.server_name)
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}

/// An X.509 certificate, DER.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(pub(crate) Bytes);

impl Certificate {
    /// The certificate, encoded as DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The common name of the subject, where there is one that is text.
    pub fn common_name(&self) -> Option<String> {
        let certificate = Der(&self.0).enter(SEQUENCE)?;
        let mut tbs = certificate.enter(SEQUENCE)?;
        // [0] version (optional), serial number, signature algorithm, issuer, validity, subject.
        if tbs.tag() == Some(0xa0) {
            tbs.next()?;
        }
        for _ in 0..4 {
            tbs.next()?;
        }
        let mut names = tbs.enter(SEQUENCE)?;
        let mut common_name = None;
        while let Some((_, set)) = names.next() {
            let mut attribute = Der(set).enter(SEQUENCE)?;
            let (_, oid) = attribute.next()?;
            let (_, value) = attribute.next()?;
            if oid == COMMON_NAME {
                common_name = std::str::from_utf8(value).ok().map(str::to_owned);
            }
        }
        common_name
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({:?})", self.common_name())
    }
}

const SEQUENCE: u8 = 0x30;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// As much of DER as it takes to find a name.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Takes one element: its tag and its contents.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = octets.iter().fold(0, |n, o| n << 8 | usize::from(*o));
                (length, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    fn enter(mut self, tag: u8) -> Option<Self> {
        let (found, contents) = self.next()?;
        (found == tag).then_some(Self(contents))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Certificate;

    #[test]
    fn octets_that_are_no_certificate_have_no_name() {
        for octets in [
            &b""[..],
            b"\x30",
            b"\x30\x82\xff\xff",
            b"\x30\x03\x30\x01\xa0",
        ] {
            assert_eq!(
                Certificate(Bytes::copy_from_slice(octets)).common_name(),
                None
            );
        }
    }
}
