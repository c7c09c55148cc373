//! Every callback of a handler: in which order, under which conditions, and how often.

#![allow(clippy::unwrap_used)]

mod backlog;
mod connections;
mod container;
mod deliveries;
mod links;
mod names;
mod options;
mod owners;
mod peer;
mod recorder;
mod sessions;
mod settling;
