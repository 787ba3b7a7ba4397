//! Lambda: runs executables that speak the Runtime API, one process for each invocation under way.
//!
//! ```text
//! invoke ─▶ function (who is free? start one?) ─▶ environment (a process) ⇄ runtime_api (its HTTP)
//! ```

mod environment;
mod function;
mod process;
mod runtime_api;
mod variables;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use self::{
    function::{Function, Permits},
    process::Guardian,
};

pub(crate) use self::process::raise_descriptor_limit;

/// What there is to know of a function before it runs.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// As the contract names it.
    pub(crate) name: String,
    /// The program: Lambda's `bootstrap`.
    pub(crate) executable: PathBuf,
    /// How long an invocation may take.
    pub(crate) timeout: Duration,
    /// Megabytes. The function is told; nothing is enforced.
    pub(crate) memory_size: u32,
    /// How many invocations may be under way.
    pub(crate) reserved_concurrent_executions: Option<u32>,
    /// The user's variables, which win over Lambda's own.
    pub(crate) environment: Vec<(String, String)>,
}

/// All functions of one account and region.
#[derive(Debug)]
pub(crate) struct Lambda {
    functions: HashMap<String, Arc<Function>>,
    account: Arc<Semaphore>,
    throttles: Throttles,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Lambda {
    /// Makes functions ready to be invoked. `task_root` is their working directory, the package as it would be
    /// unpacked on Lambda.
    ///
    /// # Errors
    /// Where the watch over their processes cannot be started.
    pub(crate) fn start(
        configurations: Vec<Configuration>,
        task_root: PathBuf,
    ) -> io::Result<Self> {
        let guardian = Arc::new(Guardian::start(&task_root)?);
        let tasks = TaskTracker::new();
        let shutdown = CancellationToken::new();
        let host = Arc::new(Host {
            task_root,
            guardian,
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        });
        let functions = configurations
            .into_iter()
            .map(|it| {
                (
                    it.name.clone(),
                    Arc::new(Function::new(it, Arc::clone(&host))),
                )
            })
            .collect();
        Ok(Self {
            functions,
            account: Arc::new(Semaphore::new(ACCOUNT_CONCURRENCY)),
            throttles: Throttles::new(),
            tasks,
            shutdown,
        })
    }

    /// Invokes a function and waits for its result. Dropping the future does not stop the function.
    ///
    /// # Errors
    /// Where the function failed, or was not run at all.
    pub(crate) async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        let function = self.functions.get(function).ok_or(InvokeError::NotFound)?;
        let Some(permits) = Permits::acquire(&self.account, function.reserved()) else {
            self.throttles.count(&function.configuration.name);
            return Err(InvokeError::Throttled);
        };
        function.invoke(event, permits).await
    }

    /// Ends every process and waits until it has gone.
    pub(crate) async fn end(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
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
    task_root: PathBuf,
    guardian: Arc<Guardian>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// Why an invocation has no payload.
#[derive(Debug, Error)]
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
}

impl InvokeError {
    fn function(error_type: &str, message: String) -> Self {
        Self::Function {
            error_type: error_type.to_owned(),
            message,
        }
    }
}

/// Invocations that may be under way in an account and region: Lambda's default quota.
const ACCOUNT_CONCURRENCY: usize = 1000;
