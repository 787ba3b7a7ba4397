//! The gateway as a whole: its start, its service and its end.

use std::sync::Arc;

use local_sim_lambda::Lambda;
use sluice_contract::Contract;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::Api, clock::Clock, limits::PENDING_MAX, listener, log::access_log::AccessLogError,
    options::Options,
};

/// API Gateway, with one API of one stage.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) api: Arc<Api>,
    /// One permit for each socket that is no WebSocket yet.
    permits: Arc<Semaphore>,
}

impl Gateway {
    /// Makes the API of a contract.
    ///
    /// # Errors
    /// The access log cannot be written.
    pub fn new(
        contract: Contract,
        options: Options,
        lambda: Arc<Lambda>,
    ) -> Result<Self, AccessLogError> {
        Ok(Self {
            api: Arc::new(Api::new(contract, options, lambda)?),
            permits: Arc::new(Semaphore::new(PENDING_MAX)),
        })
    }

    /// The clock of its timers.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.api.clock
    }

    /// Serves clients until `shutdown` is cancelled; then closes every connection, lets each `$disconnect` run, which
    /// may still ask `@connections`, and returns.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        // Sockets that are no connections end with this.
        let pending = TaskTracker::new();
        let cancelled = CancellationToken::new();
        let shut_down = async {
            shutdown.cancelled().await;
            self.api.shutdown.cancel();
            self.api.tasks.close();
            self.api.tasks.wait().await;
        };
        tokio::select! {
            () = shut_down => cancelled.cancel(),
            never = listener::accept(&self.api, &self.permits, &listener, &pending, &cancelled) => match never {},
        }
        pending.close();
        pending.wait().await;
        self.api.access_log.close().await;
    }
}
