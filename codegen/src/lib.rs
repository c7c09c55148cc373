//! Turns the AMQP 1.0 XML definitions into Rust.
