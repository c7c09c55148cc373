//! One connection to a peer of several addresses, after as many attempts as it takes.
//!
//! Decides which address is tried next, and when it is over. How a connection is made is told by who
//! asks; the delays are the back-off's. Section 2.4.1.

use super::options::ConnectionOptions;
use crate::error::{Error, ErrorKind};
use crate::transport::Address;

/// Connects to the first address that opens, as often as the options say.
///
/// # Errors
/// The last failure.
///
/// # Cancel safety
/// All that is under way is in the future: dropping it ends attempts and delays.
pub(super) async fn connect_any<T, F: Future<Output = Result<T, Error>>>(
    url: &str,
    options: &ConnectionOptions,
    connect: impl Fn(Address) -> F,
) -> Result<T, Error> {
    let mut addresses = Address::parse_list(url)?;
    for attempt in 1.. {
        let mut failure = None;
        let mut again = Vec::with_capacity(addresses.len());
        for address in addresses {
            let error = match connect(address.clone()).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            tracing::debug!(target: "amqp_client::connection", %address, attempt, %error, "not connected");
            if is_final(&error, options) {
                return Err(error);
            }
            if error.is_retryable() {
                again.push(address);
            }
            failure = Some(error);
        }
        let failure = failure.unwrap_or_else(|| Error::configuration("there is no address"));
        let backoff = options.retry.as_ref().filter(|_| !again.is_empty());
        let Some(delay) = backoff.and_then(|backoff| backoff.delay(attempt)) else {
            return Err(failure);
        };
        tracing::debug!(target: "amqp_client::connection", attempt, ?delay, "connecting is tried again");
        tokio::time::sleep(delay).await;
        addresses = again;
    }
    Err(Error::configuration("there are no attempts left"))
}

/// Whether no other address helps.
fn is_final(error: &Error, options: &ConnectionOptions) -> bool {
    // What is wrong with us is wrong with us everywhere.
    error.kind() == ErrorKind::Configuration
        // What was asked for in advance has been lost with the connection.
        || options.prepared.as_ref().is_some_and(|shared| shared.over().is_some())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;
    use std::time::Duration;

    use amqp_types::security::SaslCode;
    use amqp_types::transport::{self, ErrorCondition};
    use tokio::time::Instant;

    use super::*;
    use crate::backoff::Backoff;
    use crate::error::{ErrorScope, Initiator};
    use crate::proto::SaslFailure;

    fn refused() -> Error {
        Error::io("connect", std::io::ErrorKind::ConnectionRefused.into())
    }

    fn sasl(code: SaslCode) -> Error {
        Error::sasl(&SaslFailure::Refused(code))
    }

    fn closed(condition: ErrorCondition) -> Error {
        let (kind, scope) = (ErrorKind::ConnectionClosed, ErrorScope::Connection);
        let error = Some(transport::Error::new(condition));
        Error::amqp_error(kind, scope, Initiator::Remote, "closed", error)
    }

    fn steady() -> Backoff {
        Backoff::new().jitter(0.0)
    }

    /// Which hosts were tried when, in milliseconds, and how it ended.
    async fn tried(
        url: &str,
        backoff: Option<Backoff>,
        answer: impl Fn(&str, usize) -> Result<(), Error>,
    ) -> (Vec<(String, u128)>, Result<(), Error>) {
        let options = ConnectionOptions {
            retry: backoff,
            ..ConnectionOptions::new()
        };
        let (begun, seen) = (Instant::now(), RefCell::new(Vec::new()));
        let ended = connect_any(url, &options, |address| {
            let (host, at) = (address.host().to_owned(), begun.elapsed().as_millis());
            let answer = answer(&host, seen.borrow().len());
            seen.borrow_mut().push((host, at));
            ready(answer)
        })
        .await;
        (seen.into_inner(), ended)
    }

    fn times(seen: &[(String, u128)]) -> Vec<(&str, u128)> {
        seen.iter().map(|(host, at)| (host.as_str(), *at)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_back_off_each_address_is_tried_once() {
        let (seen, ended) = tried("a,b", None, |_, _| Err(refused())).await;
        assert_eq!(times(&seen), [("a", 0), ("b", 0)]);
        assert_eq!(ended.expect_err("refused").kind(), ErrorKind::Io);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_go_over_all_addresses_and_delays_grow_until_one_opens() {
        let answer = |_: &str, before| match before {
            5 => Ok(()),
            _ => Err(refused()),
        };
        let (seen, ended) = tried("a,b", Some(steady()), answer).await;
        let expected = [
            ("a", 0),
            ("b", 0),
            ("a", 100),
            ("b", 100),
            ("a", 300),
            ("b", 300),
        ];
        assert_eq!(times(&seen), expected);
        ended.expect("the last one opens");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_failure_is_told_when_the_attempts_are_used_up() {
        let backoff = Some(steady().max_attempts(3));
        let forced = |_: &str, before| match before {
            2 => Err(closed(ErrorCondition::ConnectionForced)),
            _ => Err(refused()),
        };
        let (seen, ended) = tried("a", backoff, forced).await;
        assert_eq!(times(&seen), [("a", 0), ("a", 100), ("a", 300)]);
        assert!(ended.expect_err("forced").condition().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_time_may_mend_is_tried_again() {
        let io = |kind: std::io::ErrorKind| Error::io("connect", kind.into());
        for (error, again) in [
            (refused(), true),
            (io(std::io::ErrorKind::HostUnreachable), true),
            (io(std::io::ErrorKind::NotFound), true),
            (io(std::io::ErrorKind::PermissionDenied), false),
            (Error::timed_out("connect", ErrorScope::Connection), true),
            (sasl(SaslCode::SysTemp), true),
            (sasl(SaslCode::Auth), false),
            (sasl(SaslCode::SysPerm), false),
            (sasl(SaslCode::Sys), false),
            (closed(ErrorCondition::ConnectionForced), true),
            (closed(ErrorCondition::UnauthorizedAccess), false),
            (closed(ErrorCondition::ConnectionRedirect), false),
            (Error::authentication("no token"), false),
            (Error::configuration("a bad option"), false),
            #[cfg(feature = "tls")]
            (Error::tls("UnknownIssuer"), false),
        ] {
            let backoff = Some(steady().max_attempts(2));
            let (seen, ended) = tried("a", backoff, |_, _| Err(error.clone())).await;
            assert_eq!(seen.len() == 2, again, "{error}");
            assert_eq!(ended.expect_err("failed").to_string(), error.to_string());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_refused_us_is_not_asked_again_and_others_are() {
        let answer = |host: &str, _| match host {
            "a" => Err(sasl(SaslCode::Auth)),
            _ => Err(refused()),
        };
        let (seen, _) = tried("a,b", Some(steady().max_attempts(3)), answer).await;
        assert_eq!(times(&seen), [("a", 0), ("b", 0), ("b", 100), ("b", 300)]);
        let (seen, _) = tried("a,b", Some(steady()), |_, _| Err(sasl(SaslCode::Auth))).await;
        assert_eq!(times(&seen), [("a", 0), ("b", 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_that_is_dropped_tries_nothing_more() {
        let options = ConnectionOptions::new().retry(steady());
        let count = RefCell::new(0);
        let connecting = connect_any("a", &options, |_| {
            *count.borrow_mut() += 1;
            ready(Err::<(), _>(refused()))
        });
        let limit = Duration::from_millis(250);
        tokio::time::timeout(limit, connecting)
            .await
            .expect_err("it goes on");
        assert_eq!(*count.borrow(), 2);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(*count.borrow(), 2);
    }
}
