//! Our client over WebSocket, met by a foreign listener that is no broker: what is sent comes back on the same connection.
//! Section 2.2.
//!
//! Decides the exchange only; the foreign listener offers a node `echo` that keeps what it gets for whoever receives from it.

use amqp_client::Container;

use crate::check::{During, is, next, receiver};
use crate::content;
use crate::report::{self, Verdict};

/// More than one frame each, so that WebSocket messages and AMQP frames do not coincide.
const SIZE: usize = 200_000;

/// So many messages each way.
const COUNT: u64 = 20;

/// Meets the listener on this port; whether nothing was off.
pub(crate) async fn run(port: u16) -> bool {
    let result = exchange(&format!("ws://127.0.0.1:{port}")).await;
    report::print("WebSocket, our client", &result.map(|()| Verdict::Pass))
}

async fn exchange(url: &str) -> Result<(), String> {
    let connection = Container::new("amqp-interop")
        .connect(url)
        .await
        .during("connect")?;
    let sender = connection.create_sender("echo").await.during("attach")?;
    for number in 0..COUNT {
        let outcome = sender
            .send(content::message(number, SIZE))
            .await
            .during("send")?;
        is(&outcome, "accepted")?;
    }
    let receiver = receiver(&connection, "echo", COUNT as u32).await?;
    for number in 0..COUNT {
        let delivery = next(&receiver).await?;
        content::check(&delivery, number, SIZE)?;
        delivery.accept();
    }
    connection.close().await.during("close")
}
