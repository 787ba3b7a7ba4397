//! The two timers of a connection: how long it may be idle, and how long it may live.

use tokio::time::Instant;

use crate::{
    clock::Clock,
    close::Closed,
    limits::{IDLE_MAX, LIFE_MAX},
};

/// When a connection is to be looked at again. Traffic only takes note of the time; it never moves the alarm.
#[derive(Debug)]
pub(crate) struct Timers<'a> {
    clock: &'a Clock,
    end: Instant,
    last_active: Instant,
    alarm: Instant,
}

impl<'a> Timers<'a> {
    /// The timers of a connection that opens now.
    pub(crate) fn new(clock: &'a Clock) -> Self {
        let now = clock.now();
        Self {
            clock,
            end: now + LIFE_MAX,
            last_active: now,
            alarm: now + IDLE_MAX,
        }
    }

    /// Takes note of traffic.
    pub(crate) fn touch(&mut self) {
        self.last_active = self.clock.now();
    }

    /// Waits until it may be over.
    pub(crate) fn alarm(&self) -> impl Future<Output = ()> + use<'a> {
        self.clock.sleep_until(self.alarm)
    }

    /// Whether the connection's time is over; else the alarm is set anew.
    pub(crate) fn is_expired(&mut self) -> bool {
        self.alarm = self.end.min(self.last_active + IDLE_MAX);
        self.alarm <= self.clock.now()
    }

    /// How a connection ends whose time is over.
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

    /// How a connection is over after so many minutes, with traffic in each of `busy`.
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
    fn ten_idle_minutes_are_the_end() {
        assert_eq!(check(9, |_| false), None);
        assert_eq!(check(10, |_| false), Some(Closed::idle()));
        assert_eq!(check(18, |minute| minute == 9), None);
        assert_eq!(check(19, |minute| minute == 9), Some(Closed::idle()));
    }

    #[test]
    fn two_hours_are_the_end_however_busy() {
        assert_eq!(check(119, |_| true), None);
        assert_eq!(check(120, |_| true), Some(Closed::expired()));
    }

    #[tokio::test]
    async fn an_alarm_goes_off_where_time_is_moved() {
        let clock = Clock::default();
        let mut timers = Timers::new(&clock);
        let (_, moved) = tokio::join!(timers.alarm(), async { clock.advance(IDLE_MAX) });
        assert_eq!(moved, Ok(IDLE_MAX));
        assert!(timers.is_expired());
        assert_eq!(timers.closed(), Closed::idle());
    }
}
