//! A client that is known by its certificate: TLS proves it, SASL EXTERNAL makes it the identity.
//!
//! `cargo run --features ring --example ssl_client_cert`

use amqp_client::listener::Access;
use amqp_client::sasl::Users;
use amqp_client::transport::{ListenOptions, TlsAccept, TlsOptions};
use amqp_client::{ConnectionOptions, Container};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

/// A certificate and its key, in PEM.
struct Signed {
    chain: String,
    key: String,
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "the authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn sign(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
) -> Result<Signed, rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages.push(purpose);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok(Signed {
        chain: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// Connects as `name`; answers who the listener thinks it is.
pub async fn run(name: &str) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let authority = authority()?;
    let server = sign(&authority, "localhost", ExtendedKeyUsagePurpose::ServerAuth)?;
    let client = sign(&authority, name, ExtendedKeyUsagePurpose::ClientAuth)?;

    // The listener asks for a certificate and takes its common name for the user.
    let accept = TlsAccept::pem(server.chain.as_bytes(), server.key.as_bytes())
        .client_ca_pem(authority.pem().as_bytes())
        .require_client_certificate();
    let access = Access::users(Users::new().trust_common_names()).mechanisms(["EXTERNAL"]);
    let listen = ListenOptions::new().tls(accept);
    let listener = Container::new("listener")
        .listen_with("127.0.0.1:0", access, listen)
        .await?;

    let tls = TlsOptions::new()
        .ca_pem(authority.pem().as_bytes())
        .client_certificate_pem(client.chain.as_bytes(), client.key.as_bytes());
    let options = ConnectionOptions::new().tls(tls).external();
    let url = format!("amqps://localhost:{}", listener.local_addr().port());
    let container = Container::new("client");
    let (client, accepted) = tokio::join!(container.connect_with(&url, options), listener.accept());
    let identity = accepted?.identity().map(str::to_owned);
    client?.close().await?;
    Ok(identity)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("the listener sees {:?}", run("alice").await?);
    Ok(())
}
