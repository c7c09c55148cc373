//! The links of a session: how they come, what they owe, how they go.
//!
//! Decides which handle a link gets and which link an attach means. What the partner's frames do to a
//! link is left to `input`. Sections 2.6.1 to 2.6.6.

use std::collections::{HashSet, VecDeque};

use amqp_types::Str;
use amqp_types::transport::{Attach, Error, ErrorCondition, Handle, Role, SequenceNo};

use super::super::arena::Key;
use super::super::event::{Event, LinkKey};
use super::super::link::{End, Link, LinkConfig, Local, Remote, opposite};
use super::receive::widen;
use super::resume::{fit_unsettled, tell_unsettled};
use super::{Former, Session};

impl Session {
    /// Attaches a link under the lowest free handle. `None` when the handles are used up. [LNK-04] [SES-30]
    pub(crate) fn attach(&mut self, mut attach: Box<Attach>, config: LinkConfig) -> Option<Key> {
        let output = self.free_output()?;
        attach.handle = Handle(output);
        tell_unsettled(&mut attach, &config);
        if attach.role == Role::Sender && attach.initial_delivery_count.is_none() {
            attach.initial_delivery_count = Some(SequenceNo(0));
        }
        let resumes = config.resume.is_some();
        // A name is that of one link: where the one before is being detached this one waits. [LNK-01]
        let same = |link: &Link| link.role() == attach.role && link.name == attach.name;
        let before = self.links.iter().find(|(_, link)| same(link));
        let after = before.map(|(key, _)| key);
        let mut link = Link::outgoing(attach, output, config);
        link.after = after;
        let key = self.links.insert(link);
        self.outputs[output as usize] = Some(key);
        self.take_former(key, resumes);
        self.owe(key);
        Some(key)
    }

    /// Accepts a link that the partner attached. Credit that came before is told again.
    pub(crate) fn accept_link(
        &mut self,
        key: Key,
        mut attach: Box<Attach>,
        config: LinkConfig,
        max_frame: usize,
        events: &mut VecDeque<Event>,
    ) {
        let channel = self.output;
        let name = self.name(key);
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        if !matches!(link.local, Local::Offered) {
            return;
        }
        attach.handle = Handle(link.output);
        tell_unsettled(&mut attach, &config);
        if attach.role == Role::Sender && attach.initial_delivery_count.is_none() {
            attach.initial_delivery_count = Some(SequenceNo(0));
        }
        let resumes = config.resume.is_some();
        link.partial = fit_unsettled(&mut attach, channel, max_frame);
        link.accept(attach, config);
        if let Some(sender) = link.sender()
            && (sender.credit.credit() > 0 || sender.credit.draining())
        {
            events.push_back(Event::Credit {
                link: name,
                credit: sender.credit.credit(),
                drain: sender.credit.draining(),
            });
        }
        self.take_former(key, resumes);
        self.reconcile(key, events);
        self.finish_drain(key, events);
        self.owe(key);
    }

    /// Refuses a link: an attach without our terminus, and a closing detach behind it. [LNK-08]
    pub(crate) fn refuse_link(
        &mut self,
        key: Key,
        mut attach: Box<Attach>,
        error: Box<Error>,
        events: &mut VecDeque<Event>,
    ) {
        match attach.role {
            Role::Sender => attach.source = None,
            Role::Receiver => attach.target = None,
        }
        self.accept_link(key, attach, LinkConfig::default(), usize::MAX, events);
        self.detach(key, true, Some(error));
    }

    /// Takes a link back that has not been attached yet: the partner never hears of it, and the name is
    /// free at once. Answers whether that was so. One that resumes another goes the long way.
    pub(crate) fn take_back(&mut self, key: Key, events: &mut VecDeque<Event>) -> bool {
        let unwritten = |link: &Link| {
            matches!(link.local, Local::AttachOwed { then: None, .. })
                && link.remote == Remote::Unattached
                && link.former.is_none()
                && !link.resumes()
                && !matches!(&link.end, End::Sender(sender) if !sender.queue.is_empty())
        };
        if !self.links.get(key).is_some_and(unwritten) {
            return false;
        }
        events.push_back(Event::LinkDetached {
            link: self.name(key),
            closed: true,
            error: None,
            by_peer: false,
        });
        self.free_link(key);
        true
    }

