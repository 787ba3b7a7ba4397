//! A partition: its log and its producers under one lock, and a signal for those that wait for records.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    batch::Batch,
    log::{Log, OutOfRange},
    producers::{Producers, SequenceError},
    recent::{Home, Recent},
    retention::Retention,
};

/// One partition of a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    contents: Mutex<Contents>,
    end: watch::Sender<i64>,
    retention: Arc<Retention>,
    recent: Arc<Recent>,
    home: Home,
}

#[derive(Debug, Default)]
struct Contents {
    log: Log,
    producers: Producers,
    /// Its topic was deleted: requests that are under way may still hold it.
    is_deleted: bool,
}

/// What a consumer gets.
#[derive(Debug)]
pub(crate) struct Read {
    /// From the log start offset to the end, when it was read.
    pub(crate) offsets: Range<i64>,
    /// Whole batches; the first can begin before the offset that was asked for.
    pub(crate) batches: Vec<Bytes>,
}

impl Partition {
    /// An empty partition whose memory is accounted for in `retention`, and whose batches are put in `recent` too.
    pub(crate) fn new(home: Home, retention: Arc<Retention>, recent: Arc<Recent>) -> Self {
        Self {
            contents: Mutex::default(),
            end: watch::Sender::new(0),
            retention,
            recent,
            home,
        }
    }

    /// Appends a batch, unless it is stored already, and returns the offset of its first record.
    pub(crate) fn append(&self, batch: &Batch) -> Result<i64, SequenceError> {
        let mut contents = self.contents.lock();
        if let Some(sequence) = batch.sequence
            && let Some(base_offset) = contents.producers.stored(sequence)?
        {
            return Ok(base_offset);
        }
        let (base_offset, bytes) = self.change(&mut contents, |log| log.append(batch));
        if let Some(sequence) = batch.sequence {
            contents.producers.remember(sequence, base_offset);
        }
        self.end.send_replace(contents.log.end());
        drop(contents);
        self.recent.push(&self.home, bytes);
        Ok(base_offset)
    }

    /// Reads whole batches from `offset` on; see [`Log::read`].
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

    /// How many bytes there are to read from `offset` on.
    pub(crate) fn readable(&self, offset: i64) -> Result<u64, OutOfRange> {
        self.contents.lock().log.readable(offset)
    }

    /// Follows the end of the log: whoever subscribes and then looks misses nothing.
    pub(crate) fn subscribe(&self) -> watch::Receiver<i64> {
        self.end.subscribe()
    }

    /// From the log start offset to the end.
    pub(crate) fn offsets(&self) -> Range<i64> {
        let contents = self.contents.lock();
        contents.log.start()..contents.log.end()
    }

    /// Where records of `timestamp` or later begin; see [`Log::since`].
    pub(crate) fn since(&self, timestamp: i64) -> Option<(i64, i64)> {
        self.contents.lock().log.since(timestamp)
    }

    /// Forgets the records before `offset` and returns the new log start offset.
    pub(crate) fn delete_before(&self, offset: i64) -> Result<i64, OutOfRange> {
        let mut contents = self.contents.lock();
        self.change(&mut contents, |log| log.delete_before(offset))?;
        Ok(contents.log.start())
    }

    /// Frees the memory of a partition whose topic was deleted, and wakes those that wait for its records. What is
    /// appended to it from now on is not accounted for: it goes with the requests that still hold the partition.
    pub(crate) fn delete(&self) {
        let mut contents = self.contents.lock();
        self.change(&mut contents, |log| log.drop_oldest(usize::MAX));
        contents.is_deleted = true;
        self.end.send_modify(|_| {});
    }

    /// Whether its topic was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.contents.lock().is_deleted
    }

    /// Forgets the oldest batches, at least `cost` bytes of memory or everything.
    pub(crate) fn drop_oldest(&self, cost: usize) {
        self.change(&mut self.contents.lock(), |log| log.drop_oldest(cost));
    }

    /// The bytes of memory that the records take.
    pub(crate) fn cost(&self) -> usize {
        self.contents.lock().log.cost()
    }

    fn change<T>(&self, contents: &mut Contents, change: impl FnOnce(&mut Log) -> T) -> T {
        let before = contents.log.cost();
        let result = change(&mut contents.log);
        if !contents.is_deleted {
            self.retention.follow(before, contents.log.cost());
        }
        result
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let contents = self.contents.get_mut();
        if !contents.is_deleted {
            self.retention.follow(contents.log.cost(), 0);
        }
    }
}
