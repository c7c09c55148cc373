//! Strategies for property tests (feature `proptest`).
//!
//! Decides how values are made up at random: what every type can hold, with the sizes
//! at which encodings change. Strategies of the generated types are generated, of
//! these here.
//!
//! ```
//! use amqp_types::strategy::any;
//! use amqp_types::transport::Transfer;
//! use amqp_types::{Decode, Encode};
//! use proptest::prelude::*;
//!
//! proptest!(|(transfer in any::<Transfer>())| {
//!     prop_assert_eq!(Transfer::from_bytes(&transfer.to_bytes()), Ok(transfer));
//! });
//! ```

mod collections;
mod simple;
mod value;

pub use collections::{non_empty, not_null, optional_not_null};
pub use proptest::sample::select;
pub use proptest::strategy::{BoxedStrategy, Just, Strategy, Union};
pub use simple::octets;
pub use value::unknown;

/// A type that can be made up at random.
pub trait Strategic: std::fmt::Debug + Sized + 'static {
    /// All values of the type; what it contains is kept small.
    fn strategy() -> BoxedStrategy<Self>;
}

/// All values of the type `T`.
pub fn any<T: Strategic>() -> BoxedStrategy<T> {
    T::strategy()
}
