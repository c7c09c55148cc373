//! Points in time of other crates (features `chrono` and `time`).
//!
//! Decides that what a timestamp cannot say, less than a millisecond and the offset
//! from UTC, is left out, and that what the other type cannot say is refused.

/// `chrono::DateTime`, with the feature `chrono`.
#[cfg(feature = "chrono")]
mod with_chrono {
    use crate::primitive::{Timestamp, TimestampOutOfRange};
    use crate::value::{Simple, Value};
    use chrono::{DateTime, TimeZone, Utc};

    /// Rounds down to a millisecond.
    impl<Z: TimeZone> From<DateTime<Z>> for Timestamp {
        fn from(time: DateTime<Z>) -> Self {
            Self(time.timestamp_millis())
        }
    }

    impl TryFrom<Timestamp> for DateTime<Utc> {
        type Error = TimestampOutOfRange;

        fn try_from(timestamp: Timestamp) -> Result<Self, TimestampOutOfRange> {
            Self::from_timestamp_millis(timestamp.0).ok_or(TimestampOutOfRange)
        }
    }

    impl<Z: TimeZone> From<DateTime<Z>> for Value {
        fn from(time: DateTime<Z>) -> Self {
            Self::Timestamp(time.into())
        }
    }

    impl<Z: TimeZone> From<DateTime<Z>> for Simple {
        fn from(time: DateTime<Z>) -> Self {
            Timestamp::from(time).into()
        }
    }
}

/// `time::OffsetDateTime`, with the feature `time`.
#[cfg(feature = "time")]
mod with_time {
    use crate::primitive::{Timestamp, TimestampOutOfRange};
    use crate::value::{Simple, Value};
    use time::OffsetDateTime;

    /// Rounds down to a millisecond.
    impl From<OffsetDateTime> for Timestamp {
        fn from(time: OffsetDateTime) -> Self {
            // Years have at most six digits, so that milliseconds fit; the end of the
            // range would stand for more.
            let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
            Self(i64::try_from(millis).unwrap_or(i64::MAX))
        }
    }

    impl TryFrom<Timestamp> for OffsetDateTime {
        type Error = TimestampOutOfRange;

        fn try_from(timestamp: Timestamp) -> Result<Self, TimestampOutOfRange> {
            Self::from_unix_timestamp_nanos(i128::from(timestamp.0) * 1_000_000)
                .map_err(|_| TimestampOutOfRange)
        }
    }

    impl From<OffsetDateTime> for Value {
        fn from(time: OffsetDateTime) -> Self {
            Self::Timestamp(time.into())
        }
    }

    impl From<OffsetDateTime> for Simple {
        fn from(time: OffsetDateTime) -> Self {
            Timestamp::from(time).into()
        }
    }
}

#[cfg(all(test, feature = "chrono"))]
mod chrono_tests {
    use crate::{Timestamp, TimestampOutOfRange, Value};
    use chrono::{DateTime, Utc};

    // tests: [TYP-14]
    #[test]
    fn chrono_converts_both_ways() {
        let time = DateTime::<Utc>::from_timestamp_millis(-1).unwrap();
        assert_eq!(Value::from(time), Value::Timestamp(Timestamp(-1)));
        assert_eq!(DateTime::<Utc>::try_from(Timestamp(-1)), Ok(time));
        let too_late = DateTime::<Utc>::try_from(Timestamp(i64::MAX));
        assert_eq!(too_late, Err(TimestampOutOfRange));
    }
}

#[cfg(all(test, feature = "time"))]
mod time_tests {
    use crate::{Timestamp, TimestampOutOfRange, Value};
    use time::OffsetDateTime;

    // tests: [TYP-14]
    #[test]
    fn time_converts_both_ways() {
        let time = OffsetDateTime::from_unix_timestamp_nanos(-1_500_000).unwrap();
        assert_eq!(Value::from(time), Value::Timestamp(Timestamp(-2)));
        let back = OffsetDateTime::try_from(Timestamp(-2)).unwrap();
        assert_eq!(back.unix_timestamp_nanos(), -2_000_000);
        let too_late = OffsetDateTime::try_from(Timestamp(i64::MAX));
        assert_eq!(too_late, Err(TimestampOutOfRange));
    }
}
