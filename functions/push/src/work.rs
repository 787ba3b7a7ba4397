//! Decides what to post next, and tracks what is left.
//!
//! The records of one partition for one connection form a lane. A lane posts them in order, one at
//! a time, and stops at the first that fails. Lanes are independent: a slow one does not delay
//! others.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    time::Instant,
};

use crate::{
    address::ConnectionId,
    backoff,
    batch::{Action, Batch, Command, Record},
    connections::PostError,
    report::{Counts, Failure, Rejection, Report},
    verdict::{Outcome, Verdict},
};

/// The state of a batch that is being delivered.
#[derive(Debug)]
pub struct Work<'a> {
    batch: &'a Batch,
    lanes: Vec<Lane<'a>>,
    /// The lanes that can post now. Those that have waited longest come first.
    ready: VecDeque<usize>,
    /// The lanes that back off before a retry, and when they retry.
    backing_off: BinaryHeap<Reverse<(Instant, usize)>>,
    counts: Counts,
    rejections: Vec<Rejection<'a>>,
}

#[derive(Debug)]
struct Lane<'a> {
    partition: usize,
    connection: &'a ConnectionId,
    commands: Vec<(&'a Record, &'a Command)>,
    /// How many of the commands are done.
    done: usize,
    /// Failed attempts of the next command.
    failures: u32,
    /// The last error of the next command.
    last_error: Option<PostError>,
}

/// A request to make. The caller returns it with the result to [`Work::settle`].
#[derive(Debug)]
pub struct Post<'a> {
    /// The connection to act on.
    pub connection: &'a ConnectionId,
    /// What to do with the connection.
    pub action: &'a Action,
    lane: usize,
}

impl<'a> Work<'a> {
    /// Creates the lanes for a batch, without the records for which `was_delivered` is true.
    pub fn new(
        batch: &'a Batch,
        was_delivered: impl Fn(&str, &Record, &ConnectionId) -> bool,
    ) -> Self {
        let mut counts = Counts::default();
        let mut lanes = Vec::new();
        for (partition, records) in batch.partitions.iter().enumerate() {
            let mut commands: BTreeMap<&ConnectionId, Vec<_>> = BTreeMap::new();
            for record in &records.records {
                let Ok(command) = &record.command else {
                    counts.poison += 1;
                    continue;
                };
                for connection in &command.to {
                    if was_delivered(&records.name, record, connection) {
                        counts.repeated += 1;
                    } else {
                        commands
                            .entry(connection)
                            .or_default()
                            .push((record, command));
                    }
                }
            }
            lanes.extend(commands.into_iter().map(|(connection, commands)| Lane {
                partition,
                connection,
                commands,
                done: 0,
                failures: 0,
                last_error: None,
            }));
        }
        Self {
            batch,
            ready: (0..lanes.len()).collect(),
            backing_off: BinaryHeap::new(),
            lanes,
            counts,
            rejections: Vec::new(),
        }
    }

    /// The next post that can be made now, if any.
    pub fn next(&mut self, now: Instant) -> Option<Post<'a>> {
        while self.retry_at().is_some_and(|due| due <= now) {
            self.ready
                .extend(self.backing_off.pop().map(|Reverse((_, lane))| lane));
        }
        let index = self.ready.pop_front()?;
        let lane = &self.lanes[index];
        let (_, command) = lane.commands.get(lane.done)?;
        Some(Post {
            connection: lane.connection,
            action: &command.action,
            lane: index,
        })
    }

    /// When the backoff of the next retry ends, if a retry is pending.
    pub fn retry_at(&self) -> Option<Instant> {
        self.backing_off.peek().map(|Reverse((due, _))| *due)
    }

    /// Records the result of a post. `jitter`, from 0 to 1, randomizes the backoff.
    #[expect(clippy::needless_pass_by_value, reason = "a post is settled once")]
    pub fn settle(
        &mut self,
        post: Post<'a>,
        result: Result<(), PostError>,
        now: Instant,
        jitter: f64,
    ) {
        let lane = &mut self.lanes[post.lane];
        let verdict = match &result {
            Ok(()) => Verdict::Done(Outcome::Delivered),
            Err(error) => Verdict::of(error.status),
        };
        match verdict {
            Verdict::Done(outcome) => {
                self.counts.add(outcome);
                if let (Outcome::TooLarge | Outcome::Rejected, Err(error)) = (outcome, result) {
                    let (record, _) = lane.commands[lane.done];
                    let partition = &self.batch.partitions[lane.partition].name;
                    self.rejections.push(Rejection {
                        partition,
                        offset: record.offset,
                        connection: lane.connection,
                        error,
                    });
                }
                lane.done += 1;
                (lane.failures, lane.last_error) = (0, None);
                if lane.done < lane.commands.len() {
                    self.ready.push_back(post.lane);
                }
            }
            Verdict::Retry => {
                self.counts.retried += 1;
                lane.failures += 1;
                lane.last_error = result.err();
                let due = now + backoff::wait(lane.failures, jitter);
                self.backing_off.push(Reverse((due, post.lane)));
            }
            // The lane is in neither queue, so it posts nothing more.
            Verdict::Failed => lane.last_error = result.err(),
        }
    }

    /// The result of the batch. Posts that were not settled count as failed.
    pub fn report(self) -> Report<'a> {
        let mut counts = self.counts;
        let mut failures = Vec::new();
        let mut delivered = Vec::new();
        for lane in self.lanes {
            let name = &self.batch.partitions[lane.partition].name;
            let (done, left) = lane.commands.split_at(lane.done);
            delivered.extend(
                done.iter()
                    .map(|(record, _)| (&**name, *record, lane.connection)),
            );
            counts.failed += u64::try_from(left.len()).unwrap_or(u64::MAX);
            failures.extend(left.first().map(|(record, _)| Failure {
                partition: name,
                offset: record.offset,
                connection: lane.connection,
                error: lane.last_error,
            }));
        }
        failures.sort_by_key(|failure| (failure.partition, failure.offset));
        failures.dedup_by_key(|failure| failure.partition);
        Report {
            failures,
            delivered,
            rejections: self.rejections,
            counts,
        }
    }
}

#[cfg(test)]
#[path = "work/tests.rs"]
mod tests;
