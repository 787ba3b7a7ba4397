//! The result of a batch.

use crate::{address::ConnectionId, batch::Record, connections::PostError, verdict::Outcome};

/// The result of a batch.
#[derive(Debug)]
pub struct Report<'a> {
    /// The first failed record of each partition that is not finished.
    pub failures: Vec<Failure<'a>>,
    /// The partition, record and connection of each finished post, whatever its outcome.
    pub delivered: Vec<(&'a str, &'a Record, &'a ConnectionId)>,
    /// The posts that the gateway rejected for good.
    pub rejections: Vec<Rejection<'a>>,
    /// Counts by outcome.
    pub counts: Counts,
}

/// The first record of a partition that is not finished.
#[derive(Debug)]
pub struct Failure<'a> {
    /// The mapping's name for the partition.
    pub partition: &'a str,
    /// The record's offset.
    pub offset: i64,
    /// The connection that the post failed for; one of them if there are several.
    pub connection: &'a ConnectionId,
    /// The last error; `None` if there was no time to post.
    pub error: Option<PostError>,
}

/// A record that the gateway will never accept for this connection.
#[derive(Debug)]
pub struct Rejection<'a> {
    /// The mapping's name for the partition.
    pub partition: &'a str,
    /// The record's offset.
    pub offset: i64,
    /// The connection.
    pub connection: &'a ConnectionId,
    /// The gateway's error.
    pub error: PostError,
}

/// Counts by outcome: one per record and connection, except that `poison` counts records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The gateway accepted the post.
    pub delivered: u64,
    /// The connection no longer exists.
    pub gone: u64,
    /// The message is too large for the gateway.
    pub too_large: u64,
    /// The gateway rejected the post for good.
    pub rejected: u64,
    /// Attempts that failed and were retried.
    pub retried: u64,
    /// Posts that an earlier invocation had already delivered.
    pub repeated: u64,
    /// Posts left for redelivery by the mapping.
    pub failed: u64,
    /// Records that can never be delivered.
    pub poison: u64,
}

impl Counts {
    /// Counts a finished post.
    pub fn add(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Delivered => &mut self.delivered,
            Outcome::Gone => &mut self.gone,
            Outcome::TooLarge => &mut self.too_large,
            Outcome::Rejected => &mut self.rejected,
        };
        *count += 1;
    }

    /// The counts by their names in the log.
    pub fn named(self) -> [(&'static str, u64); 8] {
        [
            ("delivered", self.delivered),
            ("gone", self.gone),
            ("tooLarge", self.too_large),
            ("rejected", self.rejected),
            ("retried", self.retried),
            ("repeated", self.repeated),
            ("failed", self.failed),
            ("poison", self.poison),
        ]
    }
}
