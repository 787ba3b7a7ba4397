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

/// What may be asked of the API in a time. Who asks takes a token of every bucket concerned, or of none.
///
/// A stage's limits are the defaults of its routes: a route with limits of its own is not concerned by them. The
/// bucket of those without is one for all of them.
#[derive(Debug)]
pub(crate) struct Throttle {
    clock: Arc<Clock>,
    /// New connections of the account.
    connections: Option<Mutex<Bucket>>,
    /// Connects, messages and callbacks of the account.
    account: Option<Mutex<Bucket>>,
    /// Connects and messages of all routes without a bucket of their own.
    stage: Option<Mutex<Bucket>>,
    routes: HashMap<String, Mutex<Bucket>>,
    throttle_log: Mutex<ThrottleLog>,
}

impl Throttle {
    /// The buckets that a contract speaks of; those of the account too, if `account_quotas` are asked for: an
    /// account has more than one API.
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

    /// Lets a handshake in.
    ///
    /// # Errors
    /// A bucket is empty: the handshake is to be refused with 429.
    pub(crate) fn connect(&self) -> Result<(), Throttled> {
        self.take([
            (Limit::Connections, self.connections.as_ref()),
            (Limit::Account, self.account.as_ref()),
            self.of_route(Some("$connect")),
        ])
    }

    /// Lets a message in, of a route unless none takes it. Says on the log, now and then, where it does not.
    ///
    /// # Errors
    /// A bucket is empty: the function is not to be invoked.
    pub(crate) fn message(&self, route_key: Option<&str>) -> Result<(), Throttled> {
        self.take([
            (Limit::Account, self.account.as_ref()),
            self.of_route(route_key),
        ])
        .inspect_err(|throttled| self.log(throttled))
    }

    /// Lets a request to `@connections` in, which is the account's concern only.
    ///
    /// # Errors
    /// The bucket is empty: the request is to be refused with 429.
    pub(crate) fn callback(&self) -> Result<(), Throttled> {
        self.take([(Limit::Account, self.account.as_ref())])
    }

    /// The bucket of a route: its own, else the stage's.
    fn of_route<'a>(&'a self, route_key: Option<&'a str>) -> LimitBucket<'a> {
        match route_key.and_then(|key| Some((key, self.routes.get(key)?))) {
            Some((key, own)) => (Limit::Route(key), Some(own)),
            None => (Limit::Stage, self.stage.as_ref()),
        }
    }

    /// Everybody asks in the order of [`Limit`]. Without a bucket nothing is locked.
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
                return Err(Throttled(format!("{limit} takes {}", **bucket)));
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
            warn!("a message is {throttled} ({count} messages throttled so far)");
        }
    }
}

/// A bucket that is asked for a token, where there is one, and whose it is.
type LimitBucket<'a> = (Limit<'a>, Option<&'a Mutex<Bucket>>);

/// Rate and burst, where any of them is limited; the other one is the account's.
fn limits(given: &Throttling) -> Option<(f64, u32)> {
    if given == &Throttling::default() {
        return None;
    }
    let account = || ACCOUNT_REQUESTS_PER_SECOND.into();
    let rate = given.rate_limit.unwrap_or_else(account);
    Some((rate, given.burst_limit.unwrap_or(ACCOUNT_BURST)))
}

/// Whose limit it is.
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
            Self::Connections => f.write_str("an account's quota of new connections"),
            Self::Account => f.write_str("an account's quota of requests"),
            Self::Stage => f.write_str("the stage"),
            Self::Route(key) => write!(f, "the route {key}"),
        }
    }
}

/// Too many requests; for the developer, of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Throttled(String);

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "throttled: {}", self.0)
    }
}

/// Messages that were throttled. A flood of them is said once in a while, not once each.
#[derive(Debug, Default)]
struct ThrottleLog {
    count: u64,
    logged_at: Option<Instant>,
}

impl ThrottleLog {
    /// Counts one more; gives the sum where it is to be said.
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

/// Between two lines about throttled messages.
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

    /// How often in a row something gets its tokens, at most.
    fn check(take: impl Fn() -> Result<(), Throttled>) -> usize {
        (0..TRIES).take_while(|_| take().is_ok()).count()
    }

    const TRIES: usize = 20_000;

    /// A second may pass while a test runs, so no bucket of these is filled up by time.
    const CONTRACT: &str = "
routes:
  $connect: { function: f, throttlingRateLimit: 0, throttlingBurstLimit: 2 }
  chat: { function: f, throttlingRateLimit: 0, throttlingBurstLimit: 3 }
  $default: { function: f }
stage: { throttlingRateLimit: 0, throttlingBurstLimit: 9 }
";

    #[test]
    fn a_bucket_of_a_routes_own_is_asked_in_place_of_the_stages() {
        let (throttle, _) = throttle(CONTRACT, false);
        assert_eq!(check(|| throttle.connect()), 2);
        assert_eq!(check(|| throttle.message(Some("chat"))), 3);
        // That of the stage is still full, for all the other routes together.
        assert_eq!(check(|| throttle.message(Some("$default"))), 9);
        assert_eq!(check(|| throttle.message(None)), 0);
        assert_eq!(check(|| throttle.callback()), TRIES);
        let refused = |route_key| throttle.message(route_key).unwrap_err().to_string();
        assert_eq!(
            refused(Some("chat")),
            "throttled: the route chat takes 0 a second with a burst of 3"
        );
        assert_eq!(
            refused(Some("$default")),
            "throttled: the stage takes 0 a second with a burst of 9"
        );
    }

    #[test]
    fn without_limits_everything_is_let_in() {
        let (throttle, _) = throttle("routes: { $default: { function: f } }", false);
        assert_eq!(check(|| throttle.connect()), TRIES);
        assert_eq!(check(|| throttle.message(Some("$default"))), TRIES);
    }

    #[test]
    fn the_accounts_quotas_are_shared_by_connects_messages_and_callbacks() {
        let (throttle, clock) = throttle("routes: { $default: { function: f } }", true);
        // Time passes meanwhile: at least the burst is let in, and not much more at once.
        assert!((5000..TRIES).contains(&check(|| throttle.callback())));
        assert!(check(|| throttle.message(None)) < 5000);
        clock.advance(Duration::from_secs(1)).unwrap();
        assert!((500..5000).contains(&check(|| throttle.connect())));
    }

    #[test]
    fn buckets_fill_up_as_the_clock_moves() {
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
    fn a_limit_that_is_left_out_is_the_accounts() {
        let stage = "stage: { throttlingRateLimit: 0 }";
        let (throttle, _) = throttle(
            &format!("routes: {{ a: {{ function: f }} }}\n{stage}"),
            false,
        );
        assert_eq!(check(|| throttle.message(None)), 5000);
    }
}
