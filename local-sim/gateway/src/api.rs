//! The API and its stage: the state that all parts of the gateway share.

use std::sync::Arc;

use local_sim_lambda::Lambda;
use sluice_contract::{Contract, Route};
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    connection::{blackhole::Blackhole, registry::Registry, view::ConnectionChange},
    event::caller::{Request, Stage},
    faults::Faults,
    id::Ids,
    limits::{CHANGES_MAX, throttle::Throttle},
    log::{
        access_log::{AccessLog, AccessLogError},
        entry::Entry,
        warn_once::WarnOnce,
    },
    observer::{Event, Kind},
    options::Options,
    time::now_ms,
};

/// One API with one stage.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) stage: Stage,
    pub(crate) options: Options,
    pub(crate) contract: Contract,
    pub(crate) clock: Arc<Clock>,
    pub(crate) throttle: Throttle,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) ids: Ids,
    pub(crate) connections: Registry,
    pub(crate) blackhole: Blackhole,
    pub(crate) faults: Faults,
    pub(crate) changes: broadcast::Sender<ConnectionChange>,
    pub(crate) access_log: AccessLog,
    pub(crate) warn_once: WarnOnce,
    /// The tasks that shutdown waits for.
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

impl Api {
    /// Creates the API that a contract describes.
    ///
    /// # Errors
    /// The format of the access log is invalid or its file cannot be opened.
    pub(crate) fn new(
        contract: Contract,
        options: Options,
        lambda: Arc<Lambda>,
    ) -> Result<Self, AccessLogError> {
        let clock = Arc::new(Clock::default());
        let format = options.access_log_format.as_deref();
        Ok(Self {
            access_log: AccessLog::open(options.access_log.as_deref(), format)?,
            warn_once: WarnOnce::default(),
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
            blackhole: Blackhole::new(),
            faults: Faults::default(),
            changes: broadcast::Sender::new(CHANGES_MAX),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        })
    }

    /// Creates a request with a new id and the current time.
    pub(crate) fn request(&self) -> Request {
        let at = now_ms();
        Request {
            id: self.ids.request(at),
            at,
        }
    }

    /// Finds the route with this key, or `$default` if there is none.
    ///
    /// `selected` is the value of the route selection expression. A value that starts with `$`
    /// matches no route by its key, so a client cannot invoke a lifecycle route.
    pub(crate) fn find_route(&self, selected: &str) -> Option<(&str, &Route)> {
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

    /// Writes an event to the access log, and tells the observer.
    pub(crate) fn record(&self, entry: &Entry<'_>, kind: Kind<'_>) {
        self.access_log.write(entry);
        self.observe(&Event {
            kind,
            connection_id: entry.variables.caller.connection_id.as_str(),
            route_key: entry.variables.route_key,
            invocation: entry.steps.integration.invocation.as_ref(),
            status: entry.status,
            error: entry.error,
        });
    }

    /// Tells the observer, if there is one.
    pub(crate) fn observe(&self, event: &Event<'_>) {
        if let Some(observer) = &self.options.observer {
            observer.observe(event);
        }
    }

    /// Sends a change to the subscribers, if there are any.
    pub(crate) fn notify(&self, change: impl FnOnce() -> ConnectionChange) {
        if self.changes.receiver_count() > 0 {
            // Fails if the last subscriber has left in the meantime.
            let _ = self.changes.send(change());
        }
    }
}

/// An API id in API Gateway's format. It is constant, so that a record's `ce_source` is the same in
/// every run.
const API_ID: &str = "s1u1ce0sim";
