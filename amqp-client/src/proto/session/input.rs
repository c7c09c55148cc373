//! The frames of a session that come in.
//!
//! Decides whether a frame is legal where it arrives and what it changes. Nothing is written here:
//! what is owed is marked. Transfers are left to `transfer_in`, detaches and ends to `detach_in`. Sections
//! 2.5.6, 2.6, 2.7.3, 2.7.4, 2.7.6.

use std::collections::VecDeque;

use amqp_types::messaging::{DeliveryState, Modified, Rejected};
use amqp_types::transport::{Attach, Disposition, Error, ErrorCondition, Flow, Role, SequenceNo};

use amqp_types::{Described, Value};

use super::super::event::Event;
use super::super::fragment::Fragment;
use super::super::link::{End, Link, Local, opposite};
use super::super::resume::is_terminal;
use super::super::violation::{Scope, Violation};
use super::Session;

/// How many octets of states one disposition may hand out; beyond that they lose their details.
const MAX_STATES: usize = 1024 * 1024;

pub(super) type Events = VecDeque<Event>;

impl Session {
    /// The partner attaches: an answer to our attach, or a link of its own. [LNK-02] [LNK-07]
    pub(crate) fn on_attach(
        &mut self,
        attach: Attach,
        octets: usize,
        events: &mut Events,
    ) -> Result<(), Violation> {
        if self.is_ending() {
            // It could not be answered any more. [SES-15]
            return Ok(());
        }
        let handle = attach.handle.0;
        if handle > self.config.handle_max {
            // [SES-31]
            return Err(Violation::connection(
                ErrorCondition::FramingError,
                "2.7.2",
                format!(
                    "handle {handle} is above the handle-max {}",
                    self.config.handle_max
                ),
            ));
        }
        if self.link_by_input(handle).is_some() {
            // [SES-33]
            return Err(Violation::session(
                ErrorCondition::HandleInUse,
                "2.7.3",
                format!("handle {handle} is attached already"),
            ));
        }
        if attach.role == Role::Sender && attach.initial_delivery_count.is_none() {
            // [LNK-13]
            return Err(Violation::session(
                ErrorCondition::InvalidField,
                "2.7.3",
                "an attach of a sender needs initial-delivery-count",
            ));
        }
        // It is kept as long as the link: the buffer that it was read from is not.
        let attach = Box::new(attach.to_compact());
        let mine = opposite(attach.role);
        let known = self.find_link(&attach.name, mine);
        let key = match known {
            Some(key) => key,
            None => {
                let output = self.free_output().ok_or_else(|| {
                    Violation::session(
                        ErrorCondition::ResourceLimitExceeded,
                        "2.7.2",
                        "no handle is left for another link",
                    )
                })?;
                let mut link = Link::incoming(&attach, output);
                link.octets = octets.max(1);
                self.offered.0 += 1;
                self.offered.1 += link.octets;
                let key = self.links.insert(link);
                self.outputs[output as usize] = Some(key);
                key
            }
        };
        if self.inputs.len() <= handle as usize {
            self.inputs.resize(handle as usize + 1, None);
        }
        self.inputs[handle as usize] = Some(key);
        let name = self.name(key);
        if known.is_some() {
            if let Some(link) = self.links.get_mut(key) {
                link.on_remote_attach(&attach);
                // The answer without the partner's terminus is a refusal; its detach follows.
                link.refused = match attach.role {
                    Role::Sender => attach.source.is_none(),
                    Role::Receiver => attach.target.is_none(),
                };
                if link.flow_owed {
                    self.owe(key);
                }
            }
            if !self.links.get(key).is_some_and(|link| link.refused) {
                // A refusal says nothing of deliveries: they stay as they were.
                self.reconcile(key, events);
            }
            self.consumed(key, 0);
            self.make_ready(key);
            events.push_back(Event::LinkAttached { link: name, attach });
        } else {
            events.push_back(Event::LinkIncoming { link: name, attach });
        }
        Ok(())
    }

    /// Refuses a link of which the application never hears. [LNK-08]
    pub(crate) fn turn_away(
        &mut self,
        attach: Attach,
        violation: Violation,
        events: &mut Events,
    ) -> Result<(), Violation> {
        let (handle, role) = (attach.handle, attach.role);
        let answer = Attach::new(attach.name.clone(), handle, opposite(role));
        let mut bare = Attach::new(attach.name, handle, role);
        bare.initial_delivery_count = attach.initial_delivery_count;
        self.on_attach(bare, 0, &mut Events::new())?;
        if let Some(key) = self.link_by_input(handle.0) {
            let error = Box::new(violation.to_error());
            self.refuse_link(key, Box::new(answer), error, events);
            if let Some(link) = self.links.get_mut(key) {
                link.unheard = true;
            }
        }
        Ok(())
    }

