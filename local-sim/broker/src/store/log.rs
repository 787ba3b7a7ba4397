//! The log of one partition: batches from the log start offset to the log end offset.

use std::collections::VecDeque;

use bytes::Bytes;
use thiserror::Error;

use super::batch::Batch;
use crate::limits::BATCH_OVERHEAD_BYTES;

/// An append-only sequence of batches, from which the oldest are dropped.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    start: i64,
    end: i64,
    /// The bytes of all batches ever appended.
    appended: u64,
    /// The memory of all entries, in bytes, including their overhead.
    cost: usize,
}

/// The offset is not between the log start offset and the log end offset.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("offset {offset} is out of range, must be {start} to {end}")]
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
    /// The value of [`Log::appended`] before this batch.
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

    /// The memory that the batches take, in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Appends a batch. Returns the offset of its first record and the stored bytes.
    pub(crate) fn append(&mut self, batch: &Batch) -> (i64, Bytes) {
        let base_offset = self.end;
        let bytes = batch.with_base_offset(base_offset);
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

    /// Reads whole batches, starting with the one that contains `offset`, up to `bytes_max`.
    ///
    /// With `at_least_one`, the first batch is returned even if it is larger than `bytes_max`, so
    /// that a consumer always makes progress (KIP-74).
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

    /// Returns the number of bytes from the batch that contains `offset` to the end.
    pub(crate) fn readable_bytes(&self, offset: i64) -> Result<u64, OutOfRange> {
        let first = self.entries.get(self.find(offset)?);
        Ok(first.map_or(0, |entry| self.appended - entry.position))
    }

    /// Finds the first batch with a record at or after `timestamp`.
    ///
    /// Returns the timestamp and offset to report.
    ///
    /// The records of a batch are not read. If the batch also contains older records, the offset is
    /// therefore too early by a few records. It is never too late.
    pub(crate) fn offset_for_timestamp(&self, timestamp: i64) -> Option<(i64, i64)> {
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

    /// Deletes the records before `offset`.
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

    /// Drops the oldest batches until at least `cost` bytes are freed or the log is empty.
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

    /// Returns the index of the batch with `offset`, or the number of batches for the log end.
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
    fn a_read_starts_with_the_batch_that_contains_the_offset() {
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
    fn a_read_returns_whole_batches_and_at_least_one_if_required() {
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
    fn a_timestamp_resolves_to_the_batch_that_contains_it() {
        let mut log = Log::default();
        for (base, max) in [(100, 100), (200, 300), (250, 400)] {
            log.append(&records(2).with_timestamps(base, max).batch());
        }
        assert_eq!(log.offset_for_timestamp(0), Some((100, 0)));
        assert_eq!(log.offset_for_timestamp(101), Some((200, 2)));
        assert_eq!(log.offset_for_timestamp(201), Some((300, 2)));
        assert_eq!(log.offset_for_timestamp(301), Some((400, 4)));
        assert_eq!(log.offset_for_timestamp(401), None);
        log.delete_before(3).unwrap();
        assert_eq!(log.offset_for_timestamp(0), Some((200, 3)));
    }

    #[test]
    fn deleting_keeps_the_batch_that_contains_the_log_start_offset() {
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
        Append { count: i32, payload_len: usize },
        DeleteBefore(i64),
        DropOldest(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..5, 0..300_usize)
                .prop_map(|(count, payload_len)| Step::Append { count, payload_len }),
            (0..100_i64).prop_map(Step::DeleteBefore),
            (0..2000_usize).prop_map(Step::DropOldest),
        ]
    }

    proptest! {
        #[test]
        fn every_offset_in_range_is_readable_and_every_byte_is_counted(
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let mut log = Log::default();
            for step in steps {
                let (start, end, cost) = (log.start(), log.end(), log.cost());
                match step {
                    Step::Append { count, payload_len } => {
                        let (base_offset, _) = log.append(&Sample { payload_len, ..records(count) }.batch());
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
                prop_assert_eq!(log.readable_bytes(log.start()), Ok(bytes as u64));
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
