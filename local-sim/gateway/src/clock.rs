//! The clock of the gateway's timers, which can be moved: ten idle minutes pass in a moment.
//!
//! Only timers go by it: idle and old connections, and token buckets. Times in events, deadlines and signatures
//! are those of the wall.

use std::time::Duration;

use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How far ahead of the real time the gateway's timers are: not at all, until the clock is moved.
#[derive(Debug, Default)]
pub struct Clock {
    advanced: watch::Sender<Duration>,
}

impl Clock {
    /// How far it has been moved in all.
    pub fn advanced(&self) -> Duration {
        *self.advanced.borrow()
    }

    /// Moves it; every timer that is due then goes off. Gives the sum of all moves.
    ///
    /// # Errors
    /// The sum would be more than 366 days; the clock stays as it is.
    pub fn advance(&self, by: Duration) -> Result<Duration, ClockLimitExceeded> {
        let moved = self.advanced.send_if_modified(|advanced| {
            let sum = advanced.saturating_add(by);
            let is_allowed = sum <= ADVANCED_MAX;
            if is_allowed {
                *advanced = sum;
            }
            is_allowed
        });
        if moved {
            Ok(self.advanced())
        } else {
            Err(ClockLimitExceeded)
        }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Instant {
        Instant::now() + self.advanced()
    }

    /// Waits for a moment, by time or by a move.
    pub(crate) async fn sleep_until(&self, moment: Instant) {
        let mut moves = self.advanced.subscribe();
        loop {
            let advanced = *moves.borrow_and_update();
            // A moment that lies before the clock's start has passed.
            let Some(real) = moment.checked_sub(advanced) else {
                return;
            };
            tokio::select! {
                () = sleep_until(real) => return,
                moved = moves.changed() => moved.expect("the sender is this clock's own"),
            }
        }
    }
}

/// The clock would have been moved too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the clock can be moved by {} days in all", ADVANCED_MAX.as_secs() / 86_400)]
pub struct ClockLimitExceeded;

/// All moves together: far more than any timer waits, and far from what a machine's clock can count.
const ADVANCED_MAX: Duration = Duration::from_hours(366 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_move_wakes_who_waits_for_its_moment_and_nobody_else() {
        let clock = Clock::default();
        let start = clock.now();
        let (soon, late) = (start + HOUR, start + 3 * HOUR);
        let woken = async {
            let moved = async { clock.advance(2 * HOUR) };
            let ((), moved) = tokio::join!(clock.sleep_until(soon), moved);
            moved
        };
        tokio::select! {
            biased;
            moved = woken => assert_eq!(moved, Ok(2 * HOUR)),
            () = clock.sleep_until(late) => panic!("an hour too early"),
        }
        assert!(clock.now() >= start + 2 * HOUR);
        // Who comes late does not wait.
        clock.sleep_until(soon).await;
    }

    #[test]
    fn moves_add_up_to_a_bound() {
        let clock = Clock::default();
        assert_eq!(clock.advance(HOUR), Ok(HOUR));
        assert_eq!(clock.advance(HOUR), Ok(2 * HOUR));
        assert_eq!(clock.advance(Duration::ZERO), Ok(2 * HOUR));
        assert_eq!(clock.advance(ADVANCED_MAX), Err(ClockLimitExceeded));
        assert_eq!(clock.advance(Duration::MAX), Err(ClockLimitExceeded));
        assert_eq!(clock.advanced(), 2 * HOUR);
    }
}
