//! A partition: its log and producers under one lock, and a signal that wakes waiting fetches.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    batch::Batch,
    log::{Log, OutOfRange},
    producers::{Producers, SequenceError},
    recent::{Recent, TopicPartition},
    retention::Retention,
};

/// One partition of a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    contents: Mutex<Contents>,
    end: watch::Sender<i64>,
    retention: Arc<Retention>,
    recent: Arc<Recent>,
    id: TopicPartition,
}

#[derive(Debug, Default)]
struct Contents {
    log: Log,
    producers: Producers,
    /// Whether the topic was deleted. Requests in flight may still hold the partition.
    is_deleted: bool,
}

/// The result of reading a partition.
#[derive(Debug)]
pub(crate) struct Read {
    /// The log start and log end offset at the time of the read.
    pub(crate) offsets: Range<i64>,
    /// Whole batches. The first may begin before the requested offset.
    pub(crate) batches: Vec<Bytes>,
}

impl Partition {
    /// Creates an empty partition.
    ///
    /// It counts its memory in `retention` and adds its batches to `recent`.
    pub(crate) fn new(id: TopicPartition, retention: Arc<Retention>, recent: Arc<Recent>) -> Self {
        Self {
            contents: Mutex::default(),
            end: watch::Sender::new(0),
            retention,
            recent,
            id,
        }
    }

    /// Appends a batch and returns the offset of its first record.
    ///
    /// A batch that an idempotent producer sends again is not appended twice.
    ///
    /// # Errors
    /// Fails if the batch is not the next one of its idempotent producer.
    pub(crate) fn append(&self, batch: &Batch) -> Result<i64, SequenceError> {
        let mut contents = self.contents.lock();
        if let Some(sequence) = batch.sequence
            && let Some(base_offset) = contents.producers.find_stored(sequence)?
        {
            return Ok(base_offset);
        }
        let (base_offset, bytes) = self.change(&mut contents, |log| log.append(batch));
        if let Some(sequence) = batch.sequence {
            contents.producers.remember(sequence, base_offset);
        }
        self.end.send_replace(contents.log.end());
        drop(contents);
        self.recent.push(&self.id, bytes);
        Ok(base_offset)
    }

    /// Reads whole batches, starting at `offset`; see [`Log::read`].
    pub(crate) fn read(
        &self,
        offset: i64,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Read, OutOfRange> {
        let contents = self.contents.lock();
        let batches = contents.log.read(offset, bytes_max, at_least_one)?;
        Ok(Read {
            offsets: contents.log.start()..contents.log.end(),
            batches,
        })
    }

    /// Returns the number of readable bytes; see [`Log::readable_bytes`].
    pub(crate) fn readable_bytes(&self, offset: i64) -> Result<u64, OutOfRange> {
        self.contents.lock().log.readable_bytes(offset)
    }

    /// Subscribes to changes of the log end offset. Subscribe before reading to miss no change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<i64> {
        self.end.subscribe()
    }

    /// The log start and log end offset.
    pub(crate) fn offsets(&self) -> Range<i64> {
        let contents = self.contents.lock();
        contents.log.start()..contents.log.end()
    }

    /// Finds a timestamp and its offset; see [`Log::offset_for_timestamp`].
    pub(crate) fn offset_for_timestamp(&self, timestamp: i64) -> Option<(i64, i64)> {
        self.contents.lock().log.offset_for_timestamp(timestamp)
    }

    /// Deletes the records before `offset` and returns the new log start offset.
    pub(crate) fn delete_before(&self, offset: i64) -> Result<i64, OutOfRange> {
        let mut contents = self.contents.lock();
        self.change(&mut contents, |log| log.delete_before(offset))?;
        Ok(contents.log.start())
    }

    /// Marks the topic as deleted, drops the records and wakes waiting fetches.
    ///
    /// Requests in flight may still append. Those batches no longer count against retention, and
    /// are freed with the last request that holds the partition.
    pub(crate) fn delete(&self) {
        let mut contents = self.contents.lock();
        self.change(&mut contents, |log| log.drop_oldest(usize::MAX));
        contents.is_deleted = true;
        self.end.send_modify(|_| {});
    }

    /// Whether the topic was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.contents.lock().is_deleted
    }

    /// Drops the oldest batches; see [`Log::drop_oldest`].
    pub(crate) fn drop_oldest(&self, cost: usize) {
        self.change(&mut self.contents.lock(), |log| log.drop_oldest(cost));
    }

    /// The memory that the records take, in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.contents.lock().log.cost()
    }

    fn change<T>(&self, contents: &mut Contents, change: impl FnOnce(&mut Log) -> T) -> T {
        let before = contents.log.cost();
        let result = change(&mut contents.log);
        if !contents.is_deleted {
            self.retention.update(before, contents.log.cost());
        }
        result
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let contents = self.contents.get_mut();
        if !contents.is_deleted {
            self.retention.update(contents.log.cost(), 0);
        }
    }
}
