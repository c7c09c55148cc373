//! Links of which not all unsettled deliveries fit into one attach.
//!
//! Decides that such a link of ours is detached and attached again by itself, as often as it takes; its
//! handles see nothing of it but that new messages wait. When a round is over the engine says. Sections
//! 2.6.13, 2.7.3. [LNK-64]

use super::{Driver, LinkEntry, LinkShared, spans};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{LinkConfig, LinkKey, Resume};
use amqp_types::transport::{self, ErrorCondition};

/// How many rounds in a row may be of no use, before the link is given up.
const FRUITLESS: usize = 100;

/// What a link is attached again with.
#[derive(Clone, Debug)]
pub(super) struct Again {
    config: LinkConfig,
    /// Whether messages are sent again to a peer that does not resume links.
    resend: bool,
    /// Whether the peer is told what is unsettled.
    tell: bool,
    /// Rounds in a row that were of no use.
    fruitless: usize,
    /// Whether the link is being detached to be attached again, or attached again.
    pub(super) turning: bool,
}

impl Again {
    pub(super) fn of(config: &LinkConfig) -> Option<Self> {
        let resend = match &config.resume {
            Some(Resume::Sender { resend, .. }) => *resend,
            _ => false,
        };
        config.resume.is_some().then(|| Self {
            config: LinkConfig {
                resume: None,
                ..config.clone()
            },
            resend,
            tell: true,
            fruitless: 0,
            turning: false,
        })
    }
}

impl Driver {
    /// As much as could be sorted out in this attachment has been.
    pub(super) fn round_over(&mut self, link: LinkKey, told: usize, resumes: bool, progress: bool) {
        let Some(LinkEntry {
            shared,
            again: Some(again),
            ..
        }) = self.links.get_mut(&link)
        else {
            return;
        };
        again.tell = resumes;
        match progress || !resumes {
            true => again.fruitless = 0,
            // Another part of the map next time.
            false => {
                again.fruitless += 1;
                again.config.tell_from = again.config.tell_from.wrapping_add(told.max(1));
            }
        }
        if again.fruitless <= FRUITLESS {
            again.turning = true;
            if let LinkShared::Receiver(receiver) = shared {
                // What has been decided so far is still told in this round.
                receiver.turn();
                let receiver = receiver.clone();
                self.take_inbox(&receiver);
            }
            return self.engine.detach(link, false, None);
        }
        let error = Error::new(
            ErrorKind::Limit,
            ErrorScope::Link,
            Initiator::Library,
            "the unsettled deliveries can not be sorted out in frames of this size",
        );
        shared.finish(&error, false);
        self.trace_detached(link);
        if let Some(entry) = self.links.remove(&link) {
            spans::detached(&entry.span, entry.open, false, false, &error);
            self.meter.detached(&entry, &error);
        }
        let told = transport::Error::new(ErrorCondition::FrameSizeTooSmall);
        self.engine.detach(link, false, Some(Box::new(told)));
    }

    /// Attaches a link again that was detached for it.
    pub(super) fn attach_round(&mut self, former: LinkKey, shared: LinkShared, again: Again) {
        let connection = self.shared.clone();
        let made = match &shared {
            LinkShared::Sender(link) => link
                .resume(connection, again.resend, again.tell)
                .map(|(attach, resume)| (attach, Some(resume))),
            LinkShared::Receiver(link) => link.resume(connection, again.tell),
        };
        // Otherwise it is over, and its handles know.
        let Ok((attach, resume)) = made else { return };
        let config = LinkConfig {
            resume,
            ..again.config.clone()
        };
        self.leaves(&shared, former.session);
        let span = self.link_span(Some(former.session), &attach, false);
        let resume = spans::resumed(&config);
        let Some(key) = self.engine.attach(former.session, attach, config) else {
            return shared.finish(&Error::closed_locally(ErrorScope::Session), false);
        };
        shared.attach(key);
        let entry = LinkEntry {
            again: Some(again),
            ..LinkEntry::new(shared, span)
        };
        self.links.insert(key, entry);
        self.trace_resumed(key, resume.as_ref());
    }
}
