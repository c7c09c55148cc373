//! TLS against peers of another make, through a proxy, and with each provider.

use std::sync::Arc;

use amqp_client::listener::Access;
use amqp_client::transport::{ListenOptions, Proxy, TlsAccept, TlsOptions, TlsProvider};
use amqp_client::{ConnectionOptions, Container, Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::authority::Authority;
use super::{URL, meet, users, with};

/// The other make: rustls as it is, with one version.
struct Foreign<'a> {
    authority: &'a Authority,
    version: &'static rustls::SupportedProtocolVersion,
}

impl Foreign<'_> {
    fn provider() -> Arc<rustls::crypto::CryptoProvider> {
        #[cfg(feature = "ring")]
        return Arc::new(rustls::crypto::ring::default_provider());
        #[cfg(not(feature = "ring"))]
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    }

    fn acceptor(&self) -> TlsAcceptor {
        let signed = self.authority.sign("localhost", |_| {});
        let chain = CertificateDer::pem_slice_iter(&signed.chain).collect::<Result<_, _>>();
        let key = PrivateKeyDer::from_pem_slice(&signed.key).expect("a key");
        let config = ServerConfig::builder_with_provider(Self::provider())
            .with_protocol_versions(&[self.version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(chain.expect("certificates"), key)
            .expect("a configuration");
        TlsAcceptor::from(Arc::new(config))
    }

    fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let pem = self.authority.pem();
        let authority = CertificateDer::from_pem_slice(&pem).expect("a certificate");
        roots.add(authority).expect("an authority");
        let config = ClientConfig::builder_with_provider(Self::provider())
            .with_protocol_versions(&[self.version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }

    /// Takes clients, and has a listener of ours speak AMQP inside the layer.
    async fn listen(&self) -> u16 {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = socket.local_addr().expect("an address").port();
        let acceptor = self.acceptor();
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let listener = Container::new("foreign");
                if let Ok(open) = listener.accept_stream(stream, &users()).await {
                    let _ = open.closed().await;
                }
            }
        });
        port
    }
}

async fn connect(port: u16, tls: TlsOptions) -> Result<amqp_client::Connection, Error> {
    let url = format!("amqps://localhost:{port}");
    Container::new("client").connect_with(&url, with(tls)).await
}

