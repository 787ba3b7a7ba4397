//! Decides when a topic is missing for certain.

use std::time::{Duration, Instant};

use super::topics::ABSENT_FOR;

/// A topic counts as missing after this time: brokers learn of a new topic within moments, but not
/// all at once. If a record has less time, a second look must do.
pub(super) const ABSENT_MIN: Duration = Duration::from_secs(1);

/// Since when the topic of a record has not been found.
#[derive(Debug, Default)]
pub(super) struct MissingTopic(Option<Instant>);

impl MissingTopic {
    /// Whether the topic is missing for certain, after an attempt that began and ended at these
    /// times and did not find it. `is_last` if there is no time for another attempt.
    pub(super) fn is_certain(&mut self, began: Instant, ended: Instant, is_last: bool) -> bool {
        let since = *self.0.get_or_insert(ended);
        // By then the last result has expired.
        let looked_again = began.saturating_duration_since(since) > ABSENT_FOR;
        ended - since >= ABSENT_MIN || is_last && looked_again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is certain after the last of these attempts, and not before.
    /// Each begins at so many milliseconds, and takes ten.
    fn check(attempts: &[u64], is_time_over: bool) -> bool {
        let start = Instant::now();
        let mut missing = MissingTopic::default();
        let mut attempts = attempts.iter().peekable();
        let mut is_certain = false;
        while let Some(&began) = attempts.next() {
            assert!(!is_certain, "it was certain before {began}");
            let began = start + Duration::from_millis(began);
            let is_last = attempts.peek().is_none() && is_time_over;
            let ended = began + Duration::from_millis(10);
            is_certain = missing.is_certain(began, ended, is_last);
        }
        is_certain
    }

    #[test]
    fn a_topic_is_missing_once_it_was_looked_for_long_enough() {
        assert!(!check(&[0], false));
        assert!(!check(&[0, 270, 540, 810], false));
        assert!(check(&[0, 270, 540, 810, 1_080], false));
    }

    #[test]
    fn where_there_is_no_more_time_it_is_missing_after_a_second_look() {
        assert!(!check(&[0], true));
        // What was seen a moment ago is believed without another look.
        assert!(!check(&[0, 100], true));
        assert!(check(&[0, 270], true));
    }
}
