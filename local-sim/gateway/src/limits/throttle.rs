//! Throttling: the token buckets of the account, the stage and its routes.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-protect.html>

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sluice_contract::{Contract, Throttling};
use tracing::warn;

use crate::{
    clock::Clock,
    limits::{
        ACCOUNT_BURST, ACCOUNT_CONNECTIONS_PER_SECOND, ACCOUNT_REQUESTS_PER_SECOND, bucket::Bucket,
    },
};

/// The token buckets of the API. A request takes one token from each bucket that applies to it, or
/// none at all.
///
/// The stage's limits are the default for its routes. A route with its own limits uses only those.
/// All other routes share the stage's bucket.
#[derive(Debug)]
pub(crate) struct Throttle {
    clock: Arc<Clock>,
    /// The account quota for new connections.
    connections: Option<Mutex<Bucket>>,
    /// The account quota for requests: connects, messages and callbacks.
    account: Option<Mutex<Bucket>>,
    /// Connects and messages of all routes that have no bucket of their own.
    stage: Option<Mutex<Bucket>>,
    routes: HashMap<String, Mutex<Bucket>>,
    throttle_log: Mutex<ThrottleLog>,
}

impl Throttle {
    /// Creates the buckets for the contract's limits and, with `account_quotas`, for the account.
    pub(crate) fn new(contract: &Contract, account_quotas: bool, clock: Arc<Clock>) -> Self {
        let now = clock.now();
        let bucket = |(rate, burst): (f64, u32)| Mutex::new(Bucket::new(rate, burst.into(), now));
        let account = |rate: u32, burst| account_quotas.then(|| bucket((rate.into(), burst)));
        let routes = contract
            .routes
            .iter()
            .filter_map(|(key, route)| Some((key.clone(), bucket(limits(&route.throttling)?))));
        Self {
            connections: account(
                ACCOUNT_CONNECTIONS_PER_SECOND,
                ACCOUNT_CONNECTIONS_PER_SECOND,
            ),
            account: account(ACCOUNT_REQUESTS_PER_SECOND, ACCOUNT_BURST),
            stage: limits(&contract.stage.throttling).map(bucket),
            routes: routes.collect(),
            clock,
            throttle_log: Mutex::default(),
        }
    }

    /// Takes the tokens for a handshake.
    ///
    /// # Errors
    /// A bucket is empty. The caller must refuse the handshake with 429.
    pub(crate) fn connect(&self) -> Result<(), Throttled> {
        self.take([
            (Limit::Connections, self.connections.as_ref()),
            (Limit::Account, self.account.as_ref()),
            self.of_route(Some("$connect")),
        ])
    }

    /// Takes the tokens for a message. `route_key` is `None` if no route matches the message.
    ///
    /// Logs throttled messages, at most once per second.
    ///
    /// # Errors
    /// A bucket is empty. The caller must not invoke the function.
    pub(crate) fn message(&self, route_key: Option<&str>) -> Result<(), Throttled> {
        self.take([
            (Limit::Account, self.account.as_ref()),
            self.of_route(route_key),
        ])
        .inspect_err(|throttled| self.log(throttled))
    }

    /// Takes the token for a request to `@connections`. Only the account quota applies to it.
    ///
    /// # Errors
    /// The bucket is empty. The caller must refuse the request with 429.
    pub(crate) fn callback(&self) -> Result<(), Throttled> {
        self.take([(Limit::Account, self.account.as_ref())])
    }

    /// The bucket of a route: its own if it has one, else the stage's.
    fn of_route<'a>(&'a self, route_key: Option<&'a str>) -> LimitBucket<'a> {
        match route_key.and_then(|key| Some((key, self.routes.get(key)?))) {
            Some((key, own)) => (Limit::Route(key), Some(own)),
            None => (Limit::Stage, self.stage.as_ref()),
        }
    }

    /// Takes one token from each bucket, or none at all.
    ///
    /// All callers pass the buckets in the order of [`Limit`], which rules out deadlocks.
    fn take<const N: usize>(&self, buckets: [LimitBucket<'_>; N]) -> Result<(), Throttled> {
        if buckets.iter().all(|(_, bucket)| bucket.is_none()) {
            return Ok(());
        }
        let mut locked = buckets.map(|(limit, bucket)| (limit, bucket.map(Mutex::lock)));
        let now = self.clock.now();
        for (limit, bucket) in &mut locked {
            if let Some(bucket) = bucket
                && !bucket.has_token(now)
            {
                return Err(Throttled(format!("{limit} allows {}", **bucket)));
            }
        }
        for bucket in locked.iter_mut().filter_map(|(_, bucket)| bucket.as_mut()) {
            bucket.take();
        }
        Ok(())
    }

    fn log(&self, throttled: &Throttled) {
        let due = self.throttle_log.lock().count();
        if let Some(count) = due {
            warn!("message {throttled} ({count} messages throttled so far)");
        }
    }
}

/// A limit and its bucket; `None` if the limit is not set.
type LimitBucket<'a> = (Limit<'a>, Option<&'a Mutex<Bucket>>);

/// Rate and burst, if at least one of them is set. The other one defaults to the account's.
fn limits(given: &Throttling) -> Option<(f64, u32)> {
    if given == &Throttling::default() {
        return None;
    }
    let account = || ACCOUNT_REQUESTS_PER_SECOND.into();
    let rate = given.rate_limit.unwrap_or_else(account);
    Some((rate, given.burst_limit.unwrap_or(ACCOUNT_BURST)))
}

/// The limits, in the order in which their buckets are locked.
#[derive(Debug, Clone, Copy)]
enum Limit<'a> {
    Connections,
    Account,
    Stage,
    Route(&'a str),
}

impl fmt::Display for Limit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connections => f.write_str("the account quota for new connections"),
            Self::Account => f.write_str("the account quota for requests"),
            Self::Stage => f.write_str("the stage"),
            Self::Route(key) => write!(f, "route {key}"),
        }
    }
}

