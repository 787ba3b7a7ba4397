//! How much of a fault there is.

use std::time::Duration;

/// How much of a fault there is.
#[derive(Debug, Clone)]
pub struct Extent {
    /// The clients.
    pub clients: u32,
    /// How long each of them waits between two messages.
    pub pause: Duration,
    /// How long something stays away at a time.
    pub away: Duration,
    /// How long everything is well in between.
    pub calm: Duration,
    /// The fault is repeated until so many messages are acknowledged; it happens once at least.
    pub acknowledged: u64,
}

impl Extent {
    /// Seconds, with most of two cores left to the brokers.
    pub const SHORT: Self = Self {
        clients: 20,
        pause: Duration::from_millis(40),
        away: Duration::from_secs(8),
        calm: Duration::from_millis(500),
        acknowledged: 0,
    };

    /// As fast as the machine can, until there are so many acknowledgements.
    pub const fn until(acknowledged: u64) -> Self {
        Self {
            clients: 40,
            pause: Duration::ZERO,
            away: Duration::from_secs(20),
            calm: Duration::from_secs(10),
            acknowledged,
        }
    }
}
