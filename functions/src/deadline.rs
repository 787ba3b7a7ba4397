//! When to give up on storing a record.

use std::time::{Duration, Instant};

/// The answer needs this time to reach the gateway; what is stored later than
/// that would be stored and not acknowledged.
const ANSWER_MARGIN: Duration = Duration::from_millis(300);

/// A function whose time is unknown has this long: Lambda's default timeout.
const UNKNOWN: Duration = Duration::from_secs(3);

/// The moment to give up, so that the client still gets an answer: before
/// Lambda ends the invocation and before the gateway stops waiting for it.
///
/// Where there is less time than twice the margin, half of it is for the answer.
pub(crate) fn deadline(
    received: Instant,
    remaining: Option<Duration>,
    route_timeout: Duration,
) -> Instant {
    let time = remaining.unwrap_or(UNKNOWN).min(route_timeout);
    received + (time - ANSWER_MARGIN.min(time / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(remaining: Option<u64>, route_timeout: u64) -> u128 {
        let received = Instant::now();
        let remaining = remaining.map(Duration::from_millis);
        (deadline(received, remaining, Duration::from_millis(route_timeout)) - received).as_millis()
    }

    #[test]
    fn the_answer_leaves_before_lambda_and_the_gateway_give_up() {
        assert_eq!(check(Some(10_000), 29_000), 9_700);
        assert_eq!(check(Some(60_000), 29_000), 28_700);
        assert_eq!(check(Some(10_000), 1_000), 700);
    }

    #[test]
    fn little_time_is_halved() {
        assert_eq!(check(Some(10_000), 50), 25);
        assert_eq!(check(Some(0), 29_000), 0);
    }

    #[test]
    fn an_unknown_time_is_lambdas_default() {
        assert_eq!(check(None, 29_000), 2_700);
        assert_eq!(check(None, 1_000), 700);
    }
}
