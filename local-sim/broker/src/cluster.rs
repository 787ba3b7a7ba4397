//! The state that all connections share: topics, groups, faults and the identity of the node.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{faults::Faults, groups::Groups, store::topics::Topics};

/// The id of the only node.
pub(crate) const NODE_ID: i32 = 1;
/// The id of the cluster, which clients display and compare.
pub(crate) const CLUSTER_ID: &str = "local-sim";

/// A cluster of one node.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The topics with their records.
    pub(crate) topics: Topics,
    /// The consumer groups.
    pub(crate) groups: Groups,
    /// The faults injected into the node.
    pub(crate) faults: Faults,
    /// The number of partitions of a topic created without one.
    pub(crate) partitions_default: i32,
    producer_ids: AtomicI64,
}

/// The settings of a broker.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The number of partitions of a topic that a client creates without one: `num.partitions`.
    pub partitions_default: i32,
    /// The memory that all records may take together, in bytes. The oldest are dropped first.
    pub retention_bytes: usize,
}

/// The context in which a handler answers a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The state that all connections share.
    pub(crate) cluster: &'a Cluster,
    /// The addresses of the request's connection.
    pub(crate) endpoints: Endpoints,
    /// The client id in the request header.
    pub(crate) client_id: &'a str,
    /// The API version of the request.
    pub(crate) version: i16,
    /// Whether a fault leaves partitions without a leader.
    pub(crate) leaderless: bool,
    /// The throttle time for the response.
    pub(crate) throttle_time_ms: i32,
}

/// The addresses of both ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoints {
    /// The local address of the connection, which the client can evidently reach.
    pub(crate) advertised: SocketAddr,
    /// The address of the client.
    pub(crate) client: SocketAddr,
}

impl Cluster {
    /// Creates a cluster without topics.
    pub(crate) fn new(options: Options) -> Self {
        Self {
            topics: Topics::new(options.retention_bytes),
            groups: Groups::default(),
            faults: Faults::default(),
            partitions_default: options.partitions_default,
            producer_ids: AtomicI64::new(first_producer_id(SystemTime::now())),
        }
    }

    /// Returns a producer id that is unique in this run and in earlier runs.
    pub(crate) fn next_producer_id(&self) -> i64 {
        self.producer_ids.fetch_add(1, Ordering::Relaxed)
    }
}

/// Returns the first producer id of this run, derived from the time.
///
/// Producers outlive the broker. If ids began at 0 in each run, a batch of an old producer could be
/// mistaken for a resent batch of a new producer, and be acknowledged without being stored.
fn first_producer_id(now: SystemTime) -> i64 {
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).map_or(0, |millis| millis << PRODUCER_IDS_PER_MILLI_BITS)
}

/// Allows 2^20 producers per millisecond; the id fits into an `i64` until the year 2248.
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
