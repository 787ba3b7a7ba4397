//! The public interface to all functions: invoke, reload, inspect and control.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    concurrency::Concurrency,
    configuration::{Configuration, Settings},
    environment::Environment,
    error::InvokeError,
    faults::Faults,
    fleet::Fleet,
    function::Function,
    history::{Change, History, Record},
    host::Host,
    invocation::Invoked,
    limits::EVENT_BYTES_MAX,
    log_sink::LogSink,
    process::guardian::Guardian,
    throttles::Throttles,
    view::View,
};

/// All functions of the simulated account and region.
#[derive(Debug)]
pub struct Lambda {
    functions: BTreeMap<String, Arc<Fleet>>,
    throttles: Throttles,
    host: Arc<Host>,
}

impl Lambda {
    /// Makes the functions ready to be invoked.
    ///
    /// Environments get their directories below `root`, each with a copy of its directory
    /// [`PACKAGE`](super::PACKAGE).
    ///
    /// # Errors
    /// If the functions reserve more concurrency than the account has, or the guardian process
    /// cannot be started.
    pub fn start(
        configurations: Vec<Configuration>,
        settings: Settings,
        root: PathBuf,
        log: Arc<dyn LogSink>,
    ) -> io::Result<Self> {
        let account = settings.account_concurrency;
        let unreserved = Concurrency::unreserved(&configurations, account)?;
        let host = Arc::new(Host {
            guardian: Guardian::start(&root)?,
            log,
            history: History::new(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            root,
            settings,
        });
        let functions = configurations.into_iter().map(|it| {
            let name = it.name.clone();
            let concurrency = Concurrency::of(&unreserved, &it);
            let function = Function::new(it, concurrency, Arc::clone(&host));
            let fleet = Arc::new(Fleet::new(function));
            host.tasks.spawn(Arc::clone(&fleet).manage());
            (name, fleet)
        });
        Ok(Self {
            functions: functions.collect(),
            throttles: Throttles::new(),
            host,
        })
    }

    /// Invokes a function and waits for its result.
    ///
    /// Dropping the future does not stop the function.
    ///
    /// Its `outcome` is an error if the function failed or did not run.
    pub async fn invoke(&self, function: &str, event: Bytes) -> Invoked {
        let Some(fleet) = self.functions.get(function) else {
            return Invoked::refused(InvokeError::NotFound);
        };
        let function = &fleet.function;
        if event.len() > EVENT_BYTES_MAX {
            let bytes = event.len();
            return Invoked::refused(InvokeError::TooLarge { bytes });
        }
        let faults = function.faults.any();
        if faults.is_some_and(Faults::throttle) {
            self.throttles
                .count(function.name(), &"a throttle fault is active");
            return Invoked::refused(InvokeError::Throttled);
        }
        let Some(permit) = function.concurrency.acquire() else {
            self.throttles.count(function.name(), &function.concurrency);
            return Invoked::refused(InvokeError::Throttled);
        };
        let injected = faults.map(Faults::inject).unwrap_or_default();
        fleet.invoke(event, permit, injected).await
    }

    /// Replaces a function's program. Invocations in progress finish with the old one.
    pub fn reload(&self, function: &str, executable: PathBuf) {
        if let Some(fleet) = self.functions.get(function) {
            fleet.reload(executable);
        }
    }

    /// Ends every process and waits until all have exited.
    pub async fn end(&self) {
        self.host.shutdown.cancel();
        self.host.tasks.close();
        self.host.tasks.wait().await;
    }
}

/// Starts the shutdown that [`Lambda::end`] waits for.
impl Drop for Lambda {
    fn drop(&mut self) {
        self.host.shutdown.cancel();
    }
}

/// Inspection and control for the console.
impl Lambda {
    /// Lists all environments.
    pub fn environments(&self) -> Vec<View> {
        self.all_environments().map(|it| it.view()).collect()
    }

    /// Lists the last invocations of one function or of all, the newest first.
    pub fn invocations(&self, function: Option<&str>, limit: usize) -> Vec<Arc<Record>> {
        self.host.history.last(function, limit)
    }

    /// Subscribes to all changes from now on. A slow receiver misses some.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.host.history.watch()
    }

    /// Kills all processes of an environment at once, without SIGTERM for an extension.
    ///
    /// Returns the ended environment, or `None` if no environment has this name.
    pub fn end_environment(&self, name: &str) -> Option<View> {
        let environment = self.environment(name)?;
        environment.kill();
        Some(environment.view().into_gone())
    }

    /// Stops all processes of an environment, even during an invocation.
    ///
    /// They stay stopped until [`Self::thaw_environment`], or until a current or new invocation
    /// times out, which kills the process; its successor runs. Returns the environment, or `None`
    /// if no environment has this name.
    pub fn freeze_environment(&self, name: &str) -> Option<View> {
        let environment = self.environment(name)?;
        environment.hold();
        Some(environment.view())
    }

    /// Undoes [`Self::freeze_environment`].
    ///
    /// Lambda's own freezing between invocations stays in effect. Returns the environment, or
    /// `None` if no environment has this name.
    pub fn thaw_environment(&self, name: &str) -> Option<View> {
        let environment = self.environment(name)?;
        environment.release();
        Some(environment.view())
    }

    /// The faults of a function, or `None` if there is no such function.
    pub fn faults(&self, function: &str) -> Option<&Faults> {
        self.functions.get(function).map(|it| &it.function.faults)
    }

    /// The names of all functions, in order.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// Thaws all environments and clears the list of invocations. Faults stay active.
    pub fn reset(&self) {
        for environment in self.all_environments() {
            environment.release();
        }
        self.host.history.clear();
    }

    fn all_environments(&self) -> impl Iterator<Item = Arc<Environment>> {
        self.functions.values().flat_map(|it| it.environments())
    }

    fn environment(&self, name: &str) -> Option<Arc<Environment>> {
        let (function, id) = name.rsplit_once('-')?;
        let environment = self
            .functions
            .get(function)?
            .environment(id.parse().ok()?)?;
        // `message-00` must not find `message-0`.
        (environment.name() == name).then_some(environment)
    }
}
