//! Many posts at once, retries and the deadline, in a world whose time is Tokio's.

use std::{collections::BTreeMap, sync::Mutex};

use tokio::time::sleep;

use super::*;
use crate::{
    address::ConnectionId,
    batch::{Action, Batch, Order, Partition, Record},
    report::Report,
};

/// Connections by the first letter of their ids:
/// `s` takes a second for each post, `h` never answers, `l` is over its limit
/// the first three times, `e` is in error for ever; all others take anything.
#[derive(Debug, Default)]
struct World(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    sent: BTreeMap<String, Vec<i64>>,
    tries: BTreeMap<String, u32>,
    under_way: usize,
    under_way_max: usize,
}

impl World {
    fn seen<T>(&self, see: impl FnOnce(&mut Seen) -> T) -> T {
        see(&mut self.0.lock().expect("a world"))
    }

    /// The offsets that a connection took.
    fn sent(&self, connection: &str) -> Vec<i64> {
        self.seen(|seen| seen.sent.get(connection).cloned().unwrap_or_default())
    }

    fn tries(&self, connection: &str) -> u32 {
        self.seen(|seen| seen.tries.get(connection).copied().unwrap_or_default())
    }
}

impl Connections for World {
    async fn act(&self, connection: &ConnectionId, action: &Action) -> Result<(), Refusal> {
        let id = connection.as_str();
        let tries = self.seen(|seen| {
            seen.under_way += 1;
            seen.under_way_max = seen.under_way_max.max(seen.under_way);
            let tries = seen.tries.entry(id.to_owned()).or_default();
            *tries += 1;
            *tries
        });
        let _under_way = UnderWay(self);
        match &id[..1] {
            "s" => sleep(Duration::from_secs(1)).await,
            "h" => std::future::pending().await,
            "l" if tries <= 3 => return Err(Refusal::new(Some(429))),
            "e" => return Err(Refusal::new(Some(500))),
            _ => tokio::task::yield_now().await,
        }
        let Action::Post(message) = action else {
            panic!("nothing here closes a connection");
        };
        let offset = str::from_utf8(message)
            .ok()
            .and_then(|text| text.parse().ok());
        self.seen(|seen| {
            let sent = seen.sent.entry(id.to_owned()).or_default();
            sent.push(offset.expect("an offset"));
        });
        Ok(())
    }
}

struct UnderWay<'a>(&'a World);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.seen(|seen| seen.under_way -= 1);
    }
}

/// Records with offsets from 0, one for each connection of the list.
fn batch(to: &[String]) -> Batch {
    let record = |(offset, to): (i64, &String)| Record {
        offset,
        timestamp: 0,
        order: Ok(Order {
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

/// Delivers within so many seconds: the lowest offset that is left, and how many milliseconds it took.
async fn check(world: &World, to: &[&str], seconds: u64) -> (Option<i64>, u128) {
    let to: Vec<String> = to.iter().map(|to| (*to).to_owned()).collect();
    check_all(world, &to, seconds).await
}

async fn check_all(world: &World, to: &[String], seconds: u64) -> (Option<i64>, u128) {
    let batch = batch(to);
    let mut work = Work::new(&batch, |_, _, _| false);
    let start = now();
    deliver(world, &mut work, start + Duration::from_secs(seconds)).await;
    let took = (now() - start).as_millis();
    let Report { failures, .. } = work.report();
    (failures.first().map(|failure| failure.offset), took)
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_takes_no_time() {
    assert_eq!(check(&World::default(), &[], 10).await, (None, 0));
}

#[tokio::test(start_paused = true)]
async fn one_connection_after_the_other_and_all_connections_at_once() {
    let world = World::default();
    let to = ["s1", "s2", "s1", "s2", "s1"];
    assert_eq!(check(&world, &to, 10).await, (None, 3000));
    assert_eq!(world.sent("s1"), [0, 2, 4]);
    assert_eq!(world.sent("s2"), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn posts_under_way_are_bounded() {
    let world = World::default();
    let to: Vec<String> = (0..POSTS_MAX * 3).map(|id| format!("s{id}")).collect();
    assert_eq!(check_all(&world, &to, 10).await, (None, 3000));
    assert_eq!(world.seen(|seen| seen.under_way_max), POSTS_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_waited_for() {
    let world = World::default();
    let (left, took) = check(&world, &["l", "l"], 10).await;
    assert_eq!(left, None);
    assert_eq!(world.sent("l"), [0, 1]);
    assert_eq!(world.tries("l"), 5);
    // Three waits, of 50, 100 and 200 ms, of each of which half is random; a timer may be 1 ms late.
    assert!((175..=354).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn an_error_is_tried_again_until_the_deadline() {
    let world = World::default();
    let (left, took) = check(&world, &["a", "e", "e", "b"], 10).await;
    assert_eq!((left, took), (Some(1), 10_000));
    // Waits of 2 s at most, at least half of each.
    assert!((9..=20).contains(&world.tries("e")), "{}", world.tries("e"));
    assert_eq!(world.sent("b"), [3]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_hangs_holds_up_nobody_else() {
    let world = World::default();
    let mut to: Vec<String> = (0..POSTS_MAX).map(|id| format!("h{id}")).collect();
    to.push("a".to_owned());
    let (left, took) = check_all(&world, &to, 10).await;
    assert_eq!((left, took), (Some(0), 10_000));
    assert_eq!(world.sent("a").len(), 1);
    // 2 s for each try, and less than that between them.
    assert!(
        (3..=5).contains(&world.tries("h0")),
        "{}",
        world.tries("h0")
    );
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_told_as_that() {
    let batch = batch(&["h".to_owned()]);
    let mut work = Work::new(&batch, |_, _, _| false);
    deliver(&World::default(), &mut work, now() + Duration::from_secs(3)).await;
    let report = work.report();
    let refusal = report.failures[0].refusal.as_ref().expect("a refusal");
    let cause = refusal.cause.as_ref().expect("a cause");
    assert_eq!(refusal.to_string(), "the gateway did not answer");
    assert_eq!(cause.to_string(), "no answer within 2 s");
}

#[tokio::test(start_paused = true)]
async fn without_time_nothing_is_tried() {
    let world = World::default();
    assert_eq!(check(&world, &["a"], 0).await, (Some(0), 0));
    assert_eq!(world.tries("a"), 0);
}
