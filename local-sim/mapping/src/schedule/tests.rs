//! Tests of the schedule with a simulated clock.

use std::time::Duration;

use kafka_protocol::records::NO_TIMESTAMP;
use proptest::prelude::*;
use serde_json::value::to_raw_value;
use sluice_contract::Push;

use super::{super::sample::bare, *};

const POLICY: Policy = Policy {
    batch_size: 4,
    window: Duration::ZERO,
    retries: None,
    record_age: None,
    bisect: false,
};
/// Longer than the delay of any retry.
const LONG: Duration = Duration::from_secs(60);
const MILLIS: i64 = 1_700_000_000_000;

struct Scene {
    schedule: Schedule,
    now: Instant,
}

fn entry(offset: i64, bytes: usize) -> Entry {
    Entry {
        record: bare(offset, MILLIS),
        json: to_raw_value(&"x".repeat(bytes)).unwrap(),
    }
}

impl Scene {
    /// Creates lanes with these numbers of records, starting at offset 0.
    fn new(policy: Policy, lanes: &[i64]) -> Self {
        let mut schedule = Schedule::new(policy, &vec![0; lanes.len()]);
        let now = Instant::now();
        for (lane, count) in lanes.iter().enumerate() {
            let entries = (0..*count).map(|offset| entry(offset, 10)).collect();
            schedule.add(lane, now, entries, *count);
        }
        Self { schedule, now }
    }

    fn due(&mut self) -> Due {
        self.schedule.due(self.now, MILLIS)
    }

    /// The lanes and counts of the batch that is due; empty if none is due.
    fn batch(&mut self) -> Vec<(usize, usize)> {
        match self.due() {
            Due::Batch(batch) => batch.parts.iter().map(|it| (it.lane, it.count)).collect(),
            Due::Nothing(_) => Vec::new(),
            Due::GiveUp(give_up) => panic!("{give_up:?}"),
        }
    }

    fn settle(&mut self, lane: usize, count: usize, outcome: Outcome) {
        self.schedule
            .settle(Part { lane, count }, outcome, self.now);
    }

    /// Settles each batch with `outcome` until records are given up.
    ///
    /// Returns these and the number of batches.
    fn fail(&mut self, outcome: Outcome) -> (GiveUp, usize) {
        for batches in 0..100 {
            self.now += LONG;
            match self.due() {
                Due::GiveUp(give_up) => return (give_up, batches),
                Due::Batch(batch) => {
                    for part in batch.parts {
                        self.schedule.settle(part, outcome, self.now);
                    }
                }
                Due::Nothing(next) => panic!("nothing until {next:?}"),
            }
        }
        panic!("no records were given up");
    }
}

#[test]
fn a_batch_takes_records_from_every_lane_up_to_its_size() {
    assert_eq!(Scene::new(POLICY, &[1, 0, 2]).batch(), [(0, 1), (2, 2)]);
    assert_eq!(Scene::new(POLICY, &[3, 3]).batch(), [(0, 3), (1, 1)]);
    assert_eq!(Scene::new(POLICY, &[9]).batch(), [(0, 4)]);
    assert_eq!(Scene::new(POLICY, &[0]).batch(), []);
}

#[test]
fn each_lane_can_have_its_own_concurrent_batch() {
    let mut scene = Scene::new(POLICY, &[9, 9, 9]);
    for lane in 0..3 {
        assert_eq!(scene.batch(), [(lane, 4)]);
    }
    assert_eq!(scene.batch(), []);
    scene.settle(1, 4, Outcome::Done);
    assert_eq!(scene.batch(), [(1, 4)]);
    assert_eq!(scene.schedule.position(1), 4);
}

#[test]
fn a_batch_stays_within_lambdas_size_limit() {
    let mut scene = Scene::new(POLICY, &[0, 0]);
    let large = |offset| entry(offset, 2_500_000);
    scene.schedule.add(0, scene.now, vec![large(0)], 1);
    scene
        .schedule
        .add(1, scene.now, vec![large(0), large(1)], 2);
    assert_eq!(scene.batch(), [(0, 1), (1, 1)]);
    assert_eq!(scene.batch(), []);
}

#[test]
fn a_record_larger_than_an_event_is_given_up_and_the_next_is_sent() {
    let mut scene = Scene::new(POLICY, &[0]);
    scene
        .schedule
        .add(0, scene.now, vec![entry(0, 6_000_001), entry(1, 1)], 2);
    let part = Part { lane: 0, count: 1 };
    let Due::GiveUp(given_up) = scene.due() else {
        panic!("no records were given up");
    };
    assert_eq!(
        (given_up.part, given_up.condition),
        (part, Condition::RecordTooLarge)
    );
    scene.schedule.given_up(part);
    assert_eq!(scene.batch(), [(0, 1)]);
    assert_eq!(scene.schedule.position(0), 1);
}

