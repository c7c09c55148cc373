//! Our listener as foreign clients meet it: the embedded broker on a port of loopback.
//!
//! The broker and what it promises are the client crate's; here are only its port and its user.

use std::net::Ipv4Addr;

use amqp_client::broker::Broker;

use crate::check::During;

/// Serves on this port of loopback until the program is killed. Says `listening` when clients may connect.
pub(crate) async fn run(port: u16) -> Result<(), String> {
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let broker = Broker::builder()
        .address(address)
        .user("guest", "guest")
        .or_anonymous()
        .start()
        .await
        .during("listen")?;
    println!("listening on {}", broker.url());
    std::future::pending().await
}
