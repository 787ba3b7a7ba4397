//! Lambda: runs executables that speak the Runtime API, as Lambda runs them.
//!
//! ```text
//! invoke ─▶ function ─▶ pool (who is free? start one?) ─▶ environment ⇄ runtime_api ⇄ process
//!   └─ troubles                                              │  └─ life (one process after the other)
//!                                                            └─▶ output, platform ─▶ stderr; history
//! ```

mod account;
mod concurrency;
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
mod stderr;
mod troubles;
mod variables;

use std::{
    collections::BTreeMap,
    fmt, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

pub use self::{
    account::{ACCESS_KEY_ID, ACCOUNT_ID, REGION, SECRET_ACCESS_KEY},
    configuration::{Configuration, Settings},
    environment::View,
    folder::PACKAGE,
    history::{Change, Record},
    process::raise_descriptor_limit,
    stderr::Lines,
    troubles::{LATENCY_MAX, Troubles},
};
use self::{
    concurrency::Concurrency, environment::Environment, function::Function, history::History,
    process::Guardian,
};

/// All functions of one account and region.
#[derive(Debug)]
pub struct Lambda {
    functions: BTreeMap<String, Arc<Function>>,
    throttles: Throttles,
    host: Arc<Host>,
}

impl Lambda {
    /// Makes functions ready to be invoked. Their environments' folders are made in `root`, with a copy of what
    /// is in its folder [`PACKAGE`].
    ///
    /// # Errors
    /// Where they reserve more than there is, or the watch over their processes cannot be started.
    pub fn start(
        configurations: Vec<Configuration>,
        settings: Settings,
        root: PathBuf,
        lines: Lines,
    ) -> io::Result<Self> {
        let account = settings.account_concurrency;
        let unreserved = Concurrency::unreserved(&configurations, account)?;
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
            let concurrency = Concurrency::of(&unreserved, &it);
            let function = Arc::new(Function::new(it, concurrency, Arc::clone(&host)));
            host.tasks.spawn(Arc::clone(&function).look_after());
            (name, function)
        });
        Ok(Self {
            functions: functions.collect(),
            throttles: Throttles::new(),
            host,
        })
    }

    /// Invokes a function and waits for its result. Dropping the future does not stop the function.
    ///
    /// # Errors
    /// Where the function failed, or was not run at all.
    pub async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        let function = self.functions.get(function).ok_or(InvokeError::NotFound)?;
        if event.len() > EVENT_BYTES_MAX {
            let bytes = event.len();
            return Err(InvokeError::TooLarge { bytes });
        }
        let troubles = function.troubles.any();
        if troubles.is_some_and(Troubles::throttle) {
            self.throttles.count(function.name(), &"as was asked for");
            return Err(InvokeError::Throttled);
        }
        let Some(permit) = function.concurrency.acquire() else {
            self.throttles.count(function.name(), &function.concurrency);
            return Err(InvokeError::Throttled);
        };
        let struck = troubles.map(Troubles::strike).unwrap_or_default();
        function.invoke(event, permit, struck).await
    }

    /// Uses another program for a function from now on. What the old one has begun it finishes.
    pub fn reload(&self, function: &str, executable: PathBuf) {
        if let Some(function) = self.functions.get(function) {
            function.reload(executable);
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
    pub fn troubles(&self, function: &str) -> Option<&Troubles> {
        self.functions.get(function).map(|it| &it.troubles)
    }

    /// The names of all functions, in order.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// Has what was stopped on demand go on, and forgets the invocations so far. Troubles stay as they are.
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

    fn count(&self, function: &str, why: &dyn fmt::Display) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let second = self.started.elapsed().as_secs() + 1;
        if self.said_at_second.swap(second, Ordering::Relaxed) != second {
            warn!("{function}: throttled: {why} ({count} throttled so far)");
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
pub enum InvokeError {
    /// The function threw, ended or took too long, in the words that Lambda reports.
    #[error("{error_type}: {}", Cut(message))]
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
    #[error(
        "RequestTooLargeException: an event of {bytes} bytes, expected at most {EVENT_BYTES_MAX}"
    )]
    TooLarge {
        /// Of the event.
        bytes: usize,
    },
}

impl InvokeError {
    fn function(error_type: &str, message: String) -> Self {
        Self::Function {
            error_type: error_type.to_owned(),
            message,
        }
    }

    /// Lambda's or the function's word for it.
    pub fn error_type(&self) -> &str {
        match self {
            Self::Function { error_type, .. } => error_type,
            Self::Throttled => "TooManyRequestsException",
            Self::NotFound => "ResourceNotFoundException",
            Self::TooLarge { .. } => "RequestTooLargeException",
        }
    }

    /// What it says for people, without its type.
    pub fn message(&self) -> String {
        if let Self::Function { message, .. } = self {
            return message.clone();
        }
        let text = self.to_string();
        let message = text.strip_prefix(self.error_type());
        let message = message.and_then(|rest| rest.strip_prefix(": "));
        message.unwrap_or(&text).to_owned()
    }
}

/// A message of a function, which may be as long as a reply, in a line of the log.
struct Cut<'a>(&'a str);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(message) = self;
        if message.len() <= MESSAGE_LOGGED_BYTES_MAX {
            return f.write_str(message);
        }
        let end = message.floor_char_boundary(MESSAGE_LOGGED_BYTES_MAX);
        write!(f, "{}… ({} bytes)", &message[..end], message.len())
    }
}

/// An event may be this long …
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;
/// … and a reply a little longer.
const REPLY_BYTES_MAX: usize = EVENT_BYTES_MAX + 100;
/// So much is logged of what a function says of its failure.
const MESSAGE_LOGGED_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests;
