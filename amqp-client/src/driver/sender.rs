//! The sending end of a link: an outbox of encoded messages, and the outcomes that come back.
//!
//! Decides how messages and outcomes cross between tasks: in batches, under one short lock a link,
//! without an allocation for each. What can be waited for is in
//! `waits`; credit and windows are the engine's. Sections 2.6.7, 2.6.12.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use amqp_types::Encode;
use amqp_types::messaging::{Accepted, DeliveryState, Outcome};
use amqp_types::transport::Attach;
use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::command::{Command, ConnectionShared};
use super::link::{Status, Template};
use super::tags::OwnTags;
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::proto::{LinkKey, Outgoing, Resume, Ring, Tag, TransferKind, Unsettled};

/// Messages are encoded into pieces of this size, which several of them share.
const CHUNK: usize = 16 * 1024;
/// A message from this size on gets memory of its own.
const OWN_CHUNK: usize = 4 * 1024;

/// What a sender may have on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
pub(crate) struct SenderShared {
    pub(crate) name: amqp_types::Str,
    /// Whether its handles have let go of it, or detach it: its name is free for another link.
    leaving: AtomicBool,
    pub(super) room: Room,
    pub(super) template: Template,
    state: Mutex<SenderState>,
    /// Woken when there is room again, when credit changes and when the link is over.
    pub(super) changed: Notify,
}

#[derive(Debug)]
pub(super) struct SenderState {
    /// The connection that the link belongs to now.
    pub(super) connection: Arc<ConnectionShared>,
    /// Copies of what is unsettled, by number, where the link can be resumed.
    pub(super) kept: Ring<Outgoing>,
    /// Settled messages whose first transfer has not been written, oldest first, where the link can be
    /// resumed: they go out in the next attachment.
    pub(super) unsent: VecDeque<Outgoing>,
    /// Numbers below this may have reached the receiver; those that were handed over again at the
    /// last resumption, oldest first.
    pub(super) reached: u64,
    pub(super) resumed: Vec<u64>,
    /// How many settled messages older than the last of those were handed over with them.
    pub(super) carried: u64,
    pub(super) key: Option<LinkKey>,
    /// The key of the last attachment, while the link is suspended.
    pub(super) detached: Option<LinkKey>,
    pub(super) status: Status,
    pub(super) remote: Option<Arc<Attach>>,
    pub(super) chunk: BytesMut,
    pub(super) outbox: Vec<Outgoing>,
    /// Whether the outbox waits until it is sorted out what is unsettled.
    pub(super) holding: bool,
    /// Messages that were sent and of which the peer knows nothing: they are sent again.
    pub(super) absent: HashSet<u64>,
    pub(super) scheduled: bool,
    pub(super) receipts: Ring<Slot>,
    /// The last state that was reported of a message that is not settled, and the number of the report.
    pub(super) updates: HashMap<u64, (u64, DeliveryState)>,
    pub(super) reports: u64,
    /// Tags of the user's own that are in use.
    pub(super) tags: OwnTags,
    pub(super) next_seq: u64,
    /// Messages handed to the outbox; their first transfers written.
    pub(super) enqueued: u64,
    pub(super) transmitted: u64,
    /// Messages and octets that are queued or unsettled.
    pub(super) messages: usize,
    pub(super) bytes: usize,
    pub(super) credit: u32,
    pub(super) drain: bool,
    pub(super) flushed: Vec<(u64, Waker)>,
    /// Octets of streamed messages that have been handed over and not written, by number.
    pub(super) streams: HashMap<u64, usize>,
    /// Outcomes of the messages whose outcomes are collected.
    pub(super) collected: Vec<(u64, Outcome)>,
    /// What a settlement without a state means: the receiver's source says so. [OUT-14]
    pub(super) default_outcome: Option<Outcome>,
    /// The spans of messages without an outcome, by number.
    #[cfg(feature = "opentelemetry")]
    pub(super) traced: HashMap<u64, opentelemetry::Context>,
}

