//! The nodes of a broker, by address.
//!
//! Decides which nodes there are, when they come to be and when they go: named queues on the first
//! attach, dynamic ones as their lifetime policy says. Sections 3.5.3, 3.5.9 to 3.5.13.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqp_types::Str;
use amqp_types::messaging::{DeleteOnClose, LifetimePolicy};
use amqp_types::transport::{Error, ErrorCondition};

use super::queue::Queue;
use super::settings::Settings;
use super::stored::{ConsumerId, fault};
use crate::driver::SessionShared;
use crate::error::ErrorScope;

/// What the addresses of dynamic nodes begin with; no other node's address does.
const DYNAMIC: &str = "dynamic/";

/// All nodes of a broker.
#[derive(Debug)]
pub(super) struct Nodes {
    settings: Arc<Settings>,
    nodes: Mutex<HashMap<Str, Node>>,
    /// The number of the last dynamic node or consumer.
    last: AtomicU64,
}

#[derive(Debug)]
struct Node {
    queue: Arc<Queue>,
    /// Links that use it.
    links: usize,
    lifetime: Option<Lifetime>,
}

/// When a dynamic node goes.
#[derive(Debug)]
struct Lifetime {
    policy: LifetimePolicy,
    /// The link for which the node was made, as long as it is there.
    creator: Option<Creator>,
}

/// The link for which a node was made: its container and name, whatever connection it is on.
#[derive(Debug)]
struct Creator {
    container: String,
    link: Str,
    /// How often it has been attached again: earlier attachments count no more.
    attachment: u32,
}

/// A link's use of a node, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Use {
    nodes: Arc<Nodes>,
    queue: Arc<Queue>,
    /// Which attachment of the link this is for which the node was made.
    creator: Option<u32>,
}

impl Nodes {
    pub(super) fn new(settings: Arc<Settings>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            nodes: Mutex::default(),
            last: AtomicU64::new(0),
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The node of an address, made if need be.
    ///
    /// # Errors
    /// What the peer is told when there is no such node and none may be made.
    pub(super) fn open(self: &Arc<Self>, address: &str) -> Result<Use, Error> {
        let mut nodes = self.lock();
        if !nodes.contains_key(address) {
            let known = match &self.settings.queues {
                Some(queues) => queues.iter().any(|queue| queue.as_str() == address),
                None => true,
            };
            // [SRC-07] [SRC-08]: a dynamic node that is gone does not come back.
            if !known || address.starts_with(DYNAMIC) || address.is_empty() {
                return Err(fault(
                    ErrorCondition::NotFound,
                    &format!("there is no node {address}"),
                ));
            }
            self.check_room(&nodes)?;
            let address = Str::from(address.to_owned());
            let queue = Queue::new(address.clone(), self.settings.limits, false);
            nodes.insert(
                address,
                Node {
                    queue,
                    links: 0,
                    lifetime: None,
                },
            );
        }
        match nodes.get_mut(address) {
            Some(node) => {
                node.links += 1;
                Ok(self.usage(node, None))
            }
            None => Err(fault(
                ErrorCondition::NotFound,
                &format!("there is no node {address}"),
            )),
        }
    }

    /// The same for a link, which may be the one that the node was made for, attached again.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn attach(
        self: &Arc<Self>,
        address: &str,
        container: &str,
        link: &str,
    ) -> Result<Use, Error> {
        let mut usage = self.open(address)?;
        if let Some(node) = self.lock().get_mut(address)
            && let Some(lifetime) = &mut node.lifetime
            && let Some(creator) = &mut lifetime.creator
            && creator.container == container
            && creator.link == link
        {
            creator.attachment += 1;
            // The attachment before counts no more.
            node.links -= 1;
            usage.creator = Some(creator.attachment);
        }
        Ok(usage)
    }

