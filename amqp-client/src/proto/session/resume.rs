//! Deliveries of an earlier attachment of a link, when it is attached again.
//!
//! Decides what the attach tells of them, what the sender sends once it knows the partner's map, and
//! what the receiver makes of resumed transfers. The table itself is [`super::super::resume`].
//! Sections 2.6.13, 2.7.3.

use std::collections::{HashMap, HashSet, VecDeque};

use amqp_types::Binary;
use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{Attach, DeliveryTag};
use bytes::BytesMut;

use super::super::arena::Key;
use super::super::delivery::{Held, Incoming, Outgoing, Tag, TransferKind};
use super::super::event::Event;
use super::super::frame::{AMQP_FRAME, put_frame};
use super::super::link::{End, Link, LinkConfig};
use super::super::resume::{Action, Resume, Target, Unsettled, UnsettledMap, action, is_terminal};
use super::super::round::Round;
use super::Session;

/// Puts the unsettled map into an attach. A link that is not resumed has none; one that is has a
/// map, if only an empty one. [LNK-15] [LNK-16] [LNK-17]
pub(super) fn tell_unsettled(attach: &mut Attach, config: &LinkConfig) {
    let Some(resume) = &config.resume else { return };
    if matches!(resume, Resume::Sender { tell: false, .. }) {
        return;
    }
    let entry = |tag: &Tag, state: &Option<DeliveryState>| {
        // A `Tag` has at most 32 octets, which is all that a delivery-tag has to hold to.
        let tag = DeliveryTag::try_from(Binary::from(tag.as_bytes().to_vec())).ok()?;
        Some((tag, state.clone()))
    };
    let mut entries: Vec<_> = match resume {
        Resume::Sender { unsettled, .. } => unsettled
            .iter()
            .filter(|delivery| delivery.transmitted)
            .filter_map(|delivery| entry(&delivery.message.wire_tag(), &delivery.state))
            .collect(),
        Resume::Receiver(outstanding) => outstanding
            .iter()
            .filter_map(|delivery| entry(&delivery.tag, &delivery.state))
            .collect(),
    };
    if !entries.is_empty() {
        let from = config.tell_from % entries.len();
        entries.rotate_left(from);
    }
    // Tags are unique on both sides. [LNK-42]
    attach.unsettled = UnsettledMap::from_pairs(entries).ok();
}

/// Leaves out of the unsettled map what does not fit into a frame, and says so. Answers what is told,
/// where that is not all; nothing at all is told only of a link that has nothing to tell. [LNK-64]
pub(super) fn fit_unsettled(
    attach: &mut Attach,
    channel: u16,
    max_frame: usize,
) -> Option<HashSet<Tag>> {
    let mut scratch = BytesMut::new();
    let mut size = |attach: &Attach| {
        scratch.clear();
        put_frame(&mut scratch, AMQP_FRAME, channel, attach)
    };
    let all = attach.unsettled.as_ref()?.as_slice().to_vec();
    if all.is_empty() || size(attach) <= max_frame {
        return None;
    }
    let whole = attach.unsettled.take();
    attach.incomplete_unsettled = true;
    let (mut fits, mut too_many) = (0, all.len());
    while too_many - fits > 1 {
        let half = fits + (too_many - fits) / 2;
        attach.unsettled = UnsettledMap::from_pairs(all[..half].to_vec()).ok();
        match size(attach) <= max_frame {
            true => fits = half,
            false => too_many = half,
        }
    }
    if fits == 0 {
        attach.unsettled = whole;
        attach.incomplete_unsettled = false;
        return None;
    }
    let told = &all[..fits];
    attach.unsettled = UnsettledMap::from_pairs(told.to_vec()).ok();
    Some(
        told.iter()
            .filter_map(|(tag, _)| Tag::new(tag.as_ref()))
            .collect(),
    )
}

/// The partner's map, by tag.
struct Index<'a>(HashMap<&'a [u8], Option<&'a DeliveryState>>);

impl<'a> Index<'a> {
    fn new(map: &'a UnsettledMap) -> Self {
        let entries = map.iter();
        Self(
            entries
                .map(|(tag, state)| (tag.as_ref(), state.as_ref()))
                .collect(),
        )
    }

    fn target_of(&self, tag: &Tag) -> Target<'a> {
        match self.0.get(tag.as_bytes()) {
            Some(state) => Target::Known(*state),
            None => Target::Absent,
        }
    }
}

