//! The waiting records of one partition, in order, and the state of their retries.

use std::{collections::VecDeque, time::Duration};

use kafka_protocol::records::NO_TIMESTAMP;
use tokio::time::Instant;

use super::{
    entry::{BATCH_BYTES_MAX, Entry},
    policy::Policy,
};

/// Why records are given up, named as in Lambda if Lambda has a name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Condition {
    RecordAgeExceeded,
    /// The record alone exceeds the size of an event.
    RecordTooLarge,
    RetryAttemptsExhausted,
}

/// The outcome of a part of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    Done,
    /// The function failed without reporting a record.
    Failed,
    /// The function reported the record at this offset as failed; the records before it are done.
    FailedAt(i64),
    /// Lambda throttled the invocation; the function did not run.
    Throttled,
}

/// The records of a partition that are not done.
#[derive(Debug)]
pub(super) struct Lane {
    queue: VecDeque<Waiting>,
    /// The memory of these records, in bytes.
    held_bytes: usize,
    /// The offset after the last fetched record.
    end: i64,
    /// Whether its first records are in a batch or being given up.
    is_reserved: bool,
    retry: Option<Retry>,
}

#[derive(Debug)]
struct Waiting {
    entry: Entry,
    since: Instant,
}

/// The retry of the records at the front of a lane, which failed together.
#[derive(Debug)]
struct Retry {
    /// The number of these records: only those that were in every attempt.
    failed: usize,
    /// The size of the next batch, which may include later records.
    batch_size: usize,
    /// The failed attempts of the first record. Splitting a batch does not count as an attempt.
    attempts: u32,
    /// The number of delays so far, after failures and throttling.
    waits: u32,
    not_before: Instant,
    /// The number of records whose attempts are exhausted.
    exhausted: usize,
}

impl Condition {
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::RecordAgeExceeded => "RecordAgeExceeded",
            Self::RecordTooLarge => "RecordTooLarge",
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
        }
    }
}

