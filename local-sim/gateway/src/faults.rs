//! Trouble on demand: what is to go wrong between a client and its functions.

use std::{
    mem,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use local_sim_faults::{Pause, Striking, Trigger, chance};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::limits::REORDER_MAX;

/// What is to go wrong with messages and disconnects; nothing, at first.
#[derive(Debug, Default)]
pub struct Faults {
    /// So that a message without trouble costs no more than this look.
    any_active: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reorder: Option<Reorder>,
    /// For those that wait because of a reordering, which may have struck its last time.
    reorder_ended: CancellationToken,
    drop_disconnect: Option<Striking>,
}

/// The faults in force, each with what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ActiveFaults {
    /// Messages wait for up to so long.
    pub reorder: Option<(Duration, Trigger)>,
    /// A `$disconnect` does not run.
    pub drop_disconnect: Option<Trigger>,
}

/// Messages wait, each for another time, so that they overtake each other.
#[derive(Debug)]
pub struct Reorder {
    max: Duration,
    striking: Striking,
    /// Of the times.
    seed: u64,
    waited: u64,
}

impl Reorder {
    /// Waits of up to `max`, and [`REORDER_MAX`] at most; which message waits how long is the seed's choice.
    pub fn new(max: Duration, trigger: Trigger, seed: u64) -> Self {
        Self {
            max: max.min(REORDER_MAX),
            striking: Striking::new(trigger, seed, "gateway reorder"),
            seed,
            waited: 0,
        }
    }

    fn restart(&mut self, seed: u64) {
        self.striking.restart(seed);
        self.seed = seed;
        self.waited = 0;
    }

    fn wait(&mut self) -> Option<Duration> {
        if !self.striking.strikes() {
            return None;
        }
        let wait = self.max.mul_f64(chance(self.seed, self.waited));
        self.waited += 1;
        Some(wait)
    }
}

impl Faults {
    /// Has messages overtake each other; `None` ends that. Those that wait already go on at once.
    pub fn set_reorder(&self, reorder: Option<Reorder>) {
        let ended = self.change(|state| {
            state.reorder = reorder;
            mem::take(&mut state.reorder_ended)
        });
        ended.cancel();
    }

    /// Has `$disconnect`s not run; `None` ends that.
    pub fn set_drop_disconnect(&self, striking: Option<Striking>) {
        self.change(|state| state.drop_disconnect = striking);
    }

    /// Begins every choice by chance anew.
    pub fn restart(&self, seed: u64) {
        self.change(|state| {
            if let Some(reorder) = &mut state.reorder {
                reorder.restart(seed);
            }
            if let Some(striking) = &mut state.drop_disconnect {
                striking.restart(seed);
            }
        });
    }

    /// What is in force now.
    pub fn in_force(&self) -> ActiveFaults {
        let state = self.state.lock();
        let left = |it: &Reorder| (it.max, it.striking.left());
        ActiveFaults {
            reorder: state.reorder.as_ref().map(left),
            drop_disconnect: state.drop_disconnect.as_ref().map(Striking::left),
        }
    }

    /// How long the message that has just come waits, if it does.
    pub(crate) fn next_pause(&self) -> Option<Pause> {
        let wait = |state: &mut State| {
            let length = state.reorder.as_mut()?.wait()?;
            Some(Pause::new(length, state.reorder_ended.clone()))
        };
        self.any_active().then(|| self.change(wait))?
    }

    /// Whether the `$disconnect` that is due now does not run.
    pub(crate) fn drops_disconnect(&self) -> bool {
        let drops = |state: &mut State| {
            let striking = state.drop_disconnect.as_mut();
            striking.is_some_and(Striking::strikes)
        };
        self.any_active() && self.change(drops)
    }

    fn any_active(&self) -> bool {
        self.any_active.load(Ordering::Relaxed)
    }

    /// Changes them, and forgets those that are over.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let changed = change(&mut state);
        state.reorder.take_if(|it| it.striking.is_over());
        state.drop_disconnect.take_if(|it| it.is_over());
        let any_active = state.reorder.is_some() || state.drop_disconnect.is_some();
        self.any_active.store(any_active, Ordering::Relaxed);
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const MAX: Duration = Duration::from_millis(50);

    /// How long so many messages wait.
    fn check(trigger: Trigger, seed: u64, count: usize) -> Vec<Option<Duration>> {
        let faults = Faults::default();
        faults.set_reorder(Some(Reorder::new(MAX, trigger, seed)));
        (0..count).map(|_| wait(&faults)).collect()
    }

    fn wait(faults: &Faults) -> Option<Duration> {
        faults.next_pause().as_ref().map(Pause::length)
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_the_reordering_ends() {
        let faults = Faults::default();
        let start = Instant::now();
        for trigger in [Trigger::Next(1), Trigger::Always] {
            faults.set_reorder(Some(Reorder::new(REORDER_MAX, trigger, 7)));
            let pause = faults.next_pause().unwrap();
            assert!(!pause.length().is_zero());
            tokio::join!(pause.pass(), async { faults.set_reorder(None) });
        }
        assert!(start.elapsed() < REORDER_MAX);
    }

    #[test]
    fn messages_wait_as_the_seed_says() {
        let waits = check(Trigger::Always, 7, 100);
        assert_eq!(waits, check(Trigger::Always, 7, 100));
        assert_ne!(waits, check(Trigger::Always, 8, 100));
        assert!(waits.iter().flatten().all(|wait| *wait < MAX));
        assert!(!waits.is_sorted(), "nobody is overtaken");
        let some = check(Trigger::Share(0.5), 7, 100);
        let count = some.iter().flatten().count();
        assert!((30..70).contains(&count), "{count}");
    }

    #[test]
    fn what_begins_anew_chooses_as_at_first() {
        let faults = Faults::default();
        faults.set_reorder(Some(Reorder::new(MAX, Trigger::Share(0.5), 8)));
        let waits = || Vec::from_iter((0..100).map(|_| wait(&faults)));
        let first = waits();
        faults.restart(7);
        assert_eq!(waits(), check(Trigger::Share(0.5), 7, 100));
        faults.restart(8);
        assert_eq!(waits(), first);
    }

    #[test]
    fn no_message_waits_for_longer_than_the_bound() {
        let faults = Faults::default();
        faults.set_reorder(Some(Reorder::new(Duration::MAX, Trigger::Always, 0)));
        let expected = Some((REORDER_MAX, Trigger::Always));
        assert_eq!(faults.in_force().reorder, expected);
    }

    #[test]
    fn a_fault_that_is_over_or_ended_is_gone() {
        let faults = Faults::default();
        assert_eq!((wait(&faults), faults.drops_disconnect()), (None, false));
        let next = |count| Some(Striking::new(Trigger::Next(count), 0, "x"));
        faults.set_drop_disconnect(next(2));
        assert!(faults.drops_disconnect());
        let left = faults.in_force().drop_disconnect;
        assert_eq!(left, Some(Trigger::Next(1)));
        assert!(faults.drops_disconnect() && !faults.drops_disconnect());
        assert_eq!(faults.in_force(), ActiveFaults::default());
        faults.set_drop_disconnect(next(1));
        faults.set_drop_disconnect(None);
        assert!(!faults.drops_disconnect() && !faults.any_active());
    }
}