#[tokio::test]
async fn a_peer_that_only_knows_the_older_version_is_taken_unless_that_is_ruled_out() {
    let authority = Authority::new();
    let version = &rustls::version::TLS12;
    let foreign = Foreign {
        authority: &authority,
        version,
    };
    let port = foreign.listen().await;
    let client = connect(port, authority.trusted()).await.expect("it opens");
    assert_eq!(client.security().tls().expect("TLS").version(), "TLSv1.2");
    client.close().await.expect("closed");
    let error = connect(port, authority.trusted().only_tls13()).await;
    let error = error.expect_err("it is too old");
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_client_that_only_knows_the_older_version_is_told_why_it_is_turned_away() {
    let authority = Authority::new();
    let version = &rustls::version::TLS12;
    let foreign = Foreign {
        authority: &authority,
        version,
    };
    let tls = authority.server("localhost");
    for (tls, welcome) in [(tls.clone(), true), (tls.only_tls13(), false)] {
        let listener = Container::new("listener")
            .listen_with("127.0.0.1:0", users(), ListenOptions::new().tls(tls))
            .await
            .expect("it listens");
        let stream = TcpStream::connect(listener.local_addr()).await;
        let name = ServerName::try_from("localhost").expect("a name");
        let connected = foreign.connector().connect(name, stream.expect("a socket"));
        match connected.await {
            Ok(_) => assert!(welcome),
            Err(error) => {
                assert!(
                    !welcome && error.to_string().contains("ProtocolVersion"),
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_client_without_a_good_certificate_learns_that_from_the_error() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let tls = authority
        .server("localhost")
        .client_ca_pem(&authority.pem())
        .require_client_certificate();
    let own = stranger.sign("somebody", |_| {});
    let foreign = authority
        .trusted()
        .client_certificate_pem(&own.chain, &own.key);
    let listen = ListenOptions::new().tls(tls);
    // The refusal comes behind the handshake, and races with what the client says next.
    for _ in 0..20 {
        for (tls, reason) in [
            (authority.trusted(), "CertificateRequired"),
            (foreign.clone(), "UnknownCA"),
        ] {
            let error = meet(URL, with(tls), listen.clone()).await.0;
            let error = error.expect_err("no certificate");
            assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
            assert!(error.to_string().contains(reason), "{error}");
            assert!(!error.is_retryable());
        }
    }
}

#[tokio::test]
async fn an_ip_address_is_checked_as_one_and_is_not_asked_for_by_name() {
    let authority = Authority::new();
    let url = "amqps://127.0.0.1:PORT";
    // [TLS-02]: server_name is for host names alone: RFC 6066, 3.
    let listen = ListenOptions::new().tls(authority.server("127.0.0.1"));
    let (client, listener) = meet(url, with(authority.trusted()), listen).await;
    client.expect("it opens");
    let listener = listener.expect("it opens");
    assert_eq!(listener.security().tls().expect("TLS").server_name(), None);
    // [TLS-03]: a certificate for a name is none for an address, whatever else it says.
    let listen = ListenOptions::new().tls(authority.server("localhost"));
    let error = meet(url, with(authority.trusted()), listen.clone()).await.0;
    let error = error.expect_err("another name");
    assert!(error.to_string().contains("not valid for name"), "{error}");
    // Unless that is the name that is expected.
    let named = authority.trusted().server_name("localhost");
    let (client, listener) = meet(url, with(named), listen).await;
    client.expect("it opens");
    let listener = listener.expect("it opens");
    let asked = listener.security().tls().expect("TLS").server_name();
    assert_eq!(asked, Some("localhost"));
}

/// Tunnels one client; answers the first octet that went through.
async fn proxy(socket: TcpListener, peer: std::net::SocketAddr) -> u8 {
    let (mut client, _) = socket.accept().await.expect("a client");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("octets"));
    }
    assert!(head.starts_with(b"CONNECT peer.example:7 HTTP/1.1\r\n"));
    let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
    client.write_all(answer).await.expect("written");
    let first = client.read_u8().await.expect("octets");
    let mut peer = TcpStream::connect(peer).await.expect("connected");
    peer.write_u8(first).await.expect("written");
    let _ = tokio::io::copy_bidirectional(&mut client, &mut peer).await;
    first
}

#[tokio::test]
async fn tls_goes_through_a_proxys_tunnel_and_hides_a_password_from_it() {
    let authority = Authority::new();
    #[allow(unused_mut)]
    let mut listen = ListenOptions::new().tls(authority.server("peer.example"));
    #[allow(unused_mut)]
    let mut schemes = vec!["amqps"];
    #[cfg(feature = "websocket")]
    {
        listen = listen.websocket();
        schemes.push("wss");
    }
    let access = users().mechanisms(["PLAIN"]);
    let listener = Container::new("listener")
        .listen_with("127.0.0.1:0", access, listen)
        .await
        .expect("it listens");
    for scheme in schemes {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = socket.local_addr().expect("an address").port();
        let tunnel = tokio::spawn(proxy(socket, listener.local_addr()));
        let proxy = Proxy::new("127.0.0.1", port);
        // The proxy knows the name, we need not. PLAIN is fit where there is TLS.
        let url = format!("{scheme}://peer.example:7");
        let options = with(authority.trusted()).proxy(proxy);
        let client = Container::new("client").connect_with(&url, options).await;
        let client = client.expect("it opens");
        let accepted = listener.accept().await.expect("it opens");
        assert_eq!(accepted.identity(), Some("u"));
        let tls = accepted.security().tls().expect("TLS");
        assert_eq!(tls.server_name(), Some("peer.example"));
        client.close().await.expect("closed");
        assert_eq!(tunnel.await.expect("it ends"), 0x16, "a handshake");
    }
}

/// The groups for key exchange that a client offers first of all.
async fn offered_groups(tls: TlsOptions) -> Vec<u16> {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = socket.local_addr().expect("an address").port();
    let hello = async {
        let (mut stream, _) = socket.accept().await.expect("a client");
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.expect("a record");
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut hello).await.expect("a whole record");
        hello
    };
    let (error, hello) = tokio::join!(connect(port, tls), hello);
    error.expect_err("nobody answers");
    // supported_groups(10), its length, and the length of the list in it. RFC 8446, 4.2.7.
    let list = hello.windows(6).enumerate().find_map(|(at, found)| {
        let pair = |at: usize| u16::from_be_bytes([found[at], found[at + 1]]);
        let is_list = pair(0) == 10 && pair(2) == pair(4) + 2;
        is_list.then(|| &hello[at + 6..at + 6 + usize::from(pair(4))])
    });
    let groups = list.expect("groups").chunks_exact(2);
    groups
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

/// Knows X25519MLKEM768, which ring does not.
fn is_aws_lc_rs(groups: &[u16]) -> bool {
    groups.contains(&0x11ec)
}

#[tokio::test]
async fn each_configuration_may_have_a_provider_of_its_own() {
    let authority = Authority::new();
    let groups = |provider| offered_groups(authority.trusted().provider(provider));
    let default = groups(TlsProvider::Default).await;
    assert_eq!(
        is_aws_lc_rs(&default),
        cfg!(feature = "aws-lc-rs"),
        "{default:x?}"
    );
    #[allow(unused_mut)]
    let mut all = vec![TlsProvider::Default];
    #[cfg(feature = "aws-lc-rs")]
    {
        assert!(is_aws_lc_rs(&groups(TlsProvider::AwsLcRs).await));
        all.push(TlsProvider::AwsLcRs);
    }
    #[cfg(feature = "ring")]
    {
        assert!(!is_aws_lc_rs(&groups(TlsProvider::Ring).await));
        all.push(TlsProvider::Ring);
    }
    for ours in &all {
        for theirs in &all {
            let listen = authority.server("localhost").provider(*theirs);
            let options = with(authority.trusted().provider(*ours));
            let (client, _) = meet(URL, options, ListenOptions::new().tls(listen)).await;
            client.expect("they understand each other");
        }
    }
}

#[tokio::test]
async fn a_listener_that_can_not_read_its_files_tells_who_set_it_up() {
    let tls = TlsAccept::files("/nowhere/chain.pem", "/nowhere/key.pem");
    let error = tls.reload().expect_err("there is no such file");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("/nowhere/chain.pem"), "{error}");
    // And a client that trusts a file that is not there has no one else to trust.
    let listen = ListenOptions::new().tls(Authority::new().server("localhost"));
    let options = ConnectionOptions::new().tls(TlsOptions::new().ca_file("/nowhere/ca.pem"));
    let listener = Container::new("listener")
        .listen_with("127.0.0.1:0", Access::anyone(), listen)
        .await
        .expect("it listens");
    let url = format!("amqps://{}", listener.local_addr());
    let error = Container::new("client").connect_with(&url, options).await;
    let error = error.expect_err("no such file");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}
