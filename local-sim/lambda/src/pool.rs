//! Assigns invocations to idle environments, or queues them and decides when to start more.

mod rate;

use std::{
    collections::{BTreeSet, VecDeque},
    num::NonZero,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use self::rate::Rate;
use super::invocation::Invocation;

/// The idle environments of a function, or the invocations that wait for one; never both.
#[derive(Debug)]
pub(super) struct Pool {
    /// The most recently used is last, and is used next.
    idle: VecDeque<Idle>,
    waiting: VecDeque<Waiting>,
    /// Invocations that wait for a new environment even if others are idle.
    cold: VecDeque<Waiting>,
    /// Environments that are not used again, since new ones start for `cold` in their place.
    replaced: BTreeSet<u64>,
    /// How many of `waiting` should each get a new environment.
    urgent: usize,
    /// How fast waiting invocations are assigned.
    rate: Rate,
    /// Number of environments, including those that are starting.
    environments: usize,
    /// Number of environments in their init.
    starting: usize,
    /// Environments with an older version are not used again.
    version: u64,
    limits: Limits,
}

/// Limits on the environments of a function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Below this number of environments, an invocation starts one without waiting.
    ///
    /// Also the maximum number of environments that start at the same time.
    pub(super) at_once: usize,
    /// Maximum number of environments: no more than concurrent invocations need.
    pub(super) environments_max: usize,
    /// Concurrent invocations per environment.
    pub(super) slots: usize,
    /// How long an invocation waits for another one to finish; zero means it never waits.
    pub(super) scale_after: Duration,
}

impl Limits {
    /// The limits of a function with this concurrency on this machine.
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

/// Identifies an environment to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: u64,
    /// The version of its program.
    pub(super) version: u64,
}

/// Whether an environment that polls has a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// A process is running and waits.
    Warm,
    /// The last process failed; the next one starts with the invocation.
    Cold,
}

