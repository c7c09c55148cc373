//! Programs as handlers whose callbacks are called: the model of Qpid Proton.
//!
//! ```
//! use amqp_client::broker::Broker;
//! use amqp_client::handler::{HandlerResult, MessageEvent, MessagingHandler, SenderEvent, StartEvent};
//! use amqp_client::{Container, Message};
//!
//! struct HelloWorld {
//!     url: String,
//!     received: Option<String>,
//! }
//!
//! impl MessagingHandler for HelloWorld {
//!     fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
//!         let connection = event.container().connect(&self.url)?;
//!         connection.create_receiver("examples")?;
//!         connection.create_sender("examples")?;
//!         Ok(())
//!     }
//!
//!     fn on_sendable(&mut self, event: &SenderEvent) -> HandlerResult {
//!         event.sender().send(Message::from("Hello World!"))?;
//!         event.sender().close();
//!         Ok(())
//!     }
//!
//!     fn on_message(&mut self, event: &MessageEvent) -> HandlerResult {
//!         self.received = event.message()?.body.as_str().map(str::to_owned);
//!         event.connection().close();
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # let broker = runtime.block_on(Broker::start())?;
//! # let url = broker.url();
//! let program = HelloWorld { url, received: None };
//! let program = Container::new("hello").run(program)?;
//! assert_eq!(program.received.as_deref(), Some("Hello World!"));
//! # Ok(()) }
//! ```
//!
//! Callbacks are called one at a time, on one thread, each connection's in the order of the wire. The
//! connections themselves live in tasks of their own: a callback that takes its time keeps other
//! callbacks waiting, and nobody's heartbeats.
//!
//! Decides the order and the conditions of callbacks, which [`MessagingHandler`] states one by one. It
//! stands on [`handles`](crate) and [`listener`](crate::listener), whose types can be mixed in.

mod accept;
mod callbacks;
mod connection;
mod container;
mod dispatch;
mod event;
mod link;
mod on_connection;
mod on_link;
mod registry;
mod run;

pub use callbacks::{HandlerError, HandlerOptions, HandlerResult, MessagingHandler};
pub use connection::{Connection, Session};
pub use container::{Acceptor, ActiveContainer, ApplicationEvent, EventInjector, Task};
pub use event::{
    ConnectionEvent, DeliveryEvent, InjectedEvent, LinkEvent, LinkOpeningEvent, MessageEvent,
    ReceiverEvent, SenderEvent, SessionEvent, StartEvent, TimerEvent,
};
pub use link::{Link, Receiver, Sender, Tracker};
pub use run::Running;
