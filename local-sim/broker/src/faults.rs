//! What is wrong with the broker on demand, for every client.
//!
//! ```text
//! accept ──▶ request ──▶ handler ──────▶ answer ─▶ client ─▶ next request
//! closed     closed      leaderless,     slow      throttled: not before its time is over
//!            silent      throttled
//! ```
//! What strikes a request is decided when it has come, so a fetch that waits already when a fault begins ends its wait
//! as it would have. Whatever waits because of a fault goes on at once when that ends.

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

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Connections are closed: at once all that there are, where it strikes always; else those that come with a request.
    /// New ones are closed too. Each connection that comes is a time to strike, and each request.
    Closed,
    /// No partition has a leader, so records are neither stored nor read. Each request that needs a leader, or asks who
    /// it is, is a time to strike. Groups, whose offsets are in no topic here, go on.
    Leaderless,
    /// A request waits until the fault is over, and is handled then, whether the client is still there or not. Each
    /// request is a time to strike.
    Silent,
    /// An answer comes so much later, while what was asked for is done at once. Each request is a time to strike.
    Slow,
    /// The client is told to wait, and nothing more is read from it for so long (KIP-219), but its records are stored.
    /// Each request to produce or to fetch is a time to strike, as quotas are about bytes.
    Throttling,
}

/// A fault of some kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// Which times are meant.
    pub trigger: Trigger,
    /// How long a client waits, at most [`FAULT_WAIT_MAX`], where it is [`Kind::Slow`] or [`Kind::Throttling`].
    pub wait: Duration,
}

/// What is wrong, if anything.
#[derive(Debug, Default)]
pub struct Faults {
    /// Whether there is anything: all that a request costs where there is nothing.
    any: AtomicBool,
    settings: Mutex<Settings>,
}

#[derive(Debug, Default)]
struct Settings {
    seed: u64,
    faults: BTreeMap<Kind, InForce>,
    /// Ends the connections that there are.
    closing: CancellationToken,
    /// Ends all, also those to come.
    shutdown: CancellationToken,
}

#[derive(Debug)]
struct InForce {
    wait: Duration,
    striking: Striking,
    /// For those that wait because of it.
    ended: CancellationToken,
}

/// What strikes one request.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    /// The connection is to be closed.
    pub(crate) closed: bool,
    /// Partitions have no leader.
    pub(crate) leaderless: bool,
    /// Before the request is handled.
    silent: Option<Pause>,
    /// Before the answer is sent.
    pub(crate) slow: Option<Pause>,
    /// Before the next request is read.
    pub(crate) throttling: Option<Pause>,
}

impl Faults {
    /// Puts a fault in force, in place of the one of its kind, or ends it with `None`.
    pub fn set(&self, kind: Kind, fault: Option<Fault>) {
        let mut settings = self.settings.lock();
        let in_force = fault.map(|fault| InForce::new(kind, fault, settings.seed));
        let former = match in_force {
            Some(in_force) => settings.faults.insert(kind, in_force),
            None => settings.faults.remove(&kind),
        };
        self.any
            .store(!settings.faults.is_empty(), Ordering::Relaxed);
        let all = (kind, fault.map(|fault| fault.trigger)) == (Kind::Closed, Some(Trigger::Always));
        let closing = all.then(|| settings.close_all());
        drop(settings);
        let over = former.map(|former| former.ended);
        over.iter()
            .chain(&closing)
            .for_each(CancellationToken::cancel);
    }

    /// The fault of a kind that is in force, with what is left of it.
    ///
    /// One that has struck its last time is so no more; but a silence is until it is ended, as there may be requests
    /// that wait for that, and shows as [`Trigger::Next`] of none.
    pub fn get(&self, kind: Kind) -> Option<Fault> {
        let settings = self.settings.lock();
        let in_force = settings.faults.get(&kind)?;
        let lasts = kind == Kind::Silent || !in_force.striking.is_over();
        lasts.then(|| Fault {
            trigger: in_force.striking.left(),
            wait: in_force.wait,
        })
    }

