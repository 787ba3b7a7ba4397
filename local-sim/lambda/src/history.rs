//! The history: the last invocations, and a stream of changes.

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

/// An ended invocation.
#[derive(Debug)]
pub struct Record {
    /// The function's name.
    pub function: String,
    pub(super) environment: u64,
    /// The invocation's request id.
    pub request_id: Uuid,
    /// The event.
    pub event: Bytes,
    /// The reply, or the error.
    pub outcome: Result<Bytes, InvokeError>,
    /// The function's output during the invocation.
    pub log: Vec<String>,
    /// When an environment received the invocation.
    pub started: SystemTime,
    /// From `started` until the outcome.
    pub duration: Duration,
    /// The duration of the init, if this was a cold start.
    pub init: Option<Duration>,
}

impl Record {
    /// The name of the environment that ran it.
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

/// A change of an environment, or an ended invocation.
#[derive(Debug, Clone)]
pub enum Change {
    /// The state of an environment changed.
    Environment(View),
    /// An invocation ended.
    ///
    /// A weak reference, so that a receiver that does not read keeps no records alive.
    Invocation(Weak<Record>),
}

/// The last invocations of all functions, bounded in number and size.
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

    /// Adds an invocation, and evicts the oldest ones beyond the bounds.
    pub(super) fn add(&self, record: Record) {
        let record = Arc::new(record);
        let mut evicted = Vec::new();
        let mut kept = self.kept.lock();
        kept.bytes += record.bytes();
        kept.records.push_back(Arc::clone(&record));
        while kept.records.len() > RECORDS_MAX || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.records.pop_front() else {
                break;
            };
            kept.bytes -= oldest.bytes();
            evicted.push(oldest);
        }
        drop(kept);
        self.publish(|| Change::Invocation(Arc::downgrade(&record)));
    }

    /// Publishes a change; builds it only if there are subscribers.
    pub(super) fn publish(&self, change: impl FnOnce() -> Change) {
        if self.changes.receiver_count() > 0 {
            // Fails if the last subscriber has just gone.
            let _ = self.changes.send(change());
        }
    }

    /// Lists the last invocations of one function or of all, the newest first.
    pub(super) fn last(&self, function: Option<&str>, limit: usize) -> Vec<Arc<Record>> {
        let kept = self.kept.lock();
        let of_function =
            |record: &&Arc<Record>| function.is_none_or(|function| record.function == function);
        let newest = kept.records.iter().rev().filter(of_function);
        newest.take(limit).cloned().collect()
    }

    /// Removes all invocations.
    pub(super) fn clear(&self) {
        let kept = mem::take(&mut *self.kept.lock());
        // Freed after the lock is released.
        drop(kept);
    }

    /// Subscribes to all changes from now on. A slow receiver misses some and gets `Lagged`.
    pub(super) fn watch(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}

/// Number of invocations kept.
const RECORDS_MAX: usize = 1000;
/// Total size of the events, replies and log lines kept.
const BYTES_MAX: usize = 16 << 20;
/// Counted for each invocation in addition to these.
const OVERHEAD_BYTES: usize = 256;
/// Changes that a receiver can lag behind before it misses some.
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
    fn the_list_is_newest_first_and_can_be_filtered_by_function() {
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
    fn the_history_is_bounded_in_number_and_size() {
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
    fn error_messages_count_towards_the_size() {
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
    fn cleared_invocations_no_longer_count_towards_the_size() {
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
    fn a_subscriber_gets_only_later_changes() {
        let history = History::new();
        history.add(record("before", 1));
        let mut changes = history.watch();
        history.add(record("after", 1));
        match changes.try_recv() {
            Ok(Change::Invocation(record)) => {
                let record = record.upgrade().expect("the record is kept");
                assert_eq!(record.function, "after");
            }
            other => panic!("{other:?}"),
        }
    }
}
