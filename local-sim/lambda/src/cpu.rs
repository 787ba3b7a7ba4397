//! Estimates whether the machine has idle CPU time for more processes.

use std::time::{Duration, Instant};

use super::process::proc::Ticks;

/// Tracks the CPU usage of the machine.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    /// The last sample; without ticks if the system provides none.
    last: Option<(Instant, Option<Ticks>)>,
}

impl Cpu {
    /// Samples the CPU usage. Returns whether much time was idle since the previous sample.
    ///
    /// Returns `false` between samples, and if the previous sample is missing or too old. Without
    /// system statistics, assumes idle time.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        let since_last = self.last.map(|(at, _)| now.saturating_duration_since(at));
        if since_last.is_some_and(|it| it < SAMPLE_INTERVAL) {
            return false;
        }
        let ticks = Ticks::now();
        let before = self.last.replace((now, ticks));
        before.is_some_and(|(at, before)| now < at + SAMPLE_AGE_MAX && is_room(before, ticks))
    }
}

fn is_room(before: Option<Ticks>, now: Option<Ticks>) -> bool {
    let (Some(before), Some(now)) = (before, now) else {
        return true;
    };
    let all = now.all.saturating_sub(before.all);
    let idle = now.idle.saturating_sub(before.idle);
    all > 0 && idle * IDLE_DIVISOR >= all
}

/// There is room if at least a third of the time is idle.
///
/// A little is always idle, while work passes between processes.
const IDLE_DIVISOR: u64 = 3;
/// Time between samples.
///
/// Several kernel ticks of mostly 10 ms, and enough for newly started processes to show.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);
/// Older samples are ignored.
const SAMPLE_AGE_MAX: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_reported_once_per_sample_from_the_second_one_on() {
        let start = Instant::now();
        let mut cpu = Cpu::default();
        assert!(!cpu.has_room(start));
        // As if the machine had been idle since boot.
        let idle = Ticks::now().map(|now| Ticks {
            idle: 0,
            all: now.all - now.idle,
        });
        cpu.last = Some((start, idle));
        assert!(!cpu.has_room(start + SAMPLE_INTERVAL / 2));
        assert!(cpu.has_room(start + SAMPLE_INTERVAL));
        assert!(!cpu.has_room(start + SAMPLE_INTERVAL));
        cpu.last = Some((start, idle));
        assert!(!cpu.has_room(start + SAMPLE_AGE_MAX));
    }

    #[test]
    fn there_is_room_if_a_third_of_the_time_is_idle() {
        let check = |before: (u64, u64), after: (u64, u64)| {
            let [before, after] = [before, after].map(|(idle, all)| Some(Ticks { idle, all }));
            is_room(before, after)
        };
        assert!(check((100, 1000), (110, 1010)));
        assert!(check((100, 1000), (107, 1020)));
        assert!(!check((100, 1000), (106, 1020)));
        assert!(!check((100, 1000), (100, 1020)));
        assert!(!check((100, 1000), (100, 1000)), "no time has passed");
        assert!(is_room(None, None), "no system statistics");
    }
}
