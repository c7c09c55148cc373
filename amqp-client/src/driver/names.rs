//! The names of a container's links, over all of its connections.
//!
//! Decides which link has a name. Between two containers a link is its name and direction, whatever
//! connection it is on: a listener's link is stolen by the one that its peer attaches anew; a client's
//! is not attached twice, unless the user says that it moves. Section 2.6.1. [LNK-01] [LNK-05]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use amqp_types::Str;
use amqp_types::transport::{self, ErrorCondition, Role};

use super::command::{Command, LinkShared};
use super::link::Status;
use super::{ReceiverShared, SenderShared};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};

/// The container at the other end of a connection, and what else has to be the same for two
/// connections to lead to one peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer {
    /// The container-id, which the peer says of itself.
    pub(crate) container: Str,
    /// Where we connected to: brokers that were never given a name of their own share one.
    pub(crate) address: Option<(String, u16)>,
    /// Who the peer was authenticated as: nobody steals another user's links by a container-id.
    pub(crate) identity: Option<String>,
}

/// The links of a container that have names of the users' choice.
#[derive(Debug, Default)]
pub(crate) struct LinkNames {
    links: Mutex<Links>,
}

/// What is one link, whatever connection it is on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LinkId {
    peer: Arc<Peer>,
    sends: bool,
    name: Str,
}

#[derive(Debug, Default)]
struct Links(HashMap<LinkId, Known>);

/// A link, as long as somebody has it.
#[derive(Debug)]
enum Known {
    Sender(Weak<SenderShared>),
    Receiver(Weak<ReceiverShared>),
}

/// A connection's view of the names.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) names: Arc<LinkNames>,
    pub(crate) peer: Arc<Peer>,
}

impl Named {
    /// Gives a name to a link; one that is attached already is an error.
    pub(crate) fn claim(&self, link: &LinkShared) -> Result<(), Error> {
        let mut links = self.names.lock();
        let key = self.key(link);
        if links.attached(&key).is_some() {
            let what = format!(
                "a {} named {} is attached to {} already; close it, or take its place",
                if key.sends { "sender" } else { "receiver" },
                key.name,
                self.peer.container,
            );
            return Err(Error::new(
                ErrorKind::Configuration,
                ErrorScope::Link,
                Initiator::Local,
                what,
            ));
        }
        links.insert(key, link);
        Ok(())
    }

    /// Gives a name to a link and ends the one that has it. A listener closes that one for its peer; a
    /// client detaches it, since its termini go on under the new link.
    pub(crate) fn take_over(&self, link: &LinkShared, closed: bool) {
        let mut links = self.names.lock();
        let key = self.key(link);
        let former = links.attached(&key);
        links.insert(key, link);
        drop(links);
        if let Some(former) = former
            && !former.is(link)
        {
            steal(&former, closed);
        }
    }

    /// Ends a link that a peer attaches anew, so that it can go on there.
    pub(crate) fn vacate(&self, link: &LinkShared) {
        let attached = self.names.lock().attached(&self.key(link));
        if let Some(former) = attached {
            steal(&former, true);
        }
    }

    fn key(&self, link: &LinkShared) -> LinkId {
        LinkId {
            peer: self.peer.clone(),
            sends: link.role() == Role::Sender,
            name: link.name().clone(),
        }
    }
}

/// Ends a link whose name has gone to another one.
fn steal(link: &LinkShared, closed: bool) {
    let mut error = transport::Error::new(ErrorCondition::Stolen);
    error.description = Some("the link is attached elsewhere (section 2.6.1)".into());
    let reason = Error::amqp_error(
        ErrorKind::LinkDetached,
        ErrorScope::Link,
        Initiator::Library,
        "the link was taken over",
        Some(error.clone()),
    );
    let key = link.key();
    link.finish(&reason, false);
    if let Some(link_key) = key {
        link.connection().push(Command::Steal {
            link: link_key,
            error: closed.then(|| Box::new(error)),
        });
    }
}

impl LinkNames {
    fn lock(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    fn attached(&self, id: &LinkId) -> Option<LinkShared> {
        self.0.get(id).and_then(Known::attached)
    }

    fn insert(&mut self, id: LinkId, link: &LinkShared) {
        if self.0.len() == self.0.capacity() {
            // Before it grows: links that nobody has any more.
            self.0.retain(|_, known| known.is_there());
        }
        self.0.insert(id, Known::of(link));
    }
}

impl Known {
    fn of(link: &LinkShared) -> Self {
        match link {
            LinkShared::Sender(link) => Self::Sender(Arc::downgrade(link)),
            LinkShared::Receiver(link) => Self::Receiver(Arc::downgrade(link)),
        }
    }

    fn is_there(&self) -> bool {
        match self {
            Self::Sender(link) => link.strong_count() > 0,
            Self::Receiver(link) => link.strong_count() > 0,
        }
    }

    /// The link, while it is attached or about to be.
    fn attached(&self) -> Option<LinkShared> {
        let link = match self {
            Self::Sender(link) => LinkShared::Sender(link.upgrade()?),
            Self::Receiver(link) => LinkShared::Receiver(link.upgrade()?),
        };
        let attached = matches!(
            link.status(),
            Status::Attaching | Status::Attached | Status::Partial
        );
        (attached && !link.is_leaving()).then_some(link)
    }
}