impl Session {
    /// The partner's attach has come: what is left of the earlier attachment is sorted out. Only what
    /// is in our own map is resumed, under ids of this session. [LNK-58] [LNK-60]
    pub(super) fn reconcile(&mut self, key: Key, events: &mut VecDeque<Event>) {
        let name = self.name(key);
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let told = std::mem::take(&mut link.told);
        // From here on what counts is what the attaches say, and what was settled in between. [PRF-23]
        let mut settled_since = HashSet::new();
        if let Some(former) = link.former.take() {
            settled_since = former;
            for (_, open) in self.sent.extract(|_, sent| sent.link == key) {
                settled_since.remove(&open.message.seq);
            }
            self.held.extract(|_, held| held.link == key);
        }
        let mut round = (link.partial.is_some() || told.incomplete).then(|| {
            events.push_back(Event::Partial { link: name });
            let own = link.partial.as_ref().map(HashSet::len);
            Box::new(Round::new(own, told.unsettled.is_some()))
        });
        match &mut link.end {
            End::Sender(sender) => {
                let Some(former) = sender.resume.take() else {
                    return self.enter(key, round);
                };
                // Those were ids of the earlier attachment.
                sender.outcomes.clear();
                let resend = former.resend;
                // What is older goes first; and `queue` is in the order of the numbers.
                let later = std::mem::take(&mut sender.queue);
                let queue = &mut sender.queue;
                // To a receiver that was told of nothing nothing is left of what it has. [LNK-62]
                let map = told.unsettled.as_ref().filter(|_| former.tell);
                let map = map.map(Index::new);
                for delivery in former.unsettled {
                    let Unsettled {
                        message,
                        state,
                        transmitted,
                    } = delivery;
                    let seq = message.seq;
                    let settled = |state| Event::Settled {
                        link: name,
                        seq,
                        state,
                    };
                    let sent = Event::Sent {
                        link: name,
                        count: 1,
                        settled: 0,
                        settled_bytes: 0,
                    };
                    if settled_since.contains(&seq) {
                        events.push_back(sent);
                        continue;
                    }
                    if let Some(round) = &mut round {
                        let target = match &map {
                            Some(map) => map.target_of(&message.wire_tag()),
                            None => Target::Absent,
                        };
                        let unknown = told.incomplete || map.is_none();
                        let known = target != Target::Absent;
                        match action(state.as_ref(), target) {
                            // Nothing new is sent, and a tag that is not there tells nothing.
                            _ if !transmitted => continue,
                            _ if !known && unknown => {
                                round.rest += 1;
                                continue;
                            }
                            Action::SendNew => {
                                round.sort_out();
                                events.push_back(Event::Absent { link: name, seq });
                                continue;
                            }
                            Action::AbortAndSend => {
                                round.sort_out();
                                queue.push_back(aborted(&message));
                                events.push_back(Event::Absent { link: name, seq });
                                continue;
                            }
                            Action::Resume(_) | Action::Announce(_) => round.resume(),
                            Action::Settle(_) | Action::Abort | Action::Forget => round.sort_out(),
                        }
                    }
                    let action = match &map {
                        _ if !transmitted => Action::SendNew,
                        Some(map) => action(state.as_ref(), map.target_of(&message.wire_tag())),
                        // Its outcome is known, whatever the partner remembers.
                        None if state.as_ref().is_some_and(is_terminal) => Action::Forget,
                        None if resend => Action::SendNew,
                        None => {
                            events.push_back(sent);
                            events.push_back(Event::Unknown { link: name, seq });
                            continue;
                        }
                    };
                    match action {
                        Action::SendNew => queue.push_back(message),
                        Action::Resume(state) => queue.push_back(Outgoing {
                            kind: TransferKind::Resumed,
                            payload: match &state {
                                Some(DeliveryState::Received(mark)) => message.payload.slice(
                                    offset(
                                        &message.payload,
                                        mark.section_number,
                                        mark.section_offset,
                                    )..,
                                ),
                                _ => message.payload.clone(),
                            },
                            state: state.map(Box::new),
                            ..message
                        }),
                        Action::Settle(state) => {
                            queue.push_back(state_only(&message, true, state.clone()));
                            events.push_back(settled(Some(state)));
                        }
                        Action::Announce(state) => {
                            queue.push_back(state_only(&message, false, state))
                        }
                        Action::AbortAndSend => {
                            queue.push_back(aborted(&message));
                            queue.push_back(message);
                        }
                        Action::Abort => {
                            queue.push_back(aborted(&message));
                            events.push_back(sent);
                            events.push_back(settled(state));
                        }
                        Action::Forget => {
                            events.push_back(sent);
                            events.push_back(settled(state));
                        }
                    }
                }
                queue.extend(later);
            }
            End::Receiver(receiver) => {
                // What the sender does not know any more counts as settled. [LNK-62]
                let empty = UnsettledMap::default();
                let map = Index::new(told.unsettled.as_ref().unwrap_or(&empty));
                receiver.resume.retain(|tag, _| {
                    let known = map.target_of(tag) != Target::Absent || told.incomplete;
                    if !known {
                        if let Some(round) = &mut round {
                            round.sort_out();
                        }
                        events.push_back(Event::Resumed {
                            link: name,
                            tag: *tag,
                            id: None,
                        });
                    }
                    known
                });
                if let Some(round) = &mut round {
                    // The sender resumes what both maps have; of the rest one can not know.
                    let told =
                        |tag: &Tag| link.partial.as_ref().is_none_or(|told| told.contains(tag));
                    for tag in receiver.resume.keys() {
                        match told(tag) && map.target_of(tag) != Target::Absent {
                            true => round.expect(*tag),
                            false => round.rest += 1,
                        }
                    }
                }
            }
        }
        self.enter(key, round);
    }

