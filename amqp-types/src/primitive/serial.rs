//! Serial number arithmetic, RFC 1982 with 32 bits (section 2.8.10).
//!
//! Decides how numbers that wrap are added, compared and counted. Leaves which
//! types are serial numbers to the generated code.

use std::cmp::Ordering;

/// A 32-bit number that wraps: `sequence-no`, `delivery-number` and
/// `transfer-number` (sections 2.8.7 to 2.8.10).
///
/// Such numbers have no total order, therefore the types have no `Ord`.
///
/// ```
/// use amqp_types::SerialNumber;
/// use amqp_types::transport::DeliveryNumber;
///
/// let last = DeliveryNumber(u32::MAX);
/// assert_eq!(last.next(), DeliveryNumber(0));
/// assert!(last.precedes(DeliveryNumber(3)));
/// assert_eq!(last.distance_to(DeliveryNumber(3)), 4);
/// ```
pub trait SerialNumber: Copy + PartialEq {
    /// The serial number `n`.
    fn from_u32(n: u32) -> Self;

    /// The number on the wire.
    fn to_u32(self) -> u32;

    /// The number `n` steps on, past the end to 0.
    #[must_use]
    #[inline]
    fn add(self, n: u32) -> Self {
        Self::from_u32(self.to_u32().wrapping_add(n))
    }

    /// The number `n` steps back, past 0 to the end.
    #[must_use]
    #[inline]
    fn sub(self, n: u32) -> Self {
        Self::from_u32(self.to_u32().wrapping_sub(n))
    }

    /// The following number.
    #[must_use]
    #[inline]
    fn next(self) -> Self {
        self.add(1)
    }

    /// How many steps lead from `self` forward to `other`, below 2³².
    #[must_use]
    #[inline]
    fn distance_to(self, other: Self) -> u32 {
        other.to_u32().wrapping_sub(self.to_u32())
    }

    /// Steps from `self` to `other`, negative where `other` comes first. Numbers
    /// that are 2³¹ apart have no order; they count as negative here.
    #[must_use]
    #[inline]
    fn signed_distance_to(self, other: Self) -> i32 {
        self.distance_to(other).cast_signed()
    }

    /// Whether `self` comes before `other`. False both ways where they are 2³¹ apart.
    #[must_use]
    #[inline]
    fn precedes(self, other: Self) -> bool {
        self.signed_distance_to(other) > 0
    }

    /// Whether `self` is `other` or comes before it.
    #[must_use]
    #[inline]
    fn precedes_or_equals(self, other: Self) -> bool {
        self == other || self.precedes(other)
    }

    /// The order of RFC 1982; `None` where the two are 2³¹ apart.
    #[must_use]
    #[inline]
    fn serial_cmp(self, other: Self) -> Option<Ordering> {
        match self.signed_distance_to(other) {
            0 => Some(Ordering::Equal),
            i32::MIN => None,
            steps if steps > 0 => Some(Ordering::Less),
            _ => Some(Ordering::Greater),
        }
    }

    /// Whether `self` is one of `first` to `last`, both included. A range is read
    /// forward from `first`, so that it may wrap and may hold every number.
    #[must_use]
    #[inline]
    fn is_within(self, first: Self, last: Self) -> bool {
        // [PRF-20]
        first.distance_to(self) <= first.distance_to(last)
    }
}

#[cfg(test)]
mod tests {
    use super::SerialNumber;
    use std::cmp::Ordering;

    impl SerialNumber for u32 {
        fn from_u32(n: u32) -> Self {
            n
        }

        fn to_u32(self) -> u32 {
            self
        }
    }

    // tests: [PRF-20]
    #[test]
    fn a_range_may_wrap() {
        for inside in [u32::MAX - 1, u32::MAX, 0, 1] {
            assert!(inside.is_within(u32::MAX - 1, 1));
        }
        assert!(!2.is_within(u32::MAX - 1, 1));
        assert!(!(u32::MAX - 2).is_within(u32::MAX - 1, 1));
        assert!(7.is_within(0, u32::MAX));
    }

    #[test]
    fn order_is_that_of_rfc_1982() {
        assert!(1.precedes(2));
        assert!(!2.precedes(1));
        assert!(u32::MAX.precedes(0));
        assert!(!1.precedes(1));
        assert!(1.precedes_or_equals(1));
        assert_eq!(0.serial_cmp(1 << 31), None);
        assert!(!0.precedes(1 << 31));
        assert!(!(1u32 << 31).precedes(0));
        assert_eq!(5.serial_cmp(4), Some(Ordering::Greater));
        assert_eq!(0.signed_distance_to(u32::MAX), -1);
    }

    #[test]
    fn steps_wrap_both_ways() {
        assert_eq!(u32::MAX.next(), 0);
        assert_eq!(SerialNumber::sub(0, 1), u32::MAX);
        assert_eq!(u32::MAX.distance_to(2), 3);
    }
}
