//! Starts and tracks the environments of a function, and dispatches invocations to them.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use local_sim_faults::Pause;
use parking_lot::Mutex;
use tokio::time::{sleep, sleep_until};
use tracing::warn;

use super::{
    concurrency::Permit,
    cpu::Cpu,
    environment::Environment,
    error::InvokeError,
    faults::InjectedFaults,
    function::Function,
    invocation::{Invocation, Invoked},
    pool::Member,
    supervisor,
};

/// A function and the environments that run it.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) function: Arc<Function>,
    next_environment: AtomicU64,
    /// The executable for environments that start now.
    executable: Mutex<PathBuf>,
    environments: Mutex<BTreeMap<u64, Arc<Environment>>>,
}

impl Fleet {
    /// Creates a fleet without environments; the first invocation starts one.
    pub(super) fn new(function: Function) -> Self {
        Self {
            next_environment: AtomicU64::new(0),
            executable: Mutex::new(function.configuration.executable.clone()),
            environments: Mutex::default(),
            function: Arc::new(function),
        }
    }

    /// Runs one invocation in an idle or a new environment, and waits for its outcome.
    ///
    /// Injected faults delay it or force a cold start.
    pub(super) async fn invoke(
        self: &Arc<Self>,
        event: Bytes,
        permit: Permit,
        injected: InjectedFaults,
    ) -> Invoked {
        let (invocation, replied) = Invocation::new(event, permit);
        match injected.latency {
            None => self.dispatch(invocation, injected.is_cold),
            Some(pause) => {
                // A separate task: the invocation runs even if its caller stops waiting.
                let late = Arc::clone(self).dispatch_after(invocation, injected.is_cold, pause);
                self.function.host.tasks.spawn(late);
            }
        }
        replied
            .await
            .unwrap_or_else(|_| Invoked::refused(dropped()))
    }

    async fn dispatch_after(self: Arc<Self>, invocation: Invocation, is_cold: bool, pause: Pause) {
        tokio::select! {
            () = self.function.host.shutdown.cancelled() => {}
            () = pause.pass() => self.dispatch(invocation, is_cold),
        }
    }

    fn dispatch(self: &Arc<Self>, invocation: Invocation, is_cold: bool) {
        let count = self.function.dispatch(invocation, is_cold);
        self.start(count);
    }

    /// Serves invocations that wait for an environment, until the simulator shuts down.
    pub(super) async fn manage(self: Arc<Self>) {
        tokio::select! {
            () = self.function.host.shutdown.cancelled() => {}
            () = self.scale() => {}
            () = self.start_requested() => {}
            () = self.throttle_expired() => {}
        }
    }

    /// Starts environments for invocations that have waited too long for others to finish.
    async fn scale(self: &Arc<Self>) {
        let mut cpu = Cpu::default();
        loop {
            self.function.invocation_queued().await;
            while let Some(at) = self.function.scale_at() {
                sleep_until(at.into()).await;
                let now = Instant::now();
                let has_room = cpu.has_room(now);
                let count = self.function.scale(now, has_room);
                self.start(count);
            }
        }
    }

    /// Starts the environments that polls of other environments request.
    async fn start_requested(self: &Arc<Self>) {
        loop {
            let count = self.function.requested_starts().await;
            self.start(count);
        }
    }

    /// Throttles invocations that have waited too long for an environment.
    async fn throttle_expired(&self) {
        loop {
            sleep(EXPIRY_CHECK_INTERVAL).await;
            let expired = self.function.take_expired();
            if !expired.is_empty() {
                let (name, count) = (self.function.name(), expired.len());
                warn!("{name}: throttled {count} invocations: no environment became free in time");
            }
            for invocation in expired {
                invocation.answer(Err(InvokeError::Throttled));
            }
        }
    }

    /// Replaces the executable. Running environments finish their invocations first.
    pub(super) fn reload(&self, executable: PathBuf) {
        // In this order, so that an environment of the new version never runs the old executable.
        *self.executable.lock() = executable;
        self.function.retire_all();
    }

    /// Lists all environments.
    pub(super) fn environments(&self) -> Vec<Arc<Environment>> {
        self.environments.lock().values().cloned().collect()
    }

    /// Finds an environment by its number.
    pub(super) fn environment(&self, id: u64) -> Option<Arc<Environment>> {
        self.environments.lock().get(&id).cloned()
    }

    fn start(self: &Arc<Self>, count: usize) {
        if self.function.host.shutdown.is_cancelled() {
            return;
        }
        for _ in 0..count {
            let id = self.next_environment.fetch_add(1, Ordering::Relaxed);
            let version = self.function.version();
            let executable = self.executable.lock().clone();
            let member = Member { id, version };
            let function = Arc::clone(&self.function);
            let environment = Arc::new(Environment::new(function, member, executable));
            self.environments
                .lock()
                .insert(id, Arc::clone(&environment));
            self.function
                .host
                .tasks
                .spawn(Arc::clone(self).run(environment));
        }
    }

    /// Runs an environment until it ends, then starts others if invocations wait.
    async fn run(self: Arc<Self>, environment: Arc<Environment>) {
        supervisor::run(&environment).await;
        let id = environment.member.id;
        self.environments.lock().remove(&id);
        let count = self.function.ended(id, environment.take_starting());
        self.start(count);
    }
}

/// The error if an invocation is dropped, which happens only at shutdown.
fn dropped() -> InvokeError {
    InvokeError::function(
        "Runtime.ExitError",
        "the environment ended before it could reply".to_owned(),
    )
}

/// How often waiting invocations are checked for expiry.
const EXPIRY_CHECK_INTERVAL: Duration = Duration::from_secs(10);