    /// Begins to sort out what the attaches have left out; that may be nothing at all.
    fn enter(&mut self, key: Key, round: Option<Box<Round>>) {
        if let Some(link) = self.links.get_mut(key)
            && round.is_some()
        {
            link.round = round;
            self.owe(key);
        }
    }

    /// A delivery of a link that is being sorted out is settled.
    pub(super) fn settle_in_round(&mut self, key: Key) {
        if let Some(link) = self.links.get_mut(key)
            && let Some(round) = &mut link.round
        {
            round.settle();
            self.owe(key);
        }
    }

    /// Tells when a link of ours has sorted out what it could, and has to be attached again.
    pub(super) fn judge_round(&mut self, key: Key, events: &mut VecDeque<Event>) {
        let name = self.name(key);
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        // Who attached the link attaches it again.
        if link.octets > 0 || !link.is_whole() || !link.is_attached() {
            return;
        }
        if let End::Sender(sender) = &link.end
            && (sender.progress.is_some() || sender.queue.front().is_some_and(Outgoing::is_resumed))
        {
            return;
        }
        if let Some(round) = &mut link.round
            && let Some(progress) = round.is_over()
        {
            events.push_back(Event::RoundOver {
                link: name,
                told: round.told.unwrap_or(0),
                resumes: round.resumes,
                progress,
            });
        }
    }

    /// A resumed delivery has come whole; the application has it already. [LNK-59] [RES-03] [RES-14]
    pub(super) fn on_resumed(
        &mut self,
        key: Key,
        delivery: &Incoming,
        aborted: bool,
        events: &mut VecDeque<Event>,
    ) {
        let name = self.name(key);
        let known = self
            .links
            .get_mut(key)
            .and_then(Link::receiver)
            .and_then(|receiver| receiver.resume.remove(&delivery.tag));
        if known.is_some()
            && let Some(round) = self.links.get_mut(key).and_then(|link| link.round.as_mut())
        {
            round.resumed(&delivery.tag);
        }
        if let Some(decided) = known {
            let told = delivery.state.as_deref().filter(|state| is_terminal(state));
            let id = if aborted || delivery.settled {
                None
            } else if let Some(state) = told.cloned().or(decided) {
                // The source's outcome is taken over; otherwise it learns ours.
                self.received_dispositions
                    .push(delivery.id, true, Some(state));
                None
            } else {
                let held = Held {
                    link: key,
                    tag: delivery.tag,
                    counts: false,
                    local: None,
                };
                self.held.push(delivery.id, held);
                if let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) {
                    receiver.tags.add(delivery.tag);
                }
                Some(delivery.id)
            };
            events.push_back(Event::Resumed {
                link: name,
                tag: delivery.tag,
                id,
            });
            if id.is_none() {
                self.settle_in_round(key);
            }
        }
        // The credit that it took is free at once: what it had been granted it was granted before.
        self.consumed(key, 1);
        self.judge_window();
    }
}

fn state_only(message: &Outgoing, settled: bool, state: DeliveryState) -> Outgoing {
    Outgoing {
        payload: bytes::Bytes::new(),
        settled,
        tag: Some(Box::new(message.wire_tag())),
        state: Some(Box::new(state)),
        kind: TransferKind::StateOnly,
        ..*message
    }
}

fn aborted(message: &Outgoing) -> Outgoing {
    Outgoing {
        payload: bytes::Bytes::new(),
        tag: Some(Box::new(message.wire_tag())),
        state: None,
        kind: TransferKind::Aborted,
        ..*message
    }
}

/// Where a mark lies within an encoded message: so many sections, then so many octets. [RES-17]
fn offset(payload: &bytes::Bytes, sections: u32, octets: u64) -> usize {
    let mut decoder = amqp_types::Decoder::new(payload);
    for _ in 0..sections {
        if decoder.is_empty() || decoder.skip_value().is_err() {
            return 0;
        }
    }
    let at = decoder.position() as u64 + octets;
    usize::try_from(at).unwrap_or(usize::MAX).min(payload.len())
}
