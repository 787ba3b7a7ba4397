//! Fault injection between clients and functions: reordered messages and dropped disconnects.

use std::{
    mem,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use local_sim_faults::{Pause, Striking, Trigger, chance};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::limits::REORDER_MAX;

/// The faults for messages and disconnects; none at the start.
#[derive(Debug, Default)]
pub struct Faults {
    /// Lets a message skip the lock when no fault is active.
    any_active: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reorder: Option<Reorder>,
    /// Cancelled when the reordering is replaced or ended. It may outlive a reordering that has
    /// used up its count.
    reorder_ended: CancellationToken,
    drop_disconnect: Option<Striking>,
}

/// The active faults, each with its remaining trigger.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ActiveFaults {
    /// Messages are delayed by up to this duration.
    pub reorder: Option<(Duration, Trigger)>,
    /// `$disconnect` is not invoked.
    pub drop_disconnect: Option<Trigger>,
}

/// Delays each message by a different duration, so that messages overtake each other.
#[derive(Debug)]
pub struct Reorder {
    max: Duration,
    striking: Striking,
    /// Determines the delays.
    seed: u64,
    delayed: u64,
}

impl Reorder {
    /// Delays messages by up to `max`, capped at [`REORDER_MAX`]. The seed determines each delay.
    pub fn new(max: Duration, trigger: Trigger, seed: u64) -> Self {
        Self {
            max: max.min(REORDER_MAX),
            striking: Striking::new(trigger, seed, "gateway reorder"),
            seed,
            delayed: 0,
        }
    }

    fn restart(&mut self, seed: u64) {
        self.striking.restart(seed);
        self.seed = seed;
        self.delayed = 0;
    }

    fn next_delay(&mut self) -> Option<Duration> {
        if !self.striking.strikes() {
            return None;
        }
        let delay = self.max.mul_f64(chance(self.seed, self.delayed));
        self.delayed += 1;
        Some(delay)
    }
}

impl Faults {
    /// Starts reordering messages; `None` stops it. Messages that are being delayed continue at
    /// once.
    pub fn set_reorder(&self, reorder: Option<Reorder>) {
        let ended = self.change(|state| {
            state.reorder = reorder;
            mem::take(&mut state.reorder_ended)
        });
        ended.cancel();
    }

    /// Starts dropping `$disconnect` invocations; `None` stops it.
    pub fn set_drop_disconnect(&self, striking: Option<Striking>) {
        self.change(|state| state.drop_disconnect = striking);
    }

    /// Restarts the random choices of all active faults with a seed.
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

    /// The active faults.
    pub fn in_force(&self) -> ActiveFaults {
        let state = self.state.lock();
        let left = |it: &Reorder| (it.max, it.striking.left());
        ActiveFaults {
            reorder: state.reorder.as_ref().map(left),
            drop_disconnect: state.drop_disconnect.as_ref().map(Striking::left),
        }
    }

    /// The delay of the next message; `None` if it is not delayed.
    pub(crate) fn next_pause(&self) -> Option<Pause> {
        let pause = |state: &mut State| {
            let delay = state.reorder.as_mut()?.next_delay()?;
            Some(Pause::new(delay, state.reorder_ended.clone()))
        };
        self.any_active().then(|| self.change(pause))?
    }

    /// Whether to drop the next `$disconnect`.
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

    /// Applies a change, then removes the faults that are used up.
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

    /// The delays of the first `count` messages.
    fn check(trigger: Trigger, seed: u64, count: usize) -> Vec<Option<Duration>> {
        let faults = Faults::default();
        faults.set_reorder(Some(Reorder::new(MAX, trigger, seed)));
        (0..count).map(|_| delay(&faults)).collect()
    }

    fn delay(faults: &Faults) -> Option<Duration> {
        faults.next_pause().as_ref().map(Pause::length)
    }

    #[tokio::test]
    async fn delayed_messages_continue_when_reordering_ends() {
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
    fn the_seed_determines_the_delays() {
        let delays = check(Trigger::Always, 7, 100);
        assert_eq!(delays, check(Trigger::Always, 7, 100));
        assert_ne!(delays, check(Trigger::Always, 8, 100));
        assert!(delays.iter().flatten().all(|delay| *delay < MAX));
        assert!(!delays.is_sorted(), "no message overtakes another");
        let some = check(Trigger::Share(0.5), 7, 100);
        let count = some.iter().flatten().count();
        assert!((30..70).contains(&count), "{count}");
    }

    #[test]
    fn a_restart_with_the_same_seed_repeats_the_delays() {
        let faults = Faults::default();
        faults.set_reorder(Some(Reorder::new(MAX, Trigger::Share(0.5), 8)));
        let delays = || Vec::from_iter((0..100).map(|_| delay(&faults)));
        let first = delays();
        faults.restart(7);
        assert_eq!(delays(), check(Trigger::Share(0.5), 7, 100));
        faults.restart(8);
        assert_eq!(delays(), first);
    }

    #[test]
    fn the_maximum_delay_is_capped() {
        let faults = Faults::default();
        faults.set_reorder(Some(Reorder::new(Duration::MAX, Trigger::Always, 0)));
        let expected = Some((REORDER_MAX, Trigger::Always));
        assert_eq!(faults.in_force().reorder, expected);
    }

    #[test]
    fn a_fault_that_is_used_up_or_stopped_is_removed() {
        let faults = Faults::default();
        assert_eq!((delay(&faults), faults.drops_disconnect()), (None, false));
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
