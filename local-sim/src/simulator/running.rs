//! The running parts of the simulator, and their end.

use std::{sync::Arc, time::Duration};

use local_sim_console::{self as console, Console, FaultControl as _};
use local_sim_lambda::Lambda;
use tempfile::TempDir;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{error::StartError, parts::Parts};
use crate::faults::Switchboard;

/// All running parts.
pub(super) struct Running {
    lambda: Arc<Lambda>,
    gateway: Service,
    mapping: Service,
    broker: Service,
    console: Service,
    watch: JoinSet<()>,
    _task_root: TempDir,
}

impl Running {
    /// Serves all parts, the gateway last.
    ///
    /// # Errors
    /// The event source mapping cannot read its topics.
    pub(super) async fn start(parts: Parts) -> Result<Self, StartError> {
        let control = parts.cluster.embedded.as_ref().map(|it| it.control());
        let mut broker = Service::default();
        if let Some(embedded) = parts.cluster.embedded {
            broker.spawn(|stop| embedded.serve(stop));
        }
        let mut mapping = Service::default();
        if let Some(subscription) = parts.subscription {
            let started = subscription.start().await?;
            let lambda = Arc::clone(&parts.lambda);
            mapping.spawn(|stop| started.serve(lambda, stop));
        }
        let mut watch = JoinSet::new();
        if let Some(it) = parts.watch {
            watch.spawn(it.run());
        }
        let switchboard = Switchboard::new(
            Arc::clone(&parts.lambda),
            Arc::clone(&parts.gateway),
            control.clone(),
            parts.faults,
        );
        // The faults are in force before the first client connects, and do not delay the start.
        switchboard.reset();
        let controls = Console::new(
            Arc::clone(&parts.gateway),
            Arc::clone(&parts.lambda),
            control,
            Box::new(switchboard),
        );
        let mut console = Service::default();
        console.spawn(|stop| console::serve(controls, parts.console, stop));
        let mut gateway = Service::default();
        gateway.spawn(|stop| parts.gateway.serve(parts.listener, stop));
        Ok(Self {
            lambda: parts.lambda,
            gateway,
            mapping,
            broker,
            console,
            watch,
            _task_root: parts.task_root,
        })
    }

    /// Ends in order: the gateway and the mapping, which invoke functions, then Lambda, the broker and the console.
    pub(super) async fn end(mut self) {
        drop(self.watch);
        let deadline = Instant::now() + SHUTDOWN_MAX;
        let (disconnected, pushed) =
            tokio::join!(self.gateway.end_by(deadline), self.mapping.end_by(deadline));
        if !disconnected {
            warn!("shutdown timed out: some $disconnect functions did not run");
        }
        if !pushed {
            warn!("shutdown timed out: unfinished batches will be redelivered");
        }
        self.lambda.end().await;
        self.broker.end().await;
        self.console.end().await;
    }
}

/// A part that is served, or nothing.
#[derive(Default)]
struct Service {
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl Service {
    /// Serves until the token is cancelled.
    fn spawn<F>(&mut self, serve: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.serving.spawn(serve(self.stop.clone()));
    }

    async fn end(&mut self) {
        self.stop.cancel();
        self.serving.join_next().await;
    }

    /// Ends it, and returns whether it ended by the deadline.
    async fn end_by(&mut self, deadline: Instant) -> bool {
        timeout_at(deadline, self.end()).await.is_ok()
    }
}

/// How long connections may take to close and `$disconnect` to run, before functions are killed.
const SHUTDOWN_MAX: Duration = Duration::from_millis(2200);