#[test]
fn a_batch_waits_until_it_is_full_or_its_window_is_over() {
    let policy = Policy {
        window: Duration::from_secs(5),
        ..POLICY
    };
    let mut scene = Scene::new(policy, &[1, 1]);
    let Due::Nothing(Some(until)) = scene.due() else {
        panic!("a batch is due before the window is over");
    };
    assert_eq!(until, scene.now + Duration::from_secs(5));
    scene.now += Duration::from_secs(2);
    scene.schedule.add(1, scene.now, vec![entry(1, 1)], 2);
    assert_eq!(scene.batch(), []);
    scene.now += Duration::from_secs(3);
    assert_eq!(scene.batch(), [(0, 1), (1, 2)]);
    scene.settle(0, 1, Outcome::Done);
    scene.schedule.add(
        0,
        scene.now,
        (1..5).map(|offset| entry(offset, 1)).collect(),
        5,
    );
    assert_eq!(scene.batch(), [(0, 4)]);
}

#[test]
fn a_failed_lane_is_retried_alone_without_delaying_others() {
    let mut scene = Scene::new(POLICY, &[2, 2]);
    assert_eq!(scene.batch(), [(0, 2), (1, 2)]);
    scene.settle(0, 2, Outcome::Failed);
    scene.settle(1, 2, Outcome::Done);
    scene.schedule.add(1, scene.now, vec![entry(2, 1)], 3);
    scene.schedule.add(0, scene.now, vec![entry(2, 1)], 3);
    assert_eq!(scene.batch(), [(1, 1)]);
    assert_eq!(scene.batch(), []);
    scene.now += LONG;
    assert_eq!(scene.batch(), [(0, 2)]);
    scene.settle(0, 2, Outcome::Done);
    assert_eq!(scene.batch(), [(0, 1)]);
}

#[test]
fn later_records_are_sent_together_with_the_reported_record() {
    let mut scene = Scene::new(POLICY, &[2]);
    assert_eq!(scene.batch(), [(0, 2)]);
    let more = (2..9).map(|offset| entry(offset, 1)).collect();
    scene.schedule.add(0, scene.now, more, 9);
    scene.settle(0, 2, Outcome::FailedAt(1));
    scene.now += LONG;
    assert_eq!(scene.batch(), [(0, 4)]);
    scene.settle(0, 4, Outcome::FailedAt(1));
    scene.now += LONG;
    assert_eq!(scene.batch(), [(0, 4)]);
    scene.settle(0, 4, Outcome::Done);
    assert_eq!(scene.schedule.position(0), 5);
    assert_eq!(scene.batch(), [(0, 4)]);
}

#[test]
fn later_records_are_given_up_only_after_their_own_attempts() {
    let policy = Policy {
        retries: Some(1),
        ..POLICY
    };
    let mut scene = Scene::new(policy, &[1]);
    scene.batch();
    let more = (1..4).map(|offset| entry(offset, 1)).collect();
    scene.schedule.add(0, scene.now, more, 4);
    scene.settle(0, 1, Outcome::FailedAt(0));
    scene.now += LONG;
    assert_eq!(scene.batch(), [(0, 4)]);
    scene.settle(0, 4, Outcome::Failed);
    let (given_up, _) = scene.fail(Outcome::Failed);
    assert_eq!((given_up.part.count, given_up.attempts), (1, 2));
    scene.schedule.given_up(given_up.part);
    assert_eq!(scene.batch(), [(0, 3)]);
}

#[test]
fn records_before_the_reported_record_are_not_sent_again() {
    let mut scene = Scene::new(POLICY, &[4]);
    scene.batch();
    scene.settle(0, 4, Outcome::FailedAt(2));
    assert_eq!(scene.schedule.position(0), 2);
    scene.now += LONG;
    assert_eq!(scene.batch(), [(0, 2)]);
}

#[test]
fn the_delay_of_retries_doubles_up_to_a_maximum() {
    let mut scene = Scene::new(POLICY, &[1]);
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(scene.batch(), [(0, 1)]);
        scene.settle(0, 1, Outcome::Failed);
        let Due::Nothing(Some(next)) = scene.due() else {
            panic!("the retry is due without a delay");
        };
        waits.push((next - scene.now).as_millis());
        scene.now = next;
    }
    assert_eq!(
        waits,
        [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
    );
}

/// The number of records given up, of batches sent, and of attempts.
fn check_given_up(policy: Policy, records: i64, outcome: Outcome) -> (usize, usize, u32) {
    let (given_up, batches) = Scene::new(policy, &[records]).fail(outcome);
    assert_eq!(given_up.condition, Condition::RetryAttemptsExhausted);
    (given_up.part.count, batches, given_up.attempts)
}

