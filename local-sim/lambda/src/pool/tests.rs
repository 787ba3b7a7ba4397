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

/// The first poll of an environment.
fn first(pool: &mut Pool, id: u64) -> (oneshot::Receiver<Invocation>, usize) {
    let (receiver, more) = pool.poll(member(id), Ready::Warm, true);
    (receiver.unwrap(), more)
}

/// How many environments an invocation starts; `None` if it waits or is assigned at once.
fn dispatch(pool: &mut Pool) -> Option<usize> {
    match pool.dispatch(invocation()) {
        Dispatched::Assigned | Dispatched::Waits => None,
        Dispatched::Start(count) => Some(count),
    }
}

/// How many environments start once all waiting invocations have waited for `SCALE_AFTER`.
fn scale(pool: &mut Pool) -> usize {
    pool.scale(Instant::now() + SCALE_AFTER, false)
}

fn is_ended(receiver: &mut oneshot::Receiver<Invocation>) -> bool {
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
    assert_eq!(more, 0, "the other one is starting already");
}

#[test]
fn a_waiting_invocation_gets_an_environment_but_few_start_at_once() {
    let mut pool = pool(2, 10);
    for _ in 0..5 {
        dispatch(&mut pool);
    }
    assert_eq!(
        pool.scale(Instant::now(), false),
        0,
        "none has waited long enough"
    );
    assert_eq!(scale(&mut pool), 0, "two are starting already");
    let (_busy, more) = first(&mut pool, 0);
    assert_eq!(more, 1, "one has started, so the next may start");
}

#[test]
fn no_environment_starts_for_an_invocation_due_soon_unless_the_machine_has_room() {
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
        pool.urgent
    };
    // One was assigned within 5 ms, so 200 will be within a second.
    assert_eq!(check(&mut pool, 5, false), 99);
    // The average keeps part of that rate.
    assert_eq!(check(&mut pool, 10, false), 280);
    assert_eq!(check(&mut pool, 1005, false), 299);
    for _ in 0..290 {
        poll(&mut pool, 0);
    }
    assert_eq!(check(&mut pool, 1015, false), 0);
    assert_eq!(check(&mut pool, 1020, true), 2);
}

#[test]
fn scaling_is_scheduled_for_when_the_first_invocation_has_waited() {
    let mut pool = pool(1, 10);
    let now = Instant::now();
    assert_eq!(pool.scale_at(now), None);
    dispatch(&mut pool);
    let at = pool.scale_at(now).unwrap();
    assert!(at >= now + SCALE_AFTER);
    assert_eq!(pool.scale_at(at), Some(at + SCALE_AFTER));
}

#[test]
fn with_zero_scale_after_each_invocation_gets_an_environment() {
    let mut pool = pool(2, 10);
    pool.limits.scale_after = Duration::ZERO;
    for expected in [1, 1, 0] {
        assert_eq!(dispatch(&mut pool), Some(expected));
    }
    assert_eq!(pool.urgent, 3);
}

