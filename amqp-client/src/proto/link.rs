//! One link endpoint: its handles, how far each side is attached, and the sender's or receiver's part.
//!
//! Decides which frames a link owes and may take. Windows, delivery-ids and the unsettled maps are
//! the session's. Section 2.6.

use std::collections::{HashMap, HashSet, VecDeque};

use amqp_types::Str;
use amqp_types::messaging::DeliveryState;
use amqp_types::transport::{
    Attach, Error, Handle, ReceiverSettleMode, Role, SenderSettleMode, SequenceNo,
};

use bytes::Bytes;

use super::arena::Key;
use super::credit::{ReceiverCredit, SenderCredit};
use super::delivery::{Assembly, Load, Outgoing, StreamEnd, Tag};
use super::resume::{FormerDeliveries, Resume, UnsettledMap};
use super::round::Round;
use super::tags::Tags;

/// How far our side of a link has come.
///
/// ```text
/// Offered ──accept──▶ AttachOwed ──sent──▶ Attached ──▶ DetachOwed ──sent──▶ Detached
///    └──────refuse────────┘ (a detach follows at once)
/// ```
#[derive(Debug)]
pub(crate) enum Local {
    /// The partner attached; the application has not answered.
    Offered,
    /// The attach has to be written; when it refuses the link, so has the detach behind it.
    AttachOwed {
        attach: Box<Attach>,
        then: Option<DetachOwed>,
    },
    Attached,
    DetachOwed(DetachOwed),
    Detached {
        closed: bool,
    },
}

/// A detach that has to be written.
#[derive(Debug)]
pub(crate) struct DetachOwed {
    pub(crate) closed: bool,
    pub(crate) error: Option<Box<Error>>,
}

/// How far the partner's side has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remote {
    Unattached,
    Attached,
    Detached { closed: bool },
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: Str,
    /// Our handle for what we send. [LNK-06]
    pub(crate) output: u32,
    /// The partner's handle for what it sends.
    pub(crate) input: Option<u32>,
    pub(crate) local: Local,
    pub(crate) remote: Remote,
    /// After an error detach everything but the partner's detach is dropped. [LNK-38]
    pub(crate) discarding: bool,
    /// Whether the partner answered without its terminus: nothing will ever flow. [PRF-03] [LNK-09]
    pub(crate) refused: bool,
    /// Whether the application never heard of the link.
    pub(crate) unheard: bool,
    pub(crate) snd_settle_mode: SenderSettleMode,
    pub(crate) rcv_settle_mode: ReceiverSettleMode,
    /// The largest message that the partner takes; `None` is any. [LNK-39]
    pub(crate) remote_max_message_size: Option<u64>,
    pub(crate) flow_owed: bool,
    pub(crate) echo: bool,
    /// What the partner's attach said of unsettled deliveries, until the link has been accepted.
    pub(crate) told: Told,
    /// Whether the link stands in the session's list of links that owe frames.
    pub(crate) listed: bool,
    /// The deliveries of which our attach told, where there were too many for it. [LNK-64]
    pub(crate) partial: Option<HashSet<Tag>>,
    /// What is to be sorted out before the link carries new deliveries. [LNK-64]
    pub(crate) round: Option<Box<Round>>,
    /// A link of the same name that has to be gone before this one is attached.
    pub(crate) after: Option<Key>,
    /// What the attach of the partner that began the link had in octets; 0 for a link of ours.
    pub(crate) octets: usize,
    /// Whether its deliveries outlive a detach that does not close. [PRF-23]
    pub(crate) keep: bool,
    /// Whether the partner detached with an error.
    pub(crate) failed: bool,
    /// The deliveries of the attachment before, by number, that were open when this one began; until
    /// the partner's attach comes they go on under this link.
    pub(crate) former: Option<HashSet<u64>>,
    pub(crate) end: End,
}

/// What the partner's attach says of unsettled deliveries. Section 2.7.3.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Its map; `None` when it does not resume the link.
    pub(crate) unsettled: Option<UnsettledMap>,
    /// Whether more are unsettled than the map holds. [LNK-64]
    pub(crate) incomplete: bool,
}

/// Which end of the link is ours.
#[derive(Debug)]
pub(crate) enum End {
    Sender(SenderEnd),
    Receiver(ReceiverEnd),
}

