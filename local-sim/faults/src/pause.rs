//! A delay caused by a fault, which ends early when the fault is removed.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A delay caused by a fault.
#[derive(Debug)]
pub struct Pause {
    length: Duration,
    ended: CancellationToken,
}

impl Pause {
    /// Creates a delay of this length, which ends early when `ended` is cancelled.
    pub fn new(length: Duration, ended: CancellationToken) -> Self {
        Self { length, ended }
    }

    /// Waits for the length of the delay, or until the fault ends.
    pub async fn pass(self) {
        // A timeout is the normal end of the delay.
        let _ = timeout(self.length, self.ended.cancelled()).await;
    }

    /// The length of the delay if the fault does not end early.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Waits until the fault ends, regardless of the length.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_mins(15);

    #[tokio::test]
    async fn a_pause_lasts_its_length() {
        let start = Instant::now();
        let length = Duration::from_millis(20);
        Pause::new(length, CancellationToken::new()).pass().await;
        assert!(start.elapsed() >= length);
    }

    #[tokio::test]
    async fn a_pause_ends_when_the_fault_ends() {
        let start = Instant::now();
        let ended = CancellationToken::new();
        let pause = Pause::new(LONG, ended.clone());
        tokio::join!(pause.pass(), async { ended.cancel() });
        assert!(start.elapsed() < LONG);
    }
}
