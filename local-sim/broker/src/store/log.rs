//! The log of one partition: batches in the order of their offsets, from the log start offset to the end.

use std::collections::VecDeque;

use bytes::Bytes;
use thiserror::Error;

use super::batch::Batch;
use crate::limits::BATCH_OVERHEAD_BYTES;

/// An append-only sequence of batches that loses its oldest.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    start: i64,
    end: i64,
    /// Bytes ever appended: what entries measure their distance by.
    appended: u64,
    /// Bytes in memory, the entries' own included.
    cost: usize,
}

/// The offset is not between the log start offset and the end.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("offset {offset} is out of range, expected {start} to {end}")]
pub(crate) struct OutOfRange {
    offset: i64,
    start: i64,
    end: i64,
}

#[derive(Debug)]
struct Entry {
    last_offset: i64,
    base_offset: i64,
    base_timestamp: i64,
    max_timestamp: i64,
    /// The bytes that were appended before this batch.
    position: u64,
    bytes: Bytes,
}

impl Log {
    /// The first offset that can be read.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The offset that the next record gets.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// The bytes of memory that the batches take.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Appends a batch and returns the offset of its first record, and the batch as it is stored.
    pub(crate) fn append(&mut self, batch: &Batch) -> (i64, Bytes) {
        let base_offset = self.end;
        let bytes = batch.placed_at(base_offset);
        self.end += i64::from(batch.count);
        let entry = Entry {
            last_offset: self.end - 1,
            base_offset,
            base_timestamp: batch.base_timestamp,
            max_timestamp: batch.max_timestamp,
            position: self.appended,
            bytes: bytes.clone(),
        };
        self.appended += entry.bytes.len() as u64;
        self.cost += entry.cost();
        self.entries.push_back(entry);
        (base_offset, bytes)
    }

    /// The batches from the one with `offset` on, as many whole ones as `bytes_max` holds.
    ///
    /// With `at_least_one`, the first goes out even where it alone is larger, so that a consumer cannot get stuck
    /// (KIP-74).
    pub(crate) fn read(
        &self,
        offset: i64,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Vec<Bytes>, OutOfRange> {
        let mut left = bytes_max;
        let mut batches = Vec::new();
        for entry in self.entries.range(self.find(offset)?..) {
            let first = at_least_one && batches.is_empty();
            if entry.bytes.len() > left && !first {
                break;
            }
            left = left.saturating_sub(entry.bytes.len());
            batches.push(entry.bytes.clone());
        }
        Ok(batches)
    }

    /// How many bytes there are to read from the batch with `offset` on.
    pub(crate) fn readable(&self, offset: i64) -> Result<u64, OutOfRange> {
        let first = self.entries.get(self.find(offset)?);
        Ok(first.map_or(0, |entry| self.appended - entry.position))
    }

    /// The timestamp and the offset of the first batch that has a record of `timestamp` or later.
    ///
    /// Batches stay closed, so the answer can be some records early where the batch holds older ones too. It is never
    /// late, as the log start offset bounds it from below.
    pub(crate) fn since(&self, timestamp: i64) -> Option<(i64, i64)> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.max_timestamp >= timestamp)?;
        let found = if entry.base_timestamp >= timestamp {
            entry.base_timestamp
        } else {
            entry.max_timestamp
        };
        Some((found, entry.base_offset.max(self.start)))
    }

    /// Forgets the records before `offset`.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Result<(), OutOfRange> {
        if offset < 0 || offset > self.end {
            return Err(self.out_of_range(offset));
        }
        self.start = self.start.max(offset);
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.last_offset < self.start)
        {
            self.pop();
        }
        Ok(())
    }

    /// Forgets the oldest batches until at least `cost` bytes are free, or nothing is left.
    pub(crate) fn drop_oldest(&mut self, cost: usize) {
        let target = self.cost.saturating_sub(cost);
        while self.cost > target {
            self.pop();
        }
        self.start = self
            .entries
            .front()
            .map_or(self.end, |entry| entry.base_offset.max(self.start));
    }

    fn pop(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.cost -= entry.cost();
        }
    }

    /// The place of the batch with `offset`; the number of batches where `offset` is the end.
    fn find(&self, offset: i64) -> Result<usize, OutOfRange> {
        if (self.start..=self.end).contains(&offset) {
            Ok(self
                .entries
                .partition_point(|entry| entry.last_offset < offset))
        } else {
            Err(self.out_of_range(offset))
        }
    }

    fn out_of_range(&self, offset: i64) -> OutOfRange {
        OutOfRange {
            offset,
            start: self.start,
            end: self.end,
        }
    }
}