    pub(crate) fn detach(&mut self, key: Key, closed: bool, error: Option<Box<Error>>) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        link.discarding |= error.is_some();
        if link.detach(closed, error) {
            if let Some(receiver) = link.receiver()
                && let Some(assembly) = receiver.assembly.take()
            {
                receiver.load.sub(assembly.load());
                self.load.sub(assembly.load());
                self.stray(assembly.head.id);
            }
            self.owe(key);
        }
    }

    pub(super) fn free_output(&mut self) -> Option<u32> {
        let free = self.outputs.iter().position(Option::is_none);
        let handle = free.unwrap_or(self.outputs.len()) as u32;
        // Before the partner's begin only handle 0 is sure to be within its range.
        if handle > self.remote_handle_max.unwrap_or(u32::MAX) || handle > self.config.handle_max {
            return None;
        }
        if free.is_none() {
            self.outputs.push(None);
        }
        Some(handle)
    }

    pub(super) fn free_link(&mut self, key: Key) {
        if let Some(link) = self.links.remove(key) {
            if let Some(slot) = self.outputs.get_mut(link.output as usize)
                && *slot == Some(key)
            {
                *slot = None;
            }
            if link.octets > 0 {
                self.offered.0 -= 1;
                self.offered.1 -= link.octets;
            }
            if let End::Receiver(receiver) = &link.end {
                // What nobody will take any more is no reason to hold the partner back.
                self.load.sub(receiver.load);
                self.judge_window();
            }
            // It may be attached again already, and only have waited for this. [LNK-01]
            let waits = |(_, next): &(Key, &Link)| next.after == Some(key);
            let next = self.links.iter().find(waits);
            let next = next.map(|(key, next)| (key, next.resumes()));
            self.woken |= next.is_some();
            if link.outlives() && self.has_deliveries(key) {
                self.detached.push(Former {
                    key,
                    role: link.role(),
                    name: link.name,
                });
                if let Some((next, resumes)) = next {
                    self.take_former(next, resumes);
                }
            } else {
                self.forget_deliveries(key);
            }
        }
    }

    fn has_deliveries(&self, key: Key) -> bool {
        self.sent.iter().any(|(_, sent)| sent.link == key)
            || self.held.iter().any(|(_, held)| held.link == key)
    }

    pub(super) fn forget_deliveries(&mut self, key: Key) {
        for (id, _) in self.sent.extract(|_, sent| sent.link == key) {
            widen(&mut self.sent_astray, id);
        }
        for (id, _) in self.held.extract(|_, held| held.link == key) {
            self.stray(id);
        }
    }

    /// Nobody wants to know of the deliveries of a detached link any more.
    pub(crate) fn forget(&mut self, key: Key) {
        if let Some(at) = self.detached.iter().position(|former| former.key == key) {
            self.detached.swap_remove(at);
            self.forget_deliveries(key);
        } else if let Some(link) = self.links.get_mut(key) {
            // Its own detach is still owed.
            link.keep = false;
        }
    }

    /// A link is attached again: until the partner's attach comes, what it says of the deliveries of
    /// the attachment before concerns this one. Without resumption they are forgotten. [PRF-23] [LNK-58]
    fn take_former(&mut self, key: Key, resumes: bool) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let role = link.role();
        let of_name = |former: &Former| former.role == role && former.name == link.name;
        let Some(at) = self.detached.iter().position(of_name) else {
            return;
        };
        let former = self.detached.swap_remove(at).key;
        if !resumes {
            self.forget_deliveries(former);
            return;
        }
        let mut open = HashSet::new();
        self.sent.extract(|_, sent| {
            if sent.link == former {
                sent.link = key;
                open.insert(sent.message.seq);
            }
            false
        });
        link.former = Some(open);
        self.held.extract(|_, held| {
            if held.link == former {
                held.link = key;
            }
            false
        });
    }

    pub(super) fn link_by_input(&self, handle: u32) -> Option<Key> {
        self.inputs.get(handle as usize).copied().flatten()
    }

    /// Whether a link of ours waits for an attach of this name. [LNK-02]
    pub(crate) fn awaits(&self, name: &Str, mine: Role) -> bool {
        self.find_link(name, mine).is_some()
    }

    /// Whether an attach is legal and no answer to ours, so that it may take a link over. [LNK-05]
    pub(crate) fn takes_over(&self, attach: &Attach) -> bool {
        !self.discarding
            && !self.is_ending()
            && attach.handle.0 <= self.config.handle_max
            && self.link_by_input(attach.handle.0).is_none()
            && !self.awaits(&attach.name, opposite(attach.role))
    }

    /// Gives up a link that the partner attaches anew elsewhere. [LNK-05]
    pub(crate) fn steal(&mut self, attach: &Attach, events: &mut VecDeque<Event>) {
        if self.is_ending() {
            // Its links are over with it. [SES-15]
            return;
        }
        let mine = opposite(attach.role);
        let taken = self
            .links
            .iter()
            .find(|(_, link)| link.role() == mine && link.name == attach.name && link.is_whole());
        if let Some((key, _)) = taken {
            let mut error = Error::new(ErrorCondition::Stolen);
            error.description = Some("the link is attached elsewhere (section 2.6.1)".into());
            let error = Box::new(error);
            self.detach(key, true, Some(error.clone()));
            events.push_back(Event::LinkDetached {
                link: self.name(key),
                closed: true,
                error: Some(error),
                by_peer: false,
            });
        }
    }

    pub(super) fn find_link(&self, name: &Str, role: Role) -> Option<Key> {
        self.links
            .iter()
            .find(|(_, link)| {
                link.role() == role && link.name == *name && link.remote == Remote::Unattached
            })
            .map(|(key, _)| key)
    }

    pub(super) fn owe(&mut self, key: Key) {
        if let Some(link) = self.links.get_mut(key)
            && !link.listed
        {
            link.listed = true;
            self.owing.push(key);
        }
    }

    /// Puts a sender into the queue of those that are served, if it has work.
    pub(super) fn make_ready(&mut self, key: Key) {
        if let Some(link) = self.links.get_mut(key)
            && let End::Sender(sender) = &mut link.end
            && !sender.ready
            && (sender.progress.is_some() || !sender.queue.is_empty())
            && matches!(link.local, Local::Attached)
            && link.remote == Remote::Attached
        {
            sender.ready = true;
            self.ready.push_back(key);
        }
    }

    pub(super) fn name(&self, link: Key) -> LinkKey {
        LinkKey {
            session: self.key,
            link,
        }
    }
}
