//! Faults on demand: what is to go wrong with a function's invocations on their way to an environment.

use std::{
    mem,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use local_sim_faults::{Pause, Striking, Trigger};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// What is to go wrong with the invocations of one function; nothing, at first.
///
/// An invocation that is throttled, on demand or for real, is not asked about what would come after.
#[derive(Debug, Default)]
pub struct Faults {
    /// So that an invocation without trouble costs no more than this look.
    is_any: AtomicBool,
    set: Mutex<FaultSet>,
}

#[derive(Debug, Default)]
struct FaultSet {
    throttle: Option<Striking>,
    cold_start: Option<Striking>,
    latency: Option<(Duration, Striking)>,
    /// For those that wait because of a latency, which may have struck its last time.
    latency_ended: CancellationToken,
}

/// The faults in force, each with what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct InForce {
    pub throttle: Option<Trigger>,
    pub cold_start: Option<Trigger>,
    pub latency: Option<(Duration, Trigger)>,
}

/// What comes in the way of one invocation that is not throttled.
#[derive(Debug, Default)]
pub(super) struct Struck {
    /// It starts an environment of its own.
    pub(super) is_cold: bool,
    /// It waits before an environment gets it.
    pub(super) latency: Option<Pause>,
}

impl Faults {
    /// Has invocations throttled, as if too many were under way; `None` ends that.
    pub fn set_throttle(&self, throttle: Option<Striking>) {
        self.change(|set| set.throttle = throttle);
    }

    /// Has invocations start an environment each, in the place of one that is free; `None` ends that.
    pub fn set_cold_start(&self, cold_start: Option<Striking>) {
        self.change(|set| set.cold_start = cold_start);
    }

    /// Has invocations wait for so long, [`LATENCY_MAX`] at most, before an environment gets them; `None` ends that.
    /// Those that wait already go on at once. They count as under way meanwhile, but their duration does not have it.
    pub fn set_latency(&self, latency: Option<(Duration, Striking)>) {
        let latency = latency.map(|(pause, striking)| (pause.min(LATENCY_MAX), striking));
        let ended = self.change(|set| {
            set.latency = latency;
            mem::take(&mut set.latency_ended)
        });
        ended.cancel();
    }

    /// Begins every choice by chance anew.
    pub fn restart(&self, seed: u64) {
        self.change(|set| {
            let latency = set.latency.as_mut().map(|(_, striking)| striking);
            let others = set.throttle.iter_mut().chain(&mut set.cold_start);
            others.chain(latency).for_each(|it| it.restart(seed));
        });
    }

    /// What is in force now.
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

    /// These, if there is one among them that can strike.
    pub(super) fn any(&self) -> Option<&Self> {
        self.is_any.load(Ordering::Relaxed).then_some(self)
    }

    /// Whether this invocation is throttled.
    pub(super) fn throttle(&self) -> bool {
        self.change(|set| set.throttle.as_mut().is_some_and(Striking::strikes))
    }

    /// What else comes in its way.
    pub(super) fn strike(&self) -> Struck {
        self.change(|set| {
            let ended = &set.latency_ended;
            let pause = |(length, striking): &mut (Duration, Striking)| {
                let strikes = striking.strikes();
                strikes.then(|| Pause::new(*length, ended.clone()))
            };
            Struck {
                is_cold: set.cold_start.as_mut().is_some_and(Striking::strikes),
                latency: set.latency.as_mut().and_then(pause),
            }
        })
    }

    /// Changes them, and forgets those that are over.
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

/// No invocation is made to wait for longer: no function of Lambda's runs for longer.
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

    /// Whether the next invocation is cold, and how long it waits.
    fn strike(faults: &Faults) -> (bool, Option<Duration>) {
        let struck = faults.strike();
        (struck.is_cold, struck.latency.as_ref().map(Pause::length))
    }