/// The result of dispatching an invocation.
#[derive(Debug)]
pub(super) enum Dispatched {
    /// An idle environment has it.
    Assigned,
    /// It waits, and the caller must start this many environments.
    Start(usize),
    /// It waits for another invocation to finish; [`Pool::scale`] bounds the wait.
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
            urgent: 0,
            rate: Rate::default(),
            environments: 0,
            starting: 0,
            version: 0,
            limits,
        }
    }

    /// The version for environments that start now.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Assigns an invocation to the most recently used idle environment, or queues it.
    pub(super) fn dispatch(&mut self, invocation: Invocation) -> Dispatched {
        match self.assign(invocation) {
            None => Dispatched::Assigned,
            Some(invocation) => {
                self.waiting.push_back(Waiting::new(invocation));
                self.after_queueing()
            }
        }
    }

    /// Like [`Self::dispatch`], but queues at the front: the invocation has waited before.
    pub(super) fn requeue(&mut self, invocation: Invocation) -> Dispatched {
        match self.assign(invocation) {
            None => Dispatched::Assigned,
            Some(invocation) => {
                self.waiting.push_front(Waiting::new(invocation));
                self.after_queueing()
            }
        }
    }

    /// Assigns an invocation to the most recently used idle environment.
    ///
    /// Returns the invocation if none is idle.
    fn assign(&mut self, mut invocation: Invocation) -> Option<Invocation> {
        while let Some(idle) = self.idle.pop_back() {
            match idle.sender.send(invocation) {
                Ok(()) => return None,
                // The poll's connection has closed in the meantime.
                Err(returned) => invocation = returned,
            }
        }
        Some(invocation)
    }

    /// Decides whether the newly queued invocation waits or starts an environment.
    fn after_queueing(&mut self) -> Dispatched {
        let is_patient = !self.limits.scale_after.is_zero();
        if is_patient && self.environments >= self.limits.at_once {
            return Dispatched::Waits;
        }
        self.urgent += 1;
        Dispatched::Start(self.reserve_starts())
    }

    /// Queues an invocation for a new environment.
    ///
    /// The new one replaces the least recently used idle environment, if there is one. Returns how
    /// many environments to start now.
    pub(super) fn dispatch_cold(&mut self, invocation: Invocation) -> usize {
        self.cold.push_back(Waiting::new(invocation));
        self.idle.retain(|idle| !idle.sender.is_closed());
        if let Some(oldest) = self.idle.front() {
            self.replace(oldest.member.id);
        }
        self.reserve_starts()
    }

    /// When to call [`Self::scale`] next; `None` if no invocation waits.
    pub(super) fn scale_at(&self, now: Instant) -> Option<Instant> {
        let oldest = self.waiting.front()?.since + self.limits.scale_after;
        // The oldest has waited long enough already: check again after the interval.
        Some(if oldest > now {
            oldest
        } else {
            now + self.limits.scale_after
        })
    }

    /// Returns how many environments to start for waiting invocations.
    ///
    /// Considers only those that have waited for `scale_after`.
    ///
    /// Invocations that will probably be assigned soon get none, because processes that share the
    /// processors slow each other down. If the machine has idle CPU time, a few start anyway.
    pub(super) fn scale(&mut self, now: Instant, has_room: bool) -> usize {
        let has_waited = |it: &&Waiting| it.since + self.limits.scale_after <= now;
        let late = self.waiting.iter().take_while(has_waited).count();
        let oldest = self.waiting.front().map_or(now, |it| it.since);
        let soon = self.rate.measure(now, oldest, SOON);
        let few = if has_room { self.limits.at_once } else { 0 };
        self.urgent = late.saturating_sub(soon).max(few.min(late));
        self.reserve_starts()
    }

    /// Removes and returns the invocations that have waited for `WAIT_MAX`.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Invocation> {
        let mut expired = Vec::new();
        for queue in [&mut self.waiting, &mut self.cold] {
            while let Some(late) = queue.pop_front_if(|it| it.since + WAIT_MAX <= now) {
                expired.push(late.invocation);
            }
        }
        self.urgent = self.urgent.min(self.waiting.len());
        expired
    }

    /// Registers a poll of an environment; `is_first` marks its first one.
    ///
    /// Returns the receiver of the invocation, or `None` if the environment must end, and how many
    /// environments to start.
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
            return (None, self.reserve_starts());
        }
        let (sender, receiver) = oneshot::channel();
        if self.idle.len() >= self.environments * self.limits.slots {
            // More polls than slots: some of their connections have closed.
            self.idle.retain(|idle| !idle.sender.is_closed());
        }
        match self.take_waiting(is_first) {
            Some(invocation) => {
                // Cannot fail: the receiver is still in scope.
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
        (Some(receiver), self.reserve_starts())
    }

    /// Takes the next waiting invocation.
    fn take_waiting(&mut self, is_first: bool) -> Option<Invocation> {
        if is_first && let Some(waiting) = self.cold.pop_front() {
            return Some(waiting.invocation);
        }
        let waiting = self.waiting.pop_front()?;
        self.rate.count();
        self.urgent = self.urgent.saturating_sub(1);
        Some(waiting.invocation)
    }

    /// Retires an environment if at least `slots` of its polls wait.
    ///
    /// It has no invocation then. Its polls end without an invocation.
    pub(super) fn retire(&mut self, id: u64, slots: usize) {
        let free = |idle: &&Idle| idle.member.id == id && !idle.sender.is_closed();
        if self.idle.iter().filter(free).count() >= slots {
            self.idle.retain(|idle| idle.member.id != id);
        }
    }

    /// Retires all current environments. The polls of idle ones end now.
    pub(super) fn retire_all(&mut self) {
        self.version += 1;
        self.idle.clear();
    }

    /// Removes an environment; `is_first` if it ended before its first poll.
    ///
    /// Returns how many to start in its place.
    pub(super) fn ended(&mut self, id: u64, is_first: bool) -> usize {
        self.environments -= 1;
        if is_first {
            self.starting -= 1;
        }
        self.idle.retain(|idle| idle.member.id != id);
        self.replaced.remove(&id);
        if self.environments < self.limits.at_once {
            // The waiting invocations were queued without starting environments; now there is room.
            self.urgent = self.waiting.len();
        }
        self.reserve_starts()
    }

    /// Marks an environment as replaced; its waiting and future polls end without an invocation.
    fn replace(&mut self, id: u64) {
        self.replaced.insert(id);
        self.idle.retain(|idle| idle.member.id != id);
    }

    /// Whether an environment must be replaced to make room for a waiting cold start.
    fn lacks_room_for_cold(&self) -> bool {
        self.room() == 0 && self.cold.len() > self.starting + self.replaced.len()
    }

    fn room(&self) -> usize {
        let max = self.limits.environments_max;
        max.saturating_sub(self.environments)
    }

    /// Returns how many environments to start now, and counts them as starting.
    fn reserve_starts(&mut self) -> usize {
        let Limits { at_once, slots, .. } = self.limits;
        let wanted = self.urgent.div_ceil(slots) + self.cold.len();
        let count = wanted
            .min(at_once)
            .saturating_sub(self.starting)
            .min(self.room());
        self.starting += count;
        self.environments += count;
        count
    }
}

/// Environments per core that start without a wait.
const ENVIRONMENTS_PER_CORE: usize = 2;
/// Invocations that will probably be assigned within this time start no environment.
const SOON: Duration = Duration::from_secs(1);
/// Maximum wait of an invocation: longer than any integration timeout and any init.
const WAIT_MAX: Duration = Duration::from_mins(3);

#[cfg(test)]
mod tests;
