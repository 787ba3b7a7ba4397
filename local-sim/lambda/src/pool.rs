//! Who is free and who waits: which environment takes an invocation, and when another one is started.

mod pace;

use std::{
    collections::{BTreeSet, VecDeque},
    num::NonZero,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use self::pace::Pace;
use super::invocation::Invocation;

/// The free environments of a function, or the invocations that wait for one. Both are never the case at once.
#[derive(Debug)]
pub(super) struct Pool {
    /// The one used last is at the end, and is the next to be used: it is the warmest.
    idle: VecDeque<Idle>,
    waiting: VecDeque<Waiting>,
    /// Those that wait for an environment that was not used before, whoever is free.
    cold: VecDeque<Waiting>,
    /// Environments that are not used again, as they gave their places to such as start for `cold`.
    replaced: BTreeSet<u64>,
    /// How many of `waiting` are due an environment of their own.
    hurried: usize,
    /// How fast those that wait have their turns.
    pace: Pace,
    /// All environments, the starting ones included.
    environments: usize,
    /// Environments that are in their init.
    starting: usize,
    /// Environments of an older version are not used again.
    version: u64,
    limits: Limits,
}

/// How many environments there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Up to this many, an invocation does not wait for another to be done; so many may also start at once.
    pub(super) at_once: usize,
    /// There are never more environments than there may be invocations.
    pub(super) environments_max: usize,
    /// Invocations that one environment takes at once.
    pub(super) slots: usize,
    /// How long an invocation waits for another to be done; not at all where this is zero.
    pub(super) scale_after: Duration,
}

impl Limits {
    /// Those of a function with this concurrency, on this machine.
    pub(super) fn new(concurrency: usize, slots: usize, scale_after: Duration) -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Self {
            at_once: ENVIRONMENTS_PER_CORE * cores,
            environments_max: concurrency.div_ceil(slots),
            slots,
            scale_after,
        }
    }
}

/// Who an environment is to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: u64,
    /// Of the program that it runs.
    pub(super) version: u64,
}

/// What an environment is when it asks for an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// A process waits, and has begun as the last one.
    Warm,
    /// There is no process: one has failed, and the next one is started for the invocation.
    Cold,
}

/// What becomes of an invocation at first.
#[derive(Debug)]
pub(super) enum Dispatched {
    Assigned,
    /// Waits for an environment, of which so many are to be started.
    Start(usize),
    /// Waits for another invocation to be done; [`Pool::scale`] sees to it that it does not wait for long.
    Waits,
}

#[derive(Debug)]
struct Idle {
    member: Member,
    sender: oneshot::Sender<Invocation>,
}

#[derive(Debug)]
struct Waiting {
    invocation: Invocation,
    since: Instant,
}

impl Waiting {
    fn new(invocation: Invocation) -> Self {
        Self {
            invocation,
            since: Instant::now(),
        }
    }
}

