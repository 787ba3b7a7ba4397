//! Whether the machine has room for more processes.

use std::time::{Duration, Instant};

use super::process::proc::Ticks;

/// How busy the processors are, as the system tells.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    last: Option<(Instant, Option<Ticks>)>,
}

impl Cpu {
    /// Whether a look shows that much of the processors' time was left since the last one; where the system does not
    /// tell, it was. Between looks nothing is known, nor at the first one after a while: what was long ago says
    /// nothing of now.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        let since_last = self.last.map(|(at, _)| now.saturating_duration_since(at));
        if since_last.is_some_and(|it| it < LOOK_AGAIN_AFTER) {
            return false;
        }
        let ticks = Ticks::now();
        let before = self.last.replace((now, ticks));
        before.is_some_and(|(at, before)| now < at + FORGOTTEN_AFTER && is_room(before, ticks))
    }
}

fn is_room(before: Option<Ticks>, now: Option<Ticks>) -> bool {
    let (Some(before), Some(now)) = (before, now) else {
        return true;
    };
    let all = now.all.saturating_sub(before.all);
    let idle = now.idle.saturating_sub(before.idle);
    all > 0 && idle * ROOM_PARTS >= all
}

/// There is room where one part in so many of the time is idle. Some always is, while work is handed over.
const ROOM_PARTS: u64 = 3;
/// Some of the kernel's ticks, which last 10 ms on most machines; and as long as what was started last takes to
/// show.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// A look that is older is of another time.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_known_from_the_second_look_on_and_once_for_each() {
        let start = Instant::now();
        let mut cpu = Cpu::default();
        assert!(!cpu.has_room(start));
        // As if nothing had been done since the system started.
        let idle = Ticks::now().map(|now| Ticks {
            idle: 0,
            all: now.all - now.idle,
        });
        cpu.last = Some((start, idle));
        assert!(!cpu.has_room(start + LOOK_AGAIN_AFTER / 2));
        assert!(cpu.has_room(start + LOOK_AGAIN_AFTER));
        assert!(!cpu.has_room(start + LOOK_AGAIN_AFTER));
        cpu.last = Some((start, idle));
        assert!(!cpu.has_room(start + FORGOTTEN_AFTER));
    }

    #[test]
    fn there_is_room_where_much_of_the_time_is_left() {
        let check = |before: (u64, u64), after: (u64, u64)| {
            let [before, after] = [before, after].map(|(idle, all)| Some(Ticks { idle, all }));
            is_room(before, after)
        };
        assert!(check((100, 1000), (110, 1010)));
        assert!(check((100, 1000), (107, 1020)));
        assert!(!check((100, 1000), (106, 1020)));
        assert!(!check((100, 1000), (100, 1020)));
        assert!(!check((100, 1000), (100, 1000)), "no time went by");
        assert!(is_room(None, None), "the system does not tell");
    }
}