/// What our side of a link is created with, beside its attach.
#[derive(Clone, Debug, Default)]
pub struct LinkConfig {
    /// How much credit a receiver keeps granted by itself; `None` is credit by hand.
    pub credit: Option<u32>,
    /// Whether a sender answers a drain only when the application says that it has nothing more,
    /// instead of when its queue is empty.
    pub manual_drain: bool,
    /// Whether a receiver is told of a delivery part by part, from the first transfer on.
    pub streaming: bool,
    /// Deliveries of an earlier attachment, where there was one.
    pub resume: Option<Resume>,
    /// With which of them the unsettled map begins, where not all of them fit into an attach.
    pub tell_from: usize,
    /// Whether a detach that does not close leaves the deliveries known, so that what the partner says
    /// of them still counts, until the link is attached again or `forget` is called. [PRF-23]
    pub keep: bool,
}

#[derive(Debug)]
pub(crate) struct SenderEnd {
    pub(crate) credit: SenderCredit,
    pub(crate) queue: VecDeque<Outgoing>,
    pub(crate) progress: Option<Progress>,
    /// Payloads that come in parts, by the number of their message.
    pub(crate) streams: HashMap<u64, Parts>,
    /// Messages whose outcome has come and that the application settles, with their delivery-ids.
    pub(crate) outcomes: HashMap<u64, u32>,
    /// Whether the application says when a drain is done, and whether it has.
    pub(crate) manual_drain: bool,
    pub(crate) nothing_more: bool,
    /// Whether the last flow that asked to drain has been answered.
    pub(crate) drain_answered: bool,
    /// What waits for the partner's attach to say what becomes of it.
    pub(crate) resume: Option<FormerDeliveries>,
    /// Whether the link stands in the session's list of links with something to send.
    pub(crate) ready: bool,
}

impl SenderEnd {
    /// The outcome of a message has come that the application settles; answers whether it waits for that.
    pub(crate) fn note_outcome(&mut self, seq: u64, id: u32, settled: bool) -> bool {
        match settled {
            true => self.outcomes.remove(&seq),
            false => self.outcomes.insert(seq, id),
        };
        !settled
    }

    /// How many messages wait, and their octets as far as they are here.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let parts = self.streams.values().flat_map(|parts| &parts.parts);
        let octets = self.queue.iter().map(|message| &message.payload);
        (
            self.queue.len(),
            octets.chain(parts).map(|octets| octets.len()).sum(),
        )
    }
}

/// A delivery of which some transfers have been written.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) message: Outgoing,
    pub(crate) delivery_id: u32,
    pub(crate) sent: usize,
}

/// What has come of a streamed payload and has not been written.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) parts: VecDeque<Bytes>,
    pub(crate) end: Option<StreamEnd>,
}

#[derive(Debug)]
pub(crate) struct ReceiverEnd {
    pub(crate) credit: ReceiverCredit,
    pub(crate) assembly: Option<Assembly>,
    /// The tags of the deliveries that are unsettled. [LNK-42]
    pub(crate) tags: Tags,
    pub(crate) streaming: bool,
    /// What came on the link and has not been taken.
    pub(crate) load: Load,
    /// The largest message that we take; 0 is any. [LNK-40]
    pub(crate) max_message_size: u64,
    /// Deliveries of an earlier attachment that the sender may resume, with the outcome that the
    /// application has decided on.
    pub(crate) resume: HashMap<Tag, Option<DeliveryState>>,
    /// The sender's last word on how much it has to send.
    pub(crate) available: u32,
}

impl Link {
    /// A link that we are going to attach.
    pub(crate) fn outgoing(attach: Box<Attach>, output: u32, config: LinkConfig) -> Self {
        let mut link = Self::base(&attach, attach.role, &config);
        link.output = output;
        link.set_resume(config.resume);
        link.local = Local::AttachOwed { attach, then: None };
        link
    }

    /// A link that the partner attached and that the application has not answered.
    pub(crate) fn incoming(attach: &Attach, output: u32) -> Self {
        let role = opposite(attach.role);
        let mut link = Self::base(attach, role, &LinkConfig::default());
        link.output = output;
        link.input = Some(attach.handle.0);
        link.on_remote_attach(attach);
        link
    }

