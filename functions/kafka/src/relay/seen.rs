//! What the relay saw that rskafka does not tell.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use thiserror::Error;

use super::{dial::LinkError, metadata::PartitionCounts, socks::Broker};

/// Written by the relay's links, read by whoever holds the connection.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    throttle: Mutex<Option<Throttle>>,
    refusal: Mutex<Option<Refusal>>,
    /// By the wall clock, which goes on while a function is frozen.
    expires: Mutex<Option<SystemTime>>,
    is_cut: AtomicBool,
    is_listing: AtomicBool,
    /// What was last said of all topics, while that was wanted.
    topics: Mutex<PartitionCounts>,
    /// By broker; as many as a cluster has.
    broken: Mutex<BTreeMap<String, Arc<LinkError>>>,
}

impl Seen {
    /// For a client that is about to connect, and whose topics are wanted.
    pub(super) fn listing() -> Self {
        Self {
            is_listing: AtomicBool::new(true),
            ..Self::default()
        }
    }

    /// Until when brokers asked for no more records.
    pub(crate) fn throttled_until(&self) -> Option<Instant> {
        let throttle = (*self.throttle.lock())?;
        Some(throttle.end(Instant::now(), SystemTime::now()))
    }

    /// That, and in which words, a broker refused the credentials.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().clone()
    }

    /// When the first of the authenticated connections has to be replaced.
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        *self.expires.lock()
    }

    /// Whether a connection that was open has ended, and not by us.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// Which brokers the last connection failed with.
    pub(crate) fn troubles(&self) -> Troubles {
        Troubles(self.broken.lock().clone().into_iter().collect())
    }

    /// What went wrong until now is none of this connection's, which is there.
    /// Returns the topics that there were as it came to be.
    pub(crate) fn connected(&self) -> PartitionCounts {
        *self.refusal.lock() = None;
        self.is_cut.store(false, Ordering::Relaxed);
        self.is_listing.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.topics.lock())
    }

    /// Whether topics are wanted: while rskafka connects, when it asks for all
    /// of them and for nothing less.
    pub(super) fn is_listing(&self) -> bool {
        self.is_listing.load(Ordering::Relaxed)
    }

    /// These are all topics that we may see.
    pub(super) fn listed(&self, topics: PartitionCounts) {
        *self.topics.lock() = topics;
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

    pub(super) fn broke(&self, broker: &Broker, error: LinkError) {
        let mut broken = self.broken.lock();
        let broker = broker.to_string();
        if broken.len() < BROKEN_MAX || broken.contains_key(&broker) {
            broken.insert(broker, Arc::new(error));
        }
    }

    pub(super) fn reached(&self, broker: &Broker) {
        self.broken.lock().remove(&broker.to_string());
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
/// too late. Kafka's own clients authenticate anew from here on.
const LIFETIME_USED: f64 = 0.85;

/// More brokers than this do not fit in a line of a log.
const BROKEN_MAX: usize = 8;

/// A broker's word on the credentials it was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a broker refused the credentials with error {code}: {message:?}")]
pub struct Refusal {
    /// Kafka's error code; 0 where a token was refused by a document instead.
    pub code: i16,
    /// What the broker says about it, which may be nothing.
    pub message: String,
}

/// What is wrong between us and the brokers: each of them, with the reason.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Vec<(String, Arc<LinkError>)>);

impl Troubles {
    /// Whether nothing is known to be wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Troubles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (broker, error)) in self.0.iter().enumerate() {
            let separator = if at == 0 { ": " } else { "; " };
            write!(formatter, "{separator}{broker} {error}")?;
            let mut cause = error.source();
            while let Some(error) = cause {
                write!(formatter, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(port: u16) -> Broker {
        Broker {
            host: "b".to_owned(),
            port,
        }
    }

    #[test]
    fn the_reason_is_the_last_one_however_many_brokers_are_broken() {
        let seen = Seen::default();
        for port in 1..=20 {
            seen.broke(&broker(port), LinkError::Closed(1));
        }
        seen.broke(&broker(1), LinkError::Closed(7));

        let told = seen.troubles().to_string();

        let last = "b:1 closed the connection, requests unanswered: 7";
        assert!(told.contains(last), "{told}");
        assert_eq!(told.matches("b:").count(), BROKEN_MAX);
    }

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
        let seen = Seen::default();
        assert_eq!(seen.throttled_until(), None);
        let begun = Instant::now();

        for seconds in [20, 60, 40] {
            seen.throttled(Duration::from_secs(seconds));
        }

        let left = seen.throttled_until().unwrap() - begun;
        assert!(left > Duration::from_secs(40), "{left:?}");
    }

    #[test]
    fn the_connection_that_ends_first_says_when() {
        let seen = Seen::default();
        assert_eq!(seen.expires(), None);
        let begun = SystemTime::now();

        for seconds in [200, 100, 300] {
            seen.authenticated(Duration::from_secs(seconds));
        }

        let left = seen.expires().unwrap().duration_since(begun).unwrap();
        let expected = Duration::from_secs(85);
        assert!(left >= expected && left < expected * 2, "{left:?}");
    }
}
