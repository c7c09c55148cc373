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
    /// Whether the link is still there for which the node was made.
    creator: bool,
}

/// A link's use of a node, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Use {
    nodes: Arc<Nodes>,
    queue: Arc<Queue>,
    creator: bool,
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
                Ok(self.usage(node, false))
            }
            None => Err(fault(
                ErrorCondition::NotFound,
                &format!("there is no node {address}"),
            )),
        }
    }

    /// Makes a node for a link. [SRC-03] [SRC-04]
    pub(super) fn create(
        self: &Arc<Self>,
        container: &str,
        link: &str,
        policy: Option<LifetimePolicy>,
    ) -> Use {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let address = Str::from(format!("{DYNAMIC}{container}/{link}/{number}"));
        let node = Node {
            queue: Queue::new(address.clone(), self.settings.limits, true),
            links: 1,
            lifetime: Some(Lifetime {
                policy: policy.unwrap_or(LifetimePolicy::DeleteOnClose(DeleteOnClose {})),
                creator: true,
            }),
        };
        let usage = self.usage(&node, true);
        self.lock().insert(address, node);
        usage
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

    fn usage(self: &Arc<Self>, node: &Node, creator: bool) -> Use {
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
            LifetimePolicy::DeleteOnClose(_) => !lifetime.creator,
            LifetimePolicy::DeleteOnNoLinks(_) => self.links == 0,
            LifetimePolicy::DeleteOnNoMessages(_) => !lifetime.creator && self.queue.is_done(),
            LifetimePolicy::DeleteOnNoLinksOrMessages(_) => self.links == 0 && self.queue.is_done(),
        }
    }
}

impl Use {
    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
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
            node.links -= 1;
            if self.creator
                && let Some(lifetime) = &mut node.lifetime
            {
                lifetime.creator = false;
            }
        }
        self.review();
    }
}