impl Pool {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            idle: VecDeque::new(),
            waiting: VecDeque::new(),
            cold: VecDeque::new(),
            replaced: BTreeSet::new(),
            hurried: 0,
            pace: Pace::default(),
            environments: 0,
            starting: 0,
            version: 0,
            limits,
        }
    }

    /// The version that environments started now are of.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Gives an invocation to the environment used last, or has it wait behind the others.
    pub(super) fn dispatch(&mut self, invocation: Invocation) -> Dispatched {
        match self.assign(invocation) {
            None => Dispatched::Assigned,
            Some(invocation) => {
                self.waiting.push_back(Waiting::new(invocation));
                self.hurry()
            }
        }
    }

    /// The same for an invocation whose turn it was: it waits in front of the others.
    pub(super) fn hand_on(&mut self, invocation: Invocation) -> Dispatched {
        match self.assign(invocation) {
            None => Dispatched::Assigned,
            Some(invocation) => {
                self.waiting.push_front(Waiting::new(invocation));
                self.hurry()
            }
        }
    }

    /// Gives an invocation to the environment used last; gives it back where none is free.
    fn assign(&mut self, mut invocation: Invocation) -> Option<Invocation> {
        while let Some(idle) = self.idle.pop_back() {
            match idle.sender.send(invocation) {
                Ok(()) => return None,
                // Its connection has gone in the meantime.
                Err(returned) => invocation = returned,
            }
        }
        Some(invocation)
    }

    /// One more waits: for another to be done, or for an environment to start.
    fn hurry(&mut self) -> Dispatched {
        let is_patient = !self.limits.scale_after.is_zero();
        if is_patient && self.environments >= self.limits.at_once {
            return Dispatched::Waits;
        }
        self.hurried += 1;
        Dispatched::Start(self.due())
    }

    /// Has an invocation start an environment, in the place of the free one that was used longest ago, if one is
    /// free; says how many to start now.
    pub(super) fn dispatch_cold(&mut self, invocation: Invocation) -> usize {
        self.cold.push_back(Waiting::new(invocation));
        self.idle.retain(|idle| !idle.sender.is_closed());
        if let Some(oldest) = self.idle.front() {
            self.replace(oldest.member.id);
        }
        self.due()
    }

    /// When to look at those that wait; `None` where nobody does.
    pub(super) fn scale_at(&self, now: Instant) -> Option<Instant> {
        let oldest = self.waiting.front()?.since + self.limits.scale_after;
        // Those that have waited already are looked at again and again.
        Some(if oldest > now {
            oldest
        } else {
            now + self.limits.scale_after
        })
    }

    /// Looks at those that wait; says how many environments to start.
    ///
    /// An invocation that has waited for a while is due an environment, unless its turn comes soon: processes that
    /// share the processors slow each other down. Where the machine has room for more, a few are started all the same.
    pub(super) fn scale(&mut self, now: Instant, has_room: bool) -> usize {
        let has_waited = |it: &&Waiting| it.since + self.limits.scale_after <= now;
        let late = self.waiting.iter().take_while(has_waited).count();
        let oldest = self.waiting.front().map_or(now, |it| it.since);
        let soon = self.pace.look(now, oldest, SOON);
        let few = if has_room { self.limits.at_once } else { 0 };
        self.hurried = late.saturating_sub(soon).max(few.min(late));
        self.due()
    }

    /// Takes out those that have waited too long, whatever it is that keeps all environments.
    pub(super) fn give_up(&mut self, now: Instant) -> Vec<Invocation> {
        let mut given_up = Vec::new();
        for queue in [&mut self.waiting, &mut self.cold] {
            while let Some(late) = queue.pop_front_if(|it| it.since + WAIT_MAX <= now) {
                given_up.push(late.invocation);
            }
        }
        self.hurried = self.hurried.min(self.waiting.len());
        given_up
    }

    /// An environment asks for an invocation, for the first time where `is_first` says so. `None` where it is not to
    /// be used again. Says too how many environments to start.
    pub(super) fn poll(
        &mut self,
        member: Member,
        ready: Ready,
        is_first: bool,
    ) -> (Option<oneshot::Receiver<Invocation>>, usize) {
        if is_first {
            self.starting -= 1;
        }
        if !is_first && self.lacks_room_for_cold() {
            self.replace(member.id);
        }
        if member.version < self.version || self.replaced.contains(&member.id) {
            return (None, self.due());
        }
        let (sender, receiver) = oneshot::channel();
        if self.idle.len() >= self.environments * self.limits.slots {
            // Some polls have gone with their connections.
            self.idle.retain(|idle| !idle.sender.is_closed());
        }
        match self.take_waiting(is_first) {
            Some(invocation) => {
                // The receiver is right here.
                let _ = sender.send(invocation);
            }
            None => {
                let idle = Idle { member, sender };
                match ready {
                    Ready::Warm => self.idle.push_back(idle),
                    Ready::Cold => self.idle.push_front(idle),
                }
            }
        }
        (Some(receiver), self.due())
    }

    /// Whose turn it is.
    fn take_waiting(&mut self, is_first: bool) -> Option<Invocation> {
        if is_first && let Some(waiting) = self.cold.pop_front() {
            return Some(waiting.invocation);
        }
        let waiting = self.waiting.pop_front()?;
        self.pace.turn();
        self.hurried = self.hurried.saturating_sub(1);
        Some(waiting.invocation)
    }

    /// Takes an environment out of use where so many of its polls wait: it is not given an invocation just now.
    /// It learns of it.
    pub(super) fn retire(&mut self, id: u64, slots: usize) {
        let free = |idle: &&Idle| idle.member.id == id && !idle.sender.is_closed();
        if self.idle.iter().filter(free).count() >= slots {
            self.idle.retain(|idle| idle.member.id != id);
        }
    }

    /// From now on the environments of today are not used again. Those that are free learn of it now.
    pub(super) fn renew(&mut self) {
        self.version += 1;
        self.idle.clear();
    }

    /// An environment has gone, in its start where `is_first` says so; says how many to start in its place.
    pub(super) fn ended(&mut self, id: u64, is_first: bool) -> usize {
        self.environments -= 1;
        if is_first {
            self.starting -= 1;
        }
        self.idle.retain(|idle| idle.member.id != id);
        self.replaced.remove(&id);
        if self.environments < self.limits.at_once {
            // There is room for them, as there was not when they came.
            self.hurried = self.waiting.len();
        }
        self.due()
    }

    /// Uses an environment no more, whatever becomes free of it. It learns of it when it has nothing to do.
    fn replace(&mut self, id: u64) {
        self.replaced.insert(id);
        self.idle.retain(|idle| idle.member.id != id);
    }

    /// Whether an invocation waits for an environment to start that has no place, nor is about to get one.
    fn lacks_room_for_cold(&self) -> bool {
        self.room() == 0 && self.cold.len() > self.starting + self.replaced.len()
    }

    fn room(&self) -> usize {
        let max = self.limits.environments_max;
        max.saturating_sub(self.environments)
    }

    /// How many environments to start now; they count as started from here on.
    fn due(&mut self) -> usize {
        let Limits { at_once, slots, .. } = self.limits;
        let wanted = self.hurried.div_ceil(slots) + self.cold.len();
        let count = wanted
            .min(at_once)
            .saturating_sub(self.starting)
            .min(self.room());
        self.starting += count;
        self.environments += count;
        count
    }
}

/// Environments that are started without a wait, for each core.
const ENVIRONMENTS_PER_CORE: usize = 2;
/// A turn comes soon if it comes within this time, at the pace of late.
const SOON: Duration = Duration::from_secs(1);
/// No invocation waits for longer: this is more than any integration waits, and than any init may take.
const WAIT_MAX: Duration = Duration::from_mins(3);

#[cfg(test)]
mod tests;
