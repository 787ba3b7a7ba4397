//! Whether the machine has room for more processes.

use std::{
    fs,
    time::{Duration, Instant},
};

/// How busy the processors are, as `/proc/stat` tells.
#[derive(Debug, Default)]
pub(super) struct Machine {
    last: Option<(Instant, Ticks)>,
    is_saturated: bool,
}

/// What the processors did since the system started, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Machine {
    /// Whether hardly any time of the processors was left lately. Where the system does not tell, there was some.
    pub(super) fn is_saturated(&mut self, now: Instant) -> bool {
        let is_recent = |(at, _): &(Instant, Ticks)| now < *at + LOOK_AGAIN_AFTER;
        if self.last.as_ref().is_some_and(is_recent) {
            return self.is_saturated;
        }
        let stat = fs::read_to_string("/proc/stat").ok();
        let Some(ticks) = stat.as_deref().and_then(read) else {
            return false;
        };
        let before = self.last.replace((now, ticks));
        self.is_saturated = before.is_some_and(|(_, before)| ticks.is_saturated_since(before));
        self.is_saturated
    }
}

impl Ticks {
    fn is_saturated_since(self, before: Self) -> bool {
        let all = self.all.saturating_sub(before.all);
        let idle = self.idle.saturating_sub(before.idle);
        idle * ROOM_PARTS < all
    }
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal, of all processors together.
fn read(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .map_while(|it| it.parse().ok())
        .collect();
    let (idle, waiting) = (times.get(3)?, times.get(4)?);
    Some(Ticks {
        idle: idle + waiting,
        all: times.iter().sum(),
    })
}

/// There is room where more than one part in so many of the time is idle.
const ROOM_PARTS: u64 = 10;
/// A few of the kernel's ticks, which last 10 ms on most machines.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: (u64, u64), after: (u64, u64)) -> bool {
        let [before, after] = [before, after].map(|(idle, all)| Ticks { idle, all });
        after.is_saturated_since(before)
    }

    #[test]
    fn a_machine_is_saturated_where_next_to_no_time_is_left() {
        assert!(!check((0, 0), (10, 10)));
        assert!(!check((100, 1000), (102, 1010)));
        assert!(check((100, 1000), (100, 1010)));
        assert!(check((100, 1000), (101, 1020)));
        assert!(!check((100, 1000), (100, 1000)), "no time went by");
    }

    #[test]
    fn times_are_those_of_all_processors() {
        let stat = "cpu  10 1 5 70 4 3 2 1 9 9\ncpu0 1 1 1 1\n";
        assert_eq!(read(stat), Some(Ticks { idle: 74, all: 96 }));
        assert_eq!(read("cpu  10 1"), None);
        assert_eq!(read("intr 5"), None);
    }
}
