//! Puts the parts together: starts them in order, says where they are, and ends them in order.
//!
//! ```text
//! options ─▶ parts (ready, none is served) ─▶ running (all are served) ─▶ its end, in order
//! ```

mod cluster;
mod endpoints;
mod error;
mod functions;
mod listen;
mod parts;
mod running;

use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::{parts::Parts, running::Running};
use crate::{cli::Options, log::Log};

pub use self::{endpoints::Endpoints, error::StartError};

/// A running simulator. Dropping it begins its end, as [`Self::end`] does, and does not wait.
#[derive(Debug)]
pub struct Simulator {
    endpoints: Endpoints,
    stop: DropGuard,
    running: TaskTracker,
}

impl Simulator {
    /// Starts a simulator, and returns once it accepts clients. It logs on standard error.
    ///
    /// # Errors
    /// Where the contract or an option is wrong, an address is taken, a function cannot be built or run, or the
    /// cluster of `--kafka` cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let log = Log::start(options.log, options.quiet).map_err(StartError::Lambda)?;
        Self::start_with(options, log).await
    }

    /// Starts a simulator with this log.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(options: Options, log: Log) -> Result<Self, StartError> {
        let (parts, endpoints) = Parts::prepare(&options, log).await?;
        let running = Running::start(parts).await?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            stopped.cancelled().await;
            running.end().await;
        });
        tasks.close();
        Ok(Self {
            endpoints,
            stop: stop.drop_guard(),
            running: tasks,
        })
    }

    /// Where clients connect.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Closes connections and lets their `$disconnect`s run, commits what the mapping has done, ends the functions,
    /// and returns when nothing runs any more. Dropping the future does not stop that.
    pub async fn end(self) {
        drop(self.stop);
        self.running.wait().await;
    }
}
