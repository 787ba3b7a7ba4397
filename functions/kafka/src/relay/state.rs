//! State shared by all links of a relay: facts from responses that rskafka does not expose.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;

use super::{
    broker_errors::BrokerErrors, error::LinkError, host::Broker, metadata::PartitionCounts,
    sasl::Refusal,
};

/// Written by the relay's links, read by [`Connection`](crate::Connection).
#[derive(Debug, Default)]
pub(crate) struct State {
    throttle: Mutex<Option<Throttle>>,
    refusal: Mutex<Option<Refusal>>,
    /// A time of the wall clock, which continues while a function is frozen.
    expires: Mutex<Option<SystemTime>>,
    is_connection_lost: AtomicBool,
    /// The last list of all topics; `None` once rskafka is connected.
    ///
    /// rskafka requests all topics only while it connects.
    topics: Mutex<Option<PartitionCounts>>,
    errors: Mutex<BrokerErrors>,
}

impl State {
    /// The state for a client that is about to connect: collects its topics.
    pub(super) fn collecting_topics() -> Self {
        Self {
            topics: Mutex::new(Some(PartitionCounts::new())),
            ..Self::default()
        }
    }

    /// When the current throttling ends, if a broker has throttled this client.
    pub(crate) fn throttled_until(&self) -> Option<Instant> {
        let throttle = (*self.throttle.lock())?;
        Some(throttle.end(Instant::now(), SystemTime::now()))
    }

    /// The error with which a broker rejected the credentials, if one did.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().clone()
    }

    /// When the first authenticated connection must be replaced.
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        *self.expires.lock()
    }

    /// Whether a broker or the network closed a link that rskafka was using.
    pub(crate) fn is_connection_lost(&self) -> bool {
        self.is_connection_lost.load(Ordering::Relaxed)
    }

    /// The last error of each broker that is not connected.
    pub(crate) fn broker_errors(&self) -> BrokerErrors {
        self.errors.lock().clone()
    }

    /// Records that rskafka is connected, and returns the cluster's topics.
    ///
    /// Clears the refusal of any broker that was tried before.
    pub(crate) fn connected(&self) -> PartitionCounts {
        *self.refusal.lock() = None;
        self.topics.lock().take().unwrap_or_default()
    }

    /// Whether rskafka is still connecting, so that topics are collected.
    pub(super) fn wants_topics(&self) -> bool {
        self.topics.lock().is_some()
    }

    /// Stores all topics that the client is authorized to see.
    pub(super) fn set_topics(&self, topics: PartitionCounts) {
        *self.topics.lock() = Some(topics);
    }

    /// Records that a broker throttles this client for `time`.
    pub(super) fn throttled(&self, time: Duration) {
        let new = Throttle {
            until: Instant::now() + time,
            until_wall: SystemTime::now() + time,
        };
        let mut throttle = self.throttle.lock();
        *throttle = Some(throttle.map_or(new, |known| known.longest(new)));
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        *self.refusal.lock() = Some(refusal);
    }

    /// Records that a broker closes an authenticated connection after `lifetime`.
    pub(super) fn authenticated(&self, lifetime: Duration) {
        let expires = SystemTime::now() + lifetime.mul_f64(LIFETIME_USED);
        let mut first = self.expires.lock();
        *first = Some(first.map_or(expires, |first| first.min(expires)));
    }

    pub(super) fn connection_lost(&self) {
        self.is_connection_lost.store(true, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, broker: &Broker, error: LinkError) {
        self.errors.lock().insert(broker, error);
    }

    pub(super) fn reached(&self, broker: &Broker) {
        self.errors.lock().remove(broker);
    }
}

/// The end of throttling by the monotonic clock and by the wall clock.
///
/// The monotonic clock may stop while a function is frozen, and the wall clock may be set back.
/// Throttling ends as soon as either clock has reached its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Throttle {
    until: Instant,
    until_wall: SystemTime,
}

impl Throttle {
    fn longest(self, other: Self) -> Self {
        Self {
            until: self.until.max(other.until),
            until_wall: self.until_wall.max(other.until_wall),
        }
    }

    /// The earlier of the two ends, with the wall clock's end converted to an `Instant`.
    fn end(self, now: Instant, wall: SystemTime) -> Instant {
        let by_wall = match self.until_wall.duration_since(wall) {
            Ok(left) => now.checked_add(left),
            // The monotonic clock may have started after that time.
            Err(passed) => Some(now.checked_sub(passed.duration()).unwrap_or(now)),
        };
        by_wall.map_or(self.until, |end| end.min(self.until))
    }
}

/// The share of a connection's lifetime after which it is replaced, so that no request arrives
/// after its end. Kafka's own clients reauthenticate at the same point.
const LIFETIME_USED: f64 = 0.85;

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds left of a 10 s throttle after `monotonic` and `wall` seconds on the two clocks.
    ///
    /// Negative if the throttle has ended.
    fn left(monotonic: u64, wall: i64) -> i64 {
        let (then, then_wall) = (Instant::now(), SystemTime::UNIX_EPOCH + DAY);
        let time = Duration::from_secs(10);
        let throttle = Throttle {
            until: then + time,
            until_wall: then_wall + time,
        };
        let now = then + Duration::from_secs(monotonic);
        let moved = Duration::from_secs(wall.unsigned_abs());
        let wall = if wall < 0 {
            then_wall - moved
        } else {
            then_wall + moved
        };
        let end = throttle.end(now, wall);
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap();
        seconds(end.saturating_duration_since(now)) - seconds(now.saturating_duration_since(end))
    }

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_throttle_ends_once_either_clock_reaches_its_end() {
        assert_eq!(left(0, 0), 10);
        assert_eq!(left(4, 4), 6);
        assert_eq!(left(12, 12), -2);
        // The function was frozen for six seconds, and for a minute.
        assert_eq!(left(1, 7), 3);
        assert_eq!(left(1, 61), -51);
        // The wall clock was set back.
        assert_eq!(left(4, -3_600), 6);
        assert_eq!(left(11, -3_600), -1);
    }

    #[test]
    fn the_longest_throttle_applies() {
        let state = State::default();
        assert_eq!(state.throttled_until(), None);
        let start = Instant::now();

        for seconds in [20, 60, 40] {
            state.throttled(Duration::from_secs(seconds));
        }

        let left = state.throttled_until().unwrap() - start;
        assert!(left > Duration::from_secs(40), "{left:?}");
    }

    #[test]
    fn the_session_that_expires_first_determines_the_expiry() {
        let state = State::default();
        assert_eq!(state.expires(), None);
        let start = SystemTime::now();

        for seconds in [200, 100, 300] {
            state.authenticated(Duration::from_secs(seconds));
        }

        let left = state.expires().unwrap().duration_since(start).unwrap();
        let expected = Duration::from_secs(85);
        assert!(left >= expected && left < expected * 2, "{left:?}");
    }
}
