//! The newest batches of all partitions, where a record is looked for by what a header of it says.
//!
//! ```text
//! append ─▶ batch ─▶ ring of a bounded length ─ looked through when somebody asks ─▶ topic, partition, offset
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::records;
use crate::limits::{RECENT_BATCHES_MAX, RECENT_BYTES_MAX};

/// The newest batches.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Ring>);

/// The partition that batches are in.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    topic: Arc<str>,
    partition: i32,
}

/// Where a record is stored, or was: retention may have dropped it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The index of the partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

#[derive(Debug, Default)]
struct Ring {
    /// Oldest first.
    batches: VecDeque<(Home, Bytes)>,
    bytes: usize,
}

impl Recent {
    /// Adds a batch as it is stored; the oldest go where there is no room.
    pub(crate) fn push(&self, home: &Home, batch: Bytes) {
        self.0.lock().push(home.clone(), batch);
    }

    /// Where the records are whose header `ce_id` is one of these; the newest where there are several. What is not
    /// among the newest batches, or in one that cannot be read, is missing.
    ///
    /// The batches are read here and now, the newest first until all are found: some milliseconds where one is not
    /// there, and more where batches are compressed.
    pub(crate) fn find(&self, ce_ids: &BTreeSet<String>) -> BTreeMap<String, Place> {
        self.find_within(ce_ids, RECENT_BATCHES_MAX)
    }

    /// The same within so many of the newest batches.
    pub(crate) fn find_within(
        &self,
        ce_ids: &BTreeSet<String>,
        batches_max: usize,
    ) -> BTreeMap<String, Place> {
        let mut found = BTreeMap::new();
        let (mut seen, mut next) = (0, BATCHES_FIRST);
        // A few at a time, since the newest are the likeliest. Batches that come meanwhile only mean that some are
        // read twice.
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
    batches: Vec<(Home, Bytes)>,
    ce_ids: &BTreeSet<String>,
    found: &mut BTreeMap<String, Place>,
) {
    for (home, batch) in batches {
        if found.len() == ce_ids.len() {
            break;
        }
        records::each_header(&batch, CE_ID, |offset, value| {
            let value = str::from_utf8(value).unwrap_or_default();
            if let Some(ce_id) = ce_ids.get(value)
                && !found.contains_key(ce_id)
            {
                found.insert(ce_id.clone(), home.place(offset));
            }
        });
    }
}

impl Ring {
    fn push(&mut self, home: Home, batch: Bytes) {
        self.bytes += batch.len();
        self.batches.push_back((home, batch));
        while self.batches.len() > RECENT_BATCHES_MAX || self.bytes > RECENT_BYTES_MAX {
            let dropped = self.batches.pop_front();
            self.bytes -= dropped.map_or(0, |(_, batch)| batch.len());
        }
    }
}

impl Home {
    /// The partitions of a topic, from the first one on.
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

/// The header that tells records apart (`CloudEvents`, Kafka's binding).
const CE_ID: &str = "ce_id";
/// Read before all others.
const BATCHES_FIRST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample::{Sample, identified, records};

    fn home(partition: usize) -> Home {
        Home::of_topic("t").nth(partition).unwrap()
    }

    /// The partition and the offset that each is found at.
    fn check(recent: &Recent, ce_ids: &[&str]) -> Vec<Option<(i32, i64)>> {
        let asked = ce_ids.iter().map(|id| (*id).to_owned()).collect();
        let found = recent.find(&asked);
        assert!(found.values().all(|place| &*place.topic == "t"));
        let place = |id: &&str| found.get(*id).map(|place| (place.partition, place.offset));
        ce_ids.iter().map(place).collect()
    }

    #[test]
    fn records_are_found_wherever_they_are() {
        let recent = Recent::default();
        recent.push(&home(0), identified(5, &["a", "b"]));
        recent.push(&home(1), identified(0, &["c"]));
        let found = check(&recent, &["a", "b", "c", "d", ""]);
        assert_eq!(
            found,
            [Some((0, 5)), Some((0, 6)), Some((1, 0)), None, None]
        );
        assert_eq!(check(&recent, &[]), []);
    }

    #[test]
    fn of_several_the_newest_is_found() {
        let recent = Recent::default();
        recent.push(&home(0), identified(0, &["a"]));
        recent.push(&home(1), identified(3, &["a"]));
        assert_eq!(check(&recent, &["a"]), [Some((1, 3))]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let recent = Recent::default();
        recent.push(&home(0), identified(0, &["a"]));
        recent.push(&home(0), records(3).bytes());
        recent.push(&home(0), Bytes::new());
        assert_eq!(check(&recent, &["a", "b"]), [Some((0, 0)), None]);
    }

    #[test]
    fn the_oldest_go_by_their_number() {
        let recent = Recent::default();
        for (offset, ce_id) in (0..).zip(["a", "b"]) {
            recent.push(&home(0), identified(offset, &[ce_id]));
        }
        for _ in 0..RECENT_BATCHES_MAX - 1 {
            recent.push(&home(1), Bytes::new());
        }
        assert_eq!(check(&recent, &["a", "b"]), [None, Some((0, 1))]);
    }

    #[test]
    fn the_oldest_go_by_their_bytes() {
        let recent = Recent::default();
        recent.push(&home(0), identified(0, &["a"]));
        let large = Sample {
            filling: RECENT_BYTES_MAX / 4,
            ..records(1)
        };
        for _ in 0..4 {
            recent.push(&home(1), large.bytes());
        }
        recent.push(&home(0), identified(1, &["b"]));
        assert_eq!(check(&recent, &["a", "b"]), [None, Some((0, 1))]);
        assert!(recent.0.lock().bytes <= RECENT_BYTES_MAX);
    }
}