#[test]
fn the_most_recently_used_environment_is_used_next() {
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
fn an_environment_whose_connection_has_closed_is_skipped() {
    let mut pool = pool(2, 10);
    let mut there = poll(&mut pool, 0);
    drop(poll(&mut pool, 1));
    dispatch(&mut pool);
    assert!(there.try_recv().is_ok());
}

#[test]
fn polls_whose_connections_have_closed_are_removed() {
    let mut pool = pool(2, 10);
    for _ in 0..3 {
        drop(poll(&mut pool, 0));
    }
    assert_eq!(pool.idle.len(), 1);
}

#[test]
fn there_are_never_more_environments_than_the_concurrency_allows() {
    let mut pool = pool(4, 1);
    assert_eq!(dispatch(&mut pool), Some(1));
    assert_eq!(dispatch(&mut pool), Some(0));
}

#[test]
fn an_environment_that_fails_to_start_retries_with_one_invocation() {
    let mut pool = pool(4, 10);
    dispatch(&mut pool);
    dispatch(&mut pool);
    let (retried, more) = pool.poll(member(0), Ready::Cold, true);
    assert!(retried.unwrap().try_recv().is_ok());
    assert_eq!(more, 0, "one is still starting");
    let (mut taken, _) = first(&mut pool, 1);
    assert!(taken.try_recv().is_ok());
    assert_eq!((pool.starting, pool.urgent), (0, 0));
}

#[test]
fn an_environment_with_several_slots_takes_several_waiting_invocations() {
    let mut pool = with_slots(2, 10, 3);
    assert_eq!(dispatch(&mut pool), Some(1));
    assert_eq!(
        dispatch(&mut pool),
        Some(0),
        "the starting one has free slots"
    );
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
    pool.retire_all();
    assert!(is_ended(&mut idle));
    assert!(pool.poll(member(8), Ready::Warm, false).0.is_none());
    let new = Member { id: 9, version: 1 };
    assert!(pool.poll(new, Ready::Warm, false).0.is_some());
}

#[test]
fn an_environment_is_retired_only_if_all_its_slots_are_free() {
    let mut pool = with_slots(4, 10, 2);
    pool.environments = 1;
    let mut one = poll(&mut pool, 7);
    pool.retire(7, 2);
    assert!(!is_ended(&mut one), "it has an invocation");
    let mut other = poll(&mut pool, 7);
    pool.retire(7, 2);
    assert!(is_ended(&mut one) && is_ended(&mut other));
    assert_eq!(dispatch(&mut pool), Some(1));
}

#[test]
fn an_environment_that_ends_is_replaced_if_an_invocation_waits() {
    let mut pool = pool(1, 10);
    dispatch(&mut pool);
    let (_busy, _) = first(&mut pool, 0);
    assert_eq!(dispatch(&mut pool), None);
    assert_eq!(pool.ended(0, false), 1);
    assert_eq!(pool.ended(1, true), 1, "it ended before its first poll");
}

#[test]
fn a_cold_start_replaces_the_least_recently_used_idle_environment() {
    let mut pool = pool(4, 10);
    pool.environments = 2;
    let mut oldest = poll(&mut pool, 0);
    let mut last = poll(&mut pool, 1);
    assert_eq!(pool.dispatch_cold(invocation()), 1);
    assert!(is_ended(&mut oldest));
    let (mut taken, _) = first(&mut pool, 2);
    assert!(taken.try_recv().is_ok());
    dispatch(&mut pool);
    assert!(last.try_recv().is_ok(), "the others stay warm");
}

#[test]
fn a_cold_start_never_uses_an_existing_environment() {
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
fn a_cold_start_without_room_replaces_the_first_environment_that_becomes_free() {
    let mut pool = pool(4, 2);
    for id in [0, 1] {
        dispatch(&mut pool);
        first(&mut pool, id);
    }
    // Both are busy: no poll waits.
    assert_eq!(pool.dispatch_cold(invocation()), 0);
    assert!(pool.poll(member(0), Ready::Warm, false).0.is_none());
    let mut other = poll(&mut pool, 1);
    assert!(!is_ended(&mut other), "only one is replaced");
    assert_eq!(pool.ended(0, false), 1);
    assert!(first(&mut pool, 2).0.try_recv().is_ok());
    assert!(pool.replaced.is_empty());
}

#[test]
fn no_slot_of_a_replaced_environment_is_used_again() {
    let mut pool = with_slots(4, 10, 2);
    pool.environments = 1;
    let mut free = poll(&mut pool, 7);
    assert_eq!(pool.dispatch_cold(invocation()), 1);
    assert!(is_ended(&mut free));
    // Its other slot has finished its invocation.
    assert!(pool.poll(member(7), Ready::Warm, false).0.is_none());
}

#[test]
fn a_cold_start_survives_the_failure_of_its_environment() {
    let mut pool = pool(4, 10);
    assert_eq!(pool.dispatch_cold(invocation()), 1);
    assert_eq!(pool.ended(0, true), 1);
    let (retried, _) = pool.poll(member(1), Ready::Cold, true);
    assert!(retried.unwrap().try_recv().is_ok());
}

#[test]
fn no_invocation_waits_forever() {
    let mut pool = pool(1, 1);
    dispatch(&mut pool);
    dispatch(&mut pool);
    pool.dispatch_cold(invocation());
    let now = Instant::now();
    assert!(pool.take_expired(now).is_empty());
    assert_eq!(pool.take_expired(now + WAIT_MAX).len(), 3);
    assert_eq!(pool.urgent, 0);
    // An environment that becomes free later finds no invocation.
    assert!(first(&mut pool, 0).0.try_recv().is_err());
}
