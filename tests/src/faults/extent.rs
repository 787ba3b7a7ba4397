//! The load on the path, and the duration of a fault.

use std::time::Duration;

/// The load on the path, and the duration of a fault.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Number of clients.
    pub clients: u32,
    /// How long each client waits between two messages.
    pub pause: Duration,
    /// How long a broker or the network is unavailable each time.
    pub away: Duration,
    /// How long the path runs without a fault in between.
    pub calm: Duration,
    /// Repeats the fault until this many messages are acknowledged. It is injected at least once.
    pub acknowledged: u64,
}

impl Extent {
    /// A few seconds of light load, which leaves most of two cores to the brokers.
    pub const SHORT: Self = Self {
        clients: 20,
        pause: Duration::from_millis(40),
        away: Duration::from_secs(8),
        calm: Duration::from_millis(500),
        acknowledged: 0,
    };

    /// Full load, repeated until this many messages are acknowledged.
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
