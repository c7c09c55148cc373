//! Connecting for the sake of one link.
//!
//! Decides what goes out at once: the attach follows open and begin in the same write, where nothing of
//! the peer's open has to be known for it. Sections 2.4.1, 2.6.3.

use super::attempts::connect_any;
use super::container::Container;
use super::options::{ConnectionOptions, ReceiverOptions, SenderOptions};
use super::receiver::Receiver;
use super::sender::Sender;
use super::session::{Session, SessionInner};
use crate::driver::{Command, ConnectionShared, SessionShared};
use crate::error::Error;
use crate::transport::Address;

impl Container {
    /// Connects to `amqp://user:password@host:port/address` and attaches a sender to the node that the
    /// path names. Header, open, begin and attach are one write: the first message can go one round
    /// trip after the end of the SASL layer, where it would be two. The connection is closed with the
    /// last handle of the sender.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), amqp_client::Error> {
    /// let container = amqp_client::Container::new("orders");
    /// let sender = container.create_sender("amqps://user:pass@localhost/orders").await?;
    /// sender.send(amqp_client::Message::from("hello")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect) and [`Connection::create_sender`](super::Connection::create_sender).
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket.
    pub async fn create_sender(&self, url: &str) -> Result<Sender, Error> {
        let connection = self.options().clone();
        self.create_sender_with(url, connection, SenderOptions::default())
            .await
    }

    /// Like [`create_sender`](Self::create_sender), with options. With a name of the user's choice the
    /// attach waits for the open, which says whose link it is.
    ///
    /// # Errors
    /// As [`create_sender`](Self::create_sender).
    ///
    /// # Cancel safety
    /// As [`create_sender`](Self::create_sender).
    pub async fn create_sender_with(
        &self,
        url: &str,
        connection: ConnectionOptions,
        options: SenderOptions,
    ) -> Result<Sender, Error> {
        if options.link.name.is_some() {
            let node = Address::first_node(url)?;
            let connection = self.connect_with(url, connection).await?;
            return connection.create_sender_with(&node, options).await;
        }
        let required = options.link.required_capabilities.clone();
        let ask = |session: &Session, node: &str| session.start_sender(node, options.clone());
        let (session, (sender, answer)) = self.connect_asking(url, connection, ask).await?;
        sender.move_to(session.inner().clone());
        session.sender_attached(sender, answer, &required).await
    }

    /// Connects to `amqp://user:password@host:port/address` and attaches a receiver to the node that
    /// the path names, in one write as [`create_sender`](Self::create_sender) does.
    ///
    /// # Errors
    /// As [`connect`](Self::connect) and [`Connection::create_receiver`](super::Connection::create_receiver).
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket.
    pub async fn create_receiver(&self, url: &str) -> Result<Receiver, Error> {
        let connection = self.options().clone();
        self.create_receiver_with(url, connection, ReceiverOptions::default())
            .await
    }

    /// Like [`create_receiver`](Self::create_receiver), with options. With a name of the user's choice
    /// the attach waits for the open, which says whose link it is.
    ///
    /// # Errors
    /// As [`create_receiver`](Self::create_receiver).
    ///
    /// # Cancel safety
    /// As [`create_receiver`](Self::create_receiver).
    pub async fn create_receiver_with(
        &self,
        url: &str,
        connection: ConnectionOptions,
        options: ReceiverOptions,
    ) -> Result<Receiver, Error> {
        if options.link.name.is_some() {
            let node = Address::first_node(url)?;
            let connection = self.connect_with(url, connection).await?;
            return connection.create_receiver_with(&node, options).await;
        }
        let required = options.link.required_capabilities.clone();
        let asked = options.link.source.filter.clone();
        let asked = asked.filter(|_| !options.ignore_missing_filters);
        let ask = |session: &Session, node: &str| session.start_receiver(node, options.clone());
        let (session, (receiver, answer)) = self.connect_asking(url, connection, ask).await?;
        receiver.move_to(session.inner().clone());
        session
            .receiver_attached(receiver, answer, &required, asked.as_ref())
            .await
    }

    /// Connects to the first address that opens, having asked for a link in a session that is begun
    /// with the open.
    async fn connect_asking<T>(
        &self,
        url: &str,
        options: ConnectionOptions,
        ask: impl Fn(&Session, &str) -> T,
    ) -> Result<(Session, T), Error> {
        connect_any(url, &options, |address| {
            let shared = ConnectionShared::new();
            let session = SessionShared::new(shared.clone());
            session.claim_begin();
            shared.push(Command::Begin {
                session: session.clone(),
                config: options.config.session.clone(),
                reply: None,
            });
            let bare = Session::from_inner(SessionInner::bare(session.clone()));
            let asked = ask(&bare, address.node().unwrap_or_default());
            let mut options = options.clone();
            options.prepared = Some(shared);
            async move {
                let connection = self.connect_to(&address, options).await?;
                Ok((connection.keep_session(session), asked))
            }
        })
        .await
    }
}
