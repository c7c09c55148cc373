//! Transfers that come in: one frame after the other becomes a delivery.
//!
//! Decides whether a transfer is legal where it arrives and what the application hears of it. Parts
//! that are handed on as they come are left to `stream`. Sections 2.6.14, 2.7.5.

use amqp_types::transport::{
    DeliveryNumber, ErrorCondition, Handle, ReceiverSettleMode, SenderSettleMode, Transfer,
};
use bytes::Bytes;

use super::super::delivery::{Assembly, Held, Incoming, Load, Tag};
use super::super::event::Event;
use super::super::link::{End, Link, Local};
use super::super::violation::Violation;
use super::input::{Events, invalid, unattached};
use super::{LocalSession, Session};

impl Session {
    /// One transfer frame. [SES-19] [SES-24] [LNK-53] [LNK-54] [LNK-55] [LNK-56]
    pub(crate) fn on_transfer(
        &mut self,
        transfer: Transfer,
        payload: Bytes,
        events: &mut Events,
    ) -> Result<(), Violation> {
        let id = transfer.delivery_id;
        let taken = self.take_transfer(transfer, payload, events);
        if let (Err(_), Some(id)) = (&taken, id) {
            self.stray(id.0);
        }
        taken
    }

    fn take_transfer(
        &mut self,
        transfer: Transfer,
        payload: Bytes,
        events: &mut Events,
    ) -> Result<(), Violation> {
        if self.incoming_window == 0 && !self.ends_what_began(transfer.handle) {
            return Err(Violation::session(
                ErrorCondition::WindowViolation,
                "2.5.6",
                "a transfer beyond the incoming-window",
            ));
        }
        self.count_transfer();
        let handle = transfer.handle.0;
        let key = self
            .link_by_input(handle)
            .ok_or_else(|| unattached(handle, "transfer"))?;
        let name = self.name(key);
        let ended = matches!(self.local, LocalSession::Ended);
        let Some(link) = self.links.get_mut(key) else {
            return Ok(());
        };
        let mode = transfer.rcv_settle_mode.unwrap_or(link.rcv_settle_mode);
        let second_refused =
            link.rcv_settle_mode == ReceiverSettleMode::First && mode == ReceiverSettleMode::Second;
        if matches!(link.local, Local::Offered) {
            // Not even attached by us, so there can be no credit. Later excess is taken as it comes,
            // as far as the session's window reaches. [LNK-25]
            self.skip_delivery(transfer.delivery_id);
            return Err(Violation::link(
                key,
                ErrorCondition::TransferLimitExceeded,
                "2.6.7",
                "a transfer before any credit was given",
            ));
        }
        // Also behind our end: Artemis marks such transfers as settled, and sends the messages again.
        let dropping = ended || link.discarding || !link.is_whole();
        let snd_settle_mode = link.snd_settle_mode;
        let End::Receiver(receiver) = &mut link.end else {
            return Err(invalid(
                key,
                "2.7.5",
                "a transfer on a link that we send on",
            ));
        };
        if dropping {
            // The partner has not seen our detach or end yet; nothing of this reaches the application. [LNK-38] [SES-34]
            let part = receiver.assembly.take();
            part.into_iter().for_each(|part| self.stray(part.head.id));
            self.skip_delivery(transfer.delivery_id);
            self.judge_window();
            return Ok(());
        }
        if receiver.assembly.is_none() && link.partial.is_some() && !transfer.resume {
            // [LNK-64]
            self.skip_delivery(transfer.delivery_id);
            return Err(Violation::link(
                key,
                ErrorCondition::IllegalState,
                "2.7.3",
                "a new delivery on a link whose unsettled map is incomplete",
            ));
        }
        if receiver.assembly.is_none() {
            let Some(id) = transfer.delivery_id else {
                // [PRF-10]
                return Err(invalid(
                    key,
                    "2.7.5",
                    "the first transfer of a delivery has no delivery-id",
                ));
            };
            if self
                .expected_delivery_id
                .is_some_and(|expected| expected != id.0)
            {
                // [SES-36]
                return Err(Violation::session(
                    ErrorCondition::InvalidField,
                    "2.7.5",
                    format!("delivery-id {} is out of sequence", id.0),
                ));
            }
            self.expected_delivery_id = Some(id.0.wrapping_add(1));
        }
        let mut assembly = match receiver.assembly.take() {
            Some(mut assembly) => {
                if let Err(detail) = continues(&assembly, &transfer) {
                    // The fragment goes with the link.
                    receiver.assembly = Some(assembly);
                    self.skip_delivery(transfer.delivery_id);
                    return Err(invalid(key, "2.7.5", detail));
                }
                assembly.head.settled |= transfer.settled == Some(true);
                assembly
            }
            None => {
                let tag = transfer
                    .delivery_tag
                    .as_ref()
                    .and_then(|tag| Tag::new(tag.as_ref()))
                    // [PRF-11] [LNK-43]
                    .ok_or_else(|| {
                        invalid(
                            key,
                            "2.7.5",
                            "the first transfer of a delivery has no delivery-tag",
                        )
                    })?;
                if second_refused && transfer.settled != Some(true) {
                    // [PRF-15]
                    return Err(invalid(
                        key,
                        "2.7.5",
                        "settle mode second on a link of mode first",
                    ));
                }
                if transfer.settled != Some(true) && !transfer.resume {
                    let of_link = self.held.iter().filter(|(_, held)| held.link == key);
                    if receiver
                        .tags
                        .is_open(&tag, of_link.map(|(_, held)| held.tag))
                    {
                        // [LNK-42]
                        return Err(invalid(
                            key,
                            "2.6.12",
                            "the delivery-tag is that of an unsettled delivery",
                        ));
                    }
                }
                if self.held.len() >= self.config.max_unsettled && transfer.settled != Some(true) {
                    return Err(Violation::session(
                        ErrorCondition::ResourceLimitExceeded,
                        "2.6.12",
                        "too many deliveries are unsettled",
                    ));
                }
                receiver.credit.on_delivery();
                let head = Incoming {
                    id: transfer.delivery_id.map_or(0, |id| id.0),
                    tag,
                    // [PRF-12]: absent is taken as the standard's format.
                    message_format: transfer.message_format.map_or(0, |format| format.0),
                    settled: transfer.settled == Some(true),
                    mode,
                    // As if it had been told just before; never an offset, unless resumed. [PRF-17] [OUT-04]
                    state: transfer.state.map(Box::new),
                    payload: Bytes::new(),
                    frames: 0,
                };
                let mut assembly = Assembly::new(head, transfer.resume);
                assembly.streamed = receiver.streaming && !transfer.resume;
                assembly
            }
        };
        let breach = match snd_settle_mode {
            _ if transfer.aborted || assembly.resumed => None,
            // [LNK-49]
            SenderSettleMode::Settled if !transfer.more && !assembly.head.settled => {
                Some("an unsettled delivery on a link of settled ones")
            }
            // [LNK-50]
            SenderSettleMode::Unsettled if assembly.head.settled => {
                Some("a settled delivery on a link of unsettled ones")
            }
            _ => None,
        };
        if let Some(detail) = breach {
            receiver.assembly = Some(assembly);
            return Err(invalid(key, "2.7.5", detail));
        }
        if assembly.streamed {
            return self.on_part(
                key,
                assembly,
                (transfer.aborted, transfer.more),
                payload,
                events,
            );
        }
        if transfer.aborted {
            // [LNK-30]: the credit is used; the application gets no delivery.
            if assembly.resumed {
                self.on_resumed(key, &assembly.head, true, events);
                return Ok(());
            }
            receiver.load.sub(assembly.load());
            self.load.sub(assembly.load());
            self.consumed(key, 1);
            self.judge_window();
            events.push_back(Event::Aborted { link: name });
            return Ok(());
        }
        let before = assembly.len();
        assembly.push(payload);
        let load = Load {
            frames: 0,
            octets: assembly.len() - before,
        };
        receiver.load.add(load);
        self.load.add(load);
        if receiver.max_message_size != 0 && assembly.len() as u64 > receiver.max_message_size {
            // [LNK-40]
            receiver.load.sub(assembly.load());
            self.load.sub(assembly.load());
            let limit = receiver.max_message_size;
            self.stray(assembly.head.id);
            return Err(Violation::link(
                key,
                ErrorCondition::MessageSizeExceeded,
                "2.7.3",
                format!("a message of more than {limit} octets"),
            ));
        }
        if transfer.more {
            receiver.assembly = Some(assembly);
        } else if assembly.resumed {
            self.on_resumed(key, &assembly.finish(), false, events);
            return Ok(());
        } else {
            // Only now do its frames count: a message may have more of them than the window. [SES-26]
            let load = Load {
                frames: assembly.head.frames,
                octets: 0,
            };
            receiver.load.add(load);
            self.load.add(load);
            let delivery = assembly.finish();
            if !delivery.settled {
                receiver.tags.add(delivery.tag);
                let held = Held {
                    link: key,
                    tag: delivery.tag,
                    counts: true,
                    local: None,
                };
                self.held.push(delivery.id, held);
            }
            let drained = receiver.credit.drain_over();
            events.push_back(Event::Delivery {
                link: name,
                delivery,
            });
            if drained {
                events.push_back(Event::Drained { link: name });
                self.consumed(key, 0);
            }
        }
        self.judge_window();
        Ok(())
    }