impl Entry {
    fn cost(&self) -> usize {
        self.bytes.len() + BATCH_OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf as _;
    use proptest::prelude::*;

    use super::*;
    use crate::store::sample::{Sample, records};

    fn log(counts: &[i32]) -> Log {
        let mut log = Log::default();
        for count in counts {
            log.append(&records(*count).batch());
        }
        log
    }

    fn base_offsets(batches: &[Bytes]) -> Vec<i64> {
        batches.iter().map(|batch| (&batch[..]).get_i64()).collect()
    }

    #[test]
    fn a_read_begins_with_the_batch_that_has_the_offset() {
        let log = log(&[1, 3, 2]);
        let check = |offset| {
            log.read(offset, usize::MAX, true)
                .map(|batches| base_offsets(&batches))
        };
        assert_eq!(check(0), Ok(vec![0, 1, 4]));
        assert_eq!(check(1), Ok(vec![1, 4]));
        assert_eq!(check(3), Ok(vec![1, 4]));
        assert_eq!(check(4), Ok(vec![4]));
        assert_eq!(check(5), Ok(vec![4]));
        assert_eq!(check(6), Ok(vec![]));
        assert_eq!(
            check(7),
            Err(OutOfRange {
                offset: 7,
                start: 0,
                end: 6
            })
        );
        assert_eq!(
            check(-1),
            Err(OutOfRange {
                offset: -1,
                start: 0,
                end: 6
            })
        );
    }

    #[test]
    fn a_read_takes_whole_batches_and_at_least_one_where_it_must() {
        let log = log(&[1, 1, 1]);
        let size = records(1).bytes().len();
        let check = |bytes_max, at_least_one| log.read(0, bytes_max, at_least_one).unwrap().len();
        assert_eq!(check(3 * size, false), 3);
        assert_eq!(check(3 * size - 1, false), 2);
        assert_eq!(check(size, false), 1);
        assert_eq!(check(size - 1, false), 0);
        assert_eq!(check(size - 1, true), 1);
        assert_eq!(check(0, true), 1);
    }

    #[test]
    fn a_time_is_found_by_batch() {
        let mut log = Log::default();
        for (base, max) in [(100, 100), (200, 300), (250, 400)] {
            log.append(&records(2).at(base, max).batch());
        }
        assert_eq!(log.since(0), Some((100, 0)));
        assert_eq!(log.since(101), Some((200, 2)));
        assert_eq!(log.since(201), Some((300, 2)));
        assert_eq!(log.since(301), Some((400, 4)));
        assert_eq!(log.since(401), None);
        log.delete_before(3).unwrap();
        assert_eq!(log.since(0), Some((200, 3)));
    }

    #[test]
    fn deleting_keeps_the_batch_in_which_the_log_now_starts() {
        let mut log = log(&[2, 2, 2]);
        assert_eq!(log.delete_before(3), Ok(()));
        assert_eq!(log.start(), 3);
        assert!(log.read(2, usize::MAX, true).is_err());
        assert_eq!(
            base_offsets(&log.read(3, usize::MAX, true).unwrap()),
            [2, 4]
        );
        assert_eq!(log.delete_before(1), Ok(()));
        assert_eq!(log.start(), 3);
        assert!(log.delete_before(7).is_err());
        assert!(log.delete_before(-1).is_err());
        assert_eq!(log.delete_before(6), Ok(()));
        assert_eq!((log.start(), log.end(), log.cost()), (6, 6, 0));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Append { count: i32, filling: usize },
        DeleteBefore(i64),
        DropOldest(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..5, 0..300_usize).prop_map(|(count, filling)| Step::Append { count, filling }),
            (0..100_i64).prop_map(Step::DeleteBefore),
            (0..2000_usize).prop_map(Step::DropOldest),
        ]
    }

    proptest! {
        #[test]
        fn what_is_in_range_can_be_read_and_every_byte_is_accounted_for(
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let mut log = Log::default();
            for step in steps {
                let (start, end, cost) = (log.start(), log.end(), log.cost());
                match step {
                    Step::Append { count, filling } => {
                        let (base_offset, _) = log.append(&Sample { filling, ..records(count) }.batch());
                        prop_assert_eq!(base_offset, end);
                        prop_assert_eq!(log.end(), end + i64::from(count));
                    }
                    Step::DeleteBefore(offset) => prop_assert_eq!(log.delete_before(offset).is_ok(), offset <= end),
                    Step::DropOldest(bytes) => {
                        log.drop_oldest(bytes);
                        prop_assert!(log.cost() <= cost.saturating_sub(bytes));
                    }
                }
                prop_assert!(start <= log.start() && log.start() <= log.end());
                let all = log.read(log.start(), usize::MAX, true).unwrap();
                let bytes: usize = all.iter().map(Bytes::len).sum();
                prop_assert_eq!(log.cost(), bytes + all.len() * BATCH_OVERHEAD_BYTES);
                prop_assert_eq!(log.readable(log.start()), Ok(bytes as u64));
                for offset in log.start()..log.end() {
                    let first = log.read(offset, 0, true).unwrap().remove(0);
                    let batch = Batch::parse(first.clone()).unwrap();
                    let base_offset = (&first[..]).get_i64();
                    prop_assert!((base_offset..base_offset + i64::from(batch.count)).contains(&offset));
                }
            }
        }
    }
}
