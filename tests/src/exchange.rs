//! Closed-loop load: each client sends its next message after the response to the previous one.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::Client;

/// The result of one measurement.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Responses per second.
    pub per_second: f64,
    /// The median time from a message to its response.
    pub median: Duration,
    /// Responses that lack the expected text.
    pub errors: usize,
}

/// Exchanges messages with `clients` connections for `time`, after a `warm_up` that is not timed.
///
/// A response that lacks `expected` counts as an error, also during the warm-up.
pub async fn exchange(
    url: &str,
    clients: usize,
    message: &'static str,
    expected: &'static str,
    [warm_up, time]: [Duration; 2],
) -> Measured {
    let mut opened = Vec::new();
    for _ in 0..clients {
        opened.push(Client::connect(url).await);
    }
    let begin = Instant::now() + warm_up;
    let end = begin + time;
    let mut tasks = JoinSet::new();
    for mut client in opened {
        tasks.spawn(async move {
            let (mut times, mut errors) = (Vec::new(), 0);
            loop {
                let start = Instant::now();
                if start >= end {
                    return (times, errors);
                }
                client.send(message).await;
                errors += usize::from(!client.next().await.contains(expected));
                if start >= begin {
                    times.push(start.elapsed());
                }
            }
        });
    }
    let (mut times, mut errors) = (Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (more, failed) = done.unwrap();
        times.extend(more);
        errors += failed;
    }
    times.sort();
    let count = u32::try_from(times.len()).unwrap();
    Measured {
        per_second: f64::from(count) / time.as_secs_f64(),
        median: times.get(times.len() / 2).copied().unwrap_or_default(),
        errors,
    }
}