    /// Session windows, and the link's credit where a handle is given. [SES-20] [SES-21] [SES-22]
    pub(crate) fn on_flow(&mut self, flow: &Flow, events: &mut Events) -> Result<(), Violation> {
        let acknowledged = flow
            .next_incoming_id
            .map_or(self.initial_outgoing_id, |id| id.0);
        let ahead = acknowledged.wrapping_sub(self.next_outgoing_id) as i32;
        if ahead > 0 {
            // [SES-29]
            return Err(Violation::session(
                ErrorCondition::WindowViolation,
                "2.5.6",
                "a flow acknowledges transfers that were never sent",
            ));
        }
        let in_flight = self.next_outgoing_id.wrapping_sub(acknowledged);
        // [SES-23]: what is in flight beyond the window leaves no window.
        self.remote_incoming_window = flow.incoming_window.saturating_sub(in_flight);
        self.next_incoming_id = flow.next_outgoing_id.0;
        self.remote_outgoing_window = flow.outgoing_window;

        let Some(handle) = flow.handle else {
            // What says something of a link has no place here and is ignored. [SES-37] [PRF-05]
            self.flow_owed |= flow.echo;
            return Ok(());
        };
        let key = self
            .link_by_input(handle.0)
            .ok_or_else(|| unattached(handle.0, "flow"))?;
        let name = self.name(key);
        let Some(link) = self.links.get_mut(key) else {
            return Ok(());
        };
        if link.discarding {
            return Ok(());
        }
        // [LNK-35]
        link.flow_owed |= flow.echo;
        let mut sender_credit = None;
        match &mut link.end {
            End::Sender(sender) => {
                let more = sender.credit.on_flow(
                    flow.delivery_count.map(|n| n.0),
                    flow.link_credit,
                    flow.drain,
                );
                self.credit_received += u64::from(more);
                sender.nothing_more &= flow.drain;
                sender.drain_answered = false;
                sender_credit = Some(sender.credit.credit());
                events.push_back(Event::Credit {
                    link: name,
                    credit: sender.credit.credit(),
                    drain: flow.drain,
                });
            }
            End::Receiver(receiver) => {
                receiver.available = flow.available.unwrap_or(receiver.available);
                if receiver.credit.on_flow(flow.delivery_count.map(|n| n.0)) {
                    events.push_back(Event::Drained { link: name });
                }
            }
        }
        let (owed, credit) = (link.flow_owed, sender_credit);
        if owed {
            self.owe(key);
        }
        if flow.drain && credit != Some(0) {
            self.finish_drain(key, events);
        } else if flow.drain && credit == Some(0) {
            // Nothing could be sent: the partner waits for an answer all the same.
            self.answer_flow(key);
        }
        self.make_ready(key);
        self.consumed(key, 0);
        Ok(())
    }

    /// A frame that does not decode: the link answers for it where it is known, and the session
    /// otherwise. [SES-10] [LNK-37]
    pub(crate) fn on_fragment(
        &mut self,
        fragment: Fragment,
        violation: Violation,
        events: &mut Events,
    ) -> Result<(), Violation> {
        match fragment {
            Fragment::Attach { name, handle, role } => {
                let mut attach = Attach::new(name, handle, role);
                attach.initial_delivery_count = Some(SequenceNo(0));
                if !self.awaits(&attach.name, opposite(role)) {
                    return self.turn_away(attach, violation, events);
                }
                // Our own attach waited for this answer.
                self.on_attach(attach, 0, events)?;
                match self.link_by_input(handle.0) {
                    Some(key) => Err(violation.with_scope(Scope::Link(key))),
                    None => Ok(()),
                }
            }
            Fragment::Transfer(Some(handle)) if self.incoming_window > 0 => {
                self.count_transfer();
                // Its delivery-id may have been among what could not be read.
                self.expected_delivery_id = None;
                let key = self
                    .link_by_input(handle.0)
                    .ok_or_else(|| unattached(handle.0, "transfer"))?;
                match self.links.get(key) {
                    Some(link) if link.is_whole() => Err(violation.with_scope(Scope::Link(key))),
                    _ => Ok(()),
                }
            }
            Fragment::Transfer(_) | Fragment::Session => Err(violation.with_scope(Scope::Session)),
        }
    }

