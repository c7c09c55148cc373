//! Following the peer to where it sends us.
//!
//! Decides how a redirect of a connection or a link turns into another attempt, and how often.
//! Reading a redirect is [`crate::Error::redirect`]. Sections 2.8.16, 2.8.18.

use std::future::ready;

use super::attempts::connect_any;
use super::connection::Connection;
use super::container::Container;
use super::options::{ConnectionOptions, ReceiverOptions, SenderOptions};
use super::receiver::Receiver;
use super::sender::Sender;
use crate::error::{Error, Redirect};
use crate::transport::Address;

impl Container {
    /// Connects like [`connect_with`](Self::connect_with) and follows redirects, at most `limit` of
    /// them. Credentials go along to wherever the peer sends us.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); the last redirect when there were more.
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket.
    pub async fn connect_following(
        &self,
        url: &str,
        options: ConnectionOptions,
        limit: u32,
    ) -> Result<Connection, Error> {
        self.following(url, options, limit, |connection, _| ready(Ok(connection)))
            .await
    }

    /// Connects, attaches a sender and follows redirects of the connection and of the link, at most
    /// `limit` of them. The address is the path of the URL.
    ///
    /// # Errors
    /// As [`connect`](Self::connect) and [`Connection::create_sender`]; the last redirect when there
    /// were more.
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket.
    pub async fn sender_following(
        &self,
        url: &str,
        connection: ConnectionOptions,
        options: SenderOptions,
        limit: u32,
    ) -> Result<Sender, Error> {
        self.following(url, connection, limit, |connection, node| {
            let options = options.clone();
            async move { connection.create_sender_with(&node, options).await }
        })
        .await
    }

    /// Connects, attaches a receiver and follows redirects of the connection and of the link, at most
    /// `limit` of them. The address is the path of the URL.
    ///
    /// # Errors
    /// As [`connect`](Self::connect) and [`Connection::create_receiver`]; the last redirect when
    /// there were more.
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket.
    pub async fn receiver_following(
        &self,
        url: &str,
        connection: ConnectionOptions,
        options: ReceiverOptions,
        limit: u32,
    ) -> Result<Receiver, Error> {
        self.following(url, connection, limit, |connection, node| {
            let options = options.clone();
            async move { connection.create_receiver_with(&node, options).await }
        })
        .await
    }

    /// Connects and does what `then` says with the connection and the node, as often as the peer sends
    /// us on and `limit` allows.
    async fn following<T, F: Future<Output = Result<T, Error>>>(
        &self,
        url: &str,
        options: ConnectionOptions,
        limit: u32,
        then: impl Fn(Connection, String) -> F,
    ) -> Result<T, Error> {
        let then = &then;
        // Outside is what may be tried again elsewhere: that there is no connection.
        connect_any(url, &options, |address| {
            let mut trail = Trail::new(address, options.clone(), limit);
            async move {
                loop {
                    let options = trail.options.clone();
                    let attached = match self.connect_to(&trail.address, options).await {
                        Ok(connection) => then(connection, trail.node.clone()).await,
                        Err(error) => {
                            trail.follow(error)?;
                            continue;
                        }
                    };
                    match attached {
                        Ok(reached) => return Ok(Ok(reached)),
                        Err(error) => match trail.follow(error) {
                            Ok(()) => {}
                            Err(error) => return Ok(Err(error)),
                        },
                    }
                }
            }
        })
        .await?
    }
}

/// Where the next attempt goes.
struct Trail {
    address: Address,
    node: String,
    options: ConnectionOptions,
    left: u32,
}

impl Trail {
    fn new(address: Address, options: ConnectionOptions, limit: u32) -> Self {
        Self {
            node: address.node().unwrap_or_default().to_owned(),
            address,
            options,
            left: limit,
        }
    }

    /// Takes a redirect up; any other error, or one redirect too many, is handed back.
    fn follow(&mut self, error: Error) -> Result<(), Error> {
        let Some(redirect) = error.redirect().filter(|_| self.left > 0) else {
            return Err(error);
        };
        self.left -= 1;
        self.address = self.address.redirected(&redirect);
        let Redirect {
            hostname, address, ..
        } = redirect;
        if let Some(hostname) = hostname {
            self.options = self.options.clone().hostname(hostname);
        }
        if let Some(node) = address {
            self.node = node;
        }
        Ok(())
    }
}
