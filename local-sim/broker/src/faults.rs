//! Faults that the developer injects into the broker. They apply to every client.
//!
//! ```text
//! accept ──▶ request ──▶ handler ──────▶ response ─▶ client ─▶ next request
//! closed     closed      leaderless,     slow        throttled: read after the throttle time
//!            silent      throttled
//! ```
//! The faults of a request are determined when it arrives. A fetch that is already waiting when a
//! fault begins is therefore not affected. When a fault ends, everything it holds up continues at
//! once.

use std::{
    collections::BTreeMap,
    mem::replace,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use kafka_protocol::messages::ApiKey;
use local_sim_faults::{Pause, Striking, Trigger};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::limits::FAULT_WAIT_MAX;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Connections are closed, both when they are accepted and when they send a request.
    ///
    /// With [`Trigger::Always`], all open connections are closed at once. Otherwise each new
    /// connection and each request counts towards the trigger.
    Closed,
    /// No partition has a leader, so records are neither stored nor read.
    ///
    /// Each request that needs a leader, or asks for it, counts towards the trigger. Groups still
    /// work, because this broker does not store their offsets in a topic.
    Leaderless,
    /// Requests are held until the fault ends, then handled even if the client disconnected.
    ///
    /// Each request counts towards the trigger.
    Silent,
    /// Requests are handled at once, but their responses are delayed by [`Fault::wait`].
    ///
    /// Each request counts towards the trigger.
    Slow,
    /// The response has a throttle time of [`Fault::wait`], but the request is handled at once.
    ///
    /// The connection is not read during the throttle time (KIP-219). Each produce and fetch
    /// request counts towards the trigger, because Kafka's quotas limit bytes.
    Throttling,
}

/// The parameters of a fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// Which connections or requests are affected.
    pub trigger: Trigger,
    /// The delay of [`Kind::Slow`] and [`Kind::Throttling`], at most [`FAULT_WAIT_MAX`].
    pub wait: Duration,
}

/// The faults of a broker.
#[derive(Debug, Default)]
pub struct Faults {
    /// Whether any fault is set. Without faults, a request reads only this flag.
    any: AtomicBool,
    settings: Mutex<Settings>,
}

#[derive(Debug, Default)]
struct Settings {
    seed: u64,
    faults: BTreeMap<Kind, ActiveFault>,
    /// Closes the connections that are open now.
    closing: CancellationToken,
    /// Closes all connections, including later ones.
    shutdown: CancellationToken,
}

#[derive(Debug)]
struct ActiveFault {
    wait: Duration,
    striking: Striking,
    /// Cancelled when the fault ends, which wakes the requests that it holds up.
    ended: CancellationToken,
}

/// The faults that apply to one request.
#[derive(Debug, Default)]
pub(crate) struct RequestFaults {
    /// Whether to close the connection.
    pub(crate) closed: bool,
    /// Whether partitions have no leader.
    pub(crate) leaderless: bool,
    /// Pause before handling the request.
    silent: Option<Pause>,
    /// Pause before sending the response.
    pub(crate) slow: Option<Pause>,
    /// Pause before reading the next request.
    pub(crate) throttling: Option<Pause>,
}

impl Faults {
    /// Sets the fault of this kind, replacing the previous one. `None` ends it.
    pub fn set(&self, kind: Kind, fault: Option<Fault>) {
        let mut settings = self.settings.lock();
        let active = fault.map(|fault| ActiveFault::new(kind, fault, settings.seed));
        let previous = match active {
            Some(active) => settings.faults.insert(kind, active),
            None => settings.faults.remove(&kind),
        };
        self.any
            .store(!settings.faults.is_empty(), Ordering::Relaxed);
        let all = (kind, fault.map(|fault| fault.trigger)) == (Kind::Closed, Some(Trigger::Always));
        let closing = all.then(|| settings.take_closing());
        drop(settings);
        let ended = previous.map(|previous| previous.ended);
        ended
            .iter()
            .chain(&closing)
            .for_each(CancellationToken::cancel);
    }

    /// Returns the active fault of this kind, with what is left of its trigger.
    ///
    /// A fault whose trigger is used up is no longer active. [`Kind::Silent`] is the exception: it
    /// stays active as `Trigger::Next(0)` until it is ended, because requests may be waiting for
    /// that.
    pub fn get(&self, kind: Kind) -> Option<Fault> {
        let settings = self.settings.lock();
        let active = settings.faults.get(&kind)?;
        let lasts = kind == Kind::Silent || !active.striking.is_over();
        lasts.then(|| Fault {
            trigger: active.striking.left(),
            wait: active.wait,
        })
    }

