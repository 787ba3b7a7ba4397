//! Lambda: runs executables that speak the Runtime API, as Lambda runs them.
//!
//! ```text
//! invoke ─▶ function ─▶ pool (who is free? start one?) ─▶ environment ⇄ runtime_api ⇄ process
//!                                                            │  └─ life (one process after the other)
//!                                                            └─▶ output, platform ─▶ stderr; history
//! ```

mod configuration;
mod environment;
mod folder;
mod function;
mod history;
mod invocation;
mod life;
mod machine;
mod memory;
mod output;
mod platform;
mod pool;
mod process;
mod runtime_api;
mod variables;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

pub(crate) use self::{
    configuration::{Configuration, Settings},
    environment::View,
    folder::PACKAGE,
    history::{Change, Record},
    process::raise_descriptor_limit,
};
use self::{function::Function, history::History, invocation::Permits, process::Guardian};
use crate::stderr::Lines;

/// All functions of one account and region.
#[derive(Debug)]
pub(crate) struct Lambda {
    functions: BTreeMap<String, Arc<Function>>,
    account: Arc<Semaphore>,
    throttles: Throttles,
    host: Arc<Host>,
}

impl Lambda {
    /// Makes functions ready to be invoked. Their environments' folders are made in `root`, with a copy of what
    /// is in its folder [`PACKAGE`].
    ///
    /// # Errors
    /// Where the watch over their processes cannot be started.
    pub(crate) fn start(
        configurations: Vec<Configuration>,
        settings: Settings,
        root: PathBuf,
        lines: Lines,
    ) -> io::Result<Self> {
        let host = Arc::new(Host {
            guardian: Guardian::start(&root)?,
            lines,
            history: History::new(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            root,
            settings,
        });
        let functions = configurations.into_iter().map(|it| {
            let name = it.name.clone();
            let function = Arc::new(Function::new(it, Arc::clone(&host)));
            host.tasks.spawn(Arc::clone(&function).scale());
            (name, function)
        });
        Ok(Self {
            functions: functions.collect(),
            account: Arc::new(Semaphore::new(host.settings.account_concurrency)),
            throttles: Throttles::new(),
            host,
        })
    }

    /// For tests that invoke nothing.
    #[cfg(test)]
    pub(crate) fn without_functions(root: PathBuf) -> io::Result<Self> {
        Self::start(Vec::new(), Settings::sample(), root, Lines::start()?)
    }

    /// Invokes a function and waits for its result. Dropping the future does not stop the function.
    ///
    /// # Errors
    /// Where the function failed, or was not run at all.
    pub(crate) async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        let function = self.functions.get(function).ok_or(InvokeError::NotFound)?;
        if event.len() > PAYLOAD_BYTES_MAX {
            return Err(InvokeError::TooLarge);
        }
        let Some(permits) = Permits::acquire(&self.account, function.reserved()) else {
            self.throttles.count(function.name());
            return Err(InvokeError::Throttled);
        };
        function.invoke(event, permits).await
    }

    /// Uses another program for a function from now on. What the old one has begun it finishes.
    pub(crate) fn reload(&self, function: &str, executable: PathBuf) {
        if let Some(function) = self.functions.get(function) {
            function.reload(executable);
        }
    }

    /// Ends every process and waits until it has gone.
    pub(crate) async fn end(&self) {
        self.host.shutdown.cancel();
        self.host.tasks.close();
        self.host.tasks.wait().await;
    }
}

/// For who looks on, or interferes.
#[expect(dead_code, reason = "a console is to come")]
impl Lambda {
    /// The environments that there are.
    pub(crate) fn environments(&self) -> Vec<View> {
        let functions = self.functions.values();
        functions.flat_map(|it| it.environments()).collect()
    }

    /// The last invocations, of one function or of all, the newest first.
    pub(crate) fn invocations(&self, function: Option<&str>, limit: usize) -> Vec<Arc<Record>> {
        self.host.history.last(function, limit)
    }

    /// Every change from now on. Who is too slow misses some.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Change> {
        self.host.history.watch()
    }

    /// Ends an environment at once, whatever it does. Says whether there is one.
    pub(crate) fn end_environment(&self, function: &str, id: u64) -> bool {
        let function = self.functions.get(function);
        let environment = function.and_then(|it| it.environment(id));
        environment.inspect(|it| it.end()).is_some()
    }

    /// Has the next invocations of a function start cold: no environment of now is used again.
    pub(crate) fn start_cold(&self, function: &str) {
        if let Some(function) = self.functions.get(function) {
            function.renew();
        }
    }
}

/// Invocations that were throttled. A flood of them is said once a second, not once each.
#[derive(Debug)]
struct Throttles {
    started: Instant,
    count: AtomicU64,
    said_at_second: AtomicU64,
}

impl Throttles {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            count: AtomicU64::new(0),
            said_at_second: AtomicU64::new(0),
        }
    }

    fn count(&self, function: &str) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let second = self.started.elapsed().as_secs() + 1;
        if self.said_at_second.swap(second, Ordering::Relaxed) != second {
            warn!(
                "{function}: throttled: as many invocations are under way as there may be \
                 ({count} throttled so far)"
            );
        }
    }
}

/// What all functions share.
#[derive(Debug)]
struct Host {
    root: PathBuf,
    settings: Settings,
    guardian: Guardian,
    lines: Lines,
    history: History,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// Why an invocation has no payload.
#[derive(Debug, Clone, Error)]
pub(crate) enum InvokeError {
    /// The function threw, ended or took too long, in the words that Lambda reports.
    #[error("{error_type}: {message}")]
    Function {
        /// Lambda's or the function's word, for example `Runtime.ExitError`.
        error_type: String,
        /// For people.
        message: String,
    },
    /// As many invocations are under way as there may be.
    #[error("TooManyRequestsException: Rate Exceeded.")]
    Throttled,
    /// No function has this name.
    #[error("ResourceNotFoundException: Function not found")]
    NotFound,
    /// No function takes an event of this size.
    #[error("RequestTooLargeException: the event is larger than {PAYLOAD_BYTES_MAX} bytes")]
    TooLarge,
}

impl InvokeError {
    fn function(error_type: &str, message: String) -> Self {
        Self::Function {
            error_type: error_type.to_owned(),
            message,
        }
    }

    fn error_type(&self) -> &str {
        match self {
            Self::Function { error_type, .. } => error_type,
            Self::Throttled => "TooManyRequestsException",
            Self::NotFound => "ResourceNotFoundException",
            Self::TooLarge => "RequestTooLargeException",
        }
    }
}

/// A payload may be this long, in either direction.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;
