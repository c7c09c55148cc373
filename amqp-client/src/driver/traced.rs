//! The spans of messages on a link, where its connection carries trace contexts.
//!
//! Decides how long they last: that of a sent message from its encoding until its outcome is known, that of
//! a received one until the application has settled or dropped it. What they say is `telemetry`'s.

use amqp_types::messaging::{Outcome, SourceArchetype, TargetArchetype};
use amqp_types::transport::Attach;
use bytes::Bytes;
use opentelemetry::Context;

use super::receiver::ReceiverShared;
use super::sender::{SendOptions, SenderShared, SenderState};
use crate::error::Error;
use crate::telemetry::{finish, start_process, start_send};

/// Spans that are over, with what to say: they end when no lock is held, since an exporter may be behind it.
pub(super) type Ended = Vec<(Context, Result<Outcome, Error>)>;

/// Ends spans.
pub(super) fn end(ended: Ended) {
    for (context, result) in ended {
        finish(&context, result.as_ref());
    }
}

impl SenderShared {
    /// Starts the span of the next message, and gives the message its context.
    pub(super) fn trace_send(
        &self,
        state: &mut SenderState,
        payload: Bytes,
        options: &SendOptions,
    ) -> Bytes {
        let Some(listens) = state
            .connection
            .traces_messages()
            .filter(|_| !options.stream)
        else {
            return payload;
        };
        let node = if listens { source } else { target };
        let (payload, context) = start_send(
            payload,
            address(&self.template.attach, state.remote.as_deref(), node),
        );
        // What is sent settled has no outcome to wait for.
        if !options.settled {
            state.traced.insert(state.next_seq, context);
        }
        payload
    }
}

impl SenderState {
    /// A message has an outcome, or never will.
    pub(super) fn trace_outcome(
        &mut self,
        seq: u64,
        result: impl FnOnce() -> Result<Outcome, Error>,
        ended: &mut Ended,
    ) {
        if !self.traced.is_empty()
            && let Some(context) = self.traced.remove(&seq)
        {
            ended.push((context, result()));
        }
    }

    /// No message will have an outcome any more.
    pub(super) fn trace_over(&mut self, error: &Error, ended: &mut Ended) {
        let all = self.traced.drain();
        ended.extend(all.map(|(_, context)| (context, Err(error.clone()))));
    }
}

impl ReceiverShared {
    /// Starts the span of a delivery that the application takes. One that comes in parts has none: its
    /// annotations are not here yet.
    pub(crate) fn trace_process(&self, payload: &Bytes) -> Option<Context> {
        let listens = self.connection().traces_messages()?;
        if payload.is_empty() {
            return None;
        }
        let node = if listens { target } else { source };
        let remote = self.remote();
        let address = address(&self.template.attach, remote.as_deref(), node);
        Some(start_process(payload, address))
    }
}

/// The address of a link's node, as it was asked for, or as the peer has made it up. The node is at the end
/// that did not connect: what a listener receives goes to its target.
fn address<'a>(
    ours: &'a Attach,
    theirs: Option<&'a Attach>,
    node: fn(&Attach) -> Option<&str>,
) -> Option<&'a str> {
    node(ours).or_else(|| theirs.and_then(node))
}

fn target(attach: &Attach) -> Option<&str> {
    match &attach.target {
        Some(TargetArchetype::Target(target)) => target.address.as_ref().map(|address| &*address.0),
        _ => None,
    }
}

fn source(attach: &Attach) -> Option<&str> {
    match &attach.source {
        Some(SourceArchetype::Source(source)) => source.address.as_ref().map(|address| &*address.0),
        _ => None,
    }
}
