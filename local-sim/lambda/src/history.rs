//! What has happened: the last invocations, and a stream of changes as they come.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::{
    error::InvokeError,
    view::{View, name},
};

/// An invocation that is over.
#[derive(Debug)]
pub struct Record {
    /// The function's name.
    pub function: String,
    pub(super) environment: u64,
    /// The invocation's request id.
    pub request_id: Uuid,
    /// What the function was given.
    pub event: Bytes,
    /// The reply, or why there is none.
    pub outcome: Result<Bytes, InvokeError>,
    /// What the function printed meanwhile.
    pub log: Vec<String>,
    /// When an environment got it.
    pub started: SystemTime,
    /// From then on until its outcome.
    pub duration: Duration,
    /// Of a cold start.
    pub init: Option<Duration>,
}

impl Record {
    /// What the environment is called that ran it.
    pub fn environment(&self) -> String {
        name(&self.function, self.environment)
    }

    fn bytes(&self) -> usize {
        let reply = match &self.outcome {
            Ok(reply) => reply.len(),
            Err(InvokeError::Function {
                error_type,
                message,
            }) => error_type.len() + message.len(),
            Err(_) => 0,
        };
        let log: usize = self.log.iter().map(String::len).sum();
        self.event.len() + reply + log + OVERHEAD_BYTES
    }
}

/// Something that has just happened.
#[derive(Debug, Clone)]
pub enum Change {
    /// An environment is in another state.
    Environment(View),
    /// An invocation is over. It is there as long as it is kept, so that who watches and never looks holds none.
    Invocation(Weak<Record>),
}

/// The last invocations of all functions, within a bound.
#[derive(Debug)]
pub(super) struct History {
    kept: Mutex<Kept>,
    changes: broadcast::Sender<Change>,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Arc<Record>>,
    bytes: usize,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            changes: broadcast::Sender::new(CHANGES_MAX),
        }
    }

    /// Adds an invocation, in the place of the oldest where there are too many.
    pub(super) fn add(&self, record: Record) {
        let record = Arc::new(record);
        let mut dropped = Vec::new();
        let mut kept = self.kept.lock();
        kept.bytes += record.bytes();
        kept.records.push_back(Arc::clone(&record));
        while kept.records.len() > RECORDS_MAX || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.records.pop_front() else {
                break;
            };
            kept.bytes -= oldest.bytes();
            dropped.push(oldest);
        }
        drop(kept);
        self.tell(|| Change::Invocation(Arc::downgrade(&record)));
    }

    /// Tells who watches, if anybody does.
    pub(super) fn tell(&self, change: impl FnOnce() -> Change) {
        if self.changes.receiver_count() > 0 {
            // The last one may have gone in between.
            let _ = self.changes.send(change());
        }
    }

    /// The last invocations, of one function or of all, the newest first.
    pub(super) fn last(&self, function: Option<&str>, limit: usize) -> Vec<Arc<Record>> {
        let kept = self.kept.lock();
        let of_function =
            |record: &&Arc<Record>| function.is_none_or(|function| record.function == function);
        let newest = kept.records.iter().rev().filter(of_function);
        newest.take(limit).cloned().collect()
    }

    /// Forgets every invocation so far.
    pub(super) fn clear(&self) {
        let kept = mem::take(&mut *self.kept.lock());
        // Not while others wait to add theirs.
        drop(kept);
    }

    /// Everything that happens from now on. Who is too slow misses some of it, and is told so.
    pub(super) fn watch(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}

/// So many invocations are kept …
const RECORDS_MAX: usize = 1000;
/// … with so many bytes of events, replies and lines.
const BYTES_MAX: usize = 16 << 20;
/// What an invocation counts beside them.
const OVERHEAD_BYTES: usize = 256;
/// Who watches may be behind by so many changes.
const CHANGES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(function: &str, bytes: usize) -> Record {
        Record {
            function: function.to_owned(),
            environment: 0,
            request_id: Uuid::new_v4(),
            event: Bytes::from(vec![0; bytes]),
            outcome: Ok(Bytes::new()),
            log: Vec::new(),
            started: SystemTime::UNIX_EPOCH,
            duration: Duration::ZERO,
            init: None,
        }
    }

    #[test]
    fn the_newest_come_first_and_only_those_asked_for() {
        let history = History::new();
        for (function, bytes) in [("a", 1), ("b", 2), ("a", 3)] {
            history.add(record(function, bytes));
        }
        let check = |function, limit| -> Vec<usize> {
            let last = history.last(function, limit);
            last.iter().map(|record| record.event.len()).collect()
        };
        assert_eq!(check(None, 10), [3, 2, 1]);
        assert_eq!(check(None, 2), [3, 2]);
        assert_eq!(check(Some("a"), 10), [3, 1]);
        assert_eq!(check(Some("c"), 10), [0; 0]);
    }

    #[test]
    fn neither_many_nor_large_ones_fill_the_memory() {
        let history = History::new();
        for _ in 0..RECORDS_MAX + 5 {
            history.add(record("a", 1));
        }
        assert_eq!(history.last(None, usize::MAX).len(), RECORDS_MAX);
        for _ in 0..20 {
            history.add(record("a", BYTES_MAX / 10));
        }
        assert_eq!(history.last(None, usize::MAX).len(), 9);
    }

    #[test]
    fn what_functions_say_of_their_failures_counts_too() {
        let history = History::new();
        for _ in 0..20 {
            history.add(Record {
                outcome: Err(InvokeError::function("Error", "x".repeat(BYTES_MAX / 10))),
                ..record("a", 1)
            });
        }
        assert_eq!(history.last(None, usize::MAX).len(), 9);
    }

    #[test]
    fn what_is_cleared_is_gone_and_counts_no_more() {
        let history = History::new();
        history.add(record("a", BYTES_MAX / 2));
        history.clear();
        assert!(history.last(None, 10).is_empty());
        history.add(record("a", BYTES_MAX / 2));
        history.add(record("b", 1));
        assert_eq!(history.last(None, 10).len(), 2);
        assert_eq!(history.last(Some("b"), 1)[0].environment(), "b-0");
    }

    #[test]
    fn who_watches_is_told() {
        let history = History::new();
        history.add(record("before", 1));
        let mut changes = history.watch();
        history.add(record("after", 1));
        match changes.try_recv() {
            Ok(Change::Invocation(record)) => {
                let record = record.upgrade().expect("it is kept");
                assert_eq!(record.function, "after");
            }
            other => panic!("{other:?}"),
        }
    }
}
