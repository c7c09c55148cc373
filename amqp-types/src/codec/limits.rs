//! What a decoder puts up with.
//!
//! Decides the caps on nesting and on elements without octets, and the points where
//! the standard is stricter than what peers do.

/// Caps on what a peer may send, and how strict to be.
///
/// ```
/// use amqp_types::{Decode, Decoder, Limits, Value};
/// use bytes::Bytes;
///
/// let limits = Limits { max_depth: 2, ..Limits::default() };
/// let nested = Bytes::from_static(b"\xc0\x05\x01\xc0\x02\x01\x40"); // [[null]]
/// assert!(Value::decode(&mut Decoder::with_limits(&nested, limits)).is_ok());
/// let limits = Limits { max_depth: 1, ..limits };
/// assert!(Value::decode(&mut Decoder::with_limits(&nested, limits)).is_err());
/// ```
// [TYP-43] [TYP-44]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many lists, maps, arrays and described values may lie inside each other.
    /// Default 32; more than 128 counts as 128, since each level takes stack.
    pub max_depth: u32,
    /// How many elements that take no octets (null, true, false, 0, the empty list)
    /// the arrays of one decoder may have together. Default 65536. A
    /// [`Value`](crate::Value) keeps such elements as a count, but who walks them does
    /// so at the peer's word.
    pub max_zero_width_items: u32,
    /// Whether to refuse transaction identifiers of more than 32 octets (section
    /// 4.5.3). Off by default, since a common broker sends 36.
    pub strict_transaction_ids: bool,
    /// Whether a message with an annotation is refused whose key does not begin with
    /// `x-opt-` (section 3.2.10). Off by default, since brokers send such keys.
    // [MSG-13]
    pub refuse_unknown_annotations: bool,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_depth: 32,
        max_zero_width_items: 65_536,
        strict_transaction_ids: false,
        refuse_unknown_annotations: false,
    };

    pub(super) const DEEPEST: u8 = 128;

    #[inline]
    pub(super) const fn depth(&self) -> u8 {
        if self.max_depth < Self::DEEPEST as u32 {
            self.max_depth.to_le_bytes()[0]
        } else {
            Self::DEEPEST
        }
    }

    /// For values that are our own.
    pub(crate) const DEEP: Self = Self {
        max_depth: Self::DEEPEST as u32,
        max_zero_width_items: u32::MAX,
        ..Self::DEFAULT
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
