//! AMQP 1.0 types, codec and messages.

pub mod codec;
mod primitive;
mod value;

pub use codec::*;
pub use primitive::*;
pub use value::*;
