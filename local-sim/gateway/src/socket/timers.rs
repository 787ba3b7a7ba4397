//! The two timers of a connection: the idle timeout and the maximum duration.

use tokio::time::Instant;

use crate::{
    clock::Clock,
    close::Closed,
    limits::{IDLE_MAX, LIFE_MAX},
};

/// The timers of a connection.
///
/// Traffic only records its time and does not move the alarm. When the alarm goes off, the caller
/// checks [`Self::is_expired`].
#[derive(Debug)]
pub(crate) struct Timers<'a> {
    clock: &'a Clock,
    end: Instant,
    last_active: Instant,
    alarm: Instant,
}

impl<'a> Timers<'a> {
    /// Starts the timers of a new connection.
    pub(crate) fn new(clock: &'a Clock) -> Self {
        let now = clock.now();
        Self {
            clock,
            end: now + LIFE_MAX,
            last_active: now,
            alarm: now + IDLE_MAX,
        }
    }

    /// Records traffic.
    pub(crate) fn touch(&mut self) {
        self.last_active = self.clock.now();
    }

    /// Waits until the connection may have expired.
    pub(crate) fn alarm(&self) -> impl Future<Output = ()> + use<'a> {
        self.clock.sleep_until(self.alarm)
    }

    /// Whether the connection has expired. If not, resets the alarm.
    pub(crate) fn is_expired(&mut self) -> bool {
        self.alarm = self.end.min(self.last_active + IDLE_MAX);
        self.alarm <= self.clock.now()
    }

    /// How an expired connection is closed.
    pub(crate) fn closed(&self) -> Closed {
        if self.end <= self.clock.now() {
            Closed::expired()
        } else {
            Closed::idle()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// How a connection is closed after `minutes`, with traffic in the minutes that are `busy`.
    fn check(minutes: u32, busy: impl Fn(u32) -> bool) -> Option<Closed> {
        let clock = Clock::default();
        let mut timers = Timers::new(&clock);
        for minute in 1..=minutes {
            clock.advance(MINUTE).unwrap();
            if busy(minute) {
                timers.touch();
            }
        }
        timers.is_expired().then(|| timers.closed())
    }

    #[test]
    fn a_connection_expires_after_ten_idle_minutes() {
        assert_eq!(check(9, |_| false), None);
        assert_eq!(check(10, |_| false), Some(Closed::idle()));
        assert_eq!(check(18, |minute| minute == 9), None);
        assert_eq!(check(19, |minute| minute == 9), Some(Closed::idle()));
    }

    #[test]
    fn a_busy_connection_expires_after_two_hours() {
        assert_eq!(check(119, |_| true), None);
        assert_eq!(check(120, |_| true), Some(Closed::expired()));
    }

    #[tokio::test]
    async fn advancing_the_clock_triggers_the_alarm() {
        let clock = Clock::default();
        let mut timers = Timers::new(&clock);
        let ((), advanced) = tokio::join!(timers.alarm(), async { clock.advance(IDLE_MAX) });
        assert_eq!(advanced, Ok(IDLE_MAX));
        assert!(timers.is_expired());
        assert_eq!(timers.closed(), Closed::idle());
    }
}