    /// Whether a transfer beyond the window goes on with a delivery that began within it. Qpid Broker-J
    /// looks at the window when a delivery begins, not at each of its frames; that costs us what is
    /// open of one delivery a link, of which as many octets are taken as the window stands for.
    fn ends_what_began(&mut self, handle: Handle) -> bool {
        let allowed = self.config.incoming_octets / self.max_frame_size;
        let open = |link: &Link| matches!(&link.end, End::Receiver(end) if end.assembly.is_some());
        let began = self
            .link_by_input(handle.0)
            .and_then(|key| self.links.get(key))
            .is_some_and(open);
        self.beyond_window = self.beyond_window.saturating_add(1);
        began && self.beyond_window as usize <= allowed
    }

    /// A delivery of which nothing is kept has used its id.
    pub(super) fn skip_delivery(&mut self, id: Option<DeliveryNumber>) {
        if let Some(id) = id {
            self.expected_delivery_id = Some(id.0.wrapping_add(1));
            self.stray(id.0);
        }
    }

    /// Every transfer frame uses one id and one frame of both windows. [SES-17] [SES-19] [SES-25]
    pub(super) fn count_transfer(&mut self) {
        self.incoming_window = self.incoming_window.saturating_sub(1);
        self.next_incoming_id = self.next_incoming_id.wrapping_add(1);
        self.remote_outgoing_window = self.remote_outgoing_window.saturating_sub(1);
    }
}

/// Whether a transfer may continue a delivery: what it repeats has to be equal. [PRF-13] [LNK-53]
fn continues(assembly: &Assembly, transfer: &Transfer) -> Result<(), &'static str> {
    if transfer
        .delivery_id
        .is_some_and(|id| id.0 != assembly.head.id)
    {
        return Err("another delivery begins before the last transfer of this one");
    }
    let same_tag = transfer
        .delivery_tag
        .as_ref()
        .is_none_or(|tag| tag.as_ref() == assembly.head.tag.as_bytes());
    let same_format = transfer
        .message_format
        .is_none_or(|format| format.0 == assembly.head.message_format);
    if same_tag && same_format {
        Ok(())
    } else {
        Err("a transfer contradicts the first one of its delivery")
    }
}
