use bytes::Bytes;

use super::*;
use crate::concurrency::Concurrency;

fn invocation() -> Invocation {
    let permit = Concurrency::unreserved(&[], 1).unwrap().acquire().unwrap();
    Invocation::new(Bytes::new(), permit).0
}

fn pool(at_once: usize, environments_max: usize) -> Pool {
    with_slots(at_once, environments_max, 1)
}

fn with_slots(at_once: usize, environments_max: usize, slots: usize) -> Pool {
    Pool::new(Limits {
        at_once,
        environments_max,
        slots,
        scale_after: SCALE_AFTER,
    })
}

const SCALE_AFTER: Duration = Duration::from_millis(5);

fn member(id: u64) -> Member {
    Member { id, version: 0 }
}

fn poll(pool: &mut Pool, id: u64) -> oneshot::Receiver<Invocation> {
    pool.poll(member(id), Ready::Warm, false).0.unwrap()
}

/// An environment that has been started polls for the first time.
fn first(pool: &mut Pool, id: u64) -> (oneshot::Receiver<Invocation>, usize) {
    let (receiver, more) = pool.poll(member(id), Ready::Warm, true);
    (receiver.unwrap(), more)
}

/// How many environments an invocation starts; none where it waits or is taken at once.
fn dispatch(pool: &mut Pool) -> Option<usize> {
    match pool.dispatch(invocation()) {
        Dispatched::Assigned | Dispatched::Waits => None,
        Dispatched::Start(count) => Some(count),
    }
}

/// How many environments are started once all that wait have waited long enough.
fn scale(pool: &mut Pool) -> usize {
    pool.scale(Instant::now() + SCALE_AFTER, false)
}

fn is_told_to_end(receiver: &mut oneshot::Receiver<Invocation>) -> bool {
    matches!(
        receiver.try_recv(),
        Err(oneshot::error::TryRecvError::Closed)
    )
}

#[test]
fn an_environment_is_started_for_each_of_the_first_invocations() {
    let mut pool = pool(2, 10);
    assert_eq!(dispatch(&mut pool), Some(1));
    assert_eq!(dispatch(&mut pool), Some(1));
    assert_eq!(dispatch(&mut pool), None);
    let (mut taken, more) = first(&mut pool, 0);
    assert!(taken.try_recv().is_ok());
    assert_eq!(more, 0, "each has one on its way");
}

#[test]
fn who_has_waited_is_due_an_environment_but_few_start_at_once() {
    let mut pool = pool(2, 10);
    for _ in 0..5 {
        dispatch(&mut pool);
    }
    assert_eq!(pool.scale(Instant::now(), false), 0, "nobody has waited");
    assert_eq!(scale(&mut pool), 0, "two are starting already");
    let (_busy, more) = first(&mut pool, 0);
    assert_eq!(more, 1, "one has started, and there are more to come");
}

#[test]
fn who_has_a_turn_soon_waits_on_unless_the_machine_has_room() {
    let mut pool = pool(2, 10);
    for _ in 0..300 {
        dispatch(&mut pool);
    }
    let (_busy, _) = first(&mut pool, 0);
    let start = Instant::now();
    for waiting in &mut pool.waiting {
        waiting.since = start;
    }
    let check = |pool: &mut Pool, milliseconds, has_room| {
        pool.scale(start + Duration::from_millis(milliseconds), has_room);
        pool.hurried
    };
    // One has come to its turn in this time, so 200 will within a second.
    assert_eq!(check(&mut pool, 5, false), 99);
    // The pace of that moment is not forgotten at once.
    assert_eq!(check(&mut pool, 10, false), 280);
    assert_eq!(check(&mut pool, 1005, false), 299);
    for _ in 0..290 {
        poll(&mut pool, 0);
    }
    assert_eq!(check(&mut pool, 1015, false), 0);
    assert_eq!(check(&mut pool, 1020, true), 2);
}

