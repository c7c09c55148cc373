//! What users hold: containers, connections, sessions, senders, receivers, deliveries.
//!
//! Decides the shape of the asynchronous API. Handles are cheap clones without protocol logic; each
//! method states what dropping its future does. The work is the driver's.

mod any;
mod attach;
mod attempts;
mod authenticate;
mod background;
mod connection;
mod container;
mod deliveries;
mod delivery;
mod direct;
pub mod link_option;
mod options;
mod receipt;
mod receiver;
mod redirect;
mod resuming;
mod sendable;
mod sender;
mod session;
mod sink;
mod stream;

pub use connection::Connection;
pub use container::Container;
pub use deliveries::Deliveries;
pub use delivery::Delivery;
pub use options::{ConnectionOptions, ReceiverOptions, SenderOptions, SessionOptions};
pub use receipt::Receipt;
pub use receiver::Receiver;
pub use sendable::{SendSettings, Sendable};
pub use sender::Sender;
pub use session::Session;
pub use sink::{MessageSink, SinkError};
pub use stream::{MessageStream, StreamingDelivery};

pub(crate) use background::Background;
pub(crate) use connection::{Starting, start};
pub(crate) use session::{SessionInner, lacks, unmet};
