//! The gateway: API Gateway's WebSocket APIs, as seen by clients and by functions.
//!
//! ```text
//! socket ─head▶ handshake ─$connect▶ connection ─route▶ integration ─▶ reply or error frame
//!           └──▶ management (@connections)   └─close─▶ $disconnect
//! ```
//!
//! Of Lambda it knows only how to invoke a function with an event.

mod clock;
mod close;
mod connection;
mod event;
mod frames;
mod handshake;
mod head;
mod id;
mod integration;
mod limits;
mod listener;
mod management;
mod message;
mod options;
mod refusal;
mod registry;
mod signature;
mod throttle;
mod time;

use std::sync::Arc;

use bytes::Bytes;
use sluice_contract::{Contract, Route};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use self::{
    event::{Request, Stage},
    id::Ids,
    integration::{Failure, Reply},
    registry::Registry,
    throttle::Throttle,
    time::now_ms,
};
use crate::lambda::{InvokeError, Lambda};

pub(crate) use self::{
    clock::Clock,
    options::{ConnectionsAuth, InvalidUtf8, Options, PlainGet},
};

/// One API with one stage.
#[derive(Debug)]
pub(crate) struct Gateway {
    stage: Stage,
    options: Options,
    contract: Contract,
    clock: Arc<Clock>,
    throttle: Throttle,
    lambda: Arc<Lambda>,
    ids: Ids,
    connections: Registry,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// An API id as API Gateway makes them; constant, so that a record's `ce_source` is the same in every run.
const API_ID: &str = "s1u1ce0sim";

impl Gateway {
    /// Makes the API of a contract.
    pub(crate) fn new(contract: Contract, options: Options, lambda: Arc<Lambda>) -> Self {
        let clock = Arc::new(Clock::new());
        Self {
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
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// The clock of its timers.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Serves clients until `shutdown` is cancelled; then closes every connection, lets each `$disconnect` run
    /// and returns.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            never = listener::accept(&self, &listener) => match never {},
        }
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
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

    /// Invokes a route's function, and reads its reply.
    ///
    /// A function that outlives the integration's timeout runs on; its reply is lost.
    async fn integrate(&self, route: &Route, event: Bytes) -> Result<Reply, IntegrationError> {
        let payload = timeout(route.timeout, self.lambda.invoke(&route.function, event))
            .await
            .map_err(|_| IntegrationError::TimedOut)?
            .map_err(IntegrationError::Invoke)?;
        Reply::parse(&payload).map_err(IntegrationError::Malformed)
    }
}

/// Why a function's reply is missing.
#[derive(Debug)]
enum IntegrationError {
    TimedOut,
    Invoke(InvokeError),
    Malformed(serde_json::Error),
}

impl IntegrationError {
    /// Says on the log what happened, for the developer; the client learns little.
    fn log(&self, function: &str) {
        match self {
            Self::TimedOut => warn!("{function}: no reply within the integration's timeout"),
            Self::Invoke(error @ InvokeError::Throttled) => debug!("{function}: {error}"),
            Self::Invoke(error) => warn!("{function}: {error}"),
            Self::Malformed(error) => warn!(
                "{function}: malformed proxy reply: {error}; expected {{\"statusCode\":…}} with nothing but \
                 headers, multiValueHeaders, body (a string) and isBase64Encoded beside it"
            ),
        }
    }

    /// What the sender of a message is told.
    fn failure(&self) -> Failure {
        match self {
            Self::TimedOut => Failure::EndpointRequestTimedOut,
            Self::Invoke(_) | Self::Malformed(_) => Failure::InternalServerError,
        }
    }

    /// The status of a handshake whose `$connect` ended so.
    fn handshake_status(&self) -> u16 {
        match self {
            Self::TimedOut => 504,
            Self::Invoke(InvokeError::Throttled) => 500,
            Self::Invoke(_) | Self::Malformed(_) => 502,
        }
    }
}
