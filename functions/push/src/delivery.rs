//! Doing what there is to be done: many posts at once, until the deadline.

use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::{sleep_until, timeout};

use crate::{
    connections::{Connections, Refusal},
    work::{Post, Work},
};

/// This many posts are under way at most, each on a connection of its own to
/// the gateway: what 100 ms of latency and some 600 posts a second take.
pub(crate) const POSTS_MAX: usize = 64;
/// A post takes this long at most, a new connection and TLS included. It is a
/// matter of milliseconds, except where the peer is half dead.
pub(crate) const POST_MAX: Duration = Duration::from_secs(2);

/// Works until everything is settled that can be, or until the deadline.
///
/// Posts under way at the deadline are given up: they may have succeeded.
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
        let rested = work.rested();
        if posts.is_empty() && rested.is_none() {
            return;
        }
        // With all posts under way, one that has rested has to wait for another to end.
        let next = rested.filter(|_| posts.len() < POSTS_MAX);
        tokio::select! {
            biased;
            Some((post, answer)) = posts.next() => work.settle(post, answer, now(), fastrand::f64()),
            () = sleep_until(next.unwrap_or(deadline).min(deadline).into()) => {}
        }
    }
    while let Some(Some((post, answer))) = posts.next().now_or_never() {
        work.settle(post, answer, now(), fastrand::f64());
    }
}

async fn attempt<'a>(
    connections: &impl Connections,
    post: Post<'a>,
) -> (Post<'a>, Result<(), Refusal>) {
    let answer = timeout(POST_MAX, connections.act(post.connection, post.action)).await;
    (
        post,
        answer.unwrap_or_else(|_| Err(Refusal::new(None).because(Late))),
    )
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", POST_MAX.as_secs())]
struct Late;

/// Tokio's time, which tests can halt.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
#[path = "delivery/tests.rs"]
mod tests;
