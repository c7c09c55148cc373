//! How often connecting is tried.
//!
//! Decides after which time the addresses of a peer are tried again. What one attempt is, is decided
//! by who makes it; whether a failure is worth another one by [`Error::is_retryable`](crate::Error::is_retryable).

use std::time::Duration;

/// When it is tried again to make a connection, and how often.
///
/// An attempt goes over all addresses of the peer, in their order and without a pause; the first
/// that opens wins. The first attempt is made at once, and the delays between attempts grow. An
/// address that has failed for a reason that time does not mend is not tried again: wrong
/// credentials, a certificate that is not trusted, a protocol that is not spoken. What is worth
/// another attempt is told by [`Error::is_retryable`](crate::Error::is_retryable): a host that is
/// not found, not reached, silent or refuses, SASL's `sys-temp`, a close with
/// `amqp:connection:forced`. A wrong option ends it all.
///
/// | | default | which is |
/// | --- | --- | --- |
/// | [`initial_delay`](Self::initial_delay) | 100 ms | after the first attempt |
/// | [`factor`](Self::factor) | 2 | how much longer each is than the one before |
/// | [`max_delay`](Self::max_delay) | 10 s | the longest |
/// | [`jitter`](Self::jitter) | 0.5 | the share of each delay that is left to chance |
/// | [`max_attempts`](Self::max_attempts) | no limit | |
///
/// ```
/// use std::time::Duration;
/// use amqp_client::{Backoff, ConnectionOptions};
///
/// let patient = Backoff::new().max_delay(Duration::from_secs(60)).max_attempts(20);
/// let options = ConnectionOptions::new().retry(patient);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    initial: Duration,
    factor: f64,
    max: Duration,
    jitter: f64,
    attempts: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            factor: 2.0,
            max: Duration::from_secs(10),
            jitter: 0.5,
            attempts: None,
        }
    }
}

impl Backoff {
    /// The defaults: 100 ms, 200 ms, … 10 s, each shortened by up to a half, for ever.
    pub fn new() -> Self {
        Self::default()
    }

    /// The delay after the first attempt. Default 100 ms.
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial = delay;
        self
    }

    /// How much longer each delay is than the one before; at least 1. Default 2.
    pub fn factor(mut self, factor: f64) -> Self {
        // Also what is no number at all.
        self.factor = if factor >= 1.0 { factor } else { 1.0 };
        self
    }

    /// The longest delay. Default 10 s.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max = delay;
        self
    }

    /// By which share of it, from 0 to 1, a delay may be shortened by chance, so that many clients do
    /// not come back at once. Default 0.5.
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = if share >= 0.0 { share.min(1.0) } else { 0.0 };
        self
    }

    /// How many attempts are made in all, the first included; at least 1. Default: no limit.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts.max(1));
        self
    }

    /// The delay after so many attempts that have failed; `None` when there is to be no other.
    pub(crate) fn delay(&self, failed: u32) -> Option<Duration> {
        if self.attempts.is_some_and(|attempts| failed >= attempts) {
            return None;
        }
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let whole = match grown < self.max.as_secs_f64() || self.initial.is_zero() {
            // What grows out of nothing is nothing, however often it is doubled.
            true => Duration::try_from_secs_f64(grown).unwrap_or_default(),
            false => self.max,
        };
        let cut = whole.as_secs_f64() * self.jitter * chance();
        Some(whole.saturating_sub(Duration::try_from_secs_f64(cut).unwrap_or_default()))
    }
}

/// A number from 0 to 1. Without random numbers delays are whole.
fn chance() -> f64 {
    let mut octets = [0; 4];
    match getrandom::fill(&mut octets) {
        Ok(()) => f64::from(u32::from_le_bytes(octets)) / f64::from(u32::MAX),
        Err(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: &Backoff, attempts: u32) -> Vec<Option<u128>> {
        (1..=attempts)
            .map(|failed| backoff.delay(failed).map(|delay| delay.as_millis()))
            .collect()
    }

    #[test]
    fn delays_double_up_to_the_longest_until_the_attempts_are_used_up() {
        let backoff = Backoff::new().jitter(0.0).max_attempts(10);
        let expected = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000];
        let expected: Vec<_> = expected.into_iter().map(Some).chain([None]).collect();
        assert_eq!(delays(&backoff, 10), expected);
        assert_eq!(delays(&Backoff::new().max_attempts(0), 1), [None]);
    }

    #[test]
    fn chance_takes_its_share_and_no_more() {
        let backoff = Backoff::new();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let delay = backoff.delay(1).expect("there is no limit");
            assert!(delay >= Duration::from_millis(50) && delay <= Duration::from_millis(100));
            seen.insert(delay);
        }
        assert!(seen.len() > 100, "{} different delays", seen.len());
    }

    #[test]
    fn numbers_that_make_no_sense_do_no_harm() {
        let odd = Backoff::new()
            .factor(f64::NAN)
            .jitter(f64::NAN)
            .initial_delay(Duration::MAX)
            .max_delay(Duration::from_secs(1));
        assert_eq!(odd.delay(1), Some(Duration::from_secs(1)));
        let steep = Backoff::new().factor(f64::MAX).jitter(7.0);
        assert!(steep.delay(u32::MAX).expect("no limit") <= Duration::from_secs(10));
        let endless = Backoff::new().max_delay(Duration::MAX).jitter(0.0);
        assert_eq!(endless.delay(u32::MAX), Some(Duration::MAX));
        let never = Backoff::new().initial_delay(Duration::ZERO);
        assert_eq!(never.delay(u32::MAX), Some(Duration::ZERO));
    }
}