    fn base(attach: &Attach, role: Role, config: &LinkConfig) -> Self {
        // What a receiver says of it means nothing. [LNK-13]
        let initial = attach.initial_delivery_count;
        let initial = initial.filter(|_| attach.role == Role::Sender);
        let end = match role {
            Role::Sender => End::Sender(SenderEnd {
                credit: SenderCredit::new(initial.map_or(0, |SequenceNo(n)| n)),
                queue: VecDeque::new(),
                progress: None,
                streams: HashMap::new(),
                outcomes: HashMap::new(),
                manual_drain: config.manual_drain,
                nothing_more: false,
                drain_answered: false,
                resume: None,
                ready: false,
            }),
            Role::Receiver => End::Receiver(ReceiverEnd {
                credit: ReceiverCredit::new(config.credit),
                assembly: None,
                tags: Tags::default(),
                streaming: config.streaming,
                load: Load::default(),
                max_message_size: attach.max_message_size.unwrap_or(0),
                resume: HashMap::new(),
                available: 0,
            }),
        };
        Self {
            name: attach.name.clone(),
            output: 0,
            input: None,
            local: Local::Offered,
            remote: Remote::Unattached,
            discarding: false,
            unheard: false,
            refused: false,
            snd_settle_mode: attach.snd_settle_mode,
            rcv_settle_mode: attach.rcv_settle_mode,
            remote_max_message_size: None,
            flow_owed: false,
            echo: false,
            told: Told::default(),
            listed: false,
            partial: None,
            round: None,
            after: None,
            octets: 0,
            keep: config.keep,
            failed: false,
            former: None,
            end,
        }
    }

    /// The partner's attach: what its side owns is taken from it. [LNK-10] [LNK-14]
    pub(crate) fn on_remote_attach(&mut self, attach: &Attach) {
        self.input = Some(attach.handle.0);
        self.remote = Remote::Attached;
        self.told = Told {
            unsettled: attach.unsettled.clone(),
            incomplete: attach.incomplete_unsettled,
        };
        self.remote_max_message_size = attach.max_message_size.filter(|size| *size != 0);
        match &mut self.end {
            End::Sender(_) => self.rcv_settle_mode = attach.rcv_settle_mode,
            End::Receiver(receiver) => {
                self.snd_settle_mode = attach.snd_settle_mode;
                if attach.rcv_settle_mode == ReceiverSettleMode::First {
                    // Artemis answers so to second, and never tells that it has settled: whoever waits
                    // for that waits for ever, and its tags come again.
                    self.rcv_settle_mode = ReceiverSettleMode::First;
                }
                let initial = attach.initial_delivery_count.map_or(0, |SequenceNo(n)| n);
                receiver.credit.on_attach(initial);
            }
        }
    }

    /// The application accepts a link that the partner attached.
    pub(crate) fn accept(&mut self, attach: Box<Attach>, config: LinkConfig) {
        match &mut self.end {
            End::Sender(sender) => {
                let initial = attach.initial_delivery_count.map_or(0, |SequenceNo(n)| n);
                // Credit may have come already: the peer did not wait for our answer.
                sender.credit.rebase(initial);
                sender.manual_drain = config.manual_drain;
                self.snd_settle_mode = attach.snd_settle_mode;
            }
            End::Receiver(receiver) => {
                receiver.credit.set_auto(config.credit);
                receiver.streaming = config.streaming;
                receiver.max_message_size = attach.max_message_size.unwrap_or(0);
                self.rcv_settle_mode = attach.rcv_settle_mode;
            }
        }
        self.set_resume(config.resume);
        self.keep = config.keep;
        self.local = Local::AttachOwed { attach, then: None };
    }

    /// Whether it goes on with deliveries of an earlier attachment.
    pub(crate) fn resumes(&self) -> bool {
        match &self.end {
            End::Sender(sender) => sender.resume.is_some(),
            End::Receiver(receiver) => !receiver.resume.is_empty(),
        }
    }

    fn set_resume(&mut self, resume: Option<Resume>) {
        match (&mut self.end, resume) {
            (
                End::Sender(sender),
                Some(Resume::Sender {
                    unsettled,
                    resend,
                    tell,
                }),
            ) => {
                sender.resume = Some(FormerDeliveries {
                    unsettled,
                    resend,
                    tell,
                });
            }
            (End::Receiver(receiver), Some(Resume::Receiver(outstanding))) => {
                receiver.resume = outstanding.into_iter().map(|o| (o.tag, o.state)).collect();
            }
            _ => {}
        }
    }

