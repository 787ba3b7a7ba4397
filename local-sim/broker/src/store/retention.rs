//! Counts the memory that all records of a broker take together, against a limit.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory used by records, and its limit, in bytes.
#[derive(Debug)]
pub(crate) struct Retention {
    limit: usize,
    used: AtomicUsize,
}

impl Retention {
    /// Starts with no memory used.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
        }
    }

    /// Updates the used memory when a partition's size changes.
    pub(crate) fn update(&self, before: usize, after: usize) {
        if after >= before {
            self.used.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Whether more memory is used than the limit allows.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }

    /// Returns how many bytes to free once the limit is exceeded.
    ///
    /// This frees some more than necessary, so that the next appends need not free memory again.
    pub(crate) fn bytes_to_free(&self) -> usize {
        self.used()
            .saturating_sub(self.limit - self.limit / SLACK_DIVISOR)
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// Retention frees an extra 1/16 of the limit.
const SLACK_DIVISOR: usize = 16;