/// Where the outcome of one message will be, or is.
#[derive(Debug)]
pub(super) enum Slot {
    Waiting {
        waker: Option<Waker>,
        bytes: usize,
    },
    /// Nobody waits for it; whether the program settles it all the same.
    Abandoned {
        bytes: usize,
        held: bool,
    },
    /// The outcome is put into the collection.
    Collected {
        bytes: usize,
    },
    Done(Result<Outcome, Error>),
}

/// What a message is sent with.
#[derive(Clone, Debug, Default)]
pub(crate) struct SendOptions {
    pub(crate) settled: bool,
    /// Whether the payload follows in parts.
    pub(crate) stream: bool,
    /// Whether the outcome goes into the collection instead of a receipt.
    pub(crate) collect: bool,
    /// Whether the program settles it once its outcome is known.
    pub(crate) hold: bool,
    pub(crate) message_format: u32,
    pub(crate) tag: Option<Box<Tag>>,
    pub(crate) state: Option<Box<DeliveryState>>,
}

/// Why a message could not be enqueued now.
pub(crate) enum Refusal {
    Full,
    Over(Error),
}

/// The name of a message that was enqueued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) seq: u64,
    pub(crate) settled: bool,
    ordinal: u64,
}

impl SenderShared {
    pub(crate) fn new(
        connection: Arc<ConnectionShared>,
        template: Template,
        room: Room,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: template.attach.name.clone(),
            leaving: AtomicBool::new(false),
            template,
            room,
            state: Mutex::new(SenderState {
                connection,
                kept: Ring::default(),
                unsent: VecDeque::new(),
                reached: 0,
                resumed: Vec::new(),
                carried: 0,
                key: None,
                detached: None,
                status: Status::Attaching,
                remote: None,
                chunk: BytesMut::new(),
                outbox: Vec::new(),
                holding: false,
                absent: HashSet::new(),
                scheduled: false,
                receipts: Ring::default(),
                updates: HashMap::new(),
                reports: 0,
                tags: OwnTags::default(),
                next_seq: 0,
                enqueued: 0,
                transmitted: 0,
                messages: 0,
                bytes: 0,
                credit: 0,
                drain: false,
                flushed: Vec::new(),
                streams: HashMap::new(),
                collected: Vec::new(),
                default_outcome: None,
                #[cfg(feature = "opentelemetry")]
                traced: HashMap::new(),
            }),
            changed: Notify::new(),
        })
    }

    /// Encodes a message and puts it into the outbox, if there is room.
    pub(crate) fn try_enqueue(
        self: &Arc<Self>,
        message: &impl Encode,
        options: &SendOptions,
    ) -> Result<Ticket, Refusal> {
        let mut state = self.lock();
        if let Status::Over(error) = &state.status {
            return Err(Refusal::Over(error.clone()));
        }
        if state.messages >= self.room.messages || state.bytes >= self.room.bytes {
            return Err(Refusal::Full);
        }
        let tag = state.tag(options)?;
        let payload = state.encode(message);
        #[cfg(feature = "opentelemetry")]
        let payload = self.trace_send(&mut state, payload, options);
        if let Some(limit) = state
            .remote
            .as_ref()
            .and_then(|attach| attach.max_message_size)
            && limit != 0
            && payload.len() as u64 > limit
        {
            // [LNK-41]
            let seq = state.next_seq;
            state.tags.release(seq);
            #[cfg(feature = "opentelemetry")]
            state.traced.remove(&seq);
            return Err(Refusal::Over(Error::new(
                ErrorKind::Limit,
                ErrorScope::Delivery,
                Initiator::Library,
                format!(
                    "the message has {} octets, the peer takes {limit}",
                    payload.len()
                ),
            )));
        }
        Ok(self.enqueue(&mut state, payload, options, tag))
    }

    fn enqueue(
        self: &Arc<Self>,
        state: &mut SenderState,
        payload: Bytes,
        options: &SendOptions,
        tag: Option<Box<Tag>>,
    ) -> Ticket {
        let seq = state.next_seq;
        state.next_seq += 1;
        state.enqueued += 1;
        state.messages += 1;
        let bytes = payload.len();
        state.bytes += bytes;
        if !options.settled {
            let slot = match options.collect {
                true => Slot::Collected { bytes },
                false => Slot::Waiting { waker: None, bytes },
            };
            state.receipts.push(seq as u32, slot);
        }
        let message = Outgoing {
            seq,
            payload,
            settled: options.settled,
            tag,
            message_format: options.message_format,
            state: options.state.clone(),
            kind: TransferKind::New,
            stream: options.stream,
            hold: options.hold,
        };
        if self.template.resumable && !message.settled && !message.stream {
            state.kept.push(seq as u32, message.clone());
        }
        if self.template.resumable && message.settled {
            state.unsent.push_back(message.clone());
        }
        // While the link is detached what is kept waits for it to be attached again.
        if !matches!(state.status, Status::Suspended(_)) || message.settled || message.stream {
            state.outbox.push(message);
        }
        let ticket = Ticket {
            seq,
            settled: options.settled,
            ordinal: state.enqueued,
        };
        if !state.scheduled && state.key.is_some() && !state.holding {
            state.scheduled = true;
            state.connection.push(Command::Outbox(self.clone()));
        }
        ticket
    }

    /// The outcome of a message, once it is there. A settled one counts as accepted when its first
    /// transfer has been written.
    pub(crate) fn poll_outcome(
        &self,
        ticket: Ticket,
        waker: &Waker,
    ) -> Poll<Result<Outcome, Error>> {
        let mut state = self.lock();
        if ticket.settled {
            if state.transmitted >= ticket.ordinal {
                return Poll::Ready(Ok(Outcome::Accepted(Accepted::default())));
            }
            if let Status::Over(error) = &state.status {
                return Poll::Ready(Err(error.clone()));
            }
            state.flushed.push((ticket.ordinal, waker.clone()));
            return Poll::Pending;
        }
        match state.receipts.get_mut(ticket.seq as u32) {
            Some(Slot::Waiting { waker: slot, .. }) => {
                match slot {
                    Some(known) if known.will_wake(waker) => {}
                    _ => *slot = Some(waker.clone()),
                }
                Poll::Pending
            }
            Some(Slot::Done(_)) => match state.receipts.remove(ticket.seq as u32) {
                Some(Slot::Done(result)) => Poll::Ready(result),
                _ => Poll::Ready(Err(Error::closed_locally(ErrorScope::Delivery))),
            },
            _ => Poll::Ready(Err(Error::closed_locally(ErrorScope::Delivery))),
        }
    }

    /// Credit that no enqueued message is going to use.
    pub(crate) fn credit(&self) -> u32 {
        self.lock().free_credit()
    }

    /// Whether the receiver asks for the credit to be used up.
    pub(crate) fn is_draining(&self) -> bool {
        self.lock().drain
    }

    pub(crate) fn key(&self) -> Option<LinkKey> {
        self.lock().key
    }

    /// The handles let go of the link, or detach it.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(super) fn detached(&self) -> Option<LinkKey> {
        self.lock().detached
    }

    /// The last handle is gone: a suspended link is over, since nobody can resume it.
    pub(crate) fn give_up(&self) {
        if matches!(self.status(), Status::Suspended(_)) {
            self.finish(&Error::closed_locally(ErrorScope::Link), true);
        }
    }

    pub(super) fn is_resumable(&self) -> bool {
        self.template.resumable
    }

    /// The connection that the link belongs to now.
    pub(crate) fn connection(&self) -> Arc<ConnectionShared> {
        self.lock().connection.clone()
    }

    /// Moves a suspended link to a connection: what to attach it with, and what is left of it.
    pub(crate) fn resume(
        &self,
        connection: Arc<ConnectionShared>,
        resend: bool,
        tell: bool,
    ) -> Result<(Box<Attach>, Resume), Error> {
        let mut state = self.lock();
        match &state.status {
            Status::Suspended(_) => {}
            Status::Over(error) => return Err(error.clone()),
            Status::Attaching | Status::Attached | Status::Partial => {
                return Err(Error::configuration("the link is attached"));
            }
        }
        state.status = Status::Attaching;
        self.leaving.store(false, Ordering::Release);
        let former = std::mem::replace(&mut state.connection, connection);
        if !Arc::ptr_eq(&former, &state.connection)
            && let Some(detached) = state.detached.take()
        {
            former.push(Command::Forget(detached));
        }
        state.holding = true;
        let reached = state.reached;
        let unsettled: Vec<Unsettled> = state
            .kept
            .iter()
            .map(|(_, message)| Unsettled {
                transmitted: message.seq < reached && !state.absent.contains(&message.seq),
                message: message.clone(),
                // An outcome settles a delivery here, but for those that are held; until then the
                // source has no state. [RES-16]
                state: state.outcome_told(message.seq),
            })
            .collect();
        state.resumed = unsettled
            .iter()
            .map(|delivery| delivery.message.seq)
            .collect();
        let last = state.resumed.last().copied();
        let older = |message: &&Outgoing| last.is_some_and(|last| message.seq < last);
        state.carried = state.outbox.iter().filter(older).count() as u64;
        state.transmitted = state.enqueued - (unsettled.len() + state.outbox.len()) as u64;
        let attach = Box::new(self.template.again(state.remote.as_ref()));
        Ok((
            attach,
            Resume::Sender {
                unsettled,
                resend,
                tell,
            },
        ))
    }

    pub(crate) fn remote(&self) -> Option<Arc<Attach>> {
        self.lock().remote.clone()
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    /// How many messages wait for the driver, and their octets.
    pub(super) fn outbox(&self) -> (usize, usize) {
        let outbox = &self.lock().outbox;
        let octets = outbox.iter().map(|message| message.payload.len()).sum();
        (outbox.len(), octets)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, SenderState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SenderState {
    /// The tag of the next message: the user's, if no unsettled delivery has it, or one in place of
    /// what its number would make. [LNK-42]
    fn tag(&mut self, options: &SendOptions) -> Result<Option<Box<Tag>>, Refusal> {
        let seq = self.next_seq;
        let is_open = |number: u64| {
            let slot = self.receipts.get(number as u32);
            slot.is_some_and(|slot| !matches!(slot, Slot::Done(_)))
        };
        let tag = match &options.tag {
            Some(tag) if self.tags.claim(**tag, seq, is_open) => Some(tag.clone()),
            Some(_) => {
                return Err(Refusal::Over(Error::new(
                    ErrorKind::Configuration,
                    ErrorScope::Delivery,
                    Initiator::Local,
                    "the delivery-tag is that of another delivery of the link that is not settled",
                )));
            }
            None => self.tags.substitute(seq).map(Box::new),
        };
        if options.settled {
            // Nobody can take it for unsettled.
            self.tags.release(seq);
        }
        Ok(tag)
    }

    pub(super) fn free_credit(&self) -> u32 {
        let queued = u32::try_from(self.enqueued - self.transmitted).unwrap_or(u32::MAX);
        self.credit.saturating_sub(queued)
    }

    /// Encodes into memory that messages share, so that a small one costs no allocation.
    fn encode(&mut self, message: &impl Encode) -> Bytes {
        if self.chunk.capacity() - self.chunk.len() < 512 {
            self.chunk = BytesMut::with_capacity(CHUNK);
        }
        message.encode(&mut self.chunk);
        let whole = self.chunk.split();
        if whole.len() >= OWN_CHUNK {
            // It grew beyond the shared piece: what is left behind it belongs to it alone.
            self.chunk = BytesMut::new();
        }
        whole.freeze()
    }
}
