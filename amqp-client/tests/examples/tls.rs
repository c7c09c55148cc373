//! TLS between programs.

use amqp_client::ErrorKind;

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/ssl.rs"]
mod ssl;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/ssl_client_cert.rs"]
mod ssl_client_cert;

#[test]
fn ssl_trusts_whom_it_is_told_to_trust() {
    use ssl::Verify;
    assert_eq!(ssl::run(Verify::Name).unwrap(), ["Hello World!"]);
    assert_eq!(ssl::run(Verify::Nothing).unwrap(), ["Hello World!"]);
    let error = ssl::run(Verify::WrongAuthority).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
}

#[tokio::test]
async fn ssl_client_cert_is_who_its_certificate_says() {
    let identity = ssl_client_cert::run("alice").await.unwrap();
    assert_eq!(identity.as_deref(), Some("alice"));
}