#[test]
fn those_that_wait_are_looked_at_when_the_first_has_waited() {
    let mut pool = pool(1, 10);
    let now = Instant::now();
    assert_eq!(pool.scale_at(now), None);
    dispatch(&mut pool);
    let at = pool.scale_at(now).unwrap();
    assert!(at >= now + SCALE_AFTER);
    assert_eq!(pool.scale_at(at), Some(at + SCALE_AFTER));
}

#[test]
fn without_patience_each_invocation_is_due_an_environment() {
    let mut pool = pool(2, 10);
    pool.limits.scale_after = Duration::ZERO;
    for expected in [1, 1, 0] {
        assert_eq!(dispatch(&mut pool), Some(expected));
    }
    assert_eq!(pool.hurried, 3);
}

#[test]
fn the_environment_used_last_is_used_next() {
    let mut pool = pool(2, 10);
    let mut one = poll(&mut pool, 0);
    let mut last = poll(&mut pool, 1);
    dispatch(&mut pool);
    assert!(one.try_recv().is_err());
    assert!(last.try_recv().is_ok());
}

#[test]
fn an_environment_without_a_process_is_used_last() {
    let mut pool = pool(2, 10);
    pool.environments = 2;
    let mut warm = poll(&mut pool, 0);
    let mut cold = pool.poll(member(1), Ready::Cold, false).0.unwrap();
    dispatch(&mut pool);
    assert!(warm.try_recv().is_ok());
    assert!(cold.try_recv().is_err());
    dispatch(&mut pool);
    assert!(cold.try_recv().is_ok());
}

#[test]
fn an_environment_whose_connection_has_gone_is_passed_over() {
    let mut pool = pool(2, 10);
    let mut there = poll(&mut pool, 0);
    drop(poll(&mut pool, 1));
    dispatch(&mut pool);
    assert!(there.try_recv().is_ok());
}

#[test]
fn polls_whose_connections_have_gone_are_forgotten() {
    let mut pool = pool(2, 10);
    for _ in 0..3 {
        drop(poll(&mut pool, 0));
    }
    assert_eq!(pool.idle.len(), 1);
}

#[test]
fn there_are_never_more_environments_than_invocations_allowed() {
    let mut pool = pool(4, 1);
    assert_eq!(dispatch(&mut pool), Some(1));
    assert_eq!(dispatch(&mut pool), Some(0));
}

#[test]
fn an_environment_that_fails_to_start_takes_one_invocation_to_try_again() {
    let mut pool = pool(4, 10);
    dispatch(&mut pool);
    dispatch(&mut pool);
    let (retried, more) = pool.poll(member(0), Ready::Cold, true);
    assert!(retried.unwrap().try_recv().is_ok());
    assert_eq!(more, 0, "one is still starting");
    let (mut taken, _) = first(&mut pool, 1);
    assert!(taken.try_recv().is_ok());
    assert_eq!((pool.starting, pool.hurried), (0, 0));
}

#[test]
fn an_environment_with_many_slots_serves_many_that_wait() {
    let mut pool = with_slots(2, 10, 3);
    assert_eq!(dispatch(&mut pool), Some(1));
    assert_eq!(dispatch(&mut pool), Some(0), "the one to come has room");
    assert_eq!(dispatch(&mut pool), Some(0));
    assert_eq!(dispatch(&mut pool), Some(1));
    let (mut taken, _) = first(&mut pool, 0);
    assert!(taken.try_recv().is_ok());
    assert!(poll(&mut pool, 0).try_recv().is_ok());
}

#[test]
fn an_environment_of_an_older_version_is_not_used_again() {
    let mut pool = pool(4, 10);
    let mut idle = poll(&mut pool, 7);
    pool.renew();
    assert!(is_told_to_end(&mut idle));
    assert!(pool.poll(member(8), Ready::Warm, false).0.is_none());
    let new = Member { id: 9, version: 1 };
    assert!(pool.poll(new, Ready::Warm, false).0.is_some());
}

