//! Our listener as foreign clients meet it: the embedded broker on five ports of loopback.
//!
//! The broker and what it promises are the client crate's; here are only its ports and who may come in by each.
//! Sections 5.2, 5.3.

use std::net::Ipv4Addr;
use std::path::Path;

use amqp_client::broker::{Broker, Builder};
use amqp_client::listener::Access;
use amqp_client::sasl::Users;
use amqp_client::transport::{ListenOptions, TlsAccept};

use crate::check::During;

/// Serves on these ports of loopback until the program is killed. Says `listening` when clients may connect.
///
/// 0: PLAIN as guest, or anonymous; 1: SCRAM or PLAIN as guest, WebSocket too; 2: the same in TLS; 3: TLS with a client certificate,
/// whose common name is the user; 4: TLS 1.3 alone.
pub(crate) async fn run(first: u16, certificates: &str) -> Result<(), String> {
    let folder = Path::new(certificates);
    let tls = || TlsAccept::files(folder.join("server.pem"), folder.join("server.key"));
    let mutual = tls()
        .client_ca_file(folder.join("ca.pem"))
        .require_client_certificate();
    let guest = || Access::users(Users::new().user("guest", "guest"));
    let named = Access::users(Users::new().trust_common_names()).mechanisms(["EXTERNAL"]);
    let open = Broker::builder().user("guest", "guest").or_anonymous();
    let scram = Broker::builder()
        .access(guest())
        .layers(ListenOptions::new().websocket());
    let secure = Broker::builder()
        .access(guest())
        .layers(ListenOptions::new().tls(tls()).websocket());
    let certified = Broker::builder()
        .access(named)
        .layers(ListenOptions::new().tls(mutual));
    let new = Broker::builder()
        .access(guest())
        .layers(ListenOptions::new().tls(tls().only_tls13()));
    let mut brokers = Vec::new();
    for (port, builder) in (first..).zip([open, scram, secure, certified, new]) {
        brokers.push(start(builder, port).await?);
    }
    println!("listening from {}", brokers[0].url());
    std::future::pending().await
}

async fn start(builder: Builder, port: u16) -> Result<Broker, String> {
    let address = (Ipv4Addr::LOCALHOST, port).into();
    builder.address(address).start().await.during("listen")
}
