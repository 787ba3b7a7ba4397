//! The newest batches of all partitions, searched for records by their `ce_id` header.
//!
//! ```text
//! append ─▶ batch ─▶ bounded ring ─ searched by `find` ─▶ topic, partition, offset
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::records;
use crate::limits::{RECENT_BATCHES_MAX, RECENT_BYTES_MAX};

/// The newest batches of all partitions.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Ring>);

/// Identifies a partition by its topic and index.
#[derive(Debug, Clone)]
pub(crate) struct TopicPartition {
    topic: Arc<str>,
    partition: i32,
}

/// The location of a record. Retention may have dropped the record since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

#[derive(Debug, Default)]
struct Ring {
    /// Oldest first.
    batches: VecDeque<(TopicPartition, Bytes)>,
    bytes: usize,
}

impl Recent {
    /// Adds a stored batch, and drops the oldest batches beyond the limits.
    pub(crate) fn push(&self, partition: &TopicPartition, batch: Bytes) {
        self.0.lock().push(partition.clone(), batch);
    }

    /// Finds the records with these `ce_id` headers, and returns where they are stored.
    ///
    /// If several records share an id, the newest one is returned. Ids that occur only in older or
    /// unreadable batches are missing from the result.
    ///
    /// The search reads the batches from the newest to the oldest until all ids are found. It takes
    /// a few milliseconds if an id is missing, and longer if batches are compressed.
    pub(crate) fn find(&self, ce_ids: &BTreeSet<String>) -> BTreeMap<String, Place> {
        self.find_within(ce_ids, RECENT_BATCHES_MAX)
    }

    /// Does what [`Self::find`] does, in at most `batches_max` of the newest batches.
    pub(crate) fn find_within(
        &self,
        ce_ids: &BTreeSet<String>,
        batches_max: usize,
    ) -> BTreeMap<String, Place> {
        let mut found = BTreeMap::new();
        let (mut seen, mut next) = (0, BATCHES_FIRST);
        // In growing steps, since the newest batches are the likeliest. If batches are added in
        // between, some are read twice.
        while found.len() < ce_ids.len() && seen < batches_max {
            let ring = self.0.lock();
            let newest = ring.batches.iter().rev().skip(seen);
            let newest: Vec<_> = newest.take(next.min(batches_max - seen)).cloned().collect();
            drop(ring);
            if newest.is_empty() {
                break;
            }
            seen += newest.len();
            next *= 4;
            find_in(newest, ce_ids, &mut found);
        }
        found
    }
}

fn find_in(
    batches: Vec<(TopicPartition, Bytes)>,
    ce_ids: &BTreeSet<String>,
    found: &mut BTreeMap<String, Place>,
) {
    for (partition, batch) in batches {
        if found.len() == ce_ids.len() {
            break;
        }
        records::each_header(&batch, CE_ID, |offset, value| {
            let value = str::from_utf8(value).unwrap_or_default();
            if let Some(ce_id) = ce_ids.get(value)
                && !found.contains_key(ce_id)
            {
                found.insert(ce_id.clone(), partition.place(offset));
            }
        });
    }
}

impl Ring {
    fn push(&mut self, partition: TopicPartition, batch: Bytes) {
        self.bytes += batch.len();
        self.batches.push_back((partition, batch));
        while self.batches.len() > RECENT_BATCHES_MAX || self.bytes > RECENT_BYTES_MAX {
            let dropped = self.batches.pop_front();
            self.bytes -= dropped.map_or(0, |(_, batch)| batch.len());
        }
    }
}

impl TopicPartition {
    /// Iterates over the partitions of a topic, without end.
    pub(crate) fn of_topic(name: &str) -> impl Iterator<Item = Self> {
        let topic = Arc::from(name);
        (0..).map(move |partition| Self {
            topic: Arc::clone(&topic),
            partition,
        })
    }

    fn place(&self, offset: i64) -> Place {
        Place {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            offset,
        }
    }
}

/// The header with the id of a record (`CloudEvents`, Kafka protocol binding).
const CE_ID: &str = "ce_id";
/// Read before all others.
const BATCHES_FIRST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample::{Sample, records, with_ce_ids};

    fn partition(index: usize) -> TopicPartition {
        TopicPartition::of_topic("t").nth(index).unwrap()
    }

    /// Returns the partition and offset of each id that is found.
    fn check(recent: &Recent, ce_ids: &[&str]) -> Vec<Option<(i32, i64)>> {
        let wanted = ce_ids.iter().map(|id| (*id).to_owned()).collect();
        let found = recent.find(&wanted);
        assert!(found.values().all(|place| &*place.topic == "t"));
        let place = |id: &&str| found.get(*id).map(|place| (place.partition, place.offset));
        ce_ids.iter().map(place).collect()
    }

    #[test]
    fn records_are_found_in_all_partitions() {
        let recent = Recent::default();
        recent.push(&partition(0), with_ce_ids(5, &["a", "b"]));
        recent.push(&partition(1), with_ce_ids(0, &["c"]));
        let found = check(&recent, &["a", "b", "c", "d", ""]);
        assert_eq!(
            found,
            [Some((0, 5)), Some((0, 6)), Some((1, 0)), None, None]
        );
        assert_eq!(check(&recent, &[]), []);
    }

    #[test]
    fn the_newest_of_several_records_with_an_id_is_found() {
        let recent = Recent::default();
        recent.push(&partition(0), with_ce_ids(0, &["a"]));
        recent.push(&partition(1), with_ce_ids(3, &["a"]));
        assert_eq!(check(&recent, &["a"]), [Some((1, 3))]);
    }

    #[test]
    fn unreadable_batches_are_skipped() {
        let recent = Recent::default();
        recent.push(&partition(0), with_ce_ids(0, &["a"]));
        recent.push(&partition(0), records(3).bytes());
        recent.push(&partition(0), Bytes::new());
        assert_eq!(check(&recent, &["a", "b"]), [Some((0, 0)), None]);
    }

    #[test]
    fn the_oldest_batches_are_dropped_beyond_the_maximum_number() {
        let recent = Recent::default();
        for (offset, ce_id) in (0..).zip(["a", "b"]) {
            recent.push(&partition(0), with_ce_ids(offset, &[ce_id]));
        }
        for _ in 0..RECENT_BATCHES_MAX - 1 {
            recent.push(&partition(1), Bytes::new());
        }
        assert_eq!(check(&recent, &["a", "b"]), [None, Some((0, 1))]);
    }

    #[test]
    fn the_oldest_batches_are_dropped_beyond_the_maximum_bytes() {
        let recent = Recent::default();
        recent.push(&partition(0), with_ce_ids(0, &["a"]));
        let large = Sample {
            payload_len: RECENT_BYTES_MAX / 4,
            ..records(1)
        };
        for _ in 0..4 {
            recent.push(&partition(1), large.bytes());
        }
        recent.push(&partition(0), with_ce_ids(1, &["b"]));
        assert_eq!(check(&recent, &["a", "b"]), [None, Some((0, 1))]);
        assert!(recent.0.lock().bytes <= RECENT_BYTES_MAX);
    }
}
