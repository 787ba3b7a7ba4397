//! A function: its environments, and the way of an invocation to one of them.

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
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::{sleep, sleep_until},
};
use tracing::warn;

use super::{
    Configuration, Host, InvokeError,
    concurrency::{Concurrency, Permit},
    environment::Environment,
    invocation::{Invocation, Outcome},
    life,
    machine::Machine,
    pool::{Dispatched, Limits, Member, Pool, Ready},
    troubles::{Struck, Troubles},
};
use local_sim_faults::Pause;

/// A function and the environments that run it.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) configuration: Configuration,
    pub(super) host: Arc<Host>,
    pub(super) concurrency: Concurrency,
    pub(super) troubles: Troubles,
    next_environment: AtomicU64,
    /// An invocation waits for another to be done.
    waits: Notify,
    /// What environments that start now run.
    executable: Mutex<PathBuf>,
    /// Held for a push or a pop, never across an await.
    pool: Mutex<Pool>,
    environments: Mutex<BTreeMap<u64, Arc<Environment>>>,
}

impl Function {
    /// Makes a function without an environment: the first invocation starts one.
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
            next_environment: AtomicU64::new(0),
            waits: Notify::new(),
            executable: Mutex::new(configuration.executable.clone()),
            environments: Mutex::default(),
            troubles: Troubles::default(),
            configuration,
            host,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.configuration.name
    }

    /// Runs one invocation in an environment that is free, or becomes free, or is started for it, unless it is
    /// struck.
    pub(super) async fn invoke(
        self: &Arc<Self>,
        event: Bytes,
        permit: Permit,
        struck: Struck,
    ) -> Outcome {
        let (invocation, replied) = Invocation::new(event, permit);
        match struck.latency {
            None => self.dispatch(invocation, struck.is_cold),
            Some(pause) => {
                // It goes on where nobody waits for it any more, as it does without the pause.
                let late = Arc::clone(self).dispatch_late(invocation, struck.is_cold, pause);
                self.host.tasks.spawn(late);
            }
        }
        replied.await.unwrap_or_else(|_| Err(lost()))
    }

    async fn dispatch_late(self: Arc<Self>, invocation: Invocation, is_cold: bool, pause: Pause) {
        tokio::select! {
            () = self.host.shutdown.cancelled() => {}
            () = pause.pass() => self.dispatch(invocation, is_cold),
        }
    }

    fn dispatch(self: &Arc<Self>, invocation: Invocation, is_cold: bool) {
        let dispatched = {
            let mut pool = self.pool.lock();
            if is_cold {
                Dispatched::Start(pool.dispatch_cold(invocation))
            } else {
                pool.dispatch(invocation)
            }
        };
        match dispatched {
            Dispatched::Assigned => {}
            Dispatched::Start(count) => self.start(count),
            Dispatched::Waits => self.waits.notify_one(),
        }
    }

    /// Looks after invocations that wait for an environment, until the simulator ends.
    pub(super) async fn look_after(self: Arc<Self>) {
        tokio::select! {
            () = self.host.shutdown.cancelled() => {}
            () = self.scale() => {}
            () = self.give_up() => {}
        }
    }

    /// Starts environments for those that have waited for others.
    async fn scale(self: &Arc<Self>) {
        let mut machine = Machine::default();
        loop {
            self.waits.notified().await;
            loop {
                let at = self.pool.lock().scale_at(Instant::now());
                let Some(at) = at else {
                    break;
                };
                sleep_until(at.into()).await;
                let now = Instant::now();
                let has_room = machine.has_room(now);
                let count = self.pool.lock().scale(now, has_room);
                self.start(count);
            }
        }
    }

    /// Throttles those that no environment took for too long.
    async fn give_up(&self) {
        loop {
            sleep(GIVE_UP_AGAIN_AFTER).await;
            let given_up = self.pool.lock().give_up(Instant::now());
            if !given_up.is_empty() {
                let (name, count) = (self.name(), given_up.len());
                warn!("{name}: throttled: no environment became free for {count} invocations");
            }
            for invocation in given_up {
                invocation.answer(Err(InvokeError::Throttled));
            }
        }
    }

    /// An environment asks for its next invocation, maybe for the first time. `None` where it is to end.
    pub(super) fn poll(
        self: &Arc<Self>,
        member: Member,
        ready: Ready,
        is_first: bool,
    ) -> Option<oneshot::Receiver<Invocation>> {
        let (receiver, count) = self.pool.lock().poll(member, ready, is_first);
        self.start(count);
        receiver
    }

    /// Takes an environment out of use, where so many of its polls wait.
    pub(super) fn retire(&self, id: u64, polls: usize) {
        self.pool.lock().retire(id, polls);
    }

    /// An environment has gone, maybe before it asked for an invocation.
    pub(super) fn ended(self: &Arc<Self>, id: u64, is_first: bool) {
        self.environments.lock().remove(&id);
        let count = self.pool.lock().ended(id, is_first);
        self.start(count);
    }

    /// Uses another program from now on: what runs already is done with its invocations first.
    pub(super) fn reload(&self, executable: PathBuf) {
        // In this order: an environment of the new version never runs the old program.
        *self.executable.lock() = executable;
        self.pool.lock().renew();
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
        if count == 0 || self.host.shutdown.is_cancelled() {
            return;
        }
        for _ in 0..count {
            let id = self.next_environment.fetch_add(1, Ordering::Relaxed);
            let version = self.pool.lock().version();
            let executable = self.executable.lock().clone();
            let member = Member { id, version };
            let environment = Arc::new(Environment::new(Arc::clone(self), member, executable));
            self.environments
                .lock()
                .insert(id, Arc::clone(&environment));
            self.host.tasks.spawn(life::run(environment));
        }
    }
}

/// An environment took the invocation and dropped it: its process closed the connection at that very moment.
fn lost() -> InvokeError {
    InvokeError::function(
        "Runtime.ExitError",
        "the environment ended before it could reply".to_owned(),
    )
}

/// Invocations that wait are looked at this often, whether they have waited too long.
const GIVE_UP_AGAIN_AFTER: Duration = Duration::from_secs(10);
