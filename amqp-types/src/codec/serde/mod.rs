//! AMQP types in other formats, and values of other types as AMQP (feature `serde`).
//!
//! Decides that a binary format holds a value's AMQP encoding, and a format that
//! people read a form with the type's name (`human`). Both lose nothing. The way from
//! a Rust type to a value and back, for typed bodies, is in `to` and `from`.

mod encoded;
mod error;
mod from;
mod human;
mod to;

pub use error::SerdeError;
pub use from::from_value;
pub use to::to_value;

/// The name under which a newtype holds AMQP's own encoding. The serializer to values
/// knows it, other formats show what is inside.
const ENCODED: &str = "$amqp::encoded";
