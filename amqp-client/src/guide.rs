//! Pages to read, each with code that is tested.
//!
//! [`tutorial`] grows a program from one message to a service with requests and responses. The three
//! ways to program have a page each: [`asynchronous`], [`handlers`], [`blocking`]; who knows Proton
//! begins with [`coming_from_proton`]. [`security`] states defaults and promises, [`limits`] where
//! the patience with a hostile peer ends; [`observing`] shows frames as they cross the socket, spans, events, numbers and
//! traces across programs.
//!
//! Decides nothing; holds the text.

#[doc = include_str!("../docs/asynchronous.md")]
pub mod asynchronous {}

#[doc = include_str!("../docs/blocking.md")]
pub mod blocking {}

#[doc = include_str!("../docs/coming-from-proton.md")]
pub mod coming_from_proton {}

#[doc = include_str!("../docs/handlers.md")]
pub mod handlers {}

#[doc = include_str!("../docs/limits.md")]
pub mod limits {}

#[doc = include_str!("../docs/observing.md")]
pub mod observing {}

#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[doc = include_str!("../docs/tutorial.md")]
pub mod tutorial {}
