//! Time by the wall clock, which continues while a function is frozen.

use std::time::{Duration, SystemTime};

/// Whether more than `time` has passed between `then` and `now`, or the clock was set back by more
/// than `time`, so that it may have.
pub(super) fn has_passed(time: Duration, then: SystemTime, now: SystemTime) -> bool {
    let between = now.duration_since(then);
    between.unwrap_or_else(|back| back.duration()) > time
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With 60 s to pass, and so many seconds on the clock.
    fn check(then: u64, now: u64) -> bool {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        has_passed(Duration::from_secs(60), at(then), at(now))
    }

    #[test]
    fn time_has_passed_once_there_was_more_of_it() {
        assert!(!check(1_000, 1_000));
        assert!(!check(1_000, 1_060));
        assert!(check(1_000, 1_061));
    }

    #[test]
    fn a_clock_that_was_set_back_is_not_believed() {
        assert!(check(1_000, 939));
        // Adjusted by a little, as clocks are.
        assert!(!check(1_000, 999));
    }
}
