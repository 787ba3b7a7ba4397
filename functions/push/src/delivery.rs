//! Delivers a batch: many posts at once, until the deadline.

use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::{sleep_until, timeout};

use crate::{
    connections::{Connections, PostError},
    work::{Post, Work},
};

/// The most posts in flight, each on its own HTTP connection to the gateway.
///
/// It allows some 600 posts per second at a latency of 100 ms.
pub(crate) const POSTS_MAX: usize = 64;
/// The time limit for a post, including a new connection and TLS.
///
/// A post takes milliseconds unless the gateway hangs.
const POST_TIMEOUT: Duration = Duration::from_secs(2);

/// Posts until all of the work has succeeded or failed for good, or until the deadline.
///
/// Posts in flight at the deadline are abandoned, although they may have succeeded.
pub(crate) async fn deliver(
    connections: &impl Connections,
    work: &mut Work<'_>,
    deadline: Instant,
) {
    let mut posts = FuturesUnordered::new();
    while now() < deadline {
        while posts.len() < POSTS_MAX
            && let Some(post) = work.next(now())
        {
            posts.push(attempt(connections, post));
        }
        let retry_at = work.retry_at();
        if posts.is_empty() && retry_at.is_none() {
            return;
        }
        // With `POSTS_MAX` posts in flight, a retry must wait until one of them ends.
        let next = retry_at.filter(|_| posts.len() < POSTS_MAX);
        tokio::select! {
            biased;
            Some((post, result)) = posts.next() => work.settle(post, result, now(), fastrand::f64()),
            () = sleep_until(next.unwrap_or(deadline).min(deadline).into()) => {}
        }
    }
    while let Some(Some((post, result))) = posts.next().now_or_never() {
        work.settle(post, result, now(), fastrand::f64());
    }
}

async fn attempt<'a>(
    connections: &impl Connections,
    post: Post<'a>,
) -> (Post<'a>, Result<(), PostError>) {
    let result = timeout(POST_TIMEOUT, connections.act(post.connection, post.action)).await;
    (
        post,
        result.unwrap_or_else(|_| Err(PostError::new(None).because(PostTimedOut))),
    )
}

#[derive(Debug, thiserror::Error)]
#[error("timed out after {} s", POST_TIMEOUT.as_secs())]
struct PostTimedOut;

/// The time of Tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
#[path = "delivery/tests.rs"]
mod tests;
