//! A function: its configuration, and the way of an invocation to an environment that asks for one.

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    concurrency::Concurrency,
    configuration::Configuration,
    host::Host,
    invocation::Invocation,
    pool::{Dispatched, Limits, Member, Pool, Ready},
    troubles::Troubles,
    turn::Turn,
};

/// A function, as its environments know it.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) configuration: Configuration,
    pub(super) host: Arc<Host>,
    pub(super) concurrency: Concurrency,
    pub(super) troubles: Troubles,
    /// An invocation waits for another to be done.
    waits: Notify,
    /// Environments are to be started: how many, and that there are some.
    wanted: Mutex<usize>,
    wants: Notify,
    /// Held for a push or a pop, never across an await.
    pool: Mutex<Pool>,
}

impl Function {
    /// Makes a function without an environment.
    pub(super) fn new(
        configuration: Configuration,
        concurrency: Concurrency,
        host: Arc<Host>,
    ) -> Self {
        let scale_after = host.settings.scale_after;
        let limits = Limits::new(concurrency.max(), configuration.slots(), scale_after);
        Self {
            concurrency,
            pool: Mutex::new(Pool::new(limits)),
            waits: Notify::new(),
            wanted: Mutex::default(),
            wants: Notify::new(),
            troubles: Troubles::default(),
            configuration,
            host,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.configuration.name
    }

    /// Hands an invocation to an environment that is free, or has it wait for one. Says how many to start now.
    pub(super) fn dispatch(&self, invocation: Invocation, is_cold: bool) -> usize {
        let dispatched = {
            let mut pool = self.pool.lock();
            if is_cold {
                Dispatched::Start(pool.dispatch_cold(invocation))
            } else {
                pool.dispatch(invocation)
            }
        };
        self.started_by(&dispatched)
    }

    /// Hands on an invocation that an environment was sent and did not take. It waits in front of all others.
    pub(super) fn hand_on(&self, invocation: Invocation) {
        let dispatched = self.pool.lock().hand_on(invocation);
        self.want(self.started_by(&dispatched));
    }

    fn started_by(&self, dispatched: &Dispatched) -> usize {
        match dispatched {
            Dispatched::Assigned => 0,
            Dispatched::Start(count) => *count,
            Dispatched::Waits => {
                self.waits.notify_one();
                0
            }
        }
    }

    /// An environment asks for its next invocation, maybe for the first time. `None` where it is to end.
    pub(super) fn poll(
        self: &Arc<Self>,
        member: Member,
        ready: Ready,
        is_first: bool,
    ) -> Option<Turn> {
        let (receiver, count) = self.pool.lock().poll(member, ready, is_first);
        self.want(count);
        receiver.map(|receiver| Turn::new(receiver, Arc::clone(self)))
    }

    /// Takes an environment out of use, where so many of its polls wait.
    pub(super) fn retire(&self, id: u64, polls: usize) {
        self.pool.lock().retire(id, polls);
    }

    /// An environment has gone, maybe before it asked for an invocation. Says how many to start in its place.
    pub(super) fn ended(&self, id: u64, is_first: bool) -> usize {
        self.pool.lock().ended(id, is_first)
    }

    /// Uses no environment of today again.
    pub(super) fn renew(&self) {
        self.pool.lock().renew();
    }

    /// The version that environments started now are of.
    pub(super) fn version(&self) -> u64 {
        self.pool.lock().version()
    }

    /// Waits until an invocation waits for another to be done.
    pub(super) async fn waits(&self) {
        self.waits.notified().await;
    }

    /// When to look at the invocations that wait; `None` where none does.
    pub(super) fn scale_at(&self) -> Option<Instant> {
        self.pool.lock().scale_at(Instant::now())
    }

    /// Looks at the invocations that wait; says how many environments to start.
    pub(super) fn scale(&self, now: Instant, has_room: bool) -> usize {
        self.pool.lock().scale(now, has_room)
    }

    /// Takes out the invocations that have waited too long.
    pub(super) fn give_up(&self) -> Vec<Invocation> {
        self.pool.lock().give_up(Instant::now())
    }

    /// Waits until environments are wanted by the way of an invocation; says how many.
    pub(super) async fn wanted(&self) -> usize {
        loop {
            let count = std::mem::take(&mut *self.wanted.lock());
            if count > 0 {
                return count;
            }
            self.wants.notified().await;
        }
    }

    fn want(&self, count: usize) {
        if count > 0 {
            *self.wanted.lock() += count;
            self.wants.notify_one();
        }
    }
}
