//! Measures how fast waiting invocations are assigned.

use std::{
    mem,
    time::{Duration, Instant},
};

/// A moving average of assignments per second.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// Assignments since the last measurement.
    count: u32,
    measured_at: Option<Instant>,
    /// Weighted average of the measurements; recent ones weigh more.
    per_second: f64,
}

impl Rate {
    /// Counts an assignment.
    pub(super) fn count(&mut self) {
        self.count += 1;
    }

    /// Measures the rate, and estimates how many assignments follow within `period`.
    ///
    /// A measurement begins at the previous one, or at `waiting_since` if that is later. The
    /// average bridges a moment in which nothing could run.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-integer cast saturates"
    )]
    pub(super) fn measure(
        &mut self,
        now: Instant,
        waiting_since: Instant,
        period: Duration,
    ) -> usize {
        let since = self
            .measured_at
            .map_or(waiting_since, |it| it.max(waiting_since));
        self.measured_at = Some(now);
        let elapsed = now.saturating_duration_since(since).max(ELAPSED_MIN);
        let current = f64::from(mem::take(&mut self.count)) / elapsed.as_secs_f64();
        let weight = elapsed.div_duration_f64(elapsed + AVERAGING);
        self.per_second += weight * (current - self.per_second);
        (self.per_second.max(current) * period.as_secs_f64()) as usize
    }
}

/// A measurement of this duration weighs as much as all earlier ones.
const AVERAGING: Duration = Duration::from_millis(40);
/// Shorter measurements are treated as this long.
const ELAPSED_MIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The estimate for one second after measurements of (milliseconds, assignments).
    fn check(measurements: &[(u64, u32)]) -> usize {
        let mut rate = Rate::default();
        let mut now = Instant::now();
        let mut expected = 0;
        for (milliseconds, count) in measurements {
            let before = now;
            now += Duration::from_millis(*milliseconds);
            for _ in 0..*count {
                rate.count();
            }
            expected = rate.measure(now, before, SECOND);
        }
        expected
    }

    #[test]
    fn the_first_measurement_gives_a_rate() {
        assert_eq!(check(&[(5, 0)]), 0);
        assert_eq!(check(&[(5, 1)]), 200);
        assert_eq!(check(&[(500, 1)]), 2);
        assert_eq!(check(&[(0, 1)]), 1000, "an empty interval counts as 1 ms");
    }

    #[test]
    fn a_short_pause_is_averaged_out_but_a_long_one_is_not() {
        let steady = [(5, 10); 20];
        let mut measurements = steady.to_vec();
        assert_eq!(check(&measurements), 2000);
        measurements.push((5, 0));
        let after_pause = check(&measurements);
        assert!((1500..2000).contains(&after_pause), "{after_pause}");
        measurements.push((500, 0));
        assert!(check(&measurements) < 200);
    }

    #[test]
    fn time_without_waiting_invocations_is_not_measured() {
        let mut rate = Rate::default();
        let start = Instant::now();
        rate.measure(start, start, SECOND);
        let waiting_since = start + Duration::from_mins(1);
        rate.count();
        let now = waiting_since + Duration::from_millis(5);
        assert_eq!(rate.measure(now, waiting_since, SECOND), 200);
    }
}
