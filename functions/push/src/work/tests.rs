//! Ordering, retries and failures, for arbitrary batches and results.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{batch::Partition, poison::Poison};

/// A record for the connections in `to`, each a letter. `!` makes it poison.
fn record(offset: i64, to: &str) -> Record {
    let connections = to.chars().map(|id| ConnectionId::parse(&id.to_string()));
    let command = match to {
        "!" => Err(Poison::NoRecipient),
        _ => Ok(Command {
            to: connections.map(|id| id.expect("a letter")).collect(),
            action: Action::Post(offset.to_string().into()),
        }),
    };
    Record {
        offset,
        timestamp: 0,
        command,
    }
}

/// A batch of partitions `p0`, `p1` …, with offsets from 10.
fn batch(partitions: &[Vec<&str>]) -> Batch {
    let partition = |(index, records): (usize, &Vec<&str>)| Partition {
        name: format!("p{index}"),
        records: (10..)
            .zip(records)
            .map(|(offset, to)| record(offset, to))
            .collect(),
    };
    Batch {
        partitions: partitions.iter().enumerate().map(partition).collect(),
    }
}

fn work(batch: &Batch) -> Work<'_> {
    Work::new(batch, |_, _, _| false)
}

/// The result with this status; 0 is no response.
fn result(status: u16) -> Result<(), PostError> {
    match status {
        200 => Ok(()),
        0 => Err(PostError::new(None)),
        status => Err(PostError::new(Some(status))),
    }
}

fn message<'a>(post: &Post<'a>) -> (&'a str, &'a str) {
    match post.action {
        Action::Post(bytes) => (
            post.connection.as_str(),
            str::from_utf8(bytes).expect("text"),
        ),
        Action::Close => (post.connection.as_str(), "close"),
    }
}

/// The partitions and offsets of the failures, such as `p0:12 p1:10`.
///
/// Makes one post at a time, each with the next of these statuses.
fn check(partitions: &[Vec<&str>], statuses: &[u16]) -> String {
    let batch = batch(partitions);
    let mut work = work(&batch);
    let now = Instant::now();
    for status in statuses {
        let post = work.next(now).expect("a post");
        work.settle(post, result(*status), now, 0.0);
    }
    let failures: Vec<String> = work
        .report()
        .failures
        .iter()
        .map(|failure| format!("{}:{}", failure.partition, failure.offset))
        .collect();
    failures.join(" ")
}

#[test]
fn delivered_gone_and_rejected_posts_are_done() {
    assert_eq!(
        check(&[vec!["a", "b", "c", "d"]], &[200, 410, 413, 400]),
        ""
    );
    assert_eq!(check(&[vec!["!", ""], vec![]], &[]), "");
}

#[test]
fn the_first_failed_record_of_each_partition_is_reported() {
    assert_eq!(check(&[vec!["a", "b", "c"]], &[200, 403, 403]), "p0:11");
    assert_eq!(
        check(&[vec!["a", "b"], vec!["a"]], &[200, 403, 403]),
        "p0:11 p1:10"
    );
    assert_eq!(check(&[vec!["a"], vec!["a"]], &[200, 500]), "p1:10");
}

#[test]
fn a_record_that_was_never_posted_is_reported() {
    assert_eq!(check(&[vec!["a"], vec!["!", "b"]], &[]), "p0:10 p1:11");
}

#[test]
fn a_record_is_done_once_all_its_connections_are() {
    assert_eq!(check(&[vec!["ab"]], &[200]), "p0:10");
    assert_eq!(check(&[vec!["ab"]], &[200, 410]), "");
    assert_eq!(check(&[vec!["ab", "c"]], &[200, 403, 200]), "p0:10");
}

#[test]
fn no_record_overtakes_one_that_failed() {
    let batch = batch(&[vec!["a", "a", "b"]]);
    let mut work = work(&batch);
    let now = Instant::now();
    let first = work.next(now).expect("a");
    assert_eq!(message(&first), ("a", "10"));
    assert_eq!(message(&work.next(now).expect("b")), ("b", "12"));
    assert!(
        work.next(now).is_none(),
        "the second record is posted before the first is done"
    );

    work.settle(first, result(403), now, 0.0);

    assert!(work.next(now + Duration::from_secs(3600)).is_none());
}

#[test]
fn the_backoff_grows_with_each_retry_and_resets_after_a_success() {
    let batch = batch(&[vec!["a", "a"]]);
    let mut work = work(&batch);
    let mut now = Instant::now();
    for millis in [50, 100, 200] {
        let post = work.next(now).expect("the first");
        assert_eq!(message(&post), ("a", "10"));
        work.settle(post, result(429), now, 1.0);
        assert_eq!(work.retry_at(), Some(now + Duration::from_millis(millis)));
        assert!(work.next(now).is_none());
        now += Duration::from_millis(millis);
    }
    let post = work.next(now).expect("the first");
    work.settle(post, Ok(()), now, 1.0);
    let post = work.next(now).expect("the second");
    assert_eq!(message(&post), ("a", "11"));
    work.settle(post, result(0), now, 1.0);
    // The success in between has reset the backoff.
    assert_eq!(work.retry_at(), Some(now + Duration::from_millis(50)));
    let counts = work.report().counts;
    assert_eq!((counts.delivered, counts.retried), (1, 4));
}

