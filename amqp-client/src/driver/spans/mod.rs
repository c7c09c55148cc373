//! What a subscriber of `tracing` sees of a connection: spans for what lasts, events for what happens.
//!
//! Decides names, targets, levels and fields, all of which are documented in `docs/observing.md` and
//! stay as they are. When a span begins and ends is decided where sessions and links come and go. Where
//! nobody subscribes a span is empty, and an event is one comparison. No secret is ever a field.
//! Sections 2.4, 2.5, 2.6.

mod delivery;

use std::sync::atomic::{AtomicU64, Ordering};

use amqp_types::messaging::{SourceArchetype, TargetArchetype};
use amqp_types::transport::{self, Attach, Open, Role};
use tracing::field::{Empty, display};
use tracing::{Span, debug, info_span, warn};

pub(super) use delivery::{DeliverySpans, resumed};

use crate::error::{Error, ErrorKind};
use crate::proto::Violation;

const CONNECTION: &str = "amqp_client::connection";
const SESSION: &str = "amqp_client::session";
const LINK: &str = "amqp_client::link";

/// A number for a connection, as it stands in its span and in the frames that are printed.
pub(crate) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// From the socket's first octet to its last. It outlives whoever asked for it, so that it is no child of
/// the span that the caller is in, but follows from it.
pub(crate) fn connection(
    number: u64,
    listens: bool,
    container: &str,
    address: Option<&(String, u16)>,
) -> Span {
    let span = info_span!(
        target: CONNECTION,
        parent: None,
        "connection",
        number,
        side = if listens { "listener" } else { "client" },
        container,
        address = Empty,
        peer = Empty,
    );
    if !span.is_disabled() {
        if let Some((host, port)) = address {
            span.record("address", display(format_args!("{host}:{port}")));
        }
        span.follows_from(Span::current());
    }
    span
}

/// The peer has opened.
pub(super) fn opened(span: &Span, open: &Open) {
    span.record("peer", &*open.container_id);
    debug!(
        target: CONNECTION,
        parent: span,
        max_frame_size = open.max_frame_size,
        channel_max = open.channel_max,
        idle_time_out = open.idle_time_out.map(|limit| limit.0),
        "connection opened",
    );
}

/// The peer broke a rule, or was silent for too long.
pub(super) fn violated(span: &Span, violation: &Violation) {
    if violation.is_silence() {
        warn!(target: CONNECTION, parent: span, error = %violation.detail, "idle time-out");
    } else {
        warn!(target: CONNECTION, parent: span, error = %violation, "the peer broke the protocol");
    }
}

/// The connection is over. Whoever asked for one that never opened is told, and may try elsewhere.
pub(super) fn closed(span: &Span, was_open: bool, error: Option<&Error>) {
    match error {
        None => debug!(target: CONNECTION, parent: span, "connection closed"),
        Some(error) if !was_open => {
            debug!(target: CONNECTION, parent: span, %error, "connection refused");
        }
        Some(error)
            if error.kind() == ErrorKind::ConnectionClosed && error.condition().is_none() =>
        {
            debug!(target: CONNECTION, parent: span, "connection closed by the peer");
        }
        Some(error) => warn!(
            target: CONNECTION,
            parent: span,
            %error,
            condition = condition(error),
            "connection lost",
        ),
    }
}

/// From the begin that is asked for, or that came, to the end of the session.
pub(super) fn session(connection: &Span, channel: Option<u16>, by_peer: bool) -> Span {
    info_span!(target: SESSION, parent: connection.id(), "session", channel, by_peer)
}

/// Both sides have begun.
pub(super) fn begun(span: &Span) {
    debug!(target: SESSION, parent: span, "session begun");
}

/// The session is over.
pub(super) fn ended(span: &Span, error: &Error, by_peer: bool) {
    match error.condition() {
        None => debug!(target: SESSION, parent: span, by_peer, "session ended"),
        Some(_) => warn!(
            target: SESSION,
            parent: span,
            by_peer,
            %error,
            condition = condition(error),
            "session ended with an error",
        ),
    }
}

/// From the attach that is asked for, or that came, to the detach.
pub(super) fn link(
    session: Option<&Span>,
    connection: &Span,
    ours: &Attach,
    by_peer: bool,
) -> Span {
    let parent = session.and_then(Span::id).or_else(|| connection.id());
    let span = info_span!(
        target: LINK,
        parent: parent,
        "link",
        name = &*ours.name,
        role = role(ours.role),
        source = Empty,
        target = Empty,
        by_peer,
    );
    if !span.is_disabled() {
        record_termini(&span, ours);
    }
    span
}

/// Both sides have attached; `theirs` says the addresses that count.
pub(super) fn attached(span: &Span, theirs: &Attach, resumed: bool) {
    if !span.is_disabled() {
        record_termini(span, theirs);
    }
    debug!(target: LINK, parent: span, resumed, "link attached");
}

/// The link is detached, or was never attached.
pub(super) fn detached(
    span: &Span,
    was_attached: bool,
    closed: bool,
    by_peer: bool,
    error: &Error,
) {
    if !was_attached {
        debug!(
            target: LINK,
            parent: span,
            %error,
            condition = condition(error),
            "link refused",
        );
    } else if error.condition().is_some() {
        warn!(
            target: LINK,
            parent: span,
            closed,
            by_peer,
            %error,
            condition = condition(error),
            "link detached with an error",
        );
    } else {
        debug!(target: LINK, parent: span, closed, by_peer, "link detached");
    }
}

/// The link is detached for a moment, since not all that is unsettled fitted into one attach. [LNK-64]
pub(super) fn turned(span: &Span) {
    debug!(target: LINK, parent: span, "link attached again");
}

/// A link that the peer attached is refused.
pub(super) fn refused(span: &Span, error: &transport::Error) {
    debug!(target: LINK, parent: span, condition = error.condition.as_str(), "link refused");
}

/// The sender has used its credit up, or given it back, as it was asked to.
pub(super) fn drained(span: &Span) {
    debug!(target: LINK, parent: span, "credit drained");
}

/// The receiver asks for its credit to be used up.
pub(super) fn drain_asked(span: &Span, credit: u32) {
    debug!(target: LINK, parent: span, credit, "drain asked for");
}

/// The link goes on elsewhere.
pub(super) fn stolen(span: &Span) {
    debug!(target: LINK, parent: span, "link taken over");
}

fn record_termini(span: &Span, attach: &Attach) {
    if let Some(SourceArchetype::Source(source)) = &attach.source
        && let Some(address) = &source.address
    {
        span.record("source", &*address.0);
    }
    if let Some(TargetArchetype::Target(target)) = &attach.target
        && let Some(address) = &target.address
    {
        span.record("target", &*address.0);
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Sender => "sender",
        Role::Receiver => "receiver",
    }
}

fn condition(error: &Error) -> Option<&str> {
    error.condition().map(|condition| condition.as_str())
}
