//! All functions, and what can be asked of them.

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

/// All functions of one account and region.
#[derive(Debug)]
pub struct Lambda {
    functions: BTreeMap<String, Arc<Fleet>>,
    throttles: Throttles,
    host: Arc<Host>,
}

impl Lambda {
    /// Makes functions ready to be invoked. Their environments' folders are made in `root`, with a copy of what
    /// is in its folder [`PACKAGE`](super::PACKAGE).
    ///
    /// # Errors
    /// Where they reserve more than there is, or the watch over their processes cannot be started.
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
            host.tasks.spawn(Arc::clone(&fleet).look_after());
            (name, fleet)
        });
        Ok(Self {
            functions: functions.collect(),
            throttles: Throttles::new(),
            host,
        })
    }

    /// Invokes a function and waits for its result. Dropping the future does not stop the function.
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
            self.throttles.count(function.name(), &"as was asked for");
            return Invoked::refused(InvokeError::Throttled);
        }
        let Some(permit) = function.concurrency.acquire() else {
            self.throttles.count(function.name(), &function.concurrency);
            return Invoked::refused(InvokeError::Throttled);
        };
        let struck = faults.map(Faults::strike).unwrap_or_default();
        fleet.invoke(event, permit, struck).await
    }

    /// Uses another program for a function from now on. What the old one has begun it finishes.
    pub fn reload(&self, function: &str, executable: PathBuf) {
        if let Some(fleet) = self.functions.get(function) {
            fleet.reload(executable);
        }
    }

    /// Ends every process and waits until it has gone.
    pub async fn end(&self) {
        self.host.shutdown.cancel();
        self.host.tasks.close();
        self.host.tasks.wait().await;
    }
}

/// Begins what [`Lambda::end`] does, and does not wait.
impl Drop for Lambda {
    fn drop(&mut self) {
        self.host.shutdown.cancel();
    }
}

/// Inspection and control for the console.
impl Lambda {
    /// The environments that there are.
    pub fn environments(&self) -> Vec<View> {
        self.all_environments().map(|it| it.view()).collect()
    }

    /// The last invocations, of one function or of all, the newest first.
    pub fn invocations(&self, function: Option<&str>, limit: usize) -> Vec<Arc<Record>> {
        self.host.history.last(function, limit)
    }

    /// Every change from now on. Who is too slow misses some.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.host.history.watch()
    }

    /// Kills all processes of the environment of this name, whatever they do; an extension is not told. Shows what is
    /// then to be seen of it; `None` where there is none.
    pub fn end_environment(&self, name: &str) -> Option<View> {
        let environment = self.environment(name)?;
        environment.end_at_once();
        Some(environment.view().into_gone())
    }

    /// Stops all processes of the environment of this name, whatever they do, until [`Self::thaw_environment`]. An
    /// invocation that it has, or gets, waits until its timeout, which ends the process: the next one runs. Shows what
    /// is then to be seen of it; `None` where there is none.
    pub fn freeze_environment(&self, name: &str) -> Option<View> {
        let environment = self.environment(name)?;
        environment.hold();
        Some(environment.view())
    }

    /// Has the environment of this name go on, or be frozen between invocations only. Shows what is then to be seen of
    /// it; `None` where there is none.
    pub fn thaw_environment(&self, name: &str) -> Option<View> {
        let environment = self.environment(name)?;
        environment.release();
        Some(environment.view())
    }

    /// What is to go wrong with a function's invocations; `None` where there is no such function.
    pub fn faults(&self, function: &str) -> Option<&Faults> {
        self.functions.get(function).map(|it| &it.function.faults)
    }

    /// The names of all functions, in order.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// Has what was stopped on demand go on, and forgets the invocations so far. Faults stay in force.
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
        // A number can be written in more ways than one.
        (environment.name() == name).then_some(environment)
    }
}
