//! What all links of a relay find out that rskafka does not tell.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;

use super::{
    broker_errors::BrokerErrors, error::LinkError, host::Broker, metadata::PartitionCounts,
    sasl::Refusal,
};

/// Written by the relay's links, read through the connection that has them.
#[derive(Debug, Default)]
pub(crate) struct State {
    throttle: Mutex<Option<Throttle>>,
    refusal: Mutex<Option<Refusal>>,
    /// By the wall clock, which goes on while a function is frozen.
    expires: Mutex<Option<SystemTime>>,
    is_cut: AtomicBool,
    /// The last list of all topics, while rskafka connects: it then asks for all
    /// of them.
    topics: Mutex<Option<PartitionCounts>>,
    errors: Mutex<BrokerErrors>,
}

impl State {
    /// For a client that is about to connect, and whose topics are wanted.
    pub(super) fn listing() -> Self {
        Self {
            topics: Mutex::new(Some(PartitionCounts::new())),
            ..Self::default()
        }
    }

    /// Until when brokers asked for no more records.
    pub(crate) fn throttled_until(&self) -> Option<Instant> {
        let throttle = (*self.throttle.lock())?;
        Some(throttle.end(Instant::now(), SystemTime::now()))
    }

    /// A broker's refusal of the credentials.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().clone()
    }

    /// When the first of the authenticated connections has to be replaced.
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        *self.expires.lock()
    }

    /// Whether a broker, or the network, ended a link that rskafka used.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// Why the brokers failed that are not connected with.
    pub(crate) fn broker_errors(&self) -> BrokerErrors {
        self.errors.lock().clone()
    }

    /// rskafka is connected: brokers that refused it before no longer matter.
    /// Returns the topics that there are.
    pub(crate) fn connected(&self) -> PartitionCounts {
        *self.refusal.lock() = None;
        self.topics.lock().take().unwrap_or_default()
    }

    /// Whether topics are wanted.
    pub(super) fn is_listing(&self) -> bool {
        self.topics.lock().is_some()
    }

    /// These are all topics that we may see.
    pub(super) fn listed(&self, topics: PartitionCounts) {
        *self.topics.lock() = Some(topics);
    }

    /// A broker asked for no more records for so long.
    pub(super) fn throttled(&self, time: Duration) {
        let asked = Throttle {
            until: Instant::now() + time,
            until_by_the_wall: SystemTime::now() + time,
        };
        let mut throttle = self.throttle.lock();
        *throttle = Some(throttle.map_or(asked, |known| known.longer(asked)));
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        *self.refusal.lock() = Some(refusal);
    }

    /// A broker closes an authenticated connection after `lifetime`.
    pub(super) fn authenticated(&self, lifetime: Duration) {
        let expires = SystemTime::now() + lifetime.mul_f64(LIFETIME_USED);
        let mut first = self.expires.lock();
        *first = Some(first.map_or(expires, |first| first.min(expires)));
    }

    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, broker: &Broker, error: LinkError) {
        self.errors.lock().insert(broker, error);
    }

    pub(super) fn reached(&self, broker: &Broker) {
        self.errors.lock().remove(broker);
    }
}

/// Until when brokers asked for no more records, by both clocks.
///
/// The monotonic one may stand still while a function is frozen, and the wall
/// clock may be set back: it is over once either says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Throttle {
    until: Instant,
    until_by_the_wall: SystemTime,
}

impl Throttle {
    fn longer(self, other: Self) -> Self {
        Self {
            until: self.until.max(other.until),
            until_by_the_wall: self.until_by_the_wall.max(other.until_by_the_wall),
        }
    }

    /// When it ends, or ended, by the clock that comes to it first: of a moment
    /// on the wall clock that is as far from now.
    fn end(self, now: Instant, wall: SystemTime) -> Instant {
        let by_the_wall = match self.until_by_the_wall.duration_since(wall) {
            Ok(left) => now.checked_add(left),
            // A machine may be younger than that.
            Err(passed) => Some(now.checked_sub(passed.duration()).unwrap_or(now)),
        };
        by_the_wall.map_or(self.until, |end| end.min(self.until))
    }
}

/// So much of a connection's lifetime is used: what is sent later might come
/// too late. Kafka's own clients authenticate again from here on.
const LIFETIME_USED: f64 = 0.85;

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of a throttle of 10 s is left after so many seconds by the monotonic
    /// clock and by the wall clock; less than nothing where it has been over.
    fn left(monotonic: u64, wall: i64) -> i64 {
        let (then, then_by_the_wall) = (Instant::now(), SystemTime::UNIX_EPOCH + DAY);
        let asked = Duration::from_secs(10);
        let throttle = Throttle {
            until: then + asked,
            until_by_the_wall: then_by_the_wall + asked,
        };
        let now = then + Duration::from_secs(monotonic);
        let moved = Duration::from_secs(wall.unsigned_abs());
        let wall = if wall < 0 {
            then_by_the_wall - moved
        } else {
            then_by_the_wall + moved
        };
        let end = throttle.end(now, wall);
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap();
        seconds(end.saturating_duration_since(now)) - seconds(now.saturating_duration_since(end))
    }

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_throttle_is_over_once_either_clock_says_so() {
        assert_eq!(left(0, 0), 10);
        assert_eq!(left(4, 4), 6);
        assert_eq!(left(12, 12), -2);
        // Frozen for six seconds, and for a minute.
        assert_eq!(left(1, 7), 3);
        assert_eq!(left(1, 61), -51);
        // The wall clock was set back.
        assert_eq!(left(4, -3_600), 6);
        assert_eq!(left(11, -3_600), -1);
    }

    #[test]
    fn the_longest_throttle_counts() {
        let state = State::default();
        assert_eq!(state.throttled_until(), None);
        let begun = Instant::now();

        for seconds in [20, 60, 40] {
            state.throttled(Duration::from_secs(seconds));
        }

        let left = state.throttled_until().unwrap() - begun;
        assert!(left > Duration::from_secs(40), "{left:?}");
    }

    #[test]
    fn the_connection_that_ends_first_says_when() {
        let state = State::default();
        assert_eq!(state.expires(), None);
        let begun = SystemTime::now();

        for seconds in [200, 100, 300] {
            state.authenticated(Duration::from_secs(seconds));
        }

        let left = state.expires().unwrap().duration_since(begun).unwrap();
        let expected = Duration::from_secs(85);
        assert!(left >= expected && left < expected * 2, "{left:?}");
    }
}
