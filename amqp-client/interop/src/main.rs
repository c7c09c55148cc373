//! Programs that meet live peers.
fn main() {}
