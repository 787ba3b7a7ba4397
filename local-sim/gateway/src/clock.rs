//! The clock of the gateway's timers. It can be advanced, so that a test need not wait for an idle
//! timeout.
//!
//! Only the idle timeout, the maximum duration of connections and the token buckets use it. Times
//! in events, deadlines and signatures are wall-clock time.

use std::time::Duration;

use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// A clock that runs ahead of real time by the sum of all advances.
#[derive(Debug, Default)]
pub struct Clock {
    advanced: watch::Sender<Duration>,
}

impl Clock {
    /// The sum of all advances.
    pub fn advanced(&self) -> Duration {
        *self.advanced.borrow()
    }

    /// Advances the clock, fires the timers that are then due, and returns the sum of all advances.
    ///
    /// # Errors
    /// The sum would exceed 366 days. The clock is not changed.
    pub fn advance(&self, by: Duration) -> Result<Duration, ClockLimitExceeded> {
        let is_advanced = self.advanced.send_if_modified(|advanced| {
            let sum = advanced.saturating_add(by);
            let is_allowed = sum <= ADVANCED_MAX;
            if is_allowed {
                *advanced = sum;
            }
            is_allowed
        });
        if is_advanced {
            Ok(self.advanced())
        } else {
            Err(ClockLimitExceeded)
        }
    }

    /// The current time of this clock.
    pub(crate) fn now(&self) -> Instant {
        Instant::now() + self.advanced()
    }

    /// Waits until this clock reaches `deadline`, whether time passes or the clock is advanced.
    pub(crate) async fn sleep_until(&self, deadline: Instant) {
        let mut advances = self.advanced.subscribe();
        loop {
            let advanced = *advances.borrow_and_update();
            // Without a representable real time, the deadline has already passed.
            let Some(real) = deadline.checked_sub(advanced) else {
                return;
            };
            tokio::select! {
                () = sleep_until(real) => return,
                changed = advances.changed() => changed.expect("this clock owns the sender"),
            }
        }
    }
}

/// The sum of all advances would exceed its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the clock can be advanced by at most {} days in total", ADVANCED_MAX.as_secs() / 86_400)]
pub struct ClockLimitExceeded;

/// The limit for the sum of all advances.
///
/// It is far more than any timer needs, and far below what `Instant` can represent.
const ADVANCED_MAX: Duration = Duration::from_hours(366 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn an_advance_wakes_only_the_timers_that_are_due() {
        let clock = Clock::default();
        let start = clock.now();
        let (soon, late) = (start + HOUR, start + 3 * HOUR);
        let woken = async {
            let advance = async { clock.advance(2 * HOUR) };
            let ((), sum) = tokio::join!(clock.sleep_until(soon), advance);
            sum
        };
        tokio::select! {
            biased;
            sum = woken => assert_eq!(sum, Ok(2 * HOUR)),
            () = clock.sleep_until(late) => panic!("woke an hour too early"),
        }
        assert!(clock.now() >= start + 2 * HOUR);
        // A deadline in the past completes at once.
        clock.sleep_until(soon).await;
    }

    #[test]
    fn advances_add_up_to_a_limit() {
        let clock = Clock::default();
        assert_eq!(clock.advance(HOUR), Ok(HOUR));
        assert_eq!(clock.advance(HOUR), Ok(2 * HOUR));
        assert_eq!(clock.advance(Duration::ZERO), Ok(2 * HOUR));
        assert_eq!(clock.advance(ADVANCED_MAX), Err(ClockLimitExceeded));
        assert_eq!(clock.advance(Duration::MAX), Err(ClockLimitExceeded));
        assert_eq!(clock.advanced(), 2 * HOUR);
    }
}
