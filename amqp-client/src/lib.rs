//! AMQP 1.0 client and listener.
