//! A link that a peer attached and that waits for an answer.
//!
//! Decides how it is accepted or refused. Section 2.6.3.

use amqp_types::Symbol;
use amqp_types::messaging::{SourceArchetype, TargetArchetype};
use std::sync::Arc;

use amqp_types::transport::{
    self, Attach, ErrorCondition, ReceiverSettleMode, Role, SenderSettleMode,
};

use crate::driver::{
    AttachOrder, Command, LinkShared, MAX_MESSAGE_SIZE, Offer, ReceiverShared, Room, SenderShared,
    SessionShared, Template, mirror,
};
use crate::error::Error;
use crate::handles::{
    Connection, Receiver, ReceiverOptions, Sender, SenderOptions, SessionInner, lacks,
};
use crate::proto::{LinkConfig, LinkKey, missing, wished};

/// A link that the peer attached. Dropping it without an answer refuses it.
#[derive(Debug)]
pub struct IncomingLink {
    connection: Connection,
    link: LinkKey,
    session: Arc<SessionShared>,
    attach: Box<Attach>,
    answered: bool,
}

/// What an accepted link is to us: where the peer sends we receive, and the other way round.
#[derive(Clone, Debug)]
pub enum Link {
    /// The peer receives.
    Sender(Sender),
    /// The peer sends.
    Receiver(Receiver),
}

/// How an accepted link is run.
#[derive(Clone, Copy, Debug)]
pub struct AcceptOptions {
    /// Where the peer sends: how many deliveries are fetched ahead; `None` for credit by hand.
    pub credit: Option<u32>,
    /// Where the peer receives: whether a drain is answered by [`Sender::drained`] only.
    pub manual_drain: bool,
    /// Where the peer receives: whether the program settles a message whose outcome the peer tells
    /// without settling it, by [`Receipt::settle`](crate::Receipt::settle).
    pub manual_settle: bool,
    /// Where the peer receives: how many messages may be queued or unsettled.
    pub max_queued_messages: usize,
    /// Where the peer receives: how many octets may be queued or unsettled.
    pub max_queued_bytes: usize,
    /// Where the peer sends: whether deliveries are read while they arrive, by
    /// [`Receiver::recv_stream`].
    pub streaming: bool,
    /// Whether unsettled deliveries outlive a detach, for the link to be resumed when the peer
    /// attaches it again. Section 2.6.13.
    pub resumable: bool,
}

impl Default for AcceptOptions {
    /// Credit for 500 deliveries; 16,384 messages or 16 MiB under way.
    fn default() -> Self {
        let sender = SenderOptions::default();
        Self {
            credit: Some(500),
            manual_drain: false,
            manual_settle: false,
            max_queued_messages: sender.max_queued_messages,
            max_queued_bytes: sender.max_queued_bytes,
            streaming: false,
            resumable: false,
        }
    }
}

impl Connection {
    /// The next link that the peer attaches, on a listener's connection.
    ///
    /// # Errors
    /// Why the connection is over, once it is. A connection that was made by connecting refuses
    /// links by itself; this is an error on it.
    ///
    /// # Cancel safety
    /// No link is lost when the future is dropped.
    pub async fn next_link(&self) -> Result<IncomingLink, Error> {
        match self.next_offer().await {
            Some(offer) => Ok(IncomingLink::of_offer(self.clone(), offer)),
            None => Err(self.over_error()),
        }
    }
}

impl IncomingLink {
    /// What was offered on a connection, to be answered.
    pub(crate) fn of_offer(connection: Connection, offer: Offer) -> Self {
        let Offer {
            link,
            session,
            attach,
        } = offer;
        Self {
            connection,
            link,
            session,
            attach,
            answered: false,
        }
    }

    /// The session that the peer attached the link in.
    pub(crate) fn session(&self) -> &Arc<SessionShared> {
        &self.session
    }

    /// Our role: the opposite of the peer's.
    pub fn role(&self) -> Role {
        match self.attach.role {
            Role::Sender => Role::Receiver,
            Role::Receiver => Role::Sender,
        }
    }

    /// The name of the link. Section 2.6.1.
    pub fn name(&self) -> &str {
        &self.attach.name
    }

    /// All that the peer asks for. Section 2.7.3.
    pub fn attach(&self) -> &Attach {
        &self.attach
    }

    /// The source that is asked for, or that the peer has. Section 3.5.3.
    pub fn source(&self) -> Option<&SourceArchetype> {
        self.attach.source.as_ref()
    }

    /// The target that is asked for, or that the peer has. Section 3.5.4.
    pub fn target(&self) -> Option<&TargetArchetype> {
        self.attach.target.as_ref()
    }

