//! Logs throttled invocations.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use tracing::warn;

/// Counts throttled invocations, and logs at most one warning per second.
#[derive(Debug)]
pub(super) struct Throttles {
    started: Instant,
    count: AtomicU64,
    logged_at_second: AtomicU64,
}

impl Throttles {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            count: AtomicU64::new(0),
            logged_at_second: AtomicU64::new(0),
        }
    }

    pub(super) fn count(&self, function: &str, why: &dyn fmt::Display) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let second = self.started.elapsed().as_secs() + 1;
        if self.logged_at_second.swap(second, Ordering::Relaxed) != second {
            warn!("{function}: throttled: {why} ({count} throttled so far)");
        }
    }
}