#[test]
fn after_all_retries_the_batch_or_the_reported_record_is_given_up() {
    let retries = |count| Policy {
        retries: Some(count),
        ..POLICY
    };
    assert_eq!(check_given_up(retries(0), 3, Outcome::Failed), (3, 1, 1));
    assert_eq!(check_given_up(retries(2), 3, Outcome::Failed), (3, 3, 3));
    assert_eq!(
        check_given_up(retries(0), 3, Outcome::FailedAt(0)),
        (1, 1, 1)
    );
    assert_eq!(
        check_given_up(retries(2), 3, Outcome::FailedAt(0)),
        (1, 3, 3)
    );
    // Completing the records before the failed one is not an attempt at it.
    assert_eq!(
        check_given_up(retries(2), 3, Outcome::FailedAt(1)),
        (1, 3, 3)
    );
    let bisecting = Policy {
        bisect: true,
        ..retries(1)
    };
    // Batches of 4, 2 and 1 records, then the retry of that record.
    assert_eq!(check_given_up(bisecting, 4, Outcome::Failed), (1, 4, 2));
}

#[test]
fn with_a_dead_letter_topic_retries_are_always_limited() {
    let check = |attempts, dead_letter: Option<&str>| {
        let push = Push {
            function: "push".to_owned(),
            topics: vec!["t".to_owned()],
            batch_size: 100,
            maximum_batching_window: Duration::ZERO,
            starting_position: sluice_contract::StartingPosition::Latest,
            maximum_retry_attempts: attempts,
            maximum_record_age: None,
            bisect_batch_on_function_error: false,
            dead_letter: dead_letter.map(str::to_owned),
        };
        Policy::from(&push).retries
    };
    assert_eq!(check(None, None), None);
    assert_eq!(check(None, Some("d")), Some(10));
    assert_eq!(check(Some(3), Some("d")), Some(3));
    assert_eq!(check(Some(3), None), Some(3));
}

#[test]
fn a_throttled_invocation_is_not_an_attempt() {
    let policy = Policy {
        retries: Some(0),
        ..POLICY
    };
    let mut scene = Scene::new(policy, &[2]);
    for _ in 0..5 {
        assert_eq!(scene.batch(), [(0, 2)]);
        scene.settle(0, 2, Outcome::Throttled);
        assert_eq!(scene.batch(), []);
        scene.now += LONG;
    }
}

#[test]
fn a_bisected_batch_is_sent_half_by_half() {
    let policy = Policy {
        bisect: true,
        ..POLICY
    };
    let mut scene = Scene::new(policy, &[4]);
    assert_eq!(scene.batch(), [(0, 4)]);
    scene.settle(0, 4, Outcome::Failed);
    assert_eq!(scene.batch(), [(0, 2)]);
    scene.settle(0, 2, Outcome::Done);
    assert_eq!(scene.batch(), [(0, 2)]);
    scene.settle(0, 2, Outcome::Failed);
    assert_eq!(scene.batch(), [(0, 1)]);
    scene.settle(0, 1, Outcome::Done);
    assert_eq!(scene.batch(), [(0, 1)]);
    assert_eq!(scene.schedule.position(0), 3);
}

#[test]
fn records_that_are_too_old_are_given_up_without_an_attempt() {
    let policy = Policy {
        record_age: Some(Duration::from_secs(60)),
        ..POLICY
    };
    let mut scene = Scene::new(policy, &[3]);
    let check = |scene: &mut Scene, millis| match scene.schedule.due(scene.now, millis) {
        Due::GiveUp(it) => (it.part.count, Some(it.condition)),
        Due::Batch(batch) => (batch.parts[0].count, None),
        Due::Nothing(_) => (0, None),
    };
    assert_eq!(check(&mut scene, MILLIS + 60_000), (3, None));
    scene.settle(0, 3, Outcome::Failed);
    let old = Some(Condition::RecordAgeExceeded);
    assert_eq!(check(&mut scene, MILLIS + 60_001), (3, old));
}

#[test]
fn a_record_without_a_timestamp_is_not_too_old() {
    let policy = Policy {
        record_age: Some(Duration::from_secs(60)),
        ..POLICY
    };
    let mut scene = Scene::new(policy, &[0]);
    let mut timeless = entry(0, 10);
    timeless.record.timestamp = NO_TIMESTAMP;
    scene.schedule.add(0, scene.now, vec![timeless], 1);
    assert_eq!(scene.batch(), [(0, 1)]);
}

fn wants(scene: &Scene, lane: usize) -> Option<i64> {
    scene.schedule.wants(lane).map(|want| want.offset)
}

