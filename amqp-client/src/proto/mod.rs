//! The protocol engine: AMQP 1.0 as plain state machines, without IO, clock, lock or randomness.
//!
//! Decides everything that the standard decides. Time is an argument, buffers belong to the caller,
//! outputs are polled:
//!
//! ```text
//! handle_input(now, buf) ─▶ ┌────────────┐ ─▶ poll_transmit(now, buf)
//! handle_timeout(now)    ─▶ │ Connection │ ─▶ poll_timeout()
//! verbs (send, settle …) ─▶ └────────────┘ ─▶ poll_event()
//! ```
//!
//! A change of state marks what is owed; frames are made only when transmitting, so flows and
//! dispositions merge by themselves. Sockets, tasks and users are left to the driver.

mod arena;
mod connection;
mod credit;
mod delivery;
mod disposition;
mod event;
mod fragment;
mod frame;
mod link;
mod resume;
mod ring;
mod round;
mod sasl;
mod session;
mod tags;
mod tally;
mod violation;
mod write_buf;

pub use arena::Key;
pub use connection::{Config, Connection};
pub use delivery::{Incoming, Load, Outgoing, StreamEnd, Tag, TransferKind};
pub use event::{Event, LinkKey, SaslFailure};
pub use frame::ProtocolId;
pub use link::LinkConfig;
pub(crate) use resume::is_terminal;
pub use resume::{Outstanding, Resume, Unsettled};
pub(crate) use ring::Ring;
pub use sasl::{SaslClient, SaslServer};
pub use session::SessionConfig;
pub(crate) use session::{missing, wished};
pub use tally::{Tally, Totals};
pub(crate) use violation::condition_of;
pub use violation::{Scope, Violation};
pub use write_buf::WriteBuf;
