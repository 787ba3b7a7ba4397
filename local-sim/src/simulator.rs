//! Starts the parts in order, and ends them in order.
//!
//! ```text
//! options ─▶ parts (ready, not served) ─▶ running (served) ─▶ end
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

/// A running simulator. Dropping it starts its end, like [`Self::end`], without waiting.
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
    /// The contract or an option is invalid, an address is taken, a function cannot be built or run, or the cluster
    /// of `--kafka` is not usable.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let log = Log::start(options.log, options.quiet).map_err(StartError::Log)?;
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

    /// The endpoints that clients connect to.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Closes connections, runs each `$disconnect`, commits the mapping's offsets, ends the functions, and returns once
    /// everything has ended. Dropping the future does not stop that.
    pub async fn end(self) {
        drop(self.stop);
        self.running.wait().await;
    }
}
