//! Certificates for meetings: an authority, what it signed, and a stranger.
//!
//! Decides names and faults only: a server for `localhost`, one for another host, one that has expired, a client. Section 5.2.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::check::During;

/// Writes `ca.pem`, `stranger.pem`, `client.pem` and `.key`, the same of a `nobody` whom no peer knows, and of `server`, `other` and
/// `expired` the same and both in one `-all.pem`.
pub(crate) fn write(folder: &str) -> Result<(), String> {
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder).during("make the folder")?;
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).during(name);
    let authority = authority("interop")?;
    put("ca.pem", authority.pem())?;
    put("stranger.pem", self::authority("stranger")?.pem())?;
    for (name, host, expired) in [
        ("server", "localhost", false),
        ("other", "other.example", false),
        ("expired", "localhost", true),
    ] {
        let (chain, key) = sign(
            &authority,
            host,
            ExtendedKeyUsagePurpose::ServerAuth,
            expired,
        )?;
        put(&format!("{name}-all.pem"), format!("{key}{chain}"))?;
        put(&format!("{name}.pem"), chain)?;
        put(&format!("{name}.key"), key)?;
    }
    for name in ["client", "nobody"] {
        let (chain, key) = sign(&authority, name, ExtendedKeyUsagePurpose::ClientAuth, false)?;
        put(&format!("{name}.pem"), chain)?;
        put(&format!("{name}.key"), key)?;
    }
    Ok(())
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, String> {
    let mut params = CertificateParams::new(Vec::new()).during("name an authority")?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().during("make a key")?;
    CertifiedIssuer::self_signed(params, key).during("make an authority")
}

/// Chain and key.
fn sign(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
    expired: bool,
) -> Result<(String, String), String> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).during("name a certificate")?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![purpose];
    if expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate().during("make a key")?;
    let certificate = params.signed_by(&key, authority).during("sign")?;
    Ok((certificate.pem(), key.serialize_pem()))
}
