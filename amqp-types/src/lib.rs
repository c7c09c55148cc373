//! AMQP 1.0 types, codec and messages.

pub mod codec;
mod primitive;
#[cfg(feature = "proptest")]
pub mod strategy;
mod value;

pub use bytes;
pub use codec::*;
pub use primitive::*;
pub use uuid;
pub use value::*;
