//! Points in time (section 1.6.17).
//!
//! Decides the unit and the conversion to `SystemTime`; chrono's and time's own
//! types convert behind features of their names.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, negative before it
/// (section 1.6.17).
///
/// ```
/// use amqp_types::Timestamp;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let t = Timestamp::try_from(UNIX_EPOCH + Duration::from_millis(1_500))?;
/// assert_eq!(t, Timestamp(1_500));
/// # Ok::<(), amqp_types::TimestampOutOfRange>(())
/// ```
// [TYP-14]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A point in time that the other type cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOutOfRange;

impl Timestamp {
    /// Now, by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        // A clock outside the range of 64 bits of milliseconds is taken for its end.
        Self::try_from(SystemTime::now()).unwrap_or(Self(i64::MAX))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

/// Rounds down to a millisecond.
impl TryFrom<SystemTime> for Timestamp {
    type Error = TimestampOutOfRange;

    fn try_from(time: SystemTime) -> Result<Self, TimestampOutOfRange> {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()),
            Err(before) => i64::try_from(before.duration().as_nanos().div_ceil(1_000_000))
                .map(|millis| -millis),
        };
        millis.map(Self).map_err(|_| TimestampOutOfRange)
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampOutOfRange;

    fn try_from(timestamp: Timestamp) -> Result<Self, TimestampOutOfRange> {
        let distance = Duration::from_millis(timestamp.0.unsigned_abs());
        let time = if timestamp.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        time.ok_or(TimestampOutOfRange)
    }
}

impl From<i64> for Timestamp {
    fn from(millis: i64) -> Self {
        Self(millis)
    }
}

impl From<Timestamp> for i64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl fmt::Display for TimestampOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the point in time is out of the other type's range")
    }
}

impl std::error::Error for TimestampOutOfRange {}

#[cfg(test)]
mod tests {
    use super::*;

    // tests: [TYP-14]
    #[test]
    fn times_before_the_epoch_are_negative_and_round_down() {
        let time = UNIX_EPOCH - Duration::from_micros(1_500);
        assert_eq!(Timestamp::try_from(time), Ok(Timestamp(-2)));
        assert_eq!(
            SystemTime::try_from(Timestamp(-2)),
            Ok(UNIX_EPOCH - Duration::from_millis(2))
        );
    }

    #[test]
    fn now_is_after_the_year_2020() {
        assert!(Timestamp::now() > Timestamp(1_577_836_800_000));
    }
}
