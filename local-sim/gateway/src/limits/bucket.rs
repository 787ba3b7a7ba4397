//! A token bucket.

use std::fmt;

use tokio::time::Instant;

/// A bucket that holds at most `burst` tokens and gains `rate` tokens per second.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    /// When tokens were last added.
    filled_at: Instant,
}

impl Bucket {
    /// Creates a full bucket.
    pub(crate) fn new(rate: f64, burst: f64, now: Instant) -> Self {
        Self {
            rate,
            burst,
            tokens: burst,
            filled_at: now,
        }
    }

    /// Adds the tokens gained since the last call, and returns whether there is at least one.
    pub(crate) fn has_token(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + self.rate * seconds).min(self.burst);
        self.filled_at = self.filled_at.max(now);
        self.tokens >= 1.0
    }

    /// Takes one token. The caller must have checked [`Self::has_token`].
    pub(crate) fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, burst, .. } = self;
        write!(f, "{rate} per second with a burst of {burst}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// How many requests get a token. Each pause in milliseconds precedes one request.
    fn check(rate: f64, burst: f64, pauses_ms: &[u64]) -> usize {
        let mut now = Instant::now();
        let mut bucket = Bucket::new(rate, burst, now);
        let taken = pauses_ms.iter().filter(|pause| {
            now += Duration::from_millis(**pause);
            let taken = bucket.has_token(now);
            if taken {
                bucket.take();
            }
            taken
        });
        taken.count()
    }

    #[test]
    fn a_full_bucket_allows_one_burst() {
        assert_eq!(check(10.0, 3.0, &[0; 9]), 3);
        assert_eq!(check(10.0, 0.0, &[0, 1000, 1000]), 0);
        assert_eq!(check(0.0, 2.0, &[0, 0, 1_000_000_000]), 2);
    }

    #[test]
    fn tokens_refill_at_the_rate_up_to_the_burst() {
        assert_eq!(check(10.0, 1.0, &[0, 50, 100, 0]), 2);
        assert_eq!(check(0.5, 1.0, &[0, 1000, 1000, 1000]), 2);
        assert_eq!(check(10.0, 2.0, &[0, 0, 60_000, 0, 0]), 4);
    }

    proptest! {
        #[test]
        fn a_bucket_never_exceeds_its_burst_and_rate(
            rate in 0_u32..1000,
            burst in 0_u32..100,
            pauses in prop::collection::vec(0_u64..2000, 0..200),
        ) {
            let taken = check(rate.into(), burst.into(), &pauses);
            let seconds = Duration::from_millis(pauses.iter().sum()).as_secs_f64();
            // Allow for rounding errors in the sum of many fractions.
            let allowed = f64::from(burst) + f64::from(rate) * seconds + 1e-6;
            prop_assert!(u32::try_from(taken).map(f64::from).unwrap() <= allowed, "{taken} > {allowed}");
        }
    }
}
