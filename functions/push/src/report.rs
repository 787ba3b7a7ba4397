//! What came of a batch.

use crate::{address::ConnectionId, batch::Record, connections::Refusal, verdict::Outcome};

/// What came of a batch.
#[derive(Debug)]
pub struct Report<'a> {
    /// Where each partition that is not finished has to go on: one for each.
    pub failures: Vec<Failure<'a>>,
    /// What is done with now: the partition, the record and the connection.
    pub delivered: Vec<(&'a str, &'a Record, &'a ConnectionId)>,
    /// What the gateway will never take.
    pub rejections: Vec<Rejection<'a>>,
    /// How often what happened.
    pub counts: Counts,
}

/// The first record of a partition that is not finished.
#[derive(Debug)]
pub struct Failure<'a> {
    /// The mapping's name of the partition.
    pub partition: &'a str,
    /// The record's place in it.
    pub offset: i64,
    /// The connection that it failed for: one, where there are several.
    pub connection: &'a ConnectionId,
    /// What the gateway said last; nothing, where there was no time to ask.
    pub refusal: Option<Refusal>,
}

/// A record that the gateway will never take for this connection.
#[derive(Debug)]
pub struct Rejection<'a> {
    /// The mapping's name of the partition.
    pub partition: &'a str,
    /// The record's place in it.
    pub offset: i64,
    /// The connection.
    pub connection: &'a ConnectionId,
    /// What the gateway said.
    pub refusal: Refusal,
}

/// How often what happened: once per record and connection, and `poison` once per record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The gateway took it.
    pub delivered: u64,
    /// The connection is no more.
    pub gone: u64,
    /// The gateway found it too large.
    pub too_large: u64,
    /// The gateway will not take it, now or ever.
    pub rejected: u64,
    /// Tries that were not the last one.
    pub retried: u64,
    /// Delivered by an earlier invocation already.
    pub repeated: u64,
    /// Left for the mapping to send again.
    pub failed: u64,
    /// Records that say nothing that can be done.
    pub poison: u64,
}

impl Counts {
    /// Counts the end of a post.
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
