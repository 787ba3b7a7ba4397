//! Tasks whose own faults end nothing but themselves.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};
use tracing::error;

/// Runs a future, and where that panics says so and returns none after a pause: what is tried again may panic again.
///
/// Dropped, it ends the future.
pub(super) async fn guarded<T: Send + 'static>(
    what: &str,
    future: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut task = JoinSet::new();
    task.spawn(future);
    match task.join_next().await? {
        Ok(result) => Some(result),
        Err(fault) => {
            error!("push: a fault of local-sim while it {what}: {fault}");
            sleep(PAUSE).await;
            None
        }
    }
}

/// Before what has panicked is tried again.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_no_result_and_nothing_else() {
        assert_eq!(guarded("counts", async { 1 }).await, Some(1));
        let panics = async { assert!(std::env::args().count() == 0, "this is meant to be") };
        assert_eq!(guarded("counts", panics).await, None);
    }
}
