//! What the application asks of a link that it receives on, and the window that follows from it.
//!
//! Decides when credit and window are renewed and which dispositions are owed. Sections 2.5.6, 2.6.7,
//! 2.6.12.

use std::cell::OnceCell;
use std::collections::VecDeque;

use amqp_types::messaging::DeliveryState;

use super::super::arena::Key;
use super::super::delivery::{Held, Load};
use super::super::event::Event;
use super::super::link::{End, Link, Local};
use super::super::resume::is_terminal;
use super::Session;

impl Session {
    /// The application took deliveries of this weight off a link's queue.
    pub(crate) fn taken(&mut self, key: Key, load: Load) {
        if let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) {
            receiver.load.sub(load);
            self.load.sub(load);
            self.judge_window();
        }
    }

    /// The application is done with `n` deliveries of a link: credit may be topped up.
    pub(crate) fn consumed(&mut self, key: Key, n: u32) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let may_flow = !matches!(
            link.local,
            Local::DetachOwed(_) | Local::Detached { .. } | Local::Offered
        ) && !link.refused;
        let Some(receiver) = link.receiver() else {
            return;
        };
        receiver.credit.consumed(n);
        if may_flow && receiver.credit.top_up() {
            link.flow_owed = true;
            self.owe(key);
        }
    }

    /// Reports an outcome for a delivery and, unless it stays open, settles it. The application is
    /// done with it then: credit may be topped up. Answers whether there was anything to report.
    /// [LNK-44] [LNK-47] [LNK-48]
    pub(crate) fn settle(&mut self, id: u32, state: Option<DeliveryState>, settled: bool) -> bool {
        // Nothing is said of a link behind its detach. [LNK-38]
        let speaks = |link| {
            let link = self.links.get(link);
            link.is_some_and(|link| !matches!(link.local, Local::Detached { .. }))
        };
        let (link, first) = if settled {
            let Some(held) = self.held.remove_if(id, |held| speaks(held.link)) else {
                return false;
            };
            self.forget_tag(&held);
            (held.link, held.is_unfinished())
        } else {
            let Some(held) = self.held.get_mut(id) else {
                return false;
            };
            // A terminal state that was told does not change any more. [LNK-52] [OUT-02]
            let told = matches!(&held.local, Some(Some(told)) if is_terminal(told));
            if told || !speaks(held.link) {
                return false;
            }
            let first = held.is_unfinished();
            held.local = Some(state.clone());
            (held.link, first)
        };
        self.received_dispositions.push(id, settled, state);
        if first {
            self.consumed(link, 1);
        }
        true
    }

    /// Takes a delivery that is settled out of those that are held: its tag may come again. [LNK-42]
    pub(super) fn release(&mut self, id: u32) -> Option<Held> {
        let held = self.held.remove(id)?;
        self.forget_tag(&held);
        Some(held)
    }

    fn forget_tag(&mut self, held: &Held) {
        if let Some(link) = self.links.get_mut(held.link)
            && let Some(receiver) = link.receiver()
        {
            receiver.tags.remove(&held.tag);
            if link.round.is_some() {
                self.settle_in_round(held.link);
            }
        }
    }

    /// A delivery that may be open at the partner is not held here.
    pub(super) fn stray(&mut self, id: u32) {
        widen(&mut self.astray, id);
    }

    /// Tells whether a delivery that the partner may have open, and that is not to be settled, lies
    /// strictly between two ids: one that is held, one of which not all transfers have come, or one that
    /// went astray. [PRF-20]
    pub(super) fn open_between(&self) -> impl Fn(u32, u32) -> bool {
        let parts = OnceCell::new();
        move |after, before| {
            let is_between = |id: &u32| is_before(after, *id) && is_before(*id, before);
            self.held.any_between(after, before)
                || parts
                    .get_or_init(|| self.unfinished())
                    .iter()
                    .any(is_between)
                || overlaps(self.astray, after, before)
        }
    }

    /// The deliveries of which not all transfers have come, one a link at most.
    fn unfinished(&self) -> Vec<u32> {
        let assembly = |link: &Link| match &link.end {
            End::Receiver(receiver) => receiver.assembly.as_ref().map(|part| part.head.id),
            End::Sender(_) => None,
        };
        let links = self.links.iter();
        links.filter_map(|(_, link)| assembly(link)).collect()
    }

    /// Settles every delivery of a link up to one, in order, with the same outcome; answers how many.
    pub(crate) fn settle_up_to(
        &mut self,
        key: Key,
        last: u32,
        state: &DeliveryState,
        settled: bool,
    ) -> usize {
        let Some(first) = self.held.iter().next().map(|(id, _)| id) else {
            return 0;
        };
        if (last.wrapping_sub(first) as i32) < 0 {
            return 0;
        }
        let mut ids = Vec::new();
        self.held.drain_range(first, last, |id, held| {
            if held.link == key && held.local.is_none() {
                ids.push(id);
            }
            false
        });
        let reported = |id: &u32| self.settle(*id, Some(state.clone()), settled);
        ids.into_iter().filter(reported).count()
    }

    /// Grants exactly `credit`, by hand from now on. What is in flight when it is less than before
    /// still arrives. [LNK-34]
    pub(crate) fn set_credit(&mut self, key: Key, credit: u32) {
        if let Some(link) = self.links.get_mut(key)
            && let Some(receiver) = link.receiver()
        {
            receiver.credit.set_auto(None);
            if receiver.credit.set(credit) {
                link.flow_owed = true;
                self.owe(key);
            }
        }
    }

    /// Grants `more` beside what is granted, by hand from now on.
    pub(crate) fn add_credit(&mut self, key: Key, more: u32) {
        if let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) {
            let credit = receiver.credit.credit().saturating_add(more);
            self.set_credit(key, credit);
        }
    }

    /// Keeps `window` granted by itself from now on.
    pub(crate) fn set_auto_credit(&mut self, key: Key, window: u32) {
        if let Some(receiver) = self.links.get_mut(key).and_then(Link::receiver) {
            receiver.credit.set_auto(Some(window));
            self.consumed(key, 0);
        }
    }

    /// Asks the sender to use up or give back the credit that it has.
    pub(crate) fn drain(&mut self, key: Key, events: &mut VecDeque<Event>) {
        let name = self.name(key);
        if let Some(link) = self.links.get_mut(key)
            && let Some(receiver) = link.receiver()
        {
            if receiver.credit.credit() == 0 {
                events.push_back(Event::Drained { link: name });
                return;
            }
            receiver.credit.start_drain();
            link.flow_owed = true;
            self.owe(key);
        }
    }

    /// Announces the incoming window again before it starves the partner. [SES-26]
    pub(super) fn judge_window(&mut self) {
        let whole = self.whole_window;
        let starved = self.incoming_window <= whole / 2;
        if starved && self.open_window() > self.incoming_window.saturating_add(whole / 4) {
            self.flow_owed = true;
        }
    }

    /// How many frames the partner may send now. When nothing but parts of messages are held, they
    /// may go on whatever they weigh: nobody can take them before they are whole. [SES-26]
    pub(super) fn open_window(&self) -> u32 {
        match self.load.frames {
            0 => {
                let least = self.whole_window / 4 + 1;
                self.window_of(self.load).max(least)
            }
            _ => self.window_of(self.load),
        }
    }

    /// The window under a load: so many frames, and never more than the octets allow should every
    /// one of them be as large as a frame may be.
    pub(super) fn window_of(&self, load: Load) -> u32 {
        let frames = self.config.incoming_window.saturating_sub(load.frames);
        let octets = self.config.incoming_octets.saturating_sub(load.octets);
        let by_octets = u32::try_from(octets / self.max_frame_size).unwrap_or(u32::MAX);
        frames.min(by_octets)
    }
}

/// Takes an id into the span of those that went astray.
pub(super) fn widen(astray: &mut Option<(u32, u32)>, id: u32) {
    *astray = Some(match *astray {
        None => (id, id),
        Some((first, last)) if is_before(id, first) => (id, last),
        Some((first, last)) if is_before(last, id) => (first, id),
        Some(astray) => astray,
    });
}

/// Whether an id that went astray may lie strictly between two others.
pub(super) fn overlaps(astray: Option<(u32, u32)>, after: u32, before: u32) -> bool {
    astray.is_some_and(|(first, last)| is_before(after, last) && is_before(first, before))
}

/// In the order of serial numbers. RFC 1982.
fn is_before(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) > 0
}