    /// Begins every choice by chance anew, those of faults to come too. Until then the seed is 0.
    pub fn restart(&self, seed: u64) {
        let mut settings = self.settings.lock();
        settings.seed = seed;
        for in_force in settings.faults.values_mut() {
            in_force.striking.restart(seed);
        }
    }
}

impl Faults {
    /// Ends every connection with the broker.
    pub(crate) fn follow(&self, shutdown: &CancellationToken) {
        let mut settings = self.settings.lock();
        settings.shutdown = shutdown.clone();
        settings.closing = shutdown.child_token();
    }

    /// Lets a connection in and says what ends it; `None` where it is to be closed.
    pub(crate) fn welcome(&self) -> Option<CancellationToken> {
        let mut settings = self.settings.lock();
        let closed = settings.strike(Kind::Closed).is_some();
        (!closed).then(|| settings.closing.clone())
    }

    /// Says what strikes a request that has come, once the broker is not silent about it.
    pub(crate) async fn meet(&self, api: ApiKey) -> Struck {
        loop {
            if !self.any.load(Ordering::Relaxed) {
                return Struck::default();
            }
            let struck = self.settings.lock().strike_request(api);
            match struck.silent {
                Some(silence) => silence.ended().await,
                None => return struck,
            }
        }
    }
}

impl Settings {
    fn strike_request(&mut self, api: ApiKey) -> Struck {
        if self.strike(Kind::Closed).is_some() {
            return Struck {
                closed: true,
                ..Struck::default()
            };
        }
        let silent = self.strike(Kind::Silent);
        if silent.is_some() {
            return Struck {
                silent,
                ..Struck::default()
            };
        }
        let is_throttled = THROTTLED.contains(&api);
        Struck {
            leaderless: NEED_A_LEADER.contains(&api) && self.strike(Kind::Leaderless).is_some(),
            throttling: is_throttled
                .then(|| self.strike(Kind::Throttling))
                .flatten(),
            slow: self.strike(Kind::Slow),
            ..Struck::default()
        }
    }

    /// The wait that a fault of this kind means, if it strikes this time.
    fn strike(&mut self, kind: Kind) -> Option<Pause> {
        let in_force = self.faults.get_mut(&kind)?;
        let strikes = in_force.striking.strikes();
        strikes.then(|| Pause::new(in_force.wait, in_force.ended.clone()))
    }

    /// What ends the connections that there are, but none that comes from now on.
    fn close_all(&mut self) -> CancellationToken {
        replace(&mut self.closing, self.shutdown.child_token())
    }
}

impl InForce {
    fn new(kind: Kind, fault: Fault, seed: u64) -> Self {
        Self {
            wait: fault.wait.min(FAULT_WAIT_MAX),
            striking: Striking::new(fault.trigger, seed, kind.seeded()),
            ended: CancellationToken::new(),
        }
    }
}

impl Struck {
    /// How long the client is told to wait.
    pub(crate) fn throttle_time_ms(&self) -> i32 {
        let wait = self.throttling.as_ref().map(Pause::length);
        let millis = wait.unwrap_or_default().as_millis();
        millis.try_into().unwrap_or(i32::MAX)
    }
}

impl Kind {
    /// What tells its choices apart from those of others with the same seed.
    fn seeded(self) -> &'static str {
        match self {
            Self::Closed => "kafka closed",
            Self::Leaderless => "kafka leaderless",
            Self::Silent => "kafka silent",
            Self::Slow => "kafka slow",
            Self::Throttling => "kafka throttling",
        }
    }
}

/// What only a partition's leader answers, and who that is.
const NEED_A_LEADER: [ApiKey; 5] = [
    ApiKey::DeleteRecords,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::Produce,
];
/// What counts against a client's quotas of bytes.
const THROTTLED: [ApiKey; 2] = [ApiKey::Fetch, ApiKey::Produce];
