//! What is encoded and decoded: the shapes, and the content that all contenders build them from.

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An open with host, capabilities and four properties.
    Open,
    /// A transfer with a 4-octet tag, as each small message has one.
    Transfer,
    /// A disposition that accepts a range.
    Disposition,
    /// Header, four properties, five application properties, 1 KiB in a data section.
    Message1K,
    /// 64 octets in a data section, nothing else.
    Message64,
    /// A map from strings to strings and numbers, 20 pairs, as a value.
    Map20,
    /// 64 KiB in a data section, nothing else.
    Message64K,
}

/// All of them, in the order of the table.
pub(crate) const SHAPES: [Shape; 7] = [
    Shape::Open,
    Shape::Transfer,
    Shape::Disposition,
    Shape::Message64,
    Shape::Message1K,
    Shape::Message64K,
    Shape::Map20,
];

impl Shape {
    /// The name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Transfer => "transfer",
            Self::Disposition => "disposition",
            Self::Message1K => "message 1 KiB + 9 properties",
            Self::Message64 => "message 64 B",
            Self::Map20 => "map of 20",
            Self::Message64K => "message 64 KiB",
        }
    }

    /// Whether it is a message, with sections.
    pub(crate) fn is_message(self) -> bool {
        matches!(self, Self::Message1K | Self::Message64 | Self::Message64K)
    }

    /// The content of its data section.
    pub(crate) fn body(self) -> Vec<u8> {
        let size = match self {
            Self::Message1K => 1024,
            Self::Message64 => 64,
            Self::Message64K => 65_536,
            _ => 0,
        };
        vec![b'x'; size]
    }
}

pub(crate) const CONTAINER: &str = "orders-7f3a";
pub(crate) const HOST: &str = "broker.example.org";
pub(crate) const MAX_FRAME_SIZE: u32 = 65_536;
pub(crate) const CHANNEL_MAX: u16 = 255;
pub(crate) const IDLE_TIME_OUT: u32 = 30_000;
pub(crate) const CAPABILITIES: [&str; 2] = ["ANONYMOUS-RELAY", "LINK_PAIR_V1_0"];
/// Keys are symbols.
pub(crate) const OPEN_PROPERTIES: [(&str, &str); 4] = [
    ("product", "bench"),
    ("version", "1.2.3"),
    ("platform", "linux"),
    ("language", "rust"),
];

pub(crate) const HANDLE: u32 = 1;
pub(crate) const DELIVERY_ID: u32 = 70_000;
pub(crate) const TAG: [u8; 4] = [0, 1, 17, 112];
pub(crate) const FIRST: u32 = 70_000;
pub(crate) const LAST: u32 = 70_049;

/// Durable, priority 4, this time to live.
pub(crate) const TTL: u32 = 60_000;
pub(crate) const MESSAGE_ID: &str = "b2c5d7a0-6f7e-4e22-9d0c-000000000001";
pub(crate) const TO: &str = "/queues/orders";
pub(crate) const SUBJECT: &str = "created";
/// A symbol.
pub(crate) const CONTENT_TYPE: &str = "application/json";
/// Application properties: three strings, an int, a bool.
pub(crate) const TEXT_PROPERTIES: [(&str, &str); 3] = [
    ("tenant", "north"),
    ("region", "eu-central-1"),
    ("trace", "4bf92f3577b34da6a3ce929d0e0e4736"),
];
pub(crate) const NUMBER_PROPERTY: (&str, i32) = ("attempt", 3);
pub(crate) const FLAG_PROPERTY: (&str, bool) = ("replayed", false);

/// The keys of the map; even ones hold a string, odd ones a long.
pub(crate) const KEYS: [&str; 20] = [
    "key-00", "key-01", "key-02", "key-03", "key-04", "key-05", "key-06", "key-07", "key-08",
    "key-09", "key-10", "key-11", "key-12", "key-13", "key-14", "key-15", "key-16", "key-17",
    "key-18", "key-19",
];
pub(crate) const MAP_TEXT: &str = "some text value";
/// Too large for the one-octet encoding of a long.
pub(crate) const MAP_NUMBER: i64 = 1_000_000_007;
