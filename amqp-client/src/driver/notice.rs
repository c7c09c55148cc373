//! What a connection's task tells one who listens in on it: everything that its handles learn, as
//! one stream, in the order of the wire.
//!
//! Decides what there is to tell. Handles wait for one thing each; whoever calls handlers back has to
//! know what came before what.

use std::sync::Arc;

use amqp_types::messaging::{DeliveryState, Outcome};
use amqp_types::transport::{self, Open};

use super::{LinkShared, Offer, ReceiverShared, SenderShared, SessionShared};
use crate::error::Error;

/// Where notices go; must not block.
pub(crate) struct Tap(pub(crate) Box<dyn Fn(Notice) + Send>);

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tap")
    }
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Notices are given from now on; what was offered before is where it was offered.
    Tapped,
    Opened(Box<Open>),
    SessionBegun {
        session: Arc<SessionShared>,
        by_peer: bool,
    },
    SessionEnded {
        session: Arc<SessionShared>,
        error: Error,
        by_peer: bool,
    },
    LinkOffered(Offer),
    LinkAttached(LinkShared),
    LinkDetached {
        link: LinkShared,
        closed: bool,
        error: Error,
        by_peer: bool,
    },
    /// Credit or drain of a sender have changed; they are read where they are.
    Flow(Arc<SenderShared>),
    /// First transfers of a sender have been written.
    Sent(Arc<SenderShared>),
    Updated {
        link: Arc<SenderShared>,
        seq: u64,
        state: DeliveryState,
    },
    Settled {
        link: Arc<SenderShared>,
        outcomes: Vec<(u64, Outcome)>,
    },
    /// So many deliveries more can be taken from a receiver.
    Deliveries {
        link: Arc<ReceiverShared>,
        count: usize,
    },
    Aborted(Arc<ReceiverShared>),
    DeliverySettled {
        link: Arc<ReceiverShared>,
        state: Option<DeliveryState>,
    },
    Drained(Arc<ReceiverShared>),
    /// The peer's close has come.
    Closed(Option<Box<transport::Error>>),
    /// The connection is over; `None` when it was closed in good order from here.
    Over(Option<Error>),
}
