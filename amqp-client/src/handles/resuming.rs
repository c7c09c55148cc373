//! Attaching a link again that was detached.
//!
//! Decides what becomes of an attempt that fails or that nobody waits for any more: the link is
//! detached and can be resumed. What is exchanged is the engine's matter. Section 2.6.13.

use std::sync::Arc;

use amqp_types::transport::Attach;
use tokio::sync::oneshot;

use super::session::SessionInner;
use crate::driver::{AttachOrder, Command, ConnectionShared, LinkShared, reply_within};
use crate::error::{Error, ErrorScope};
use crate::proto::LinkConfig;

/// Attaches the link in a session and waits for the answer.
pub(super) async fn attach_again(
    session: &SessionInner,
    link: LinkShared,
    attach: Box<Attach>,
    config: LinkConfig,
) -> Result<(), Error> {
    let connection = &session.shared().connection;
    if let Some(named) = connection.named() {
        named.take_over(&link, false);
    }
    let guard = DetachOnDrop(Some((connection.clone(), link.clone())));
    let (reply, answer) = oneshot::channel();
    connection.push(Command::Attach {
        session: session.shared().clone(),
        order: AttachOrder {
            shared: link.clone(),
            attach,
            config,
        },
        claim: None,
        reply,
    });
    let limit = connection.deadlines().attach;
    let result = reply_within(connection, answer, limit, "attach", ErrorScope::Link).await;
    match &result {
        Ok(_) => guard.disarm(),
        // Also when the command never reached the driver of a connection that is over.
        Err(error) => link.finish(error, false),
    }
    result.map(drop)
}

/// Detaches the link of an attempt that was dropped or has failed: an answer that comes late finds
/// nobody.
struct DetachOnDrop(Option<(Arc<ConnectionShared>, LinkShared)>);

impl DetachOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for DetachOnDrop {
    fn drop(&mut self) {
        if let Some((connection, link)) = self.0.take() {
            connection.push(Command::Detach {
                link,
                closed: false,
                error: None,
                reply: None,
            });
        }
    }
}