    /// States and settlements of a range of deliveries, also of links that are detached and neither
    /// closed nor in error. [PRF-23] [PRF-19] [PRF-20] [PRF-21] [PRF-22] [LNK-45]
    pub(crate) fn on_disposition(
        &mut self,
        disposition: Disposition,
        octets: usize,
        events: &mut Events,
    ) {
        let first = disposition.first.0;
        let last = disposition.last.map_or(first, |last| last.0);
        let session = self.key;
        let name = |link| super::LinkKey { session, link };
        let mut spent = 0;
        // Every delivery of the range gets a copy of the state, until that is enough.
        let mut copy = || {
            spent += octets;
            match spent > MAX_STATES {
                true => disposition.state.as_ref().map(without_details),
                false => disposition.state.clone(),
            }
        };
        match disposition.role {
            Role::Receiver => {
                let owed = &mut self.sent_dispositions;
                let links = &mut self.links;
                let mut sorted_out = Vec::new();
                self.sent.drain_range(first, last, |id, sent| {
                    if links.get(sent.link).is_some_and(|link| link.discarding) {
                        // [LNK-38]
                        return false;
                    }
                    let seq = sent.message.seq;
                    let state = copy();
                    let told = disposition.settled || state.as_ref().is_some_and(is_terminal);
                    let waits = told && sent.message.hold && {
                        let end = links.get_mut(sent.link).and_then(Link::sender);
                        end.is_some_and(|end| end.note_outcome(seq, id, disposition.settled))
                    };
                    if waits || !told {
                        if let Some(state) = state {
                            sent.remote = Some(state.clone());
                            events.push_back(Event::Updated {
                                link: name(sent.link),
                                seq,
                                state,
                            });
                        }
                        return false;
                    }
                    // A delivery that is being written goes on to its last transfer. [OUT-06]
                    let state = state.or_else(|| sent.remote.take());
                    // Nothing is said of a link behind its detach. [LNK-38]
                    let detached = |link: &Link| matches!(link.local, Local::Detached { .. });
                    if !disposition.settled && !links.get(sent.link).is_none_or(detached) {
                        // The receiver waits for us to settle. [LNK-48]
                        owed.push(id, true, state.clone());
                    }
                    if links
                        .get(sent.link)
                        .is_some_and(|link| link.round.is_some())
                    {
                        sorted_out.push(sent.link);
                    }
                    events.push_back(Event::Settled {
                        link: name(sent.link),
                        seq,
                        state,
                    });
                    true
                });
                for link in sorted_out {
                    self.settle_in_round(link);
                }
            }
            Role::Sender => {
                let links = &mut self.links;
                let owed = &mut self.received_dispositions;
                let mut done = Vec::new();
                let mut sorted_out = Vec::new();
                self.held.drain_range(first, last, |id, held| {
                    if links.get(held.link).is_some_and(|link| link.discarding) {
                        // [LNK-38]
                        return false;
                    }
                    let terminal = disposition.state.as_ref().is_some_and(is_terminal);
                    if !disposition.settled && !terminal {
                        if let Some(state) = copy() {
                            events.push_back(Event::DeliveryUpdated {
                                link: name(held.link),
                                id,
                                tag: held.tag,
                                state,
                            });
                        }
                        return false;
                    }
                    let link = links.get_mut(held.link);
                    let detached = |link: &mut Link| {
                        if let Some(receiver) = link.receiver() {
                            receiver.tags.remove(&held.tag);
                        }
                        if link.round.is_some() {
                            sorted_out.push(held.link);
                        }
                        matches!(link.local, Local::Detached { .. })
                    };
                    if !link.is_none_or(detached) && !disposition.settled {
                        // The sender decided by itself and waits for us to confirm. [LNK-51]
                        owed.push(id, true, copy());
                    }
                    if held.is_unfinished() {
                        done.push(held.link);
                    }
                    events.push_back(Event::DeliverySettled {
                        link: name(held.link),
                        id,
                        tag: held.tag,
                        state: copy(),
                    });
                    true
                });
                for link in done {
                    self.consumed(link, 1);
                }
                for link in sorted_out {
                    self.settle_in_round(link);
                }
            }
        }
    }
}

/// A state as it is when it says nothing but what it is.
fn without_details(state: &DeliveryState) -> DeliveryState {
    match state {
        DeliveryState::Rejected(rejected) => {
            let condition = |error: &Error| Box::new(Error::new(error.condition.clone()));
            DeliveryState::Rejected(Rejected {
                error: rejected.error.as_deref().map(condition),
            })
        }
        DeliveryState::Modified(modified) => DeliveryState::Modified(Modified {
            message_annotations: None,
            ..modified.clone()
        }),
        DeliveryState::Other(other) => DeliveryState::Other(Box::new(Described {
            descriptor: other.descriptor.clone(),
            value: Value::Null,
        })),
        known => known.clone(),
    }
}

/// A handle that names no link. [SES-32]
pub(super) fn unattached(handle: u32, frame: &str) -> Violation {
    Violation::session(
        ErrorCondition::UnattachedHandle,
        "2.5.6",
        format!("a {frame} on handle {handle}, which is not attached"),
    )
}

pub(super) fn invalid(
    link: super::super::arena::Key,
    section: &'static str,
    detail: &'static str,
) -> Violation {
    Violation::link(link, ErrorCondition::InvalidField, section, detail)
}
