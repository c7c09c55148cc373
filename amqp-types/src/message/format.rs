//! Formats of messages (section 2.8.11).
//!
//! Decides how number and version share the 32 bits. Leaves what to do with a format
//! that is not the standard's to its receiver, who can pass the payload on unread.

use crate::generated::transport::MessageFormat;

impl MessageFormat {
    /// The format of the standard, which [`Message`](super::Message) reads and writes.
    pub const AMQP: Self = Self(0);

    /// The format `number`, of which the lower 24 bits count, in this version.
    // [PRF-30]
    #[must_use]
    pub const fn of(number: u32, version: u8) -> Self {
        Self(number << 8 | version as u32)
    }

    /// The upper three octets: which format.
    #[must_use]
    pub const fn format(self) -> u32 {
        self.0 >> 8
    }

    /// The lowest octet: its version.
    #[must_use]
    pub const fn version(self) -> u8 {
        self.0.to_be_bytes()[3]
    }
}