    /// The address of the node on our side: of the target when the peer sends, of the source when it
    /// receives.
    pub fn address(&self) -> Option<&str> {
        match self.role() {
            Role::Receiver => match self.target()? {
                TargetArchetype::Target(target) => target.address.as_ref().map(|a| a.as_str()),
                _ => None,
            },
            Role::Sender => match self.source()? {
                SourceArchetype::Source(source) => source.address.as_ref().map(|a| a.as_str()),
                _ => None,
            },
        }
    }

    /// Accepts the link as the peer asks for it, with credit for 500 deliveries where it sends.
    pub fn accept(self) -> Link {
        let attach = mirror(&self.attach);
        self.accept_as(attach, AcceptOptions::default())
    }

    /// Accepts a link on which the peer sends; the options' source and target are put in place of the
    /// peer's where they have an address. A peer that does not send gets a refusal.
    ///
    /// # Errors
    /// Configuration when the peer wants to receive; Unsupported, and a refusal, when it does not offer
    /// what the options require.
    pub fn accept_receiver(self, options: ReceiverOptions) -> Result<Receiver, Error> {
        let mut attach = mirror(&self.attach);
        // The peer's wish is followed; an option for mode second counts for more. [LNK-14]
        if options.link.rcv_settle_mode == ReceiverSettleMode::Second {
            attach.rcv_settle_mode = ReceiverSettleMode::Second;
        }
        attach.max_message_size = options.announced_size();
        attach.properties = options.link.properties;
        attach.offered_capabilities = options.link.offered_capabilities;
        attach.desired_capabilities = wished(
            &options.link.desired_capabilities,
            &options.link.required_capabilities,
        );
        let this = self.check_offer(&options.link.required_capabilities)?;
        if options.link.target.address.is_some() {
            attach.target = Some(options.link.target.into());
        }
        match this.accept_as(
            attach,
            AcceptOptions {
                credit: options.credit,
                streaming: options.streaming,
                ..AcceptOptions::default()
            },
        ) {
            Link::Receiver(receiver) => Ok(receiver),
            Link::Sender(_) => Err(Error::configuration(
                "the peer wants to receive, not to send",
            )),
        }
    }

    /// Accepts a link on which the peer receives; the options' source is put in place of the peer's
    /// where it has an address. A peer that does not receive gets a refusal.
    ///
    /// # Errors
    /// Configuration when the peer wants to send; Unsupported, and a refusal, when it does not offer
    /// what the options require.
    pub fn accept_sender(self, options: SenderOptions) -> Result<Sender, Error> {
        let mut attach = mirror(&self.attach);
        attach.properties = options.link.properties;
        attach.offered_capabilities = options.link.offered_capabilities;
        attach.desired_capabilities = wished(
            &options.link.desired_capabilities,
            &options.link.required_capabilities,
        );
        let this = self.check_offer(&options.link.required_capabilities)?;
        if options.link.source.address.is_some() {
            attach.source = Some(options.link.source.into());
        }
        let accept = AcceptOptions {
            manual_drain: options.manual_drain,
            manual_settle: options.manual_settle,
            max_queued_messages: options.max_queued_messages,
            max_queued_bytes: options.max_queued_bytes,
            ..AcceptOptions::default()
        };
        match this.accept_as(attach, accept) {
            Link::Sender(sender) => Ok(sender),
            Link::Receiver(_) => Err(Error::configuration(
                "the peer wants to send, not to receive",
            )),
        }
    }

    /// Refuses the link when the peer does not offer what is required. [CON-46]
    fn check_offer(self, required: &[Symbol]) -> Result<Self, Error> {
        let Some(missing) = missing(required, &self.attach.offered_capabilities) else {
            return Ok(self);
        };
        let (error, refusal) = lacks(missing);
        self.refuse(refusal);
        Err(error)
    }

    /// An attach that agrees with everything the peer asks for, to be changed and handed to
    /// [`accept_as`](Self::accept_as): what the answer says is what is in force. [LNK-11]
    pub fn answer(&self) -> Attach {
        mirror(&self.attach)
    }

