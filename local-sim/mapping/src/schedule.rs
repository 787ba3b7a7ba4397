//! Decides which records form a batch, which are retried, and which are given up.
//!
//! Every partition is a lane. A batch takes the waiting records of all free lanes and reserves
//! these lanes until the function returns. Records that arrive in other lanes meanwhile form
//! another batch. So there are at most as many concurrent batches as partitions, and each partition
//! stays in order.
//!
//! A lane that has failed gets batches of its own until the failed records are done, so that it
//! does not delay the others. If the function has reported the failed record, later records of the
//! lane are sent together with it.
//!
//! The caller provides the clock and does all I/O.

mod entry;
mod lane;
mod policy;

use tokio::time::Instant;

use self::{entry::BATCH_BYTES_MAX, lane::Lane};
pub(super) use self::{
    entry::Entry,
    lane::{Condition, Outcome},
    policy::Policy,
};

/// The lanes of all partitions.
#[derive(Debug)]
pub(super) struct Schedule {
    policy: Policy,
    lanes: Vec<Lane>,
}

/// The next fetch for a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Want {
    /// The offset to fetch from.
    pub(super) offset: i64,
    /// The bytes that the lane has room for.
    pub(super) bytes: usize,
}

/// The next action of the caller.
#[derive(Debug)]
pub(super) enum Due {
    /// Invoke the function with these records.
    Batch(Batch),
    /// Give up these records.
    GiveUp(GiveUp),
    /// Wait until this time, or until new records or results arrive.
    Nothing(Option<Instant>),
}

/// The records of a batch: the first records of one or more lanes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) parts: Vec<Part>,
}

/// The first `count` records of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) lane: usize,
    pub(super) count: usize,
}

/// The first records of a lane, which are not retried any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GiveUp {
    pub(super) part: Part,
    pub(super) condition: Condition,
    /// The number of attempts.
    pub(super) attempts: u32,
}

impl Schedule {
    /// Creates a lane for each start offset.
    pub(super) fn new(policy: Policy, starts: &[i64]) -> Self {
        Self {
            policy,
            lanes: starts.iter().map(|start| Lane::new(*start)).collect(),
        }
    }

    /// Adds a lane.
    pub(super) fn add_lane(&mut self, start: i64) {
        self.lanes.push(Lane::new(start));
    }

    /// The next fetch for a lane, or `None` if it has no room.
    ///
    /// All lanes have an equal share of the memory, so a stuck lane cannot starve the others.
    pub(super) fn wants(&self, lane: usize) -> Option<Want> {
        let share = (QUEUED_BYTES_MAX / self.lanes.len()).min(LANE_BYTES_MAX);
        let lane = &self.lanes[lane];
        let bytes = share.saturating_sub(lane.held_bytes());
        let has_room = bytes > 0 && lane.len() < LANE_RECORDS_MAX;
        has_room.then(|| Want {
            offset: lane.end(),
            bytes,
        })
    }

    /// Adds fetched records to a lane. The next fetch starts at offset `end`.
    pub(super) fn add(&mut self, lane: usize, now: Instant, entries: Vec<Entry>, end: i64) {
        self.lanes[lane].add(now, entries, end);
    }

    /// The records of a part.
    pub(super) fn entries(&self, part: Part) -> impl Iterator<Item = &Entry> {
        self.lanes[part.lane].entries(part.count)
    }

    /// The offset to commit for a lane: that of its first record that is not done.
    pub(super) fn position(&self, lane: usize) -> i64 {
        self.lanes[lane].position()
    }

    /// The next action at time `now`. `millis` is the time since the epoch, for the age of records.
    ///
    /// Reserves the lanes involved until [`Self::settle`] or [`Self::given_up`] releases them.
    pub(super) fn due(&mut self, now: Instant, millis: i64) -> Due {
        if let Some(give_up) = self.give_up(millis) {
            self.lanes[give_up.part.lane].reserve();
            return Due::GiveUp(give_up);
        }
        let parts = self.retry(now).unwrap_or_else(|| self.gather(now));
        if parts.is_empty() {
            return Due::Nothing(self.next_due());
        }
        for part in &parts {
            self.lanes[part.lane].reserve();
        }
        Due::Batch(Batch { parts })
    }

    /// Records the outcome of a part of a batch, and releases its lane.
    pub(super) fn settle(&mut self, part: Part, outcome: Outcome, now: Instant) {
        self.lanes[part.lane].settle(part.count, outcome, now, &self.policy);
    }

    /// Removes records that were given up, and releases their lane.
    pub(super) fn given_up(&mut self, part: Part) {
        self.lanes[part.lane].done(part.count);
    }

    fn free(&self) -> impl Iterator<Item = (usize, &Lane)> {
        let lanes = self.lanes.iter().enumerate();
        lanes.filter(|(_, lane)| lane.is_free())
    }

    fn give_up(&self, millis: i64) -> Option<GiveUp> {
        let age = self.policy.record_age.map(|age| age.as_millis());
        let age = age.and_then(|age| i64::try_from(age).ok());
        let oldest = age.map(|age| millis.saturating_sub(age));
        self.free().find_map(|(index, lane)| {
            let (count, condition) = lane.to_give_up(oldest)?;
            Some(GiveUp {
                part: Part { lane: index, count },
                condition,
                attempts: lane.attempts(),
            })
        })
    }

    /// The batch of a failed lane whose retry is due.
    fn retry(&self, now: Instant) -> Option<Vec<Part>> {
        self.free().find_map(|(index, lane)| {
            let count = lane.retry(now)?;
            let (count, _) = lane.fit(count.min(self.policy.batch_size), BATCH_BYTES_MAX);
            Some(vec![Part { lane: index, count }])
        })
    }

    /// The batch of all lanes without a failure, if it is full or the batching window is over.
    fn gather(&self, now: Instant) -> Vec<Part> {
        let (mut records, mut bytes) = (self.policy.batch_size, BATCH_BYTES_MAX);
        let mut parts = Vec::new();
        let mut is_due = false;
        for (index, lane) in self.free().filter(|(_, lane)| !lane.has_failed()) {
            let (count, size) = lane.fit(records, bytes);
            if count > 0 {
                parts.push(Part { lane: index, count });
            }
            is_due |= count < lane.len()
                || lane
                    .waiting_since()
                    .is_some_and(|it| it + self.policy.window <= now);
            records -= count;
            bytes -= size;
            if records == 0 {
                is_due = true;
                break;
            }
        }
        if is_due { parts } else { Vec::new() }
    }

    /// The time when the next action is due if nothing else happens.
    fn next_due(&self) -> Option<Instant> {
        let window = self.policy.window;
        self.free()
            .filter_map(|(_, lane)| lane.next_due(window))
            .min()
    }
}

/// The memory for the records of all lanes. A fetch can exceed it by one batch of its partition.
const QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The memory for the records of one lane.
///
/// More than one batch of the largest size, although each record is held twice: as fetched and as
/// JSON.
const LANE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The number of records above which a lane fetches no more: two batches of the largest size.
const LANE_RECORDS_MAX: usize = 20_000;

#[cfg(test)]
mod tests;
