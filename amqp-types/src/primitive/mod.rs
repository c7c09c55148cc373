//! The primitive types of the standard that Rust does not have, as small values.
//!
//! Decides how text, symbols, octets, decimals and points in time are held and
//! compared. Leaves their octets on the wire to `codec`. Sections 1.6.1 to 1.6.21.
//!
//! `bool`, the integers, the floats and `char` are Rust's own; `uuid` is
//! [`uuid::Uuid`]. Text and octets are views of a reference counted buffer, so a
//! clone is cheap and a decoded value copies nothing; `to_compact` cuts a value
//! loose from the buffer that it was read from.

mod binary;
mod decimal;
mod serial;
mod text;
mod timestamp;

pub use binary::Binary;
pub use decimal::{Decimal32, Decimal64, Decimal128};
pub use serial::SerialNumber;
pub use text::{NotAscii, Str, Symbol};
pub use timestamp::{Timestamp, TimestampOutOfRange};
