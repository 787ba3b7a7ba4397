//! Waiting for something to become true, never longer than a bound.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long anything may take before a test gives up: far more than it ever needs, since two
/// busy cores may be shared with a build.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(10);

/// Asks until there is an answer.
///
/// # Panics
/// Panics, naming `what`, where there is none within [`PATIENCE`].
pub async fn eventually<T>(what: &str, answer: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_in(PATIENCE, what, answer).await
}

/// Asks until there is an answer, as long as there is patience.
///
/// # Panics
/// Panics, naming `what`, where there is none by then.
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
        assert!(Instant::now() < end, "not within {patience:?}: {what}");
        sleep(POLL).await;
    }
}

/// Awaits a future that has no bound of its own.
///
/// # Panics
/// Panics, naming `what`, where it is not done within [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}