/// A throttled request. The text names the exceeded limit for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Throttled(String);

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "throttled: {}", self.0)
    }
}

/// Counts throttled messages and limits how often they are logged.
#[derive(Debug, Default)]
struct ThrottleLog {
    count: u64,
    logged_at: Option<Instant>,
}

impl ThrottleLog {
    /// Counts one more message; returns the sum if it is time to log it.
    fn count(&mut self) -> Option<u64> {
        self.count += 1;
        let now = Instant::now();
        let is_due = self.logged_at.is_none_or(|at| now - at >= LOG_PAUSE);
        is_due.then(|| {
            self.logged_at = Some(now);
            self.count
        })
    }
}

/// The minimum time between two log lines about throttled messages.
const LOG_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(contract: &str, account_quotas: bool) -> (Throttle, Arc<Clock>) {
        let text = format!("routeSelectionExpression: $request.body.action\n{contract}");
        let contract = Contract::parse("gateway.yaml", &text).expect("a contract");
        let clock = Arc::new(Clock::default());
        (
            Throttle::new(&contract, account_quotas, Arc::clone(&clock)),
            clock,
        )
    }

    /// How many times in a row `take` succeeds, up to [`TRIES`].
    fn check(take: impl Fn() -> Result<(), Throttled>) -> usize {
        (0..TRIES).take_while(|_| take().is_ok()).count()
    }

    const TRIES: usize = 20_000;

    /// With a rate of 0 no bucket refills, however long a test takes.
    const CONTRACT: &str = "
routes:
  $connect: { function: f, throttlingRateLimit: 0, throttlingBurstLimit: 2 }
  chat: { function: f, throttlingRateLimit: 0, throttlingBurstLimit: 3 }
  $default: { function: f }
stage: { throttlingRateLimit: 0, throttlingBurstLimit: 9 }
";

    #[test]
    fn a_route_with_its_own_limits_does_not_use_the_stages_bucket() {
        let (throttle, _) = throttle(CONTRACT, false);
        assert_eq!(check(|| throttle.connect()), 2);
        assert_eq!(check(|| throttle.message(Some("chat"))), 3);
        // The stage's bucket, which all other routes share, is still full.
        assert_eq!(check(|| throttle.message(Some("$default"))), 9);
        assert_eq!(check(|| throttle.message(None)), 0);
        assert_eq!(check(|| throttle.callback()), TRIES);
        let refused = |route_key| throttle.message(route_key).unwrap_err().to_string();
        assert_eq!(
            refused(Some("chat")),
            "throttled: route chat allows 0 per second with a burst of 3"
        );
        assert_eq!(
            refused(Some("$default")),
            "throttled: the stage allows 0 per second with a burst of 9"
        );
    }

    #[test]
    fn without_limits_nothing_is_throttled() {
        let (throttle, _) = throttle("routes: { $default: { function: f } }", false);
        assert_eq!(check(|| throttle.connect()), TRIES);
        assert_eq!(check(|| throttle.message(Some("$default"))), TRIES);
    }

    #[test]
    fn connects_messages_and_callbacks_share_the_account_quota() {
        let (throttle, clock) = throttle("routes: { $default: { function: f } }", true);
        // The bucket refills while the test runs, so slightly more than the burst is accepted.
        assert!((5000..TRIES).contains(&check(|| throttle.callback())));
        assert!(check(|| throttle.message(None)) < 5000);
        clock.advance(Duration::from_secs(1)).unwrap();
        assert!((500..5000).contains(&check(|| throttle.connect())));
    }

    #[test]
    fn buckets_refill_when_the_clock_advances() {
        let stage = "stage: { throttlingRateLimit: 0.001, throttlingBurstLimit: 2 }";
        let (throttle, clock) = throttle(
            &format!("routes: {{ a: {{ function: f }} }}\n{stage}"),
            false,
        );
        assert_eq!(check(|| throttle.message(None)), 2);
        clock.advance(Duration::from_secs(1000)).unwrap();
        assert_eq!(check(|| throttle.connect()), 1);
        clock.advance(Duration::from_hours(1)).unwrap();
        assert_eq!(check(|| throttle.message(Some("a"))), 2);
    }

    #[test]
    fn a_limit_that_is_not_set_defaults_to_the_accounts() {
        let stage = "stage: { throttlingRateLimit: 0 }";
        let (throttle, _) = throttle(
            &format!("routes: {{ a: {{ function: f }} }}\n{stage}"),
            false,
        );
        assert_eq!(check(|| throttle.message(None)), 5000);
    }
}
