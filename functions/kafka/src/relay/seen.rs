//! What the relay saw that rskafka does not tell.

use std::{collections::BTreeMap, error::Error, fmt, sync::Arc, time::Instant};

use parking_lot::Mutex;
use thiserror::Error;

use super::{dial::LinkError, socks::Broker};

/// Written by the relay's links, read by whoever holds the connection.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    throttled_until: Mutex<Option<Instant>>,
    refusal: Mutex<Option<Refusal>>,
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

    /// Which brokers the last connection failed with.
    pub(crate) fn troubles(&self) -> Troubles {
        Troubles(self.broken.lock().clone().into_iter().collect())
    }

    pub(super) fn throttled(&self, until: Instant) {
        let mut throttled_until = self.throttled_until.lock();
        *throttled_until = (*throttled_until).max(Some(until));
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        *self.refusal.lock() = Some(refusal);
    }

    pub(super) fn broke(&self, broker: &Broker, error: LinkError) {
        let mut broken = self.broken.lock();
        if broken.len() < BROKEN_MAX {
            broken.insert(broker.to_string(), Arc::new(error));
        }
    }

    pub(super) fn reached(&self, broker: &Broker) {
        self.broken.lock().remove(&broker.to_string());
    }
}

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
