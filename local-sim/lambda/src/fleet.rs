//! The environments of a function: when they are started, and what invokes them.

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
    faults::Struck,
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
    /// What environments that start now run.
    executable: Mutex<PathBuf>,
    environments: Mutex<BTreeMap<u64, Arc<Environment>>>,
}

impl Fleet {
    /// A fleet without an environment: the first invocation starts one.
    pub(super) fn new(function: Function) -> Self {
        Self {
            next_environment: AtomicU64::new(0),
            executable: Mutex::new(function.configuration.executable.clone()),
            environments: Mutex::default(),
            function: Arc::new(function),
        }
    }

    /// Runs one invocation in an environment that is free, or becomes free, or is started for it, unless it is
    /// struck.
    pub(super) async fn invoke(
        self: &Arc<Self>,
        event: Bytes,
        permit: Permit,
        struck: Struck,
    ) -> Invoked {
        let (invocation, replied) = Invocation::new(event, permit);
        match struck.latency {
            None => self.dispatch(invocation, struck.is_cold),
            Some(pause) => {
                // Without the pause, too, it goes on when its invoker no longer waits.
                let late = Arc::clone(self).dispatch_late(invocation, struck.is_cold, pause);
                self.function.host.tasks.spawn(late);
            }
        }
        replied.await.unwrap_or_else(|_| Invoked::refused(lost()))
    }

    async fn dispatch_late(self: Arc<Self>, invocation: Invocation, is_cold: bool, pause: Pause) {
        tokio::select! {
            () = self.function.host.shutdown.cancelled() => {}
            () = pause.pass() => self.dispatch(invocation, is_cold),
        }
    }

    fn dispatch(self: &Arc<Self>, invocation: Invocation, is_cold: bool) {
        let count = self.function.dispatch(invocation, is_cold);
        self.start(count);
    }

    /// Looks after invocations that wait for an environment, until the simulator ends.
    pub(super) async fn look_after(self: Arc<Self>) {
        tokio::select! {
            () = self.function.host.shutdown.cancelled() => {}
            () = self.scale() => {}
            () = self.start_wanted() => {}
            () = self.give_up() => {}
        }
    }

    /// Starts environments for those that have waited for others.
    async fn scale(self: &Arc<Self>) {
        let mut cpu = Cpu::default();
        loop {
            self.function.waits().await;
            while let Some(at) = self.function.scale_at() {
                sleep_until(at.into()).await;
                let now = Instant::now();
                let has_room = cpu.has_room(now);
                let count = self.function.scale(now, has_room);
                self.start(count);
            }
        }
    }

    /// Starts the environments that others make room for.
    async fn start_wanted(self: &Arc<Self>) {
        loop {
            let count = self.function.wanted().await;
            self.start(count);
        }
    }

    /// Throttles those that no environment took for too long.
    async fn give_up(&self) {
        loop {
            sleep(GIVE_UP_AGAIN_AFTER).await;
            let given_up = self.function.give_up();
            if !given_up.is_empty() {
                let (name, count) = (self.function.name(), given_up.len());
                warn!("{name}: throttled: no environment became free for {count} invocations");
            }
            for invocation in given_up {
                invocation.answer(Err(InvokeError::Throttled));
            }
        }
    }

    /// Uses another program from now on: what runs already is done with its invocations first.
    pub(super) fn reload(&self, executable: PathBuf) {
        // In this order: an environment of the new version never runs the old program.
        *self.executable.lock() = executable;
        self.function.renew();
    }

    /// The environments that there are.
    pub(super) fn environments(&self) -> Vec<Arc<Environment>> {
        self.environments.lock().values().cloned().collect()
    }

    /// One of the environments that there are.
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
                .spawn(Arc::clone(self).live(environment));
        }
    }

    /// Runs an environment until its end, and starts others in its place if they are waited for.
    async fn live(self: Arc<Self>, environment: Arc<Environment>) {
        supervisor::run(&environment).await;
        let id = environment.member.id;
        self.environments.lock().remove(&id);
        let count = self.function.ended(id, environment.has_started());
        self.start(count);
    }
}

/// An invocation was dropped on its way: the simulator ends.
fn lost() -> InvokeError {
    InvokeError::function(
        "Runtime.ExitError",
        "the environment ended before it could reply".to_owned(),
    )
}

/// Invocations that wait are looked at this often, whether they have waited too long.
const GIVE_UP_AGAIN_AFTER: Duration = Duration::from_secs(10);
