//! Whether the machine has room for more processes.

use std::time::{Duration, Instant};

use super::process::Ticks;

/// How busy the processors are, as the system tells.
#[derive(Debug, Default)]
pub(super) struct Machine {
    last: Option<(Instant, Ticks)>,
    is_saturated: bool,
}

impl Machine {
    /// Whether hardly any time of the processors was left lately. Where the system does not tell, there was some.
    ///
    /// What was long ago says nothing of now: until it is looked at twice, no time counts as left. A burst would start
    /// dozens of processes meanwhile.
    pub(super) fn is_saturated(&mut self, now: Instant) -> bool {
        let is_recent = |(at, _): &(Instant, Ticks)| now < *at + LOOK_AGAIN_AFTER;
        if self.last.as_ref().is_some_and(is_recent) {
            return self.is_saturated;
        }
        let Some(ticks) = Ticks::now() else {
            return false;
        };
        let before = self.last.replace((now, ticks));
        let before = before.filter(|(at, _)| now < *at + FORGOTTEN_AFTER);
        self.is_saturated = before.is_none_or(|(_, before)| is_saturated(before, ticks));
        self.is_saturated
    }
}

fn is_saturated(before: Ticks, now: Ticks) -> bool {
    let all = now.all.saturating_sub(before.all);
    let idle = now.idle.saturating_sub(before.idle);
    idle * ROOM_PARTS < all
}

/// There is room where more than one part in so many of the time is idle.
const ROOM_PARTS: u64 = 10;
/// A few of the kernel's ticks, which last 10 ms on most machines.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// A look that is older is of another time.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: (u64, u64), after: (u64, u64)) -> bool {
        let [before, after] = [before, after].map(|(idle, all)| Ticks { idle, all });
        is_saturated(before, after)
    }

    #[test]
    fn a_machine_counts_as_saturated_until_it_was_looked_at_twice() {
        let now = Instant::now();
        let is_told = Ticks::now().is_some();
        let mut machine = Machine::default();
        assert_eq!(machine.is_saturated(now), is_told);
        // All the time since the system started, some of which was left: by the next look, and by one that comes late.
        let start = Some((now, Ticks { idle: 0, all: 0 }));
        machine.last = start;
        assert!(!machine.is_saturated(now + LOOK_AGAIN_AFTER));
        machine.last = start;
        assert_eq!(machine.is_saturated(now + FORGOTTEN_AFTER), is_told);
    }

    #[test]
    fn a_machine_is_saturated_where_next_to_no_time_is_left() {
        assert!(!check((0, 0), (10, 10)));
        assert!(!check((100, 1000), (102, 1010)));
        assert!(check((100, 1000), (100, 1010)));
        assert!(check((100, 1000), (101, 1020)));
        assert!(!check((100, 1000), (100, 1000)), "no time went by");
    }
}