    /// Makes a node for a link. [SRC-03] [SRC-04]
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn create(
        self: &Arc<Self>,
        container: &str,
        link: &str,
        policy: Option<LifetimePolicy>,
    ) -> Result<Use, Error> {
        let mut nodes = self.lock();
        self.check_room(&nodes)?;
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let address = Str::from(format!("{DYNAMIC}{container}/{link}/{number}"));
        let node = Node {
            queue: Queue::new(address.clone(), self.settings.limits, true),
            links: 1,
            lifetime: Some(Lifetime {
                policy: policy.unwrap_or(LifetimePolicy::DeleteOnClose(DeleteOnClose {})),
                creator: Some(Creator {
                    container: container.to_owned(),
                    link: Str::from(link.to_owned()),
                    attachment: 0,
                }),
            }),
        };
        let usage = self.usage(&node, Some(0));
        nodes.insert(address, node);
        Ok(usage)
    }

    fn check_room(&self, nodes: &HashMap<Str, Node>) -> Result<(), Error> {
        match nodes.len() < self.settings.max_nodes {
            true => Ok(()),
            false => Err(fault(
                ErrorCondition::ResourceLimitExceeded,
                "the broker has as many nodes as it may have",
            )),
        }
    }

    /// The node of an address if there is one, without using it.
    pub(super) fn find(&self, address: &str) -> Option<Arc<Queue>> {
        self.lock().get(address).map(|node| node.queue.clone())
    }

    /// The queue for rejected messages, if there is one.
    pub(super) fn dead_letters(self: &Arc<Self>) -> Option<Arc<Queue>> {
        let address = self.settings.dead_letters.as_ref()?;
        self.open(address).ok().map(|usage| usage.queue.clone())
    }

    /// A name for another consumer.
    pub(super) fn next_consumer(&self) -> ConsumerId {
        ConsumerId(self.last.fetch_add(1, Ordering::Relaxed))
    }

    /// Deletes a dynamic node if its time has come.
    fn review(&self, address: &str) {
        let mut nodes = self.lock();
        let over = nodes.get(address).is_some_and(Node::is_over);
        let deleted = if over { nodes.remove(address) } else { None };
        drop(nodes);
        if let Some(node) = deleted {
            node.queue.delete();
        }
    }

    fn usage(self: &Arc<Self>, node: &Node, creator: Option<u32>) -> Use {
        Use {
            nodes: self.clone(),
            queue: node.queue.clone(),
            creator,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Str, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// [SRC-07] [SRC-08] [SRC-09] [SRC-10]
    fn is_over(&self) -> bool {
        let Some(lifetime) = &self.lifetime else {
            return false;
        };
        match lifetime.policy {
            LifetimePolicy::DeleteOnClose(_) => lifetime.creator.is_none(),
            LifetimePolicy::DeleteOnNoLinks(_) => self.links == 0,
            LifetimePolicy::DeleteOnNoMessages(_) => {
                lifetime.creator.is_none() && self.queue.is_done()
            }
            LifetimePolicy::DeleteOnNoLinksOrMessages(_) => self.links == 0 && self.queue.is_done(),
        }
    }
}

impl Use {
    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Ends the use, of a link that ended like this. A link that was only detached is still there for
    /// the node that was made for it, until its session ends: that is the expiry policy that the
    /// broker announces. [SRC-07]
    pub(super) async fn end(self, why: Option<crate::error::Error>, session: &SessionShared) {
        let detached =
            |why: crate::error::Error| why.scope() == ErrorScope::Link && !why.is_closed();
        if self.creator.is_some() && why.is_some_and(detached) {
            session.wait_over().await;
        }
    }

    /// Messages have left the node: that may have been what kept it.
    pub(super) fn review(&self) {
        if self.queue.is_temporary() {
            self.nodes.review(self.queue.address());
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        if let Some(node) = self.nodes.lock().get_mut(self.queue.address().as_str()) {
            let creator = node.lifetime.as_mut().map(|lifetime| &mut lifetime.creator);
            let attachment = match &creator {
                Some(Some(creator)) => Some(creator.attachment),
                _ => None,
            };
            match (self.creator, creator) {
                (Some(mine), Some(creator)) if attachment == Some(mine) => {
                    *creator = None;
                    node.links -= 1;
                }
                // The link was attached again, and counts there.
                (Some(_), _) => {}
                (None, _) => node.links -= 1,
            }
        }
        self.review();
    }
}
