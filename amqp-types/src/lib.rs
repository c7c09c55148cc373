//! AMQP 1.0 types, codec and messages.
