//! The backoff before a post is retried.

use std::time::Duration;

/// The first backoff. The gateway throttles per second, and most of its 500 errors are shorter.
const FIRST: Duration = Duration::from_millis(50);
/// The longest backoff, so that a connection gets its messages soon after it recovers.
const MAX: Duration = Duration::from_secs(2);

/// The backoff after `failures` consecutive failures, at least one.
///
/// It is half fixed and half random. The random half, scaled by `jitter` from 0 to 1, spreads posts
/// that failed together. The fixed half prevents immediate retries.
pub(crate) fn wait(failures: u32, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = FIRST.saturating_mul(1 << doublings).min(MAX);
    whole.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_its_maximum() {
        let check = |failures| wait(failures, 1.0).as_millis();
        assert_eq!([1, 2, 3, 6].map(check), [50, 100, 200, 1600]);
        assert_eq!([7, 100, u32::MAX].map(check), [2000, 2000, 2000]);
    }

    #[test]
    fn half_of_the_backoff_is_random() {
        let check = |jitter| wait(1, jitter).as_millis();
        assert_eq!([0.0, 0.5, 1.0].map(check), [25, 37, 50]);
    }
}