impl Lane {
    pub(super) fn new(start: i64) -> Self {
        Self {
            queue: VecDeque::new(),
            held_bytes: 0,
            end: start,
            is_reserved: false,
            retry: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn end(&self) -> i64 {
        self.end
    }

    pub(super) fn position(&self) -> i64 {
        let first = self.queue.front();
        first.map_or(self.end, |first| first.entry.record.offset)
    }

    pub(super) fn add(&mut self, now: Instant, entries: Vec<Entry>, end: i64) {
        self.held_bytes += entries.iter().map(Entry::held_bytes).sum::<usize>();
        let waiting = entries
            .into_iter()
            .map(|entry| Waiting { entry, since: now });
        self.queue.extend(waiting);
        self.end = end;
    }

    pub(super) fn entries(&self, count: usize) -> impl Iterator<Item = &Entry> {
        self.queue.iter().take(count).map(|waiting| &waiting.entry)
    }

    pub(super) fn is_free(&self) -> bool {
        !self.is_reserved && !self.queue.is_empty()
    }

    pub(super) fn reserve(&mut self) {
        self.is_reserved = true;
    }

    /// Whether its first records have failed and wait for a retry.
    pub(super) fn has_failed(&self) -> bool {
        self.retry.is_some()
    }

    /// The time since which its first record has been waiting.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.queue.front().map(|first| first.since)
    }

    /// The failed attempts of its first record.
    pub(super) fn attempts(&self) -> u32 {
        self.retry.as_ref().map_or(0, |retry| retry.attempts)
    }

    /// The number and the bytes of the first records that fit into the rest of a batch.
    pub(super) fn fit(&self, records: usize, bytes: usize) -> (usize, usize) {
        let mut size = 0;
        let mut count = 0;
        for waiting in self.queue.iter().take(records) {
            if size + waiting.entry.bytes() > bytes {
                break;
            }
            size += waiting.entry.bytes();
            count += 1;
        }
        (count, size)
    }

    /// The number of first records to give up, and why. `oldest` is the lowest allowed timestamp.
    pub(super) fn to_give_up(&self, oldest: Option<i64>) -> Option<(usize, Condition)> {
        if let Some(retry) = self.retry.as_ref().filter(|retry| retry.exhausted > 0) {
            return Some((retry.exhausted, Condition::RetryAttemptsExhausted));
        }
        let is_old = |it: &&Entry| {
            let timestamp = it.record.timestamp;
            timestamp != NO_TIMESTAMP && oldest.is_some_and(|oldest| timestamp < oldest)
        };
        let old = self.entries(self.len()).take_while(is_old).count();
        if old > 0 {
            return Some((old, Condition::RecordAgeExceeded));
        }
        let is_large = self.entries(1).any(|it| it.bytes() > BATCH_BYTES_MAX);
        is_large.then_some((1, Condition::RecordTooLarge))
    }

    /// The size of the next retry, if it is due.
    pub(super) fn retry(&self, now: Instant) -> Option<usize> {
        let retry = self.retry.as_ref()?;
        (retry.not_before <= now).then_some(retry.batch_size)
    }

    /// The time when its records are due if nothing else happens.
    pub(super) fn next_due(&self, window: Duration) -> Option<Instant> {
        match &self.retry {
            Some(retry) => Some(retry.not_before),
            None => self.waiting_since().map(|since| since + window),
        }
    }

    /// Records the outcome of its first `count` records.
    pub(super) fn settle(&mut self, count: usize, outcome: Outcome, now: Instant, policy: &Policy) {
        let count = match outcome {
            Outcome::Done => return self.done(count),
            Outcome::FailedAt(offset) => {
                let before = self
                    .entries(count)
                    .take_while(|it| it.record.offset < offset)
                    .count();
                self.done(before);
                count - before
            }
            Outcome::Failed | Outcome::Throttled => count,
        };
        self.is_reserved = false;
        let retry = self.retry.get_or_insert_with(|| Retry::new(now, count));
        if retry.attempts == 0 {
            retry.failed = retry.failed.max(count);
        }
        retry.batch_size = count;
        match outcome {
            Outcome::Failed if policy.bisect && count > 1 => {
                retry.batch_size = count / 2;
                retry.not_before = now;
                return;
            }
            Outcome::Failed => retry.fail(count, policy),
            Outcome::FailedAt(_) => {
                // Lambda resumes at that record, so later records can be in the same batch.
                retry.batch_size = policy.batch_size;
                retry.fail(1, policy);
            }
            Outcome::Throttled | Outcome::Done => {}
        }
        retry.back_off(now);
    }

    /// Removes the first `count` records, which succeeded or were given up.
    pub(super) fn done(&mut self, count: usize) {
        self.is_reserved = false;
        let done = self.queue.drain(..count);
        self.held_bytes -= done
            .map(|waiting| waiting.entry.held_bytes())
            .sum::<usize>();
        if count == 0 {
            return;
        }
        // The attempts of the next record are counted from zero.
        self.retry = self.retry.take().and_then(|retry| {
            let failed = retry.failed.saturating_sub(count);
            (failed > 0).then(|| Retry::new(retry.not_before, failed))
        });
    }
}

impl Retry {
    fn new(now: Instant, failed: usize) -> Self {
        Self {
            failed,
            batch_size: failed,
            attempts: 0,
            waits: 0,
            not_before: now,
            exhausted: 0,
        }
    }

    /// Counts a failed attempt with `count` records.
    ///
    /// When the attempts are exhausted, gives up only the records that were in all of them.
    fn fail(&mut self, count: usize, policy: &Policy) {
        self.attempts += 1;
        if policy
            .retries
            .is_some_and(|retries| self.attempts > retries)
        {
            self.exhausted = count.min(self.failed);
        }
    }

    fn back_off(&mut self, now: Instant) {
        let wait = BACKOFF.saturating_mul(1 << self.waits.min(DOUBLINGS_MAX));
        self.waits += 1;
        self.not_before = now + wait.min(BACKOFF_MAX);
    }
}

/// The delay before the first retry. It doubles with each further retry.
const BACKOFF: Duration = Duration::from_millis(100);
/// The longest delay: a developer who fixes a function waits for the retry.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// More doublings than it takes to reach [`BACKOFF_MAX`], to prevent overflow.
const DOUBLINGS_MAX: u32 = 10;