#[test]
fn a_lane_fetches_until_it_is_full() {
    let mut scene = Scene::new(POLICY, &[1]);
    assert_eq!(wants(&scene, 0), Some(1));
    scene.schedule.add(0, scene.now, vec![], 7);
    assert_eq!(wants(&scene, 0), Some(7));
    let half = || entry(7, LANE_BYTES_MAX / 2);
    scene.schedule.add(0, scene.now, vec![half()], 8);
    let room = scene.schedule.wants(0).map(|want| want.bytes);
    assert!(room.is_some_and(|it| it < LANE_BYTES_MAX / 2), "{room:?}");
    scene.schedule.add(0, scene.now, vec![half()], 9);
    assert_eq!(wants(&scene, 0), None);
}

#[test]
fn a_lanes_memory_includes_the_records_besides_their_json() {
    let mut scene = Scene::new(POLICY, &[0]);
    let mut large = entry(0, 1);
    large.record.value = Some(vec![0; LANE_BYTES_MAX].into());
    scene.schedule.add(0, scene.now, vec![large], 1);
    assert_eq!(wants(&scene, 0), None);
    scene.batch();
    scene.settle(0, 1, Outcome::Done);
    assert_eq!(wants(&scene, 0), Some(1));
}

#[test]
fn all_lanes_together_stay_within_the_memory_limit() {
    const LANES: usize = 2_000;
    let mut scene = Scene::new(POLICY, &[0]);
    assert_eq!(scene.schedule.wants(0).unwrap().bytes, LANE_BYTES_MAX);
    for _ in 1..LANES {
        scene.schedule.add_lane(0);
    }
    let wanted = (0..LANES).map(|lane| scene.schedule.wants(lane).unwrap().bytes);
    let wanted: usize = wanted.sum();
    assert!((QUEUED_BYTES_MAX / 2..=QUEUED_BYTES_MAX).contains(&wanted));
}

#[test]
fn the_position_skips_offsets_without_records() {
    let mut scene = Scene::new(POLICY, &[1]);
    scene.schedule.add(0, scene.now, vec![], 5);
    assert_eq!(scene.schedule.position(0), 0);
    scene.batch();
    scene.settle(0, 1, Outcome::Done);
    assert_eq!(scene.schedule.position(0), 5);
}

proptest! {
    /// Random outcomes: every record is done or given up, none is skipped, each partition stays in
    /// order, and no lane waits for another.
    #[test]
    fn every_record_is_settled_in_order(
        lanes in prop::collection::vec(0..12_i64, 1..4),
        batch_size in 1..6_usize,
        retries in prop::option::of(0..3_u32),
        bisect in any::<bool>(),
        outcomes in prop::collection::vec((0..4_u8, 0..6_usize), 0..200),
    ) {
        let policy = Policy { batch_size, retries, bisect, ..POLICY };
        let mut scene = Scene::new(policy, &lanes);
        let mut outcomes = outcomes.into_iter();
        let mut ends: Vec<i64> = vec![0; lanes.len()];
        loop {
            scene.now += LONG;
            let before: Vec<i64> = (0..lanes.len()).map(|lane| scene.schedule.position(lane)).collect();
            match scene.due() {
                Due::Nothing(next) => {
                    prop_assert_eq!(next, None);
                    break;
                }
                Due::GiveUp(give_up) => {
                    prop_assert!(retries.is_some());
                    ends[give_up.part.lane] += i64::try_from(give_up.part.count).unwrap();
                    scene.schedule.given_up(give_up.part);
                }
                Due::Batch(batch) => {
                    let size: usize = batch.parts.iter().map(|part| part.count).sum();
                    prop_assert!((1..=batch_size).contains(&size));
                    for part in batch.parts {
                        let first = before[part.lane];
                        let offsets: Vec<i64> =
                            scene.schedule.entries(part).map(|it| it.record.offset).collect();
                        let expected: Vec<i64> = (first..).take(part.count).collect();
                        prop_assert_eq!(&offsets, &expected);
                        // After the given outcomes, everything succeeds.
                        let (outcome, at) = outcomes.next().unwrap_or((0, 0));
                        let failed = offsets[at % offsets.len()];
                        let (outcome, done) = match outcome {
                            0 => (Outcome::Done, part.count),
                            1 => (Outcome::Failed, 0),
                            2 => (Outcome::FailedAt(failed), at % offsets.len()),
                            _ => (Outcome::Throttled, 0),
                        };
                        ends[part.lane] += i64::try_from(done).unwrap();
                        scene.schedule.settle(part, outcome, scene.now);
                    }
                }
            }
            for (lane, end) in ends.iter().enumerate() {
                prop_assert_eq!(scene.schedule.position(lane), *end);
            }
        }
        prop_assert_eq!(ends, lanes);
    }
}
