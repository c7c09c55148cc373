//! A link that a peer attached and that waits for an answer.
//!
//! Decides how it is accepted or refused. Section 2.6.3.

use amqp_types::messaging::{SourceArchetype, TargetArchetype};
use std::sync::Arc;

use amqp_types::transport::{self, Attach, ErrorCondition, Role, SenderSettleMode};

use crate::driver::{
    AttachOrder, Command, LinkShared, Offer, ReceiverShared, Room, SenderShared, SessionShared,
    mirror,
};
use crate::error::Error;
use crate::handles::{Connection, Receiver, ReceiverOptions, Sender, SenderOptions, SessionInner};
use crate::proto::LinkKey;

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
            Some(Offer::Link {
                link,
                session,
                attach,
            }) => Ok(IncomingLink {
                connection: self.clone(),
                link,
                session,
                attach,
                answered: false,
            }),
            None => Err(self.over_error()),
        }
    }
}

impl IncomingLink {
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
        self.accept_as(attach, Some(500))
    }

    /// Accepts a link on which the peer sends; the options' source and target are put in place of the
    /// peer's where they have an address. A peer that does not send gets a refusal.
    ///
    /// # Errors
    /// Configuration when the peer wants to receive.
    pub fn accept_receiver(self, options: ReceiverOptions) -> Result<Receiver, Error> {
        let mut attach = mirror(&self.attach);
        attach.rcv_settle_mode = options.rcv_settle_mode;
        attach.max_message_size =
            (options.max_message_size != 0).then_some(options.max_message_size);
        attach.properties = options.properties;
        if options.target.address.is_some() {
            attach.target = Some(options.target.into());
        }
        match self.accept_as(attach, options.credit) {
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
    /// Configuration when the peer wants to send.
    pub fn accept_sender(self, options: SenderOptions) -> Result<Sender, Error> {
        let mut attach = mirror(&self.attach);
        attach.properties = options.properties;
        if options.source.address.is_some() {
            attach.source = Some(options.source.into());
        }
        match self.accept_as(attach, None) {
            Link::Sender(sender) => Ok(sender),
            Link::Receiver(_) => Err(Error::configuration(
                "the peer wants to send, not to receive",
            )),
        }
    }

    /// Accepts the link with an attach that the application has made; name, handle and role are set.
    pub(crate) fn accept_as(mut self, mut attach: Attach, credit: Option<u32>) -> Link {
        self.answered = true;
        attach.name = self.attach.name.clone();
        attach.role = self.role();
        let shared = self.connection.shared().clone();
        let name = attach.name.clone();
        let session =
            SessionInner::shared_default(self.session.clone(), self.connection.inner().clone());
        let remote = Arc::new((*self.attach).clone());
        let (link, order_shared) = match attach.role {
            Role::Sender => {
                let defaults = SenderOptions::default();
                let room = Room {
                    messages: defaults.max_queued_messages,
                    bytes: defaults.max_queued_bytes,
                };
                let settled = attach.snd_settle_mode == SenderSettleMode::Settled;
                let link = SenderShared::new(shared.clone(), name, room);
                link.attached(remote);
                (
                    Link::Sender(Sender::new(link.clone(), session, settled)),
                    LinkShared::Sender(link),
                )
            }
            Role::Receiver => {
                let link = ReceiverShared::new(shared.clone(), name, credit.unwrap_or(1));
                link.attached(remote);
                (
                    Link::Receiver(Receiver::new(link.clone(), session)),
                    LinkShared::Receiver(link),
                )
            }
        };
        shared.push(Command::Accept {
            link: self.link,
            order: AttachOrder {
                shared: order_shared,
                attach: Box::new(attach),
                credit,
            },
        });
        link
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
