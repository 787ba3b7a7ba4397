//! What is to be done next, and what is left.
//!
//! The records for one connection inside one partition are a lane: they go out
//! one after the other, and behind one that fails none does. Lanes know nothing
//! of each other, so a slow one holds up nobody else.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    time::Instant,
};

use crate::{
    address::ConnectionId,
    backoff,
    batch::{Action, Batch, Order, Record},
    connections::Refusal,
    report::{Counts, Failure, Rejection, Report},
    verdict::{Outcome, Verdict},
};

/// A batch under way.
#[derive(Debug)]
pub struct Work<'a> {
    batch: &'a Batch,
    lanes: Vec<Lane<'a>>,
    /// Lanes whose next post can go out, those that wait longest first.
    ready: VecDeque<usize>,
    /// Lanes whose next post failed, and until when it rests.
    resting: BinaryHeap<Reverse<(Instant, usize)>>,
    counts: Counts,
    rejections: Vec<Rejection<'a>>,
}

#[derive(Debug)]
struct Lane<'a> {
    partition: usize,
    connection: &'a ConnectionId,
    orders: Vec<(&'a Record, &'a Order)>,
    /// How many of these are done.
    done: usize,
    /// What the next one was answered, where it was tried.
    refusals: u32,
    last: Option<Refusal>,
}

/// One thing to do, which whoever takes it gives back with an answer.
#[derive(Debug)]
pub struct Post<'a> {
    /// The connection to do it to.
    pub connection: &'a ConnectionId,
    /// What to do.
    pub action: &'a Action,
    lane: usize,
}

impl<'a> Work<'a> {
    /// All that a batch asks for, except what was delivered before.
    pub fn new(
        batch: &'a Batch,
        was_delivered: impl Fn(&str, &Record, &ConnectionId) -> bool,
    ) -> Self {
        let mut counts = Counts::default();
        let mut lanes = Vec::new();
        for (partition, records) in batch.partitions.iter().enumerate() {
            let mut orders: BTreeMap<&ConnectionId, Vec<_>> = BTreeMap::new();
            for record in &records.records {
                let Ok(order) = &record.order else {
                    counts.poison += 1;
                    continue;
                };
                for connection in &order.to {
                    if was_delivered(&records.name, record, connection) {
                        counts.repeated += 1;
                    } else {
                        orders.entry(connection).or_default().push((record, order));
                    }
                }
            }
            lanes.extend(orders.into_iter().map(|(connection, orders)| Lane {
                partition,
                connection,
                orders,
                done: 0,
                refusals: 0,
                last: None,
            }));
        }
        Self {
            batch,
            ready: (0..lanes.len()).collect(),
            resting: BinaryHeap::new(),
            lanes,
            counts,
            rejections: Vec::new(),
        }
    }

    /// The next post, where one can go out now.
    pub fn next(&mut self, now: Instant) -> Option<Post<'a>> {
        while self.rested().is_some_and(|due| due <= now) {
            self.ready
                .extend(self.resting.pop().map(|Reverse((_, lane))| lane));
        }
        let index = self.ready.pop_front()?;
        let lane = &self.lanes[index];
        let (_, order) = lane.orders.get(lane.done)?;
        Some(Post {
            connection: lane.connection,
            action: &order.action,
            lane: index,
        })
    }

    /// When the next post can go out, where all wait for something.
    pub fn rested(&self) -> Option<Instant> {
        self.resting.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes a post back, with its answer; `jitter` is random, from 0 to 1.
    #[expect(clippy::needless_pass_by_value, reason = "a post is settled once")]
    pub fn settle(
        &mut self,
        post: Post<'a>,
        answer: Result<(), Refusal>,
        now: Instant,
        jitter: f64,
    ) {
        let lane = &mut self.lanes[post.lane];
        let verdict = match &answer {
            Ok(()) => Verdict::Done(Outcome::Delivered),
            Err(refusal) => Verdict::of(refusal.status),
        };
        match verdict {
            Verdict::Done(outcome) => {
                self.counts.add(outcome);
                if let (Outcome::TooLarge | Outcome::Rejected, Err(refusal)) = (outcome, answer) {
                    let (record, _) = lane.orders[lane.done];
                    let partition = &self.batch.partitions[lane.partition].name;
                    self.rejections.push(Rejection {
                        partition,
                        offset: record.offset,
                        connection: lane.connection,
                        refusal,
                    });
                }
                lane.done += 1;
                (lane.refusals, lane.last) = (0, None);
                if lane.done < lane.orders.len() {
                    self.ready.push_back(post.lane);
                }
            }
            Verdict::Again => {
                self.counts.retried += 1;
                lane.refusals += 1;
                lane.last = answer.err();
                let due = now + backoff::wait(lane.refusals, jitter);
                self.resting.push(Reverse((due, post.lane)));
            }
            // In no queue, so nothing of this lane goes out any more.
            Verdict::Failed => lane.last = answer.err(),
        }
    }

    /// What came of it all, posts that were never given back included.
    pub fn report(self) -> Report<'a> {
        let mut counts = self.counts;
        let mut failures = Vec::new();
        let mut delivered = Vec::new();
        for lane in self.lanes {
            let name = &self.batch.partitions[lane.partition].name;
            let (done, left) = lane.orders.split_at(lane.done);
            delivered.extend(
                done.iter()
                    .map(|(record, _)| (&**name, *record, lane.connection)),
            );
            counts.failed += u64::try_from(left.len()).unwrap_or(u64::MAX);
            failures.extend(left.first().map(|(record, _)| Failure {
                partition: name,
                offset: record.offset,
                connection: lane.connection,
                refusal: lane.last,
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
