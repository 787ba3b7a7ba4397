//! Fault injection: throttling, cold starts and latency for a function's invocations.

use std::{
    mem,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use local_sim_faults::{Pause, Striking, Trigger};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The faults of one function; none at first.
///
/// A throttled invocation, whether by a fault or by a limit, does not count towards the other
/// faults.
#[derive(Debug, Default)]
pub struct Faults {
    /// Whether a fault is set. Without one, an invocation reads only this flag.
    is_any: AtomicBool,
    set: Mutex<FaultSet>,
}

#[derive(Debug, Default)]
struct FaultSet {
    throttle: Option<Striking>,
    cold_start: Option<Striking>,
    latency: Option<(Duration, Striking)>,
    /// Cancelled to release invocations that wait because of the latency.
    latency_ended: CancellationToken,
}

/// The active faults, each with its remaining trigger.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct InForce {
    pub throttle: Option<Trigger>,
    pub cold_start: Option<Trigger>,
    pub latency: Option<(Duration, Trigger)>,
}

/// The faults that hit one invocation which is not throttled.
#[derive(Debug, Default)]
pub(super) struct InjectedFaults {
    /// It starts a new environment.
    pub(super) is_cold: bool,
    /// It waits before it is dispatched.
    pub(super) latency: Option<Pause>,
}

impl Faults {
    /// Throttles invocations as if the concurrency limit were reached; `None` ends this.
    pub fn set_throttle(&self, throttle: Option<Striking>) {
        self.change(|set| set.throttle = throttle);
    }

    /// Makes each invocation a cold start; `None` ends this.
    ///
    /// The new environment replaces an idle one, if there is one.
    pub fn set_cold_start(&self, cold_start: Option<Striking>) {
        self.change(|set| set.cold_start = cold_start);
    }

    /// Delays invocations before an environment gets them; `None` ends this.
    ///
    /// The delay is capped at [`LATENCY_MAX`]. It counts towards concurrency, but not towards the
    /// reported duration. Invocations that wait already continue at once.
    pub fn set_latency(&self, latency: Option<(Duration, Striking)>) {
        let latency = latency.map(|(pause, striking)| (pause.min(LATENCY_MAX), striking));
        let ended = self.change(|set| {
            set.latency = latency;
            mem::take(&mut set.latency_ended)
        });
        ended.cancel();
    }

    /// Restarts all random triggers with this seed.
    pub fn restart(&self, seed: u64) {
        self.change(|set| {
            let latency = set.latency.as_mut().map(|(_, striking)| striking);
            let others = set.throttle.iter_mut().chain(&mut set.cold_start);
            others.chain(latency).for_each(|it| it.restart(seed));
        });
    }

    /// Returns the active faults.
    pub fn in_force(&self) -> InForce {
        let set = self.set.lock();
        InForce {
            throttle: set.throttle.as_ref().map(Striking::left),
            cold_start: set.cold_start.as_ref().map(Striking::left),
            latency: set
                .latency
                .as_ref()
                .map(|(pause, striking)| (*pause, striking.left())),
        }
    }

    /// Returns `self` if any fault is active.
    pub(super) fn any(&self) -> Option<&Self> {
        self.is_any.load(Ordering::Relaxed).then_some(self)
    }

    /// Decides whether to throttle this invocation.
    pub(super) fn throttle(&self) -> bool {
        self.change(|set| set.throttle.as_mut().is_some_and(Striking::strikes))
    }

    /// Decides which other faults hit this invocation.
    pub(super) fn inject(&self) -> InjectedFaults {
        self.change(|set| {
            let ended = &set.latency_ended;
            let pause = |(length, striking): &mut (Duration, Striking)| {
                let strikes = striking.strikes();
                strikes.then(|| Pause::new(*length, ended.clone()))
            };
            InjectedFaults {
                is_cold: set.cold_start.as_mut().is_some_and(Striking::strikes),
                latency: set.latency.as_mut().and_then(pause),
            }
        })
    }

    /// Applies a change, then removes exhausted faults.
    fn change<T>(&self, change: impl FnOnce(&mut FaultSet) -> T) -> T {
        let mut set = self.set.lock();
        let changed = change(&mut set);
        let FaultSet {
            throttle,
            cold_start,
            latency,
            latency_ended: _,
        } = &mut *set;
        throttle.take_if(|it| it.is_over());
        cold_start.take_if(|it| it.is_over());
        latency.take_if(|(_, it)| it.is_over());
        let is_any = throttle.is_some() || cold_start.is_some() || latency.is_some();
        self.is_any.store(is_any, Ordering::Relaxed);
        changed
    }
}

