//! One connection of the broker.
//!
//! Decides that each link has a task of its own, and that all of them end with the connection or the
//! broker. Sections 2.4, 2.6.3.

use std::sync::Arc;

use amqp_types::transport::ErrorCondition;
use tokio::sync::watch;

use super::browse::Browse;
use super::egress::Egress;
use super::ingress::Ingress;
use super::nodes::Nodes;
use super::outlet::Outlet;
use super::stored::fault;
use super::terminus::{self, Plan};
use crate::error::Error;
use crate::handles::Connection;
use crate::listener::IncomingLink;

/// Told when the broker stops; whoever holds one is waited for.
pub(super) type Stopping = watch::Receiver<()>;

/// Serves a connection until it is over or the broker stops.
pub(super) async fn connection(connection: Connection, nodes: Arc<Nodes>, mut stopping: Stopping) {
    loop {
        tokio::select! {
            link = connection.next_link() => match link {
                Ok(link) => start(&connection, link, &nodes, &stopping),
                Err(_) => return,
            },
            _ = stopping.changed() => {
                let error = fault(ErrorCondition::ConnectionForced, "the broker is shut down");
                // However the connection ends, the broker is done with it.
                let _ = connection.close_with_error(error).await;
                return;
            }
        }
    }
}

/// Answers an attach and starts the link's task.
fn start(connection: &Connection, link: IncomingLink, nodes: &Arc<Nodes>, stopping: &Stopping) {
    let plan = match terminus::plan(&link, connection.remote_container_id(), nodes) {
        Ok(plan) => plan,
        Err(error) => {
            tracing::debug!(target: "amqp_client::broker", link = link.name(), ?error, "a link was refused");
            return link.refuse(error);
        }
    };
    if let Err(error) = accept(link, plan, nodes, stopping.clone()) {
        tracing::debug!(target: "amqp_client::broker", %error, "a link was not accepted");
    }
}

fn accept(
    link: IncomingLink,
    plan: Plan,
    nodes: &Arc<Nodes>,
    stopping: Stopping,
) -> Result<(), Error> {
    let session = link.session().clone();
    match plan {
        Plan::Produce {
            options,
            node,
            may_reject,
        } => {
            let receiver = link.accept_receiver(options)?;
            let ingress = Ingress {
                receiver,
                nodes: nodes.clone(),
                node,
                may_reject,
                session,
            };
            spawn(ingress.run(), stopping);
        }
        Plan::Consume {
            options,
            node,
            copy,
            settled,
            default_outcome,
        } => {
            let outlet = Outlet::new(link.accept_sender(options)?, settled);
            let id = nodes.next_consumer();
            if copy {
                let browse = Browse {
                    outlet,
                    node,
                    id,
                    session,
                };
                spawn(browse.run(), stopping);
            } else {
                let egress = Egress::new(
                    outlet,
                    node,
                    id,
                    default_outcome,
                    nodes.dead_letters(),
                    session,
                );
                spawn(egress.run(), stopping);
            }
        }
    }
    Ok(())
}

/// Runs a task that the broker's shutdown waits for.
fn spawn(task: impl Future<Output = ()> + Send + 'static, stopping: Stopping) {
    tokio::spawn(async move {
        task.await;
        drop(stopping);
    });
}
