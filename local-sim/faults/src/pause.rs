//! A wait because of a fault, which is over when that is.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A wait because of a fault.
#[derive(Debug)]
pub struct Pause {
    length: Duration,
    ended: CancellationToken,
}

impl Pause {
    /// A wait of this length, unless the fault is `ended` before.
    pub fn new(length: Duration, ended: CancellationToken) -> Self {
        Self { length, ended }
    }

    /// Waits as long, or until the fault ends.
    pub async fn pass(self) {
        // Whichever comes first.
        let _ = timeout(self.length, self.ended.cancelled()).await;
    }

    /// How long it is where nobody ends it.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Waits until the fault ends, however long that is.
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
    async fn it_is_as_long_as_it_says() {
        let start = Instant::now();
        let length = Duration::from_millis(20);
        Pause::new(length, CancellationToken::new()).pass().await;
        assert!(start.elapsed() >= length);
    }

    #[tokio::test]
    async fn it_is_over_when_the_fault_is() {
        let start = Instant::now();
        let ended = CancellationToken::new();
        let pause = Pause::new(LONG, ended.clone());
        tokio::join!(pause.pass(), async { ended.cancel() });
        assert!(start.elapsed() < LONG);
    }
}
