//! A function: its configuration, and the way of an invocation to an environment that asks for one.

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::{
    concurrency::Concurrency,
    configuration::Configuration,
    faults::Faults,
    host::Host,
    invocation::Invocation,
    pool::{Dispatched, Limits, Member, Pool, Ready},
};

/// A function, as its environments know it.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) configuration: Configuration,
    pub(super) host: Arc<Host>,
    pub(super) concurrency: Concurrency,
    pub(super) faults: Faults,
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
            faults: Faults::default(),
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
        let function = Arc::clone(self);
        receiver.map(|receiver| Turn { receiver, function })
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

/// A poll that waits for its invocation. If it is dropped after it was sent one and before it took it, the invocation
/// goes to another environment, unless the simulator ends: it has not run.
#[derive(Debug)]
pub(super) struct Turn {
    receiver: oneshot::Receiver<Invocation>,
    function: Arc<Function>,
}

impl Turn {
    /// Waits for the invocation; `None` where the environment is to end. Can be cancelled and waited for again.
    pub(super) async fn come(&mut self) -> Option<Invocation> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(invocation) = self.receiver.try_recv()
            && !self.function.host.shutdown.is_cancelled()
        {
            self.function.hand_on(invocation);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tempfile::TempDir;
    use tokio::time::timeout;
    use tokio_util::{sync::CancellationToken, task::TaskTracker};

    use super::*;
    use crate::{
        concurrency::Permit, configuration::Settings, history::History,
        process::guardian::Guardian, stderr::Lines,
    };

    fn function(root: &TempDir) -> Arc<Function> {
        let host = Host {
            root: root.path().to_owned(),
            settings: Settings::sample(),
            guardian: Guardian::start(root.path()).unwrap(),
            log: Arc::new(Lines::start().unwrap()),
            history: History::new(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        };
        let concurrency = Concurrency::unreserved(&[], 10).unwrap();
        Arc::new(Function::new(
            Configuration::example(),
            concurrency,
            Arc::new(host),
        ))
    }

    fn permit() -> Permit {
        Concurrency::unreserved(&[], 1).unwrap().acquire().unwrap()
    }

    fn dispatch(function: &Function, event: &'static str) {
        let (invocation, _) = Invocation::new(Bytes::from_static(event.as_bytes()), permit());
        function.dispatch(invocation, false);
    }

    async fn event(turn: &mut Turn) -> Bytes {
        let invocation = timeout(Duration::from_secs(30), turn.come()).await;
        invocation.expect("no wait").expect("an invocation").event
    }

    #[tokio::test]
    async fn an_invocation_that_was_sent_and_not_taken_goes_to_another_environment() {
        let root = tempfile::tempdir().unwrap();
        let function = function(&root);
        // One environment is started for the first, the others wait.
        dispatch(&function, "first");
        dispatch(&function, "second");
        let member = |id| Member { id, version: 0 };
        // Its connection breaks after it was sent the invocation, and before it receives it.
        drop(function.poll(member(0), Ready::Warm, true));
        let mut other = function.poll(member(1), Ready::Warm, true).unwrap();
        assert_eq!(event(&mut other).await, "first");
        let mut other = function.poll(member(1), Ready::Warm, false).unwrap();
        assert_eq!(event(&mut other).await, "second");
    }

    #[tokio::test]
    async fn an_environment_that_is_free_takes_what_another_did_not() {
        let root = tempfile::tempdir().unwrap();
        let function = function(&root);
        dispatch(&function, "first");
        let member = |id| Member { id, version: 0 };
        let broken = function.poll(member(0), Ready::Warm, true);
        let mut free = function.poll(member(1), Ready::Warm, false).unwrap();
        drop(broken);
        assert_eq!(event(&mut free).await, "first");
    }
}
