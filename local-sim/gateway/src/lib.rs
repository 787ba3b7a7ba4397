//! The gateway: API Gateway's WebSocket APIs, as seen by clients and by functions.
//!
//! ```text
//! socket ─head▶ handshake ─authorizer▶ $connect ─▶ connection ─route▶ integration ─▶ reply or error frame
//!           └──▶ management (@connections)            └─close─▶ $disconnect
//! ```
//!
//! Of Lambda it knows only how to invoke a function with an event. `control` is for who looks on, or interferes.

mod access_log;
mod authorizer;
mod clock;
mod close;
mod connection;
mod control;
mod domain;
mod event;
mod faults;
mod frames;
mod handshake;
mod head;
mod hints;
mod id;
mod integration;
mod lenient;
mod limits;
mod listener;
mod management;
mod message;
mod options;
mod outbound;
mod patience;
mod principal;
mod refusal;
mod registry;
mod reply;
#[cfg(test)]
mod sample;
mod signature;
mod throttle;
mod time;
mod timers;
mod unplugged;
mod variables;

use std::sync::Arc;

use sluice_contract::{Contract, Route};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, broadcast},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    access_log::AccessLog,
    event::{Request, Stage},
    faults::Faults,
    hints::Hints,
    id::Ids,
    limits::{CHANGES_MAX, PENDING_MAX},
    registry::Registry,
    throttle::Throttle,
    time::now_ms,
    unplugged::Unplugged,
};
use local_sim_lambda::Lambda;

pub use self::{
    access_log::AccessLogError,
    clock::Clock,
    control::{ConnectionChange, View},
    faults::Reorder,
    limits::REORDER_MAX,
    options::{AuthorizerContext, ConnectionsAuth, InvalidUtf8, JsonReading, Options, PlainGet},
    patience::Patience,
};

/// One API with one stage.
#[derive(Debug)]
pub struct Gateway {
    stage: Stage,
    options: Options,
    contract: Contract,
    clock: Arc<Clock>,
    throttle: Throttle,
    lambda: Arc<Lambda>,
    ids: Ids,
    connections: Registry,
    unplugged: Unplugged,
    faults: Faults,
    changes: broadcast::Sender<ConnectionChange>,
    access_log: AccessLog,
    hints: Hints,
    /// A place for each socket that is no WebSocket yet.
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// An API id as API Gateway makes them; constant, so that a record's `ce_source` is the same in every run.
const API_ID: &str = "s1u1ce0sim";

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
        let clock = Arc::new(Clock::default());
        let format = options.access_log_format.as_deref();
        Ok(Self {
            access_log: AccessLog::open(options.access_log.as_deref(), format)?,
            hints: Hints::default(),
            stage: Stage {
                api_id: API_ID.to_owned(),
                name: options.stage.clone(),
                variables: contract.stage.variables.clone(),
            },
            throttle: Throttle::new(&contract, options.account_quotas, Arc::clone(&clock)),
            options,
            contract,
            clock,
            lambda,
            ids: Ids::new(),
            connections: Registry::default(),
            unplugged: Unplugged::new(),
            faults: Faults::default(),
            changes: broadcast::Sender::new(CHANGES_MAX),
            places: Arc::new(Semaphore::new(PENDING_MAX)),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        })
    }

    /// The clock of its timers.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Serves clients until `shutdown` is cancelled; then closes every connection, lets each `$disconnect` run, which
    /// may still ask `@connections`, and returns.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        // Sockets that are no connections end with this.
        let pending = TaskTracker::new();
        let over = CancellationToken::new();
        let ending = async {
            shutdown.cancelled().await;
            self.shutdown.cancel();
            self.tasks.close();
            self.tasks.wait().await;
        };
        tokio::select! {
            () = ending => over.cancel(),
            never = listener::accept(&self, &listener, &pending, &over) => match never {},
        }
        pending.close();
        pending.wait().await;
        self.access_log.close().await;
    }

    /// Takes note that a client did something now.
    fn request(&self) -> Request {
        let at = now_ms();
        Request {
            id: self.ids.request(at),
            at,
        }
    }

    /// Finds the route for what the route selection expression said, or `$default`.
    ///
    /// A client cannot name a lifecycle route: what begins with `$` never matches.
    fn select(&self, selected: &str) -> Option<(&str, &Route)> {
        let routes = &self.contract.routes;
        let named = if selected.starts_with('$') {
            None
        } else {
            routes.get_key_value(selected)
        };
        named
            .or_else(|| routes.get_key_value("$default"))
            .map(|(key, route)| (key.as_str(), route))
    }
}
