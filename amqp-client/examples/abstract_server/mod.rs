//! A tiny framework for servers: a service is a method from a request's text to a response's.
//!
//! `proton_server` is a program that uses it.

use amqp_client::handler::{HandlerResult, MessageEvent, MessagingHandler, Sender, StartEvent};
use amqp_client::{Container, Error, Message};

/// What a server does.
pub trait Service: Send + 'static {
    /// The answer to a request, or why there is none.
    fn answer(&mut self, request: &str) -> Result<String, String>;
}

/// A service at a node of a broker; it runs until its container is stopped.
pub struct Server<S> {
    url: String,
    address: String,
    service: S,
    replies: Option<Sender>,
}

impl<S: Service> Server<S> {
    /// A server of the node at `address`.
    pub fn new(url: String, address: String, service: S) -> Self {
        Self {
            url,
            address,
            service,
            replies: None,
        }
    }

    /// Serves on this thread.
    pub fn run(self) -> Result<(), Error> {
        Container::new("server").run(self)?;
        Ok(())
    }
}

impl<S: Service> MessagingHandler for Server<S> {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        let connection = event.container().connect(&self.url)?;
        connection.create_receiver(&self.address)?;
        // A sender without an address: each reply says where it goes.
        self.replies = Some(connection.create_sender("")?);
        Ok(())
    }

    fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
        let request = event.message()?;
        let properties = request.properties.unwrap_or_default();
        let to = properties.reply_to.ok_or("a request without reply-to")?;
        // What went wrong is told in the response: the client waits for one.
        let mut reply = match self
            .service
            .answer(request.body.as_str().unwrap_or_default())
        {
            Ok(text) => Message::from(text).with_subject("answer"),
            Err(text) => Message::from(text).with_subject("error"),
        };
        if let Some(id) = properties.correlation_id.or(properties.message_id) {
            reply = reply.with_correlation_id(id);
        }
        let replies = self.replies.as_ref().ok_or("not started")?;
        replies.send(reply.with_to(to))?;
        Ok(())
    }
}
