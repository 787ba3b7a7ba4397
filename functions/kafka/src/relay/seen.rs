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

use super::{dial::LinkError, socks::Broker};

/// Written by the relay's links, read by whoever holds the connection.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    throttled_until: Mutex<Option<Instant>>,
    refusal: Mutex<Option<Refusal>>,
    /// By the wall clock, which goes on while a function is frozen.
    expires: Mutex<Option<SystemTime>>,
    is_cut: AtomicBool,
    /// By broker; as many as a cluster has.
    broken: Mutex<BTreeMap<String, Arc<LinkError>>>,
}

impl Seen {
    /// Until when brokers asked for no more records.
    ///
    /// The clock is the monotonic one: it may stand still while a function is
    /// frozen, which makes for too long a wait, never for an endless one.
    pub(crate) fn throttled_until(&self) -> Option<Instant> {
        *self.throttled_until.lock()
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
    pub(crate) fn connected(&self) {
        *self.refusal.lock() = None;
        self.is_cut.store(false, Ordering::Relaxed);
    }

    pub(super) fn throttled(&self, until: Instant) {
        let mut throttled_until = self.throttled_until.lock();
        *throttled_until = (*throttled_until).max(Some(until));
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

        assert!(told.contains("b:1 closed the connection with 7"), "{told}");
        assert_eq!(told.matches("b:").count(), BROKEN_MAX);
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