    /// Sets the seed of all random choices and restarts them. The initial seed is 0.
    pub fn restart(&self, seed: u64) {
        let mut settings = self.settings.lock();
        settings.seed = seed;
        for active in settings.faults.values_mut() {
            active.striking.restart(seed);
        }
    }
}

impl Faults {
    /// Sets the token whose cancellation closes every connection.
    pub(crate) fn set_shutdown(&self, shutdown: &CancellationToken) {
        let mut settings = self.settings.lock();
        settings.shutdown = shutdown.clone();
        settings.closing = shutdown.child_token();
    }

    /// Returns the token that closes a new connection. `None` if it must be closed right away.
    pub(crate) fn on_accept(&self) -> Option<CancellationToken> {
        let mut settings = self.settings.lock();
        let closed = settings.trigger(Kind::Closed).is_some();
        (!closed).then(|| settings.closing.clone())
    }

    /// Returns the faults of a new request, after waiting for the end of [`Kind::Silent`].
    pub(crate) async fn on_request(&self, api: ApiKey) -> RequestFaults {
        loop {
            if !self.any.load(Ordering::Relaxed) {
                return RequestFaults::default();
            }
            let faults = self.settings.lock().trigger_for_request(api);
            match faults.silent {
                Some(silence) => silence.ended().await,
                None => return faults,
            }
        }
    }
}

impl Settings {
    fn trigger_for_request(&mut self, api: ApiKey) -> RequestFaults {
        if self.trigger(Kind::Closed).is_some() {
            return RequestFaults {
                closed: true,
                ..RequestFaults::default()
            };
        }
        let silent = self.trigger(Kind::Silent);
        if silent.is_some() {
            return RequestFaults {
                silent,
                ..RequestFaults::default()
            };
        }
        let is_throttled = THROTTLED_APIS.contains(&api);
        RequestFaults {
            leaderless: LEADER_APIS.contains(&api) && self.trigger(Kind::Leaderless).is_some(),
            throttling: is_throttled
                .then(|| self.trigger(Kind::Throttling))
                .flatten(),
            slow: self.trigger(Kind::Slow),
            ..RequestFaults::default()
        }
    }

    /// Counts one connection or request. Returns the pause if the fault applies to it.
    fn trigger(&mut self, kind: Kind) -> Option<Pause> {
        let active = self.faults.get_mut(&kind)?;
        let strikes = active.striking.strikes();
        strikes.then(|| Pause::new(active.wait, active.ended.clone()))
    }

    /// Takes the token that closes the open connections; later connections get a new one.
    fn take_closing(&mut self) -> CancellationToken {
        replace(&mut self.closing, self.shutdown.child_token())
    }
}

impl ActiveFault {
    fn new(kind: Kind, fault: Fault, seed: u64) -> Self {
        Self {
            wait: fault.wait.min(FAULT_WAIT_MAX),
            striking: Striking::new(fault.trigger, seed, kind.random_name()),
            ended: CancellationToken::new(),
        }
    }
}

impl RequestFaults {
    /// Returns the throttle time for the response.
    pub(crate) fn throttle_time_ms(&self) -> i32 {
        let wait = self.throttling.as_ref().map(Pause::length);
        let millis = wait.unwrap_or_default().as_millis();
        millis.try_into().unwrap_or(i32::MAX)
    }
}

impl Kind {
    /// Returns the name that separates its random choices from those of other kinds.
    fn random_name(self) -> &'static str {
        match self {
            Self::Closed => "kafka closed",
            Self::Leaderless => "kafka leaderless",
            Self::Silent => "kafka silent",
            Self::Slow => "kafka slow",
            Self::Throttling => "kafka throttling",
        }
    }
}

/// The APIs that only a partition's leader answers, and the one that returns the leader.
const LEADER_APIS: [ApiKey; 5] = [
    ApiKey::DeleteRecords,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::Produce,
];
/// The APIs that Kafka's byte quotas apply to.
const THROTTLED_APIS: [ApiKey; 2] = [ApiKey::Fetch, ApiKey::Produce];
