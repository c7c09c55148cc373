//! Detaches and ends that come in: how the partner leaves a link, or the session.
//!
//! Decides what is owed in answer, also where both sides leave at once, and what of a delivery goes with
//! its link. What the application ends is left to `links`. Sections 2.5.5, 2.6.5, 2.6.6.

use amqp_types::transport::{Detach, End as EndFrame, Error, ErrorCondition};

use super::super::event::Event;
use super::super::link::{Link, Local, Remote};
use super::super::violation::Violation;
use super::input::{Events, unattached};
use super::{RemoteSession, Session};

impl Session {
    /// The partner detaches. The answer says closed exactly when the partner did. [LNK-19] [LNK-20] [LNK-21]
    pub(crate) fn on_detach(
        &mut self,
        detach: Detach,
        events: &mut Events,
    ) -> Result<(), Violation> {
        let handle = detach.handle.0;
        let key = self
            .link_by_input(handle)
            .ok_or_else(|| unattached(handle, "detach"))?;
        self.inputs[handle as usize] = None;
        let name = self.name(key);
        let Some(link) = self.links.get_mut(key) else {
            return Ok(());
        };
        link.remote = Remote::Detached {
            closed: detach.closed,
        };
        link.input = None;
        link.failed |= detach.error.is_some();
        // One that was stolen lives on elsewhere: attaching it here would steal it back. [LNK-05]
        let stolen = |error: &Error| error.condition == ErrorCondition::Stolen;
        let stolen = detach.error.as_deref().is_some_and(stolen);
        if detach.closed && !stolen && matches!(link.local, Local::Detached { closed: false }) {
            // It crossed our detach, which kept the link: it is closed by attaching it once more
            // and closing it. [LNK-22]
            // The partner answers both frames; until then the handle is not free.
            link.remote = Remote::Unattached;
            link.attach_and_detach(true);
            self.owe(key);
            events.push_back(Event::LinkDetached {
                link: name,
                closed: true,
                error: detach.error,
                by_peer: false,
            });
            return Ok(());
        }
        if detach.closed
            && let Local::DetachOwed(owed) = &mut link.local
        {
            // Ours has not been written yet: it closes the link, too.
            owed.closed = true;
        }
        let unheard = link.unheard;
        let by_peer = !matches!(link.local, Local::DetachOwed(_) | Local::Detached { .. });
        let mut lost = None;
        if let Some(receiver) = link.receiver()
            && let Some(assembly) = receiver.assembly.take()
        {
            // [LNK-57]: a fragment is never delivered.
            receiver.load.sub(assembly.load());
            self.load.sub(assembly.load());
            lost = Some(assembly.head.id);
        }
        if by_peer {
            // Where nobody has answered the attach yet, it is answered all the same: the partner
            // waits for both frames before its handle is free. [LNK-07] [LNK-20]
            link.detach(detach.closed, None);
            self.owe(key);
        }
        if let Some(id) = lost {
            self.stray(id);
        }
        if !unheard {
            events.push_back(Event::LinkDetached {
                link: name,
                closed: detach.closed,
                error: detach.error,
                by_peer,
            });
        }
        if self.links.get(key).is_some_and(Link::is_gone) {
            self.free_link(key);
        }
        Ok(())
    }

    /// The partner ends the session. [SES-07] [SES-08]
    pub(crate) fn on_end(&mut self, end: EndFrame, events: &mut Events) {
        // The channel is kept: a begin that has not been answered still names it. [SES-02]
        self.remote = RemoteSession::Ended;
        let by_peer = !matches!(
            self.local,
            super::LocalSession::EndOwed(_) | super::LocalSession::Ended
        );
        self.end(None);
        events.push_back(Event::SessionEnded {
            session: self.key,
            error: end.error,
            by_peer,
        });
    }
}
