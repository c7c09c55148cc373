//! What the handles of a link and the driver share, whichever end it is.
//!
//! Decides the states a link can be in for its users. The ends are [`super::sender`] and
//! [`super::receiver`].

use std::sync::Arc;

use amqp_types::transport::{Attach, Role};

use super::command::{ConnectionShared, LinkShared};
use crate::error::Error;
use crate::proto::LinkKey;

/// The largest message that a receiver takes into memory unless it says otherwise, in octets.
pub(crate) const MAX_MESSAGE_SIZE: u64 = 128 * 1024 * 1024;

/// Whether a link can be used.
#[derive(Clone, Debug)]
pub(crate) enum Status {
    /// The peer has not answered the attach.
    Attaching,
    Attached,
    /// The link is attached to sort out what is unsettled, and nothing else. [LNK-64]
    Partial,
    /// The link is detached, but what is unsettled is kept for it to be attached again.
    Suspended(Error),
    Over(Error),
}

/// What a link that can be attached again was attached with, and whether it can.
#[derive(Debug)]
pub(crate) struct Template {
    /// The attach of the first time.
    pub(crate) attach: Attach,
    /// Whether unsettled deliveries outlive a detach.
    pub(crate) resumable: bool,
}

impl Template {
    /// The attach for another time, on whatever connection and under whatever handle: the name is
    /// what makes it the same link. [LNK-03] What a dynamic node was called is asked for by its name.
    pub(crate) fn again(&self, remote: Option<&Arc<Attach>>) -> Attach {
        use amqp_types::messaging::{SourceArchetype, TargetArchetype};
        let mut attach = self.attach.clone();
        if let (Some(SourceArchetype::Source(mine)), Some(SourceArchetype::Source(theirs))) =
            (&mut attach.source, remote.and_then(|r| r.source.as_ref()))
            && mine.dynamic
        {
            mine.dynamic = false;
            mine.dynamic_node_properties = None;
            mine.address = theirs.address.clone();
        }
        if let (Some(TargetArchetype::Target(mine)), Some(TargetArchetype::Target(theirs))) =
            (&mut attach.target, remote.and_then(|r| r.target.as_ref()))
            && mine.dynamic
        {
            mine.dynamic = false;
            mine.dynamic_node_properties = None;
            mine.address = theirs.address.clone();
        }
        attach
    }
}

impl LinkShared {
    /// Whether it may be attached again after a detach.
    pub(super) fn is_resumable(&self) -> bool {
        match self {
            Self::Sender(link) => link.is_resumable(),
            Self::Receiver(link) => link.is_resumable(),
        }
    }

    pub(crate) fn finish(&self, error: &Error, for_good: bool) {
        match self {
            Self::Sender(link) => link.finish(error, for_good),
            Self::Receiver(link) => link.finish(error, for_good),
        }
    }

    pub(super) fn attach(&self, key: LinkKey) {
        match self {
            Self::Sender(link) => link.attach(key),
            Self::Receiver(link) => link.attach(key),
        }
    }

    pub(super) fn attached(&self, remote: Arc<Attach>) {
        match self {
            Self::Sender(link) => link.attached(remote),
            Self::Receiver(link) => link.attached(remote),
        }
    }

    pub(super) fn key(&self) -> Option<LinkKey> {
        match self {
            Self::Sender(link) => link.key(),
            Self::Receiver(link) => link.key(),
        }
    }

    /// The key of the last attachment of a link that is detached and may be attached again.
    pub(super) fn detached(&self) -> Option<LinkKey> {
        match self {
            Self::Sender(link) => link.detached(),
            Self::Receiver(link) => link.detached(),
        }
    }

    /// The link is detached, to be attached again at once.
    pub(super) fn turn(&self) {
        match self {
            Self::Sender(link) => link.turn(),
            Self::Receiver(link) => link.turned(),
        }
    }

    pub(super) fn name(&self) -> &amqp_types::Str {
        match self {
            Self::Sender(link) => &link.name,
            Self::Receiver(link) => &link.name,
        }
    }

    pub(super) fn role(&self) -> Role {
        match self {
            Self::Sender(_) => Role::Sender,
            Self::Receiver(_) => Role::Receiver,
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        match self {
            Self::Sender(link) => link.is_leaving(),
            Self::Receiver(link) => link.is_leaving(),
        }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::Sender(link) => link.status(),
            Self::Receiver(link) => link.status(),
        }
    }

    pub(super) fn connection(&self) -> Arc<ConnectionShared> {
        match self {
            Self::Sender(link) => link.connection(),
            Self::Receiver(link) => link.connection(),
        }
    }

    /// Whether both are one link.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sender(one), Self::Sender(other)) => Arc::ptr_eq(one, other),
            (Self::Receiver(one), Self::Receiver(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}
