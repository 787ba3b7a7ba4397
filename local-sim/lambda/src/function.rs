//! A function: its configuration, and the exchange of invocations with its environments.

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

/// A function, as seen by its environments.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) configuration: Configuration,
    pub(super) host: Arc<Host>,
    pub(super) concurrency: Concurrency,
    pub(super) faults: Faults,
    /// Signals that an invocation waits for another one to finish.
    queued: Notify,
    /// Number of environments to start, and the signal that it has grown.
    starts: Mutex<usize>,
    starts_added: Notify,
    /// Locked only briefly, never across an await.
    pool: Mutex<Pool>,
}

impl Function {
    /// Creates a function without environments.
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
            queued: Notify::new(),
            starts: Mutex::default(),
            starts_added: Notify::new(),
            faults: Faults::default(),
            configuration,
            host,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.configuration.name
    }

    /// Assigns an invocation to an idle environment or queues it.
    ///
    /// Returns how many environments to start now.
    pub(super) fn dispatch(&self, invocation: Invocation, is_cold: bool) -> usize {
        let dispatched = {
            let mut pool = self.pool.lock();
            if is_cold {
                Dispatched::Start(pool.dispatch_cold(invocation))
            } else {
                pool.dispatch(invocation)
            }
        };
        self.starts_for(&dispatched)
    }

    /// Dispatches an invocation again that its environment did not take. It queues at the front.
    pub(super) fn requeue(&self, invocation: Invocation) {
        let dispatched = self.pool.lock().requeue(invocation);
        self.request_starts(self.starts_for(&dispatched));
    }

    fn starts_for(&self, dispatched: &Dispatched) -> usize {
        match dispatched {
            Dispatched::Assigned => 0,
            Dispatched::Start(count) => *count,
            Dispatched::Waits => {
                self.queued.notify_one();
                0
            }
        }
    }

    /// Registers a poll of an environment; `None` if the environment must end.
    pub(super) fn poll(
        self: &Arc<Self>,
        member: Member,
        ready: Ready,
        is_first: bool,
    ) -> Option<PendingPoll> {
        let (receiver, count) = self.pool.lock().poll(member, ready, is_first);
        self.request_starts(count);
        let function = Arc::clone(self);
        receiver.map(|receiver| PendingPoll { receiver, function })
    }

    /// Retires an environment if at least `polls` of its polls wait.
    pub(super) fn retire(&self, id: u64, polls: usize) {
        self.pool.lock().retire(id, polls);
    }

    /// Removes an environment; `is_first` if it ended before its first poll.
    ///
    /// Returns how many to start in its place.
    pub(super) fn ended(&self, id: u64, is_first: bool) -> usize {
        self.pool.lock().ended(id, is_first)
    }

    /// Retires all current environments.
    pub(super) fn retire_all(&self) {
        self.pool.lock().retire_all();
    }

    /// The version for environments that start now.
    pub(super) fn version(&self) -> u64 {
        self.pool.lock().version()
    }

    /// Completes when an invocation waits for another one to finish.
    pub(super) async fn invocation_queued(&self) {
        self.queued.notified().await;
    }

    /// When to call [`Self::scale`] next; `None` if no invocation waits.
    pub(super) fn scale_at(&self) -> Option<Instant> {
        self.pool.lock().scale_at(Instant::now())
    }

    /// Returns how many environments to start for waiting invocations.
    pub(super) fn scale(&self, now: Instant, has_room: bool) -> usize {
        self.pool.lock().scale(now, has_room)
    }

    /// Removes and returns the invocations that have waited too long.
    pub(super) fn take_expired(&self) -> Vec<Invocation> {
        self.pool.lock().take_expired(Instant::now())
    }

    /// Waits until polls or requeued invocations request environments; returns how many.
    pub(super) async fn requested_starts(&self) -> usize {
        loop {
            let count = std::mem::take(&mut *self.starts.lock());
            if count > 0 {
                return count;
            }
            self.starts_added.notified().await;
        }
    }

    fn request_starts(&self, count: usize) {
        if count > 0 {
            *self.starts.lock() += count;
            self.starts_added.notify_one();
        }
    }
}

/// A poll that waits for its invocation.
///
/// If it is dropped after an invocation was sent and before it was received, the invocation, which
/// has not run, goes to another environment, unless the simulator shuts down.
#[derive(Debug)]
pub(super) struct PendingPoll {
    receiver: oneshot::Receiver<Invocation>,
    function: Arc<Function>,
}

impl PendingPoll {
    /// Waits for the invocation; `None` if the environment must end. Cancel safe.
    pub(super) async fn receive(&mut self) -> Option<Invocation> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for PendingPoll {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(invocation) = self.receiver.try_recv()
            && !self.function.host.shutdown.is_cancelled()
        {
            self.function.requeue(invocation);
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

    async fn event(poll: &mut PendingPoll) -> Bytes {
        let invocation = timeout(Duration::from_secs(30), poll.receive()).await;
        invocation.expect("no wait").expect("an invocation").event
    }

    #[tokio::test]
    async fn an_invocation_sent_to_a_broken_connection_goes_to_another_environment() {
        let root = tempfile::tempdir().unwrap();
        let function = function(&root);
        // No environment polls yet, so both wait.
        dispatch(&function, "first");
        dispatch(&function, "second");
        let member = |id| Member { id, version: 0 };
        // The connection breaks after the invocation was sent and before it was received.
        drop(function.poll(member(0), Ready::Warm, true));
        let mut other = function.poll(member(1), Ready::Warm, true).unwrap();
        assert_eq!(event(&mut other).await, "first");
        let mut other = function.poll(member(1), Ready::Warm, false).unwrap();
        assert_eq!(event(&mut other).await, "second");
    }

    #[tokio::test]
    async fn an_idle_environment_takes_an_invocation_that_another_did_not_receive() {
        let root = tempfile::tempdir().unwrap();
        let function = function(&root);
        dispatch(&function, "first");
        let member = |id| Member { id, version: 0 };
        let broken = function.poll(member(0), Ready::Warm, true);
        let mut idle = function.poll(member(1), Ready::Warm, false).unwrap();
        drop(broken);
        assert_eq!(event(&mut idle).await, "first");
    }
}
