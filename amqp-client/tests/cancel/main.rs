//! Every future of the asynchronous API is dropped at every one of its await points; afterwards the
//! link, the session and the connection still work, and nothing has leaked.
//!
//! `sockets` has what needs a socket; `complete` sees to it that no method is left out.

mod complete;
mod cut;
mod endpoints;
mod receiving;
mod sending;
mod sockets;
mod world;
