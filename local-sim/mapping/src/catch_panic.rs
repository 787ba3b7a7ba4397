//! Keeps a panic in one task from ending the mapping.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};
use tracing::error;

/// Runs a future. If it panics, logs the panic and returns `None` after [`PAUSE`].
///
/// `what` names the work in the log. Dropping the returned future drops `future`.
pub(super) async fn catch_panic<T: Send + 'static>(
    what: &str,
    future: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut task = JoinSet::new();
    task.spawn(future);
    match task.join_next().await? {
        Ok(result) => Some(result),
        Err(fault) => {
            error!("push: {what} panicked, which is a bug in local-sim: {fault}");
            sleep(PAUSE).await;
            None
        }
    }
}

/// The delay after a panic, since the caller retries and may panic again.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_yields_none() {
        assert_eq!(catch_panic("counting", async { 1 }).await, Some(1));
        let panics = async { assert!(std::env::args().count() == 0, "panic on purpose") };
        assert_eq!(catch_panic("counting", panics).await, None);
    }
}
