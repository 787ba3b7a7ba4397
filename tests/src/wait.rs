//! Polls for a condition, with a timeout.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// The default timeout of a test's wait, generous because a build may share the machine's two cores.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The interval between two polls.
const POLL: Duration = Duration::from_millis(10);

/// Polls until the closure returns `Some`.
///
/// # Panics
/// Panics with `what` if that takes longer than [`PATIENCE`].
pub async fn eventually<T>(what: &str, answer: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_in(PATIENCE, what, answer).await
}

/// Polls until the closure returns `Some`, for at most `patience`.
///
/// # Panics
/// Panics with `what` on timeout.
pub async fn eventually_in<T>(
    patience: Duration,
    what: &str,
    mut answer: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = answer().await {
            return answer;
        }
        assert!(Instant::now() < end, "timed out after {patience:?}: {what}");
        sleep(POLL).await;
    }
}

/// Awaits a future with a timeout.
///
/// # Panics
/// Panics with `what` if that takes longer than [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("timed out after {PATIENCE:?}: {what}"),
    }
}