    /// Accepts the link with an attach that the application has made; name, handle and role are set.
    pub fn accept_as(mut self, mut attach: Attach, options: AcceptOptions) -> Link {
        self.answered = true;
        attach.name = self.attach.name.clone();
        attach.role = self.role();
        if options.streaming && attach.max_message_size == Some(MAX_MESSAGE_SIZE) {
            // Nothing is gathered in memory, so the limit of what is does not apply.
            attach.max_message_size = None;
        }
        let shared = self.connection.shared().clone();
        let template = Template {
            attach: attach.clone(),
            resumable: options.resumable,
        };
        let session =
            SessionInner::shared_default(self.session.clone(), self.connection.inner().clone());
        let remote = Arc::new((*self.attach).clone());
        let (link, order_shared) = match attach.role {
            Role::Sender => {
                let room = Room {
                    messages: options.max_queued_messages,
                    bytes: options.max_queued_bytes,
                };
                let settled = attach.snd_settle_mode == SenderSettleMode::Settled;
                let link = SenderShared::new(shared.clone(), template, room);
                link.attached(remote);
                let sender = Sender::new(link.clone(), session, settled, options.manual_settle);
                (Link::Sender(sender), LinkShared::Sender(link))
            }
            Role::Receiver => {
                let link =
                    ReceiverShared::new(shared.clone(), template, options.credit.unwrap_or(1));
                link.attached(remote);
                (
                    Link::Receiver(Receiver::new(link.clone(), session, options.credit)),
                    LinkShared::Receiver(link),
                )
            }
        };
        if let Some(named) = shared.named() {
            // [LNK-05]
            named.take_over(&order_shared, true);
        }
        shared.push(Command::Accept {
            link: self.link,
            order: AttachOrder {
                shared: order_shared,
                attach: Box::new(attach),
                config: LinkConfig {
                    credit: options.credit,
                    manual_drain: options.manual_drain,
                    resume: None,
                    streaming: options.streaming,
                    keep: options.resumable,
                    tell_from: 0,
                },
            },
        });
        link
    }

    /// Lets a [resumable](AcceptOptions::resumable) sender of an earlier attachment go on as this link;
    /// as [`Sender::resume`] from the other side.
    ///
    /// # Errors
    /// Configuration when the peer wants to send, or the sender is attached and the peer is not the one it
    /// is attached to; the end of the sender.
    pub fn resume_sender(mut self, sender: &Sender, resend: bool) -> Result<(), Error> {
        if self.role() != Role::Sender {
            return Err(Error::configuration(
                "the peer wants to send, not to receive",
            ));
        }
        let tell = self.attach.unsettled.is_some();
        let shared = sender.shared().clone();
        let link = LinkShared::Sender(shared.clone());
        self.vacate(&link);
        let (mine, resume) = shared.resume(self.connection.shared().clone(), resend, tell)?;
        shared.attached(Arc::new((*self.attach).clone()));
        sender.move_to(self.session_inner());
        let config = LinkConfig {
            resume: Some(resume),
            keep: true,
            ..LinkConfig::default()
        };
        self.accept_again(link, *mine, config);
        Ok(())
    }

    /// Lets a [resumable](AcceptOptions::resumable) receiver of an earlier attachment go on as this
    /// link; as [`Receiver::resume`] from the other side.
    ///
    /// # Errors
    /// Configuration when the peer wants to receive, or the receiver is attached; the end of the
    /// receiver.
    pub fn resume_receiver(mut self, receiver: &Receiver) -> Result<(), Error> {
        if self.role() != Role::Receiver {
            return Err(Error::configuration(
                "the peer wants to receive, not to send",
            ));
        }
        let tell = self.attach.unsettled.is_some();
        let shared = receiver.shared().clone();
        let link = LinkShared::Receiver(shared.clone());
        self.vacate(&link);
        let (mine, resume) = shared.resume(self.connection.shared().clone(), tell)?;
        shared.attached(Arc::new((*self.attach).clone()));
        receiver.move_to(self.session_inner());
        let config = LinkConfig {
            credit: receiver.credit(),
            resume,
            keep: true,
            ..LinkConfig::default()
        };
        self.accept_again(link, *mine, config);
        Ok(())
    }

    fn session_inner(&self) -> Arc<SessionInner> {
        SessionInner::shared_default(self.session.clone(), self.connection.inner().clone())
    }

    /// The peer attaches anew what it has attached elsewhere: there it is over. [LNK-05]
    fn vacate(&self, link: &LinkShared) {
        if let Some(named) = self.connection.shared().named() {
            named.vacate(link);
        }
    }

    fn accept_again(&mut self, shared: LinkShared, attach: Attach, config: LinkConfig) {
        self.answered = true;
        if let Some(named) = self.connection.shared().named() {
            named.take_over(&shared, true);
        }
        self.connection.shared().push(Command::Accept {
            link: self.link,
            order: AttachOrder {
                shared,
                attach: Box::new(attach),
                config,
            },
        });
    }

    /// Refuses the link. [LNK-08]
    pub fn refuse(mut self, error: transport::Error) {
        self.send_refusal(error);
    }

    fn send_refusal(&mut self, error: transport::Error) {
        self.answered = true;
        self.connection.shared().push(Command::Refuse {
            link: self.link,
            attach: Box::new(mirror(&self.attach)),
            error: Box::new(error),
        });
    }
}

impl Drop for IncomingLink {
    fn drop(&mut self) {
        if !self.answered {
            let mut error = transport::Error::new(ErrorCondition::NotAllowed);
            error.description = Some("the link was not accepted".into());
            self.send_refusal(error);
        }
    }
}
