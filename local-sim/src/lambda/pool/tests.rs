use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::*;
use crate::lambda::invocation::Permits;

fn invocation() -> Invocation {
    let permits = Permits::acquire(&Arc::new(Semaphore::new(1)), None).unwrap();
    Invocation::new(Bytes::new(), permits).0
}

fn pool(at_once: usize, environments_max: usize) -> Pool {
    with_slots(at_once, environments_max, 1)
}

fn with_slots(at_once: usize, environments_max: usize, slots: usize) -> Pool {
    Pool::new(Limits {
        at_once,
        environments_max,
        slots,
    })
}

fn member(id: u64) -> Member {
    Member { id, version: 0 }
}

/// An environment that has been started polls for the first time.
fn first(pool: &mut Pool, id: u64) -> (oneshot::Receiver<Invocation>, usize) {
    let receiver = pool.poll(member(id), Ready::Warm).unwrap();
    let more = pool.started();
    (receiver, more)
}

/// How many environments an invocation starts; none where it waits or is taken at once.
fn dispatch(pool: &mut Pool) -> (Option<usize>, Uuid) {
    let invocation = invocation();
    let id = invocation.request_id;
    let started = match pool.dispatch(invocation, true) {
        Dispatched::Assigned | Dispatched::Waits => None,
        Dispatched::Start(count) => Some(count),
    };
    (started, id)
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
    assert_eq!(dispatch(&mut pool).0, Some(1));
    assert_eq!(dispatch(&mut pool).0, Some(1));
    let (started, third) = dispatch(&mut pool);
    assert_eq!(started, None);
    assert_eq!(pool.hurry(third), 0, "two are starting already");
    let (mut taken, more) = first(&mut pool, 0);
    assert!(taken.try_recv().is_ok());
    assert_eq!(
        more, 1,
        "one has started, and a third invocation is due one"
    );
}

#[test]
fn without_patience_each_invocation_is_due_an_environment() {
    let mut pool = pool(2, 10);
    for expected in [1, 1, 0] {
        let dispatched = pool.dispatch(invocation(), false);
        assert!(matches!(dispatched, Dispatched::Start(count) if count == expected));
    }
    assert_eq!(pool.hurried, 3);
}

#[test]
fn the_environment_used_last_is_used_next() {
    let mut pool = pool(2, 10);
    let mut one = pool.poll(member(0), Ready::Warm).unwrap();
    let mut last = pool.poll(member(1), Ready::Warm).unwrap();
    dispatch(&mut pool);
    assert!(one.try_recv().is_err());
    assert!(last.try_recv().is_ok());
}

#[test]
fn an_environment_without_a_process_is_used_last() {
    let mut pool = pool(2, 10);
    let mut warm = pool.poll(member(0), Ready::Warm).unwrap();
    let mut cold = pool.poll(member(1), Ready::Cold).unwrap();
    dispatch(&mut pool);
    assert!(warm.try_recv().is_ok());
    assert!(cold.try_recv().is_err());
    dispatch(&mut pool);
    assert!(cold.try_recv().is_ok());
}

#[test]
fn an_environment_whose_connection_has_gone_is_passed_over() {
    let mut pool = pool(2, 10);
    let mut there = pool.poll(member(0), Ready::Warm).unwrap();
    drop(pool.poll(member(1), Ready::Warm));
    dispatch(&mut pool);
    assert!(there.try_recv().is_ok());
}

#[test]
fn a_poll_that_is_made_again_takes_the_place_of_the_one_before() {
    let mut pool = pool(2, 10);
    drop(pool.poll(member(0), Ready::Warm));
    let _polling = pool.poll(member(0), Ready::Warm);
    assert_eq!(pool.idle.len(), 1);
}

#[test]
fn there_are_never_more_environments_than_invocations_allowed() {
    let mut pool = pool(4, 1);
    assert_eq!(dispatch(&mut pool).0, Some(1));
    assert_eq!(dispatch(&mut pool).0, Some(0));
}

#[test]
fn an_environment_that_fails_to_start_takes_one_invocation_to_try_again() {
    let mut pool = pool(4, 10);
    dispatch(&mut pool);
    let (_, second) = dispatch(&mut pool);
    assert_eq!(pool.started(), 0, "one is still starting");
    let mut retried = pool.poll(member(0), Ready::Cold).unwrap();
    assert!(retried.try_recv().is_ok());
    let (mut taken, _) = first(&mut pool, 1);
    assert_eq!(taken.try_recv().unwrap().request_id, second);
    assert_eq!((pool.starting, pool.hurried), (0, 0));
}

#[test]
fn an_environment_with_many_slots_serves_many_that_wait() {
    let mut pool = with_slots(2, 10, 3);
    assert_eq!(dispatch(&mut pool).0, Some(1));
    assert_eq!(dispatch(&mut pool).0, Some(0), "the one to come has room");
    assert_eq!(dispatch(&mut pool).0, Some(0));
    assert_eq!(dispatch(&mut pool).0, Some(1));
    let (mut taken, _) = first(&mut pool, 0);
    assert!(taken.try_recv().is_ok());
    let mut taken = pool.poll(member(0), Ready::Warm).unwrap();
    assert!(taken.try_recv().is_ok());
}

#[test]
fn an_environment_of_an_older_version_is_not_used_again() {
    let mut pool = pool(4, 10);
    let mut idle = pool.poll(member(7), Ready::Warm).unwrap();
    pool.renew();
    assert!(is_told_to_end(&mut idle));
    assert!(pool.poll(member(8), Ready::Warm).is_none());
    let new = Member { id: 9, version: 1 };
    assert!(pool.poll(new, Ready::Warm).is_some());
}

#[test]
fn an_environment_is_retired_only_where_all_of_it_is_free() {
    let mut pool = with_slots(4, 10, 2);
    let mut one = pool.poll(member(7), Ready::Warm).unwrap();
    pool.retire(7, 2);
    assert!(!is_told_to_end(&mut one), "it has an invocation");
    let mut other = pool.poll(member(7), Ready::Warm).unwrap();
    pool.retire(7, 2);
    assert!(is_told_to_end(&mut one) && is_told_to_end(&mut other));
    assert!(matches!(
        pool.dispatch(invocation(), true),
        Dispatched::Start(1)
    ));
}

#[test]
fn when_the_last_environment_ends_those_that_wait_are_due_a_new_one() {
    let mut pool = pool(1, 10);
    dispatch(&mut pool);
    let (_busy, _) = first(&mut pool, 0);
    assert_eq!(dispatch(&mut pool).0, None);
    assert_eq!(pool.ended(0), 1);
}