/// Maximum latency: the longest timeout of a Lambda function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const LATENCY_MAX: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::time::timeout;

    use super::*;

    fn striking(trigger: Trigger) -> Striking {
        Striking::new(trigger, 7, "message")
    }

    /// Whether the next invocation is a cold start, and its delay.
    fn inject(faults: &Faults) -> (bool, Option<Duration>) {
        let injected = faults.inject();
        (
            injected.is_cold,
            injected.latency.as_ref().map(Pause::length),
        )
    }

    #[test]
    fn without_faults_nothing_is_injected() {
        let faults = Faults::default();
        assert!(faults.any().is_none());
        assert_eq!(faults.in_force(), InForce::default());
        assert!(!faults.throttle());
        assert_eq!(inject(&faults), (false, None));
    }

    #[test]
    fn each_fault_is_set_and_removed_independently() {
        let faults = Faults::default();
        let pause = Duration::from_millis(800);
        faults.set_throttle(Some(striking(Trigger::Always)));
        faults.set_cold_start(Some(striking(Trigger::Always)));
        faults.set_latency(Some((pause, striking(Trigger::Share(1.0)))));
        assert!(faults.throttle());
        assert_eq!(inject(&faults), (true, Some(pause)));
        faults.set_throttle(None);
        assert!(!faults.throttle());
        faults.set_cold_start(None);
        assert_eq!(inject(&faults), (false, Some(pause)));
        assert!(faults.any().is_some());
        faults.set_latency(None);
        assert!(faults.any().is_none());
    }

    #[test]
    fn remaining_counts_are_shown_and_exhausted_faults_removed() {
        let faults = Faults::default();
        faults.set_throttle(Some(striking(Trigger::Next(1))));
        faults.set_cold_start(Some(striking(Trigger::Next(2))));
        assert!(faults.throttle());
        assert!(faults.inject().is_cold);
        let left = InForce {
            cold_start: Some(Trigger::Next(1)),
            ..InForce::default()
        };
        assert_eq!(faults.in_force(), left);
        assert!(faults.inject().is_cold);
        assert_eq!(faults.in_force(), InForce::default());
        assert!(faults.any().is_none());
        assert!(!faults.throttle() && !faults.inject().is_cold);
    }

    #[test]
    fn each_fault_has_its_own_random_sequence() {
        let check = |is_throttled: bool| {
            let faults = Faults::default();
            let half = Trigger::Share(0.5);
            faults.set_cold_start(Some(striking(half)));
            if is_throttled {
                faults.set_throttle(Some(striking(half)));
            }
            let injected = (0..64).map(|_| {
                faults.throttle();
                faults.inject().is_cold
            });
            injected.collect::<Vec<bool>>()
        };
        assert_eq!(check(false), check(true));
    }

    #[tokio::test]
    async fn a_waiting_invocation_continues_when_the_latency_is_removed_or_changed() {
        let faults = Faults::default();
        let start = Instant::now();
        for trigger in [Trigger::Next(1), Trigger::Always] {
            for next in [None, Some((LATENCY_MAX, striking(trigger)))] {
                faults.set_latency(Some((LATENCY_MAX, striking(trigger))));
                let pause = faults.inject().latency.unwrap();
                tokio::join!(pause.pass(), async { faults.set_latency(next) });
            }
        }
        assert!(start.elapsed() < LATENCY_MAX);
    }

    #[tokio::test]
    async fn a_restart_repeats_random_choices_but_releases_no_waiting_invocation() {
        let faults = Faults::default();
        let half = Trigger::Share(0.5);
        faults.set_throttle(Some(striking(half)));
        faults.set_latency(Some((LATENCY_MAX, striking(Trigger::Next(2)))));
        let choices = || Vec::from_iter((0..64).map(|_| faults.throttle()));
        let first = choices();
        let pause = faults.inject().latency.unwrap();
        faults.restart(7);
        assert_eq!(choices(), first);
        let left = (LATENCY_MAX, Trigger::Next(1));
        assert_eq!(faults.in_force().latency, Some(left));
        let waits = timeout(Duration::from_millis(20), pause.pass()).await;
        assert!(waits.is_err(), "the invocation was released");
    }

    #[test]
    fn the_latency_is_capped() {
        let faults = Faults::default();
        faults.set_latency(Some((Duration::MAX, striking(Trigger::Always))));
        assert_eq!(inject(&faults), (false, Some(LATENCY_MAX)));
        let shown = faults.in_force().latency;
        assert_eq!(shown, Some((LATENCY_MAX, Trigger::Always)));
    }
}
