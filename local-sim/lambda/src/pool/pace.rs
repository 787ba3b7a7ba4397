//! How fast turns come.

use std::{
    mem,
    time::{Duration, Instant},
};

/// Turns, counted from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Pace {
    turns: u32,
    looked_at: Option<Instant>,
    /// Of the last looks, of which the newest counts most.
    per_second: f64,
}

impl Pace {
    /// Counts a turn.
    pub(super) fn turn(&mut self) {
        self.turns += 1;
    }

    /// Looks at how many turns there were since the last look, or since somebody waits for one if that is later; says
    /// how many are to come within `time`.
    ///
    /// One look may fall in a moment in which nothing could run: the looks before count too.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, which saturates"
    )]
    pub(super) fn look(&mut self, now: Instant, waits_since: Instant, time: Duration) -> usize {
        let since = self.looked_at.map_or(waits_since, |it| it.max(waits_since));
        self.looked_at = Some(now);
        let elapsed = now.saturating_duration_since(since).max(ELAPSED_MIN);
        let lately_per_second = f64::from(mem::take(&mut self.turns)) / elapsed.as_secs_f64();
        let weight = elapsed.div_duration_f64(elapsed + MEMORY);
        self.per_second += weight * (lately_per_second - self.per_second);
        (self.per_second.max(lately_per_second) * time.as_secs_f64()) as usize
    }
}

/// Looks of so long ago count half.
const MEMORY: Duration = Duration::from_millis(40);
/// No look is shorter.
const ELAPSED_MIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Looks after each time, in milliseconds, in which there were so many turns.
    fn check(looks: &[(u64, u32)]) -> usize {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        let mut to_come = 0;
        for (milliseconds, turns) in looks {
            let before = now;
            now += Duration::from_millis(*milliseconds);
            for _ in 0..*turns {
                pace.turn();
            }
            to_come = pace.look(now, before, SECOND);
        }
        to_come
    }

    #[test]
    fn a_pace_is_known_at_the_first_look() {
        assert_eq!(check(&[(5, 0)]), 0);
        assert_eq!(check(&[(5, 1)]), 200);
        assert_eq!(check(&[(500, 1)]), 2);
        assert_eq!(check(&[(0, 1)]), 1000, "in less than no time");
    }

    #[test]
    fn a_moment_without_a_turn_is_bridged_and_a_long_one_is_not() {
        let steady = [(5, 10); 20];
        let mut looks = steady.to_vec();
        assert_eq!(check(&looks), 2000);
        looks.push((5, 0));
        let one_missed = check(&looks);
        assert!((1500..2000).contains(&one_missed), "{one_missed}");
        looks.push((500, 0));
        assert!(check(&looks) < 200);
    }

    #[test]
    fn what_was_before_somebody_waited_does_not_count() {
        let mut pace = Pace::default();
        let start = Instant::now();
        pace.look(start, start, SECOND);
        let waits_since = start + Duration::from_mins(1);
        pace.turn();
        let now = waits_since + Duration::from_millis(5);
        assert_eq!(pace.look(now, waits_since, SECOND), 200);
    }
}
