//! Messages in a closed loop: each client sends the next one when it has its answer.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::Client;

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Answers in a second.
    pub per_second: f64,
    /// The median of the time from a message to its answer.
    pub median: Duration,
    /// Answers that were not as expected.
    pub errors: usize,
}

/// Has so many clients exchange messages until `time` is over; what comes before `warm_up` is does not count. An
/// answer that lacks `expected` is an error.
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