    #[test]
    fn without_trouble_there_is_nothing_to_look_at() {
        let faults = Faults::default();
        assert!(faults.any().is_none());
        assert_eq!(faults.in_force(), InForce::default());
        assert!(!faults.throttle());
        assert_eq!(strike(&faults), (false, None));
    }

    #[test]
    fn each_trouble_is_set_and_ended_by_itself() {
        let faults = Faults::default();
        let pause = Duration::from_millis(800);
        faults.set_throttle(Some(striking(Trigger::Always)));
        faults.set_cold_start(Some(striking(Trigger::Always)));
        faults.set_latency(Some((pause, striking(Trigger::Share(1.0)))));
        assert!(faults.throttle());
        assert_eq!(strike(&faults), (true, Some(pause)));
        faults.set_throttle(None);
        assert!(!faults.throttle());
        faults.set_cold_start(None);
        assert_eq!(strike(&faults), (false, Some(pause)));
        assert!(faults.any().is_some());
        faults.set_latency(None);
        assert!(faults.any().is_none());
    }

    #[test]
    fn what_is_left_can_be_seen_and_what_is_over_is_gone() {
        let faults = Faults::default();
        faults.set_throttle(Some(striking(Trigger::Next(1))));
        faults.set_cold_start(Some(striking(Trigger::Next(2))));
        assert!(faults.throttle());
        assert!(faults.strike().is_cold);
        let left = InForce {
            cold_start: Some(Trigger::Next(1)),
            ..InForce::default()
        };
        assert_eq!(faults.in_force(), left);
        assert!(faults.strike().is_cold);
        assert_eq!(faults.in_force(), InForce::default());
        assert!(faults.any().is_none());
        assert!(!faults.throttle() && !faults.strike().is_cold);
    }

    #[test]
    fn what_is_thrown_for_one_trouble_is_not_for_another() {
        let check = |is_throttled: bool| {
            let faults = Faults::default();
            let half = Trigger::Share(0.5);
            faults.set_cold_start(Some(striking(half)));
            if is_throttled {
                faults.set_throttle(Some(striking(half)));
            }
            let struck = (0..64).map(|_| {
                faults.throttle();
                faults.strike().is_cold
            });
            struck.collect::<Vec<bool>>()
        };
        assert_eq!(check(false), check(true));
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_the_latency_ends_or_is_another() {
        let faults = Faults::default();
        let start = Instant::now();
        for trigger in [Trigger::Next(1), Trigger::Always] {
            for next in [None, Some((LATENCY_MAX, striking(trigger)))] {
                faults.set_latency(Some((LATENCY_MAX, striking(trigger))));
                let pause = faults.strike().latency.unwrap();
                tokio::join!(pause.pass(), async { faults.set_latency(next) });
            }
        }
        assert!(start.elapsed() < LATENCY_MAX);
    }

    #[tokio::test]
    async fn what_begins_anew_has_nobody_go_on() {
        let faults = Faults::default();
        let half = Trigger::Share(0.5);
        faults.set_throttle(Some(striking(half)));
        faults.set_latency(Some((LATENCY_MAX, striking(Trigger::Next(2)))));
        let choices = || Vec::from_iter((0..64).map(|_| faults.throttle()));
        let first = choices();
        let pause = faults.strike().latency.unwrap();
        faults.restart(7);
        assert_eq!(choices(), first);
        let left = (LATENCY_MAX, Trigger::Next(1));
        assert_eq!(faults.in_force().latency, Some(left));
        let waits = timeout(Duration::from_millis(20), pause.pass()).await;
        assert!(waits.is_err(), "it has gone on");
    }

    #[test]
    fn no_pause_is_longer_than_an_invocation_may_be() {
        let faults = Faults::default();
        faults.set_latency(Some((Duration::MAX, striking(Trigger::Always))));
        assert_eq!(strike(&faults), (false, Some(LATENCY_MAX)));
        let shown = faults.in_force().latency;
        assert_eq!(shown, Some((LATENCY_MAX, Trigger::Always)));
    }
}