#[test]
fn an_environment_is_retired_only_where_all_of_it_is_free() {
    let mut pool = with_slots(4, 10, 2);
    pool.environments = 1;
    let mut one = poll(&mut pool, 7);
    pool.retire(7, 2);
    assert!(!is_told_to_end(&mut one), "it has an invocation");
    let mut other = poll(&mut pool, 7);
    pool.retire(7, 2);
    assert!(is_told_to_end(&mut one) && is_told_to_end(&mut other));
    assert_eq!(dispatch(&mut pool), Some(1));
}

#[test]
fn in_the_place_of_an_environment_that_ends_one_is_started_for_who_waits() {
    let mut pool = pool(1, 10);
    dispatch(&mut pool);
    let (_busy, _) = first(&mut pool, 0);
    assert_eq!(dispatch(&mut pool), None);
    assert_eq!(pool.ended(0, false), 1);
    assert_eq!(pool.ended(1, true), 1, "it ended before it began");
}

#[test]
fn a_cold_start_takes_the_place_of_the_environment_that_was_used_longest_ago() {
    let mut pool = pool(4, 10);
    pool.environments = 2;
    let mut oldest = poll(&mut pool, 0);
    let mut last = poll(&mut pool, 1);
    assert_eq!(pool.dispatch_cold(invocation()), 1);
    assert!(is_told_to_end(&mut oldest));
    let (mut taken, _) = first(&mut pool, 2);
    assert!(taken.try_recv().is_ok());
    dispatch(&mut pool);
    assert!(last.try_recv().is_ok(), "the others stay warm");
}

#[test]
fn a_cold_start_waits_for_no_environment_that_was_used_before() {
    let mut pool = pool(4, 10);
    assert_eq!(pool.dispatch_cold(invocation()), 1);
    pool.environments += 1;
    let mut used = poll(&mut pool, 7);
    assert!(used.try_recv().is_err());
    dispatch(&mut pool);
    assert!(used.try_recv().is_ok());
    assert_eq!(pool.dispatch_cold(invocation()), 1);
    for id in [0, 1] {
        assert!(first(&mut pool, id).0.try_recv().is_ok());
    }
    assert_eq!((pool.starting, pool.cold.len()), (0, 0));
}

#[test]
fn a_cold_start_without_room_gets_the_place_of_who_is_done_first() {
    let mut pool = pool(4, 2);
    for id in [0, 1] {
        dispatch(&mut pool);
        first(&mut pool, id);
    }
    // Both are busy, and one has replied but not asked for more.
    assert_eq!(pool.dispatch_cold(invocation()), 0);
    assert!(pool.poll(member(0), Ready::Warm, false).0.is_none());
    let mut other = poll(&mut pool, 1);
    assert!(!is_told_to_end(&mut other), "one place is enough");
    assert_eq!(pool.ended(0, false), 1);
    assert!(first(&mut pool, 2).0.try_recv().is_ok());
    assert!(pool.replaced.is_empty());
}

#[test]
fn of_an_environment_that_is_replaced_nothing_is_used_again() {
    let mut pool = with_slots(4, 10, 2);
    pool.environments = 1;
    let mut free = poll(&mut pool, 7);
    assert_eq!(pool.dispatch_cold(invocation()), 1);
    assert!(is_told_to_end(&mut free));
    // What it was busy with is done.
    assert!(pool.poll(member(7), Ready::Warm, false).0.is_none());
}

#[test]
fn a_cold_start_whose_environment_fails_is_not_forgotten() {
    let mut pool = pool(4, 10);
    assert_eq!(pool.dispatch_cold(invocation()), 1);
    assert_eq!(pool.ended(0, true), 1);
    let (retried, _) = pool.poll(member(1), Ready::Cold, true);
    assert!(retried.unwrap().try_recv().is_ok());
}

#[test]
fn no_invocation_waits_for_ever() {
    let mut pool = pool(1, 1);
    dispatch(&mut pool);
    dispatch(&mut pool);
    pool.dispatch_cold(invocation());
    let now = Instant::now();
    assert!(pool.give_up(now).is_empty());
    assert_eq!(pool.give_up(now + WAIT_MAX).len(), 3);
    assert_eq!(pool.hurried, 0);
    // Who becomes free after all finds nobody.
    assert!(first(&mut pool, 0).0.try_recv().is_err());
}
