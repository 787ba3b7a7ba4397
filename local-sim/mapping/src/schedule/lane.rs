//! One partition's records, in order, and what is known of their failures.

use std::{collections::VecDeque, time::Duration};

use kafka_protocol::records::NO_TIMESTAMP;
use tokio::time::Instant;

use super::{
    entry::{BATCH_BYTES_MAX, Entry},
    policy::Policy,
};

/// Why records are given up, in Lambda's words where it has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Condition {
    RecordAgeExceeded,
    /// No event can hold it.
    RecordTooLarge,
    RetryAttemptsExhausted,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    Done,
    /// The function failed, and did not say with which record.
    Failed,
    /// The function failed with the record of this offset, and is done with those before.
    FailedAt(i64),
    /// The function was not run.
    Throttled,
}

/// The records of a partition that are not done with.
#[derive(Debug)]
pub(super) struct Lane {
    queue: VecDeque<Waiting>,
    /// How much memory these take.
    held: usize,
    /// The offset after the last record that came.
    end: i64,
    /// Whether its first records are under way.
    is_taken: bool,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Waiting {
    entry: Entry,
    since: Instant,
}

/// Records at the front of a lane that went out together and failed.
#[derive(Debug)]
struct Trouble {
    /// How many they still are: those that were there at every attempt.
    range: usize,
    /// How many records go out next, others behind them included.
    take: usize,
    /// How often the first one has failed, in vain attempts to find it among others not counted.
    attempts: u32,
    /// How often it had to wait, for whatever reason.
    waits: u32,
    not_before: Instant,
    /// How many of them are to be given up.
    doomed: usize,
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
            held: 0,
            end: start,
            is_taken: false,
            trouble: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn end(&self) -> i64 {
        self.end
    }

    pub(super) fn position(&self) -> i64 {
        let first = self.queue.front();
        first.map_or(self.end, |first| first.entry.record.offset)
    }

    pub(super) fn add(&mut self, now: Instant, entries: Vec<Entry>, end: i64) {
        self.held += entries.iter().map(Entry::held).sum::<usize>();
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
        !self.is_taken && !self.queue.is_empty()
    }

    pub(super) fn take(&mut self) {
        self.is_taken = true;
    }

    /// Whether nothing of it has failed.
    pub(super) fn is_fresh(&self) -> bool {
        self.trouble.is_none()
    }

    /// Since when its first record waits.
    pub(super) fn since(&self) -> Option<Instant> {
        self.queue.front().map(|first| first.since)
    }

    /// How often the function has had its first record.
    pub(super) fn attempts(&self) -> u32 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.attempts)
    }

    /// How many records fit into what is left of a batch, and how many bytes they have.
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

    /// The first records that are not to be tried (again), and why.
    pub(super) fn hopeless(&self, oldest: Option<i64>) -> Option<(usize, Condition)> {
        if let Some(trouble) = self.trouble.as_ref().filter(|trouble| trouble.doomed > 0) {
            return Some((trouble.doomed, Condition::RetryAttemptsExhausted));
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

    /// How many records go out again now.
    pub(super) fn again(&self, now: Instant) -> Option<usize> {
        let trouble = self.trouble.as_ref()?;
        (trouble.not_before <= now).then_some(trouble.take)
    }

    /// When it goes out, if nothing else happens.
    pub(super) fn next(&self, window: Duration) -> Option<Instant> {
        match &self.trouble {
            Some(trouble) => Some(trouble.not_before),
            None => self.since().map(|since| since + window),
        }
    }

    /// What became of its first `count` records.
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
        self.is_taken = false;
        let trouble = self.trouble.get_or_insert_with(|| Trouble::new(now, count));
        if trouble.attempts == 0 {
            trouble.range = trouble.range.max(count);
        }
        trouble.take = count;
        match outcome {
            Outcome::Failed if policy.bisect && count > 1 => {
                trouble.take = count / 2;
                trouble.not_before = now;
                return;
            }
            Outcome::Failed => trouble.fail(count, policy),
            Outcome::FailedAt(_) => {
                // As Lambda resumes from that record: others of its partition need not wait for it.
                trouble.take = policy.batch_size;
                trouble.fail(1, policy);
            }
            Outcome::Throttled | Outcome::Done => {}
        }
        trouble.wait(now);
    }

    /// The first `count` records are done with, one way or the other.
    pub(super) fn done(&mut self, count: usize) {
        self.is_taken = false;
        let done = self.queue.drain(..count);
        self.held -= done.map(|waiting| waiting.entry.held()).sum::<usize>();
        if count == 0 {
            return;
        }
        // What comes next has its own attempts.
        self.trouble = self.trouble.take().and_then(|trouble| {
            let range = trouble.range.saturating_sub(count);
            (range > 0).then(|| Trouble::new(trouble.not_before, range))
        });
    }
}

impl Trouble {
    fn new(now: Instant, range: usize) -> Self {
        Self {
            range,
            take: range,
            attempts: 0,
            waits: 0,
            not_before: now,
            doomed: 0,
        }
    }

    /// The first `count` records are what failed, of which only those are given up that had all their attempts.
    fn fail(&mut self, count: usize, policy: &Policy) {
        self.attempts += 1;
        if policy
            .retries
            .is_some_and(|retries| self.attempts > retries)
        {
            self.doomed = count.min(self.range);
        }
    }

    fn wait(&mut self, now: Instant) {
        let wait = RETRY_AFTER.saturating_mul(1 << self.waits.min(DOUBLINGS_MAX));
        self.waits += 1;
        self.not_before = now + wait.min(RETRY_AFTER_MAX);
    }
}

/// The first retry comes after this time, and each further one after twice as long …
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// … but after no longer than this: a developer who repairs a function waits for it.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// More doublings than lead there.
const DOUBLINGS_MAX: u32 = 10;
