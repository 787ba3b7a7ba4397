//! What all connections share: the topics, and what this one node tells about itself.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{faults::Faults, groups::Groups, store::topics::Topics};

/// The id of the only node.
pub(crate) const NODE_ID: i32 = 1;
/// The id of the cluster, which clients show and compare.
pub(crate) const CLUSTER_ID: &str = "local-sim";

/// A cluster of one node.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The topics with their records.
    pub(crate) topics: Topics,
    /// The consumer groups.
    pub(crate) groups: Groups,
    /// What is wrong with the node.
    pub(crate) faults: Faults,
    /// How many partitions a topic gets that nobody gave a number.
    pub(crate) partitions_default: i32,
    producer_ids: AtomicI64,
}

/// What a broker needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The number of partitions of topics that clients create without giving one: `num.partitions`.
    pub partitions_default: i32,
    /// The memory that all records may take together, in bytes; the oldest go first.
    pub retention_bytes: usize,
}

/// A request's surroundings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// What all connections share.
    pub(crate) cluster: &'a Cluster,
    /// The connection that it came by.
    pub(crate) ends: Ends,
    /// What the client calls itself.
    pub(crate) client_id: &'a str,
    /// The version of the API that the client speaks.
    pub(crate) version: i16,
    /// Whether partitions have no leader.
    pub(crate) leaderless: bool,
    /// How long the client is to wait before it asks again.
    pub(crate) throttle_time_ms: i32,
}

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// The address at which the client reached the broker, so one that it can reach again.
    pub(crate) advertised: SocketAddr,
    /// Where the client is.
    pub(crate) client: SocketAddr,
}

impl Cluster {
    /// An empty cluster.
    pub(crate) fn new(options: Options) -> Self {
        Self {
            topics: Topics::new(options.retention_bytes),
            groups: Groups::default(),
            faults: Faults::default(),
            partitions_default: options.partitions_default,
            producer_ids: AtomicI64::new(first_producer_id(SystemTime::now())),
        }
    }

    /// An id that no producer has had, in this run or in an earlier one.
    pub(crate) fn next_producer_id(&self) -> i64 {
        self.producer_ids.fetch_add(1, Ordering::Relaxed)
    }
}

/// Producers outlive the broker. If ids began at 0 each time, the batch of an old producer could pass for one that a
/// new producer has sent before, and would be acknowledged without being stored. So they begin with the time.
fn first_producer_id(now: SystemTime) -> i64 {
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).map_or(0, |millis| millis << PRODUCER_IDS_PER_MILLI_BITS)
}

/// 2^20 producers in a millisecond, and the time fits until the year 2248.
const PRODUCER_IDS_PER_MILLI_BITS: u32 = 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn producer_ids_of_a_later_run_are_larger() {
        let now = SystemTime::now();
        let later = now + Duration::from_millis(1);
        assert!(first_producer_id(now) > 0);
        assert_eq!(first_producer_id(later) - first_producer_id(now), 1 << 20);
    }
}
