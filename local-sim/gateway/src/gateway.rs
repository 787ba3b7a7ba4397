//! Starts, serves and shuts down the gateway.

use std::sync::Arc;

use local_sim_lambda::Lambda;
use sluice_contract::Contract;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::Api, clock::Clock, limits::PENDING_MAX, listener, log::access_log::AccessLogError,
    options::Options,
};

/// An API Gateway with one API that has one stage.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) api: Arc<Api>,
    /// One permit for each socket that is not a WebSocket (yet).
    permits: Arc<Semaphore>,
}

impl Gateway {
    /// Creates the API that a contract describes.
    ///
    /// # Errors
    /// The format of the access log is invalid or its file cannot be opened.
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

    /// The clock that the gateway's timers use.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.api.clock
    }

    /// Serves clients until `shutdown` is cancelled.
    ///
    /// On shutdown, closes every connection and waits for each `$disconnect` to finish.
    /// `@connections` stays available to them until then.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        // Cancels the sockets that are not WebSocket connections.
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