    /// Answers an offered attach without a terminus of ours; the application's answer is too late. [LNK-08]
    pub(crate) fn decline(&mut self) {
        if matches!(self.local, Local::Offered) {
            let mut attach = Attach::new(self.name.clone(), Handle(self.output), self.role());
            attach.snd_settle_mode = self.snd_settle_mode;
            attach.rcv_settle_mode = self.rcv_settle_mode;
            attach.initial_delivery_count = Some(SequenceNo(0));
            let attach = Box::new(attach);
            self.local = Local::AttachOwed { attach, then: None };
        }
    }

    pub(crate) fn role(&self) -> Role {
        match self.end {
            End::Sender(_) => Role::Sender,
            End::Receiver(_) => Role::Receiver,
        }
    }

    pub(crate) fn sender(&mut self) -> Option<&mut SenderEnd> {
        match &mut self.end {
            End::Sender(sender) => Some(sender),
            End::Receiver(_) => None,
        }
    }

    pub(crate) fn receiver(&mut self) -> Option<&mut ReceiverEnd> {
        match &mut self.end {
            End::Receiver(receiver) => Some(receiver),
            End::Sender(_) => None,
        }
    }

    /// Whether a sender that is asked to drain may give its credit back. [LNK-31]
    pub(crate) fn may_finish_drain(&self) -> bool {
        match &self.end {
            End::Sender(sender) => {
                // Before the own attach the delivery-count is not chosen: the drain waits for it.
                !matches!(self.local, Local::Offered)
                    && sender.credit.draining()
                    && !sender.drain_answered
                    && sender.progress.is_none()
                    && (sender.credit.credit() == 0
                        || (sender.queue.is_empty()
                            && (sender.nothing_more || !sender.manual_drain)))
            }
            End::Receiver(_) => false,
        }
    }

    /// Attaches without a terminus, only to detach at once: a link that the partner left before it was
    /// answered, or one that has been detached and is to be closed. [LNK-22]
    pub(crate) fn attach_and_detach(&mut self, closed: bool) {
        let mut attach = Attach::new(self.name.clone(), Handle(self.output), self.role());
        if let End::Sender(sender) = &self.end {
            attach.initial_delivery_count = Some(SequenceNo(sender.credit.delivery_count()));
        }
        self.local = Local::AttachOwed {
            attach: Box::new(attach),
            then: Some(DetachOwed {
                closed,
                error: None,
            }),
        };
    }

    /// Whether both sides take part and neither is leaving.
    pub(crate) fn is_whole(&self) -> bool {
        let staying = match &self.local {
            Local::AttachOwed { then, .. } => then.is_none(),
            Local::Offered | Local::Attached => true,
            Local::DetachOwed(_) | Local::Detached { .. } => false,
        };
        staying && self.remote == Remote::Attached
    }

    /// Whether frames other than attach may be written for the link.
    pub(crate) fn is_attached(&self) -> bool {
        matches!(self.local, Local::Attached)
    }

    /// Whether transfers may be written: both sides attached and neither detaching.
    pub(crate) fn may_transfer(&self) -> bool {
        self.is_attached() && self.remote == Remote::Attached && !self.refused
    }

    /// Marks a detach as owed; later calls do not overwrite the first. Answers whether it was new.
    pub(crate) fn detach(&mut self, closed: bool, error: Option<Box<Error>>) -> bool {
        let owed = DetachOwed { closed, error };
        // An attach that nobody has answered is answered first: the partner waits for both frames.
        self.decline();
        match &mut self.local {
            Local::AttachOwed { then, .. } if then.is_none() => *then = Some(owed),
            Local::Attached => self.local = Local::DetachOwed(owed),
            Local::DetachOwed(earlier) if owed.closed => earlier.closed = true,
            _ => return false,
        }
        true
    }

    /// Whether the link is detached on both sides, neither closed nor for an error, and its deliveries
    /// go on. [PRF-23]
    pub(crate) fn outlives(&self) -> bool {
        self.keep
            && !self.discarding
            && !self.failed
            && matches!(self.local, Local::Detached { closed: false })
            && self.remote == (Remote::Detached { closed: false })
    }

    /// Whether neither side needs the link any more, so that its handles are free. [LNK-23]
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.local, Local::Detached { .. })
            && matches!(self.remote, Remote::Detached { .. })
    }
}

/// The other end of a link. [LNK-07]
pub(crate) fn opposite(role: Role) -> Role {
    match role {
        Role::Sender => Role::Receiver,
        Role::Receiver => Role::Sender,
    }
}
