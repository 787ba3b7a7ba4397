//! Remembers deliveries that the mapping will redeliver, so that they are not repeated.
//!
//! A mapping redelivers a partition from the first record that failed. Without this cache, one
//! failing connection would make all others of its partition receive the same messages repeatedly.
//! The cache is lost with the process, after which duplicates are possible.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    address::ConnectionId,
    batch::{Batch, Record},
    report::Report,
};

/// The most deliveries in the cache, about 100 bytes each. When more are needed, the cache is
/// cleared.
pub const DELIVERIES_MAX: usize = 50_000;

/// The deliveries that the mapping may redeliver, by partition.
#[derive(Debug, Default)]
pub struct DedupCache(BTreeMap<String, BTreeSet<Delivery>>);

/// A record's offset and timestamp, and the connection.
type Delivery = (i64, i64, ConnectionId);

impl DedupCache {
    /// Whether the record was already delivered to the connection.
    pub fn contains(&self, partition: &str, record: &Record, connection: &ConnectionId) -> bool {
        self.0
            .get(partition)
            .is_some_and(|deliveries| deliveries.contains(&delivery(record, connection)))
    }

    /// Adds the deliveries that the mapping will redeliver, and evicts those that it will not.
    pub fn update(&mut self, batch: &Batch, report: &Report<'_>) {
        for failure in &report.failures {
            let deliveries = self.0.entry(failure.partition.to_owned()).or_default();
            let after = report.delivered.iter().filter(|(partition, record, _)| {
                *partition == failure.partition && record.offset >= failure.offset
            });
            deliveries.extend(after.map(|(_, record, connection)| delivery(record, connection)));
        }
        for partition in &batch.partitions {
            let failure = report
                .failures
                .iter()
                .find(|failure| failure.partition == partition.name);
            let last = partition.records.last();
            // Deliveries after the end of the batch stay: the mapping may have bisected it.
            let next = match failure {
                Some(failure) => failure.offset,
                None => last.map_or(0, |record| record.offset.saturating_add(1)),
            };
            if let Some(deliveries) = self.0.get_mut(&partition.name) {
                deliveries.retain(|(offset, ..)| *offset >= next);
                if deliveries.is_empty() {
                    self.0.remove(&partition.name);
                }
            }
        }
        if self.0.values().map(BTreeSet::len).sum::<usize>() > DELIVERIES_MAX {
            self.0.clear();
        }
    }
}

fn delivery(record: &Record, connection: &ConnectionId) -> Delivery {
    (record.offset, record.timestamp, connection.clone())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        batch::{Action, Command, Partition},
        connections::PostError,
        work::Work,
    };

    /// A batch of one partition, with the offset and the connection of each record.
    fn batch(records: &[(i64, &str)]) -> Batch {
        let record = |(offset, to): &(i64, &str)| Record {
            offset: *offset,
            timestamp: 5,
            command: Ok(Command {
                to: vec![ConnectionId::parse(to).expect("an id")],
                action: Action::Close,
            }),
        };
        Batch {
            partitions: vec![Partition {
                name: "t-0".to_owned(),
                records: records.iter().map(record).collect(),
            }],
        }
    }

    /// Delivers a batch, and returns the connections that were tried. Posts to `x` fail.
    fn deliver(cache: &mut DedupCache, records: &[(i64, &str)]) -> Vec<String> {
        let batch = batch(records);
        let mut work = Work::new(&batch, |partition, record, to| {
            cache.contains(partition, record, to)
        });
        let now = Instant::now();
        let mut sent = Vec::new();
        while let Some(post) = work.next(now) {
            sent.push(post.connection.as_str().to_owned());
            let fails = post.connection.as_str() == "x";
            let result = if fails {
                Err(PostError::new(Some(403)))
            } else {
                Ok(())
            };
            work.settle(post, result, now, 0.0);
        }
        cache.update(&batch, &work.report());
        sent.sort();
        sent
    }

    #[test]
    fn a_record_redelivered_after_a_failure_is_posted_once() {
        let mut cache = DedupCache::default();
        let records = [(1, "a"), (2, "x"), (3, "b"), (4, "c")];
        assert_eq!(deliver(&mut cache, &records), ["a", "b", "c", "x"]);
        let again = [(2, "x"), (3, "b"), (4, "c"), (5, "b")];
        assert_eq!(deliver(&mut cache, &again), ["b", "x"]);
        assert_eq!(deliver(&mut cache, &again), ["x"]);
    }

    #[test]
    fn deliveries_survive_a_bisected_batch() {
        let mut cache = DedupCache::default();
        deliver(&mut cache, &[(1, "x"), (2, "b"), (3, "c")]);
        assert_eq!(deliver(&mut cache, &[(1, "x")]), ["x"]);
        assert_eq!(deliver(&mut cache, &[(2, "b"), (3, "c")]), [""; 0]);
    }

    #[test]
    fn deliveries_before_the_next_offset_are_evicted() {
        let mut cache = DedupCache::default();
        deliver(&mut cache, &[(1, "x"), (2, "b"), (3, "c")]);
        deliver(&mut cache, &[(2, "b"), (3, "c")]);
        assert!(cache.0.is_empty(), "{cache:?}");
        // As after a reset of the consumer group's offsets.
        assert_eq!(deliver(&mut cache, &[(2, "b"), (3, "c")]), ["b", "c"]);
    }

    #[test]
    fn a_different_record_at_the_same_offset_is_delivered() {
        let mut cache = DedupCache::default();
        deliver(&mut cache, &[(1, "x"), (2, "b")]);
        let mut record = batch(&[(2, "b")]).partitions.remove(0).records.remove(0);
        let to = ConnectionId::parse("b").expect("an id");
        assert!(cache.contains("t-0", &record, &to));
        record.timestamp += 1;
        assert!(!cache.contains("t-0", &record, &to));
    }

    #[test]
    fn the_cache_is_cleared_above_its_maximum() {
        let mut cache = DedupCache::default();
        let mut records = vec![(0, "x")];
        let last = i64::try_from(DELIVERIES_MAX).expect("a number");
        records.extend((1..=last).map(|offset| (offset, "a")));
        deliver(&mut cache, &records);
        assert_eq!(cache.0["t-0"].len(), DELIVERIES_MAX);
        records.push((last + 1, "a"));
        deliver(&mut cache, &records);
        assert!(cache.0.is_empty());
    }
}
