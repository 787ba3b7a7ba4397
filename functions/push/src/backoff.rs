//! How long to wait before a post is tried again.

use std::time::Duration;

/// The first wait: the gateway's 429 is per second, and most 500s are shorter.
const FIRST: Duration = Duration::from_millis(50);
/// No wait is longer: a connection that takes messages again gets them soon.
const MAX: Duration = Duration::from_secs(2);

/// The wait after so many failures, at least one; `jitter`, from 0 to 1, says
/// how much of its second half.
///
/// Half of it is random so that posts that failed together do not come back
/// together, and half is not, so that none comes back at once.
pub(crate) fn wait(failures: u32, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = FIRST.saturating_mul(1 << doublings).min(MAX);
    whole.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound() {
        let check = |failures| wait(failures, 1.0).as_millis();
        assert_eq!([1, 2, 3, 6].map(check), [50, 100, 200, 1600]);
        assert_eq!([7, 100, u32::MAX].map(check), [2000, 2000, 2000]);
    }

    #[test]
    fn half_of_a_wait_is_random() {
        let check = |jitter| wait(1, jitter).as_millis();
        assert_eq!([0.0, 0.5, 1.0].map(check), [25, 37, 50]);
    }
}
