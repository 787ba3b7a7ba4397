//! Which records go out together, which go out again, and which are given up.
//!
//! Every partition is a lane. A batch takes what waits in all lanes that are free, and keeps these lanes to itself until
//! the function is done; what comes meanwhile in others makes another batch. So there are as many batches at once as
//! there are partitions, at most, and each partition stays in order. A lane that has failed goes out alone from then on,
//! until what has failed is through: it holds up no other. Where the function has said which record failed, what came
//! since goes out behind that one, too.
//!
//! The clock is the caller's, and so is all I/O.

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

/// The lanes, and what is under way.
#[derive(Debug)]
pub(super) struct Schedule {
    policy: Policy,
    lanes: Vec<Lane>,
}

/// What a lane has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Want {
    /// Where it goes on.
    pub(super) offset: i64,
    /// How much of it there may be.
    pub(super) bytes: usize,
}

/// What is to be done now.
#[derive(Debug)]
pub(super) enum Due {
    /// Hand these records to the function.
    Batch(Batch),
    /// Give these records up.
    GiveUp(GiveUp),
    /// Nothing until then, or until something happens.
    Nothing(Option<Instant>),
}

/// Records of some lanes: the first ones of each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) parts: Vec<Part>,
}

/// The first records of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) lane: usize,
    pub(super) count: usize,
}

/// The first records of a lane that nobody will try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GiveUp {
    pub(super) part: Part,
    pub(super) condition: Condition,
    /// How often the function has had them.
    pub(super) attempts: u32,
}

impl Schedule {
    /// Lanes that begin at these offsets.
    pub(super) fn new(policy: Policy, starts: &[i64]) -> Self {
        Self {
            policy,
            lanes: starts.iter().map(|start| Lane::new(*start)).collect(),
        }
    }

    /// One more lane.
    pub(super) fn add_lane(&mut self, start: i64) {
        self.lanes.push(Lane::new(start));
    }

    /// What a lane wants to be read for it, if it has room for more.
    ///
    /// Each has its part of all the room there is, so that none that is stuck leaves the others without any.
    pub(super) fn wants(&self, lane: usize) -> Option<Want> {
        let part = (QUEUED_BYTES_MAX / self.lanes.len()).min(LANE_BYTES_MAX);
        let lane = &self.lanes[lane];
        let bytes = part.saturating_sub(lane.held());
        let has_room = bytes > 0 && lane.len() < LANE_RECORDS_MAX;
        has_room.then(|| Want {
            offset: lane.end(),
            bytes,
        })
    }

    /// Records have come; the next ones begin at `end`.
    pub(super) fn add(&mut self, lane: usize, now: Instant, entries: Vec<Entry>, end: i64) {
        self.lanes[lane].add(now, entries, end);
    }

    /// The first records of a lane.
    pub(super) fn entries(&self, part: Part) -> impl Iterator<Item = &Entry> {
        self.lanes[part.lane].entries(part.count)
    }

    /// How far a lane has come: the offset of its first record that is not done with.
    pub(super) fn position(&self, lane: usize) -> i64 {
        self.lanes[lane].position()
    }

    /// What is to be done at this time: `millis` since the epoch, by which the age of records counts.
    ///
    /// The lanes concerned are taken until it is told what became of it.
    pub(super) fn due(&mut self, now: Instant, millis: i64) -> Due {
        if let Some(give_up) = self.give_up(millis) {
            self.lanes[give_up.part.lane].take();
            return Due::GiveUp(give_up);
        }
        let parts = self.again(now).unwrap_or_else(|| self.gather(now));
        if parts.is_empty() {
            return Due::Nothing(self.next());
        }
        for part in &parts {
            self.lanes[part.lane].take();
        }
        Due::Batch(Batch { parts })
    }

    /// Tells what became of a part of a batch.
    pub(super) fn settle(&mut self, part: Part, outcome: Outcome, now: Instant) {
        self.lanes[part.lane].settle(part.count, outcome, now, &self.policy);
    }

    /// Tells that records are given up for good.
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
            let (count, condition) = lane.hopeless(oldest)?;
            Some(GiveUp {
                part: Part { lane: index, count },
                condition,
                attempts: lane.attempts(),
            })
        })
    }

    /// A lane that has failed and may go out again.
    fn again(&self, now: Instant) -> Option<Vec<Part>> {
        self.free().find_map(|(index, lane)| {
            let count = lane.again(now)?;
            let (count, _) = lane.fit(count.min(self.policy.batch_size), BATCH_BYTES_MAX);
            Some(vec![Part { lane: index, count }])
        })
    }

    /// What waits in lanes that have not failed, if it is enough or has waited for long enough.
    fn gather(&self, now: Instant) -> Vec<Part> {
        let (mut records, mut bytes) = (self.policy.batch_size, BATCH_BYTES_MAX);
        let mut parts = Vec::new();
        let mut is_due = false;
        for (index, lane) in self.free().filter(|(_, lane)| lane.is_fresh()) {
            let (count, size) = lane.fit(records, bytes);
            if count > 0 {
                parts.push(Part { lane: index, count });
            }
            is_due |= count < lane.len()
                || lane
                    .since()
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

    /// When something is due if nothing else happens.
    fn next(&self) -> Option<Instant> {
        let window = self.policy.window;
        self.free().filter_map(|(_, lane)| lane.next(window)).min()
    }
}

/// All lanes together hold this many bytes of records before they want no more; what each reads is no more than it has
/// room for, or one batch of its partition …
const QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// … and each of them no more than this: more than one of the largest batches, though each record is held twice, as it
/// came and as JSON.
const LANE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A lane holds this many records before it wants no more: two of the largest batches.
const LANE_RECORDS_MAX: usize = 20_000;
#[cfg(test)]
mod tests;
