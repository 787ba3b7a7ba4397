//! A task that panics does not end the mapping.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};
use tracing::error;

/// Runs a future. If it panics, logs that and returns `None` after a pause, since a retry may panic again.
///
/// Dropping this drops the future.
pub(super) async fn catch_panic<T: Send + 'static>(
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

/// How long a caller waits before it can retry.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_no_result_and_nothing_else() {
        assert_eq!(catch_panic("counts", async { 1 }).await, Some(1));
        let panics = async { assert!(std::env::args().count() == 0, "this is meant to be") };
        assert_eq!(catch_panic("counts", panics).await, None);
    }
}
