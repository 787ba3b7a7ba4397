//! The account of the memory that all records of a broker take together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes are used, and how many may be.
#[derive(Debug)]
pub(crate) struct Retention {
    limit: usize,
    used: AtomicUsize,
}

impl Retention {
    /// An empty account.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
        }
    }

    /// Follows a partition from one size to another.
    pub(crate) fn follow(&self, before: usize, after: usize) {
        if after >= before {
            self.used.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Whether something must go.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }

    /// How many bytes must go, once something must: some more than the excess, so that it is not every append that
    /// has to look for them.
    pub(crate) fn excess(&self) -> usize {
        self.used().saturating_sub(self.limit - self.limit / SLACK)
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// Retention makes this part of the limit free at once.
const SLACK: usize = 16;
