//! How long an invocation may work.

use std::time::{Duration, SystemTime};

/// The answer needs this long to reach Lambda.
const ANSWER_MARGIN: Duration = Duration::from_millis(300);

/// Lambda's default timeout, for an invocation whose deadline is unknown.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(3);

/// A deadline that passed longer ago is unknown.
///
/// Some emulators send 0, or the same deadline with every invocation. The
/// clocks of two machines differ by less, and no invocation waits this long.
const PASSED_MAX: Duration = Duration::from_mins(5);

/// The time until Lambda ends the invocation: zero if its deadline has passed.
pub fn time_left(deadline: SystemTime, now: SystemTime) -> Duration {
    match deadline.duration_since(now) {
        Ok(left) => left,
        Err(passed) if passed.duration() > PASSED_MAX => TIMEOUT_DEFAULT,
        Err(_) => Duration::ZERO,
    }
}

/// How much of the time left can be spent on work, so that the answer still
/// reaches Lambda: all but 300 ms, or half of a time that is shorter than 600 ms.
pub fn time_for_work(time_left: Duration) -> Duration {
    time_left - ANSWER_MARGIN.min(time_left / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds left at this time of an invocation whose deadline is 1,000 s.
    fn check_left(now: u64) -> u64 {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        time_left(at(1_000), at(now)).as_secs()
    }

    #[test]
    fn no_time_is_left_after_the_deadline() {
        assert_eq!(check_left(990), 10);
        assert_eq!(check_left(1_000), 0);
        assert_eq!(check_left(1_001), 0);
        assert_eq!(check_left(1_300), 0);
    }

    #[test]
    fn a_deadline_that_passed_long_ago_is_lambdas_default_timeout() {
        assert_eq!(check_left(1_301), 3);
        let left = time_left(SystemTime::UNIX_EPOCH, SystemTime::now());
        assert_eq!(left, Duration::from_secs(3));
    }

    fn check_work(millis: u64) -> u128 {
        time_for_work(Duration::from_millis(millis)).as_millis()
    }

    #[test]
    fn the_answer_leaves_before_lambda_ends_the_invocation() {
        assert_eq!(check_work(10_000), 9_700);
        assert_eq!(check_work(1_000), 700);
        assert_eq!(check_work(3_000), 2_700);
    }

    #[test]
    fn little_time_is_halved() {
        assert_eq!(check_work(400), 200);
        assert_eq!(check_work(50), 25);
        assert_eq!(check_work(0), 0);
    }
}