#[test]
fn a_record_that_was_already_delivered_is_not_posted_again() {
    let batch = batch(&[vec!["ab", "a"]]);
    let mut work = Work::new(&batch, |partition, record, id| {
        (partition, record.offset, id.as_str()) == ("p0", 10, "a")
    });
    let now = Instant::now();
    let posts: Vec<_> = std::iter::from_fn(|| work.next(now)).collect();
    let posts: Vec<_> = posts.iter().map(message).collect();
    assert_eq!(posts, [("a", "11"), ("b", "10")]);
    assert_eq!(work.report().counts.repeated, 1);
}

#[test]
fn each_outcome_is_counted() {
    let batch = batch(&[vec!["!", "a", "b", "c", "d", "e", "ef"]]);
    let mut work = work(&batch);
    let now = Instant::now();
    for status in [200, 410, 413, 400, 403] {
        let post = work.next(now).expect("a post");
        work.settle(post, result(status), now, 0.0);
    }
    let report = work.report();
    let rejected: Vec<i64> = report.rejections.iter().map(|it| it.offset).collect();
    assert_eq!(rejected, [13, 14]);
    assert_eq!(
        report.counts.named(),
        [
            ("delivered", 1),
            ("gone", 1),
            ("tooLarge", 1),
            ("rejected", 1),
            ("retried", 0),
            ("repeated", 0),
            // The post with status 403, the one after it in its lane, and the one never made.
            ("failed", 3),
            ("poison", 1)
        ]
    );
}

/// One step of a run in which posts end in any order: starts posts, then ends one in flight.
#[derive(Debug, Clone)]
struct Step {
    starts: usize,
    which: prop::sample::Index,
    status: u16,
}

fn step() -> impl Strategy<Value = Step> {
    let status = select(vec![200, 200, 200, 410, 400, 413, 429, 500, 0, 403]);
    (0..4_usize, any::<prop::sample::Index>(), status).prop_map(|(starts, which, status)| Step {
        starts,
        which,
        status,
    })
}

fn partitions() -> impl Strategy<Value = Vec<Vec<&'static str>>> {
    let to = select(vec!["a", "a", "b", "c", "ab", "abc", "!", ""]);
    vec(vec(to, 0..8), 0..4)
}

proptest! {
    #[test]
    fn for_any_results_the_order_is_kept_and_no_record_is_lost(
        partitions in partitions(),
        steps in vec(step(), 0..60),
    ) {
        let batch = batch(&partitions);
        let mut work = work(&batch);
        let mut now = Instant::now();
        let mut in_flight: Vec<Post<'_>> = Vec::new();
        let mut finished: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        for Step { starts, which, status } in steps {
            for _ in 0..starts {
                in_flight.extend(work.next(now));
            }
            now += Duration::from_secs(1);
            let lanes: BTreeSet<usize> = in_flight.iter().map(|post| post.lane).collect();
            prop_assert_eq!(lanes.len(), in_flight.len(), "two posts of one lane");
            if in_flight.is_empty() {
                continue;
            }
            let post = in_flight.swap_remove(which.index(in_flight.len()));
            let offset: i64 = message(&post).1.parse().expect("an offset");
            if let Verdict::Done(_) = Verdict::of(result(status).map_or_else(|it| it.status, |()| Some(200))) {
                finished.entry(post.lane).or_default().push(offset);
            }
            work.settle(post, result(status), now, 0.5);
        }
        drop(in_flight);

        let lanes: Vec<(usize, String)> = work
            .lanes
            .iter()
            .map(|lane| (lane.partition, lane.connection.as_str().to_owned()))
            .collect();
        let report = work.report();
        let mut done = BTreeSet::new();
        for (lane, offsets) in &finished {
            let (partition, connection) = &lanes[*lane];
            for offset in offsets {
                done.insert((*partition, *offset, connection.clone()));
            }
            // Each lane finishes its records in order, without gaps.
            let expected: Vec<i64> = (10..)
                .zip(&partitions[*partition])
                .filter(|(_, to)| to.contains(connection.as_str()))
                .map(|(offset, _)| offset)
                .take(offsets.len())
                .collect();
            prop_assert_eq!(offsets, &expected);
        }
        // Each partition reports its first record that is unfinished for any connection.
        for (index, records) in partitions.iter().enumerate() {
            let is_left = |offset: i64, to: &str| {
                to != "!" && to.chars().any(|id| !done.contains(&(index, offset, id.to_string())))
            };
            let first = (10..).zip(records).find(|(offset, to)| is_left(*offset, to));
            let name = format!("p{index}");
            let reported: Vec<i64> = report
                .failures
                .iter()
                .filter(|failure| failure.partition == name)
                .map(|failure| failure.offset)
                .collect();
            prop_assert_eq!(reported, first.map(|(offset, _)| offset).into_iter().collect::<Vec<_>>());
        }
        prop_assert_eq!(report.delivered.len(), done.len());
        let all = partitions.iter().flatten().filter(|to| **to != "!").map(|to| to.len());
        prop_assert_eq!(report.counts.failed, (all.sum::<usize>() - done.len()) as u64);
    }
}
