//! Concurrent posts, retries and the deadline, with Tokio's paused clock.

use std::{collections::BTreeMap, sync::Mutex};

use tokio::time::sleep;

use super::*;
use crate::{
    address::ConnectionId,
    batch::{Action, Batch, Command, Partition, Record},
    report::Report,
};

/// Connections whose behavior depends on the first letter of their ids.
///
/// `s` takes a second for each post, `h` hangs, `l` is throttled at the first three attempts, `e`
/// always fails with status 500. All others succeed.
#[derive(Debug, Default)]
struct FakeConnections(Mutex<Stats>);

#[derive(Debug, Default)]
struct Stats {
    delivered: BTreeMap<String, Vec<i64>>,
    attempts: BTreeMap<String, u32>,
    in_flight: usize,
    in_flight_max: usize,
}

impl FakeConnections {
    fn stats<T>(&self, f: impl FnOnce(&mut Stats) -> T) -> T {
        f(&mut self.0.lock().expect("not poisoned"))
    }

    /// The offsets that were delivered to a connection.
    fn delivered(&self, connection: &str) -> Vec<i64> {
        self.stats(|stats| stats.delivered.get(connection).cloned().unwrap_or_default())
    }

    fn attempts(&self, connection: &str) -> u32 {
        self.stats(|stats| stats.attempts.get(connection).copied().unwrap_or_default())
    }
}

impl Connections for FakeConnections {
    async fn act(&self, connection: &ConnectionId, action: &Action) -> Result<(), PostError> {
        let id = connection.as_str();
        let attempts = self.stats(|stats| {
            stats.in_flight += 1;
            stats.in_flight_max = stats.in_flight_max.max(stats.in_flight);
            let attempts = stats.attempts.entry(id.to_owned()).or_default();
            *attempts += 1;
            *attempts
        });
        let _in_flight = InFlight(self);
        match &id[..1] {
            "s" => sleep(Duration::from_secs(1)).await,
            "h" => std::future::pending().await,
            "l" if attempts <= 3 => return Err(PostError::new(Some(429))),
            "e" => return Err(PostError::new(Some(500))),
            _ => tokio::task::yield_now().await,
        }
        let Action::Post(message) = action else {
            panic!("these tests close no connection");
        };
        let offset = str::from_utf8(message)
            .ok()
            .and_then(|text| text.parse().ok());
        self.stats(|stats| {
            let delivered = stats.delivered.entry(id.to_owned()).or_default();
            delivered.push(offset.expect("an offset"));
        });
        Ok(())
    }
}

struct InFlight<'a>(&'a FakeConnections);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.stats(|stats| stats.in_flight -= 1);
    }
}

/// A batch with one record for each connection of the list, at offsets from 0.
fn batch(to: &[String]) -> Batch {
    let record = |(offset, to): (i64, &String)| Record {
        offset,
        timestamp: 0,
        command: Ok(Command {
            to: vec![ConnectionId::parse(to).expect("an id")],
            action: Action::Post(offset.to_string().into()),
        }),
    };
    Batch {
        partitions: vec![Partition {
            name: "t-0".to_owned(),
            records: (0..).zip(to).map(record).collect(),
        }],
    }
}

/// Delivers until a deadline in `seconds`.
///
/// Returns the lowest offset that failed and the time taken in milliseconds.
async fn check(connections: &FakeConnections, to: &[&str], seconds: u64) -> (Option<i64>, u128) {
    let to: Vec<String> = to.iter().map(|to| (*to).to_owned()).collect();
    check_all(connections, &to, seconds).await
}

async fn check_all(
    connections: &FakeConnections,
    to: &[String],
    seconds: u64,
) -> (Option<i64>, u128) {
    let batch = batch(to);
    let mut work = Work::new(&batch, |_, _, _| false);
    let start = now();
    let deadline = start + Duration::from_secs(seconds);
    deliver(connections, &mut work, deadline).await;
    let took = (now() - start).as_millis();
    let Report { failures, .. } = work.report();
    (failures.first().map(|failure| failure.offset), took)
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_takes_no_time() {
    let connections = FakeConnections::default();
    assert_eq!(check(&connections, &[], 10).await, (None, 0));
}

#[tokio::test(start_paused = true)]
async fn posts_to_one_connection_are_sequential_and_connections_are_concurrent() {
    let connections = FakeConnections::default();
    let to = ["s1", "s2", "s1", "s2", "s1"];
    assert_eq!(check(&connections, &to, 10).await, (None, 3000));
    assert_eq!(connections.delivered("s1"), [0, 2, 4]);
    assert_eq!(connections.delivered("s2"), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn at_most_64_posts_are_in_flight() {
    let connections = FakeConnections::default();
    let to: Vec<String> = (0..POSTS_MAX * 3).map(|id| format!("s{id}")).collect();
    assert_eq!(check_all(&connections, &to, 10).await, (None, 3000));
    assert_eq!(connections.stats(|stats| stats.in_flight_max), POSTS_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_post_is_retried_with_backoff() {
    let connections = FakeConnections::default();
    let (left, took) = check(&connections, &["l", "l"], 10).await;
    assert_eq!(left, None);
    assert_eq!(connections.delivered("l"), [0, 1]);
    assert_eq!(connections.attempts("l"), 5);
    // Backoffs of 50, 100 and 200 ms, half of each random. Each timer may be 1 ms late.
    assert!((175..=354).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn a_failed_post_is_retried_until_the_deadline() {
    let connections = FakeConnections::default();
    let (left, took) = check(&connections, &["a", "e", "e", "b"], 10).await;
    assert_eq!((left, took), (Some(1), 10_000));
    // The backoffs grow to 2 s, half of each random.
    let attempts = connections.attempts("e");
    assert!((9..=20).contains(&attempts), "{attempts}");
    assert_eq!(connections.delivered("b"), [3]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_hangs_does_not_delay_others() {
    let connections = FakeConnections::default();
    let mut to: Vec<String> = (0..POSTS_MAX).map(|id| format!("h{id}")).collect();
    to.push("a".to_owned());
    let (left, took) = check_all(&connections, &to, 10).await;
    assert_eq!((left, took), (Some(0), 10_000));
    assert_eq!(connections.delivered("a").len(), 1);
    // Each attempt takes 2 s, and each backoff less than that.
    let attempts = connections.attempts("h0");
    assert!((3..=5).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_reported_as_one() {
    let batch = batch(&["h".to_owned()]);
    let mut work = Work::new(&batch, |_, _, _| false);
    let deadline = now() + Duration::from_secs(3);
    deliver(&FakeConnections::default(), &mut work, deadline).await;
    let report = work.report();
    let error = report.failures[0].error.as_ref().expect("an error");
    let cause = error.cause.as_ref().expect("a cause");
    assert_eq!(error.to_string(), "no response from the gateway");
    assert_eq!(cause.to_string(), "timed out after 2 s");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_posted_after_the_deadline() {
    let connections = FakeConnections::default();
    assert_eq!(check(&connections, &["a"], 0).await, (Some(0), 0));
    assert_eq!(connections.attempts("a"), 0);
}
