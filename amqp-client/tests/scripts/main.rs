//! The engine against the standard, frame by frame: the scripted exchanges, the rules one by one,
//! and the tables of the states.
//!
//! `octets.txt` holds what the peer of each script writes; what has to come back stands in the
//! tests. Scripts that wait for other work: FS-69 and FS-70, which need a coordinator.

mod fs_connection;
mod fs_delivery;
mod fs_link;
mod fs_sasl;
mod fs_session;
mod rules_connection;
mod rules_delivery;
mod rules_driver;
mod rules_limits;
mod rules_link;
mod rules_reattach;
mod rules_sasl;
mod rules_session;
mod rules_streams;
mod rules_unsettled;
mod states;
mod support;
