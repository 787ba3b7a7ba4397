//! Injected faults: their effects, their triggers and their end.

use std::time::{Duration, Instant};

use kafka_protocol::{
    ResponseError,
    messages::{
        FetchRequest, FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
    },
};
use local_sim_faults::Trigger;
use tokio::time::timeout;

use super::{Running, TIMEOUT, samples, wire::Wire};
use crate::{
    control::Control,
    faults::{Fault, Kind},
    limits::FAULT_WAIT_MAX,
    store::sample::records,
};

/// Longer than any request takes without a fault.
const WAIT: Duration = Duration::from_secs(1);
/// Lasts longer than any test.
const FOREVER: Duration = FAULT_WAIT_MAX;
const NO_ERROR: i16 = 0;

fn begin(control: &Control, kind: Kind, trigger: Trigger, wait: Duration) {
    control.faults().set(kind, Some(Fault { trigger, wait }));
}

fn end(control: &Control, kind: Kind) {
    control.faults().set(kind, None);
}

/// Measures a request that only [`Kind::Slow`], [`Kind::Silent`] and [`Kind::Closed`] affect.
async fn time_request(client: &mut Wire) -> Duration {
    let begun = Instant::now();
    client.call(3, &FindCoordinatorRequest::default()).await;
    begun.elapsed()
}

/// Returns the errors of produce, fetch, list offsets and metadata for a partition.
async fn errors(client: &mut Wire) -> [i16; 4] {
    let produced = client.produce(0, records(1).bytes()).await;
    let fetched = client.fetch(0, 0).await;
    let listed = client.call(6, &samples::list_offsets("t", 0, -1)).await;
    let described = client.call(9, &samples::metadata(&["t"])).await;
    let partition = &described.topics[0].partitions[0];
    assert_eq!(partition.leader_id == -1, partition.error_code != NO_ERROR);
    [
        produced.error_code,
        fetched.error_code,
        listed.topics[0].partitions[0].error_code,
        partition.error_code,
    ]
}

#[tokio::test]
async fn a_slow_broker_handles_a_request_at_once_and_delays_the_response() {
    let broker = Running::start().await;
    let mut slow = broker.connect().await;
    begin(&broker.control, Kind::Slow, Trigger::Next(1), FOREVER);
    let request = samples::produce("t", 0, -1, records(1).bytes());
    slow.send(9, &request).await;
    assert!(slow.receives_nothing().await);

    let mut other = broker.connect().await;
    assert_eq!(other.list_offset(0, -1).await, 1);
    assert_eq!(broker.control.faults().get(Kind::Slow), None);

    end(&broker.control, Kind::Slow);
    slow.receive::<ProduceRequest>(9).await;
    assert!(time_request(&mut slow).await < WAIT);
}

#[tokio::test]
async fn a_slow_broker_delays_every_response() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    begin(&broker.control, Kind::Slow, Trigger::Always, WAIT);
    for _ in 0..2 {
        assert!(time_request(&mut client).await >= WAIT);
    }
    end(&broker.control, Kind::Slow);
    assert!(time_request(&mut client).await < WAIT);
}

#[tokio::test]
async fn a_silent_broker_handles_held_requests_when_the_fault_ends() {
    let broker = Running::start().await;
    let mut clients = [broker.connect().await, broker.connect().await];
    let mut gone = broker.connect().await;
    begin(&broker.control, Kind::Silent, Trigger::Always, WAIT);
    let request = samples::produce("t", 0, -1, records(1).bytes());
    for client in &mut clients {
        client.send(9, &request).await;
    }
    gone.send(9, &request).await;
    for client in &clients {
        assert!(client.receives_nothing().await);
    }
    drop(gone);

    end(&broker.control, Kind::Silent);

    for client in &mut clients {
        client.receive::<ProduceRequest>(9).await;
    }
    // The request of the disconnected client is handled too.
    let [client, _] = &mut clients;
    let stored = async {
        while client.list_offset(0, -1).await < 3 {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, stored).await.unwrap();
}

#[tokio::test]
async fn a_held_request_waits_even_if_the_silent_fault_is_used_up() {
    let broker = Running::start().await;
    let mut affected = broker.connect().await;
    let mut other = broker.connect().await;
    begin(&broker.control, Kind::Silent, Trigger::Next(1), WAIT);
    affected.send(6, &samples::list_offsets("t", 0, -1)).await;
    assert!(affected.receives_nothing().await);
    assert_eq!(other.list_offset(0, -1).await, 0);
    let left = broker.control.faults().get(Kind::Silent).unwrap().trigger;
    assert_eq!(left, Trigger::Next(0));

    // Replacing the fault ends it, and the new one holds the same request again.
    begin(&broker.control, Kind::Silent, Trigger::Next(1), WAIT);
    assert!(affected.receives_nothing().await);

    end(&broker.control, Kind::Silent);
    affected.receive::<ListOffsetsRequest>(6).await;
}

#[tokio::test]
async fn a_closed_broker_closes_open_and_new_connections() {
    let broker = Running::start().await;
    let mut idle = broker.connect().await;
    let mut waiting = broker.connect().await;
    idle.list_offset(0, -1).await;
    let fetch = samples::fetch(0, 0).with_max_wait_ms(60_000);
    waiting.send(11, &fetch).await;

    begin(&broker.control, Kind::Closed, Trigger::Always, WAIT);

    assert!(idle.is_closed().await);
    assert!(waiting.is_closed().await);
    for _ in 0..2 {
        assert!(broker.connect().await.is_closed().await);
    }
    end(&broker.control, Kind::Closed);
    time_request(&mut broker.connect().await).await;
}

#[tokio::test]
async fn a_counted_closed_fault_closes_only_that_many_connections() {
    let broker = Running::start().await;
    let mut idle = broker.connect().await;
    let mut affected = broker.connect().await;
    idle.list_offset(0, -1).await;
    affected.list_offset(0, -1).await;
    begin(&broker.control, Kind::Closed, Trigger::Next(2), WAIT);
    let request = samples::produce("t", 0, -1, records(1).bytes());
    affected.send(9, &request).await;
    assert!(affected.is_closed().await);
    assert!(broker.connect().await.is_closed().await);
    time_request(&mut broker.connect().await).await;
    // The idle connection stays open, and the request on the closed connection was not handled.
    assert_eq!(idle.list_offset(0, -1).await, 0);
    assert_eq!(broker.control.faults().get(Kind::Closed), None);
}

#[tokio::test]
async fn a_throttled_client_gets_a_throttle_time_and_is_not_read_meanwhile() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    begin(&broker.control, Kind::Throttling, Trigger::Next(1), WAIT);
    // Other APIs do not count.
    time_request(&mut client).await;
    let begun = Instant::now();
    let request = samples::produce("t", 0, -1, records(1).bytes());
    let response = client.call(9, &request).await;
    assert!(begun.elapsed() < WAIT);
    assert_eq!(response.throttle_time_ms, 1_000);
    let produced = &response.responses[0].partition_responses[0];
    assert_eq!((produced.error_code, produced.base_offset), (NO_ERROR, 0));

    assert_eq!(client.list_offset(0, -1).await, 1);
    assert!(begun.elapsed() >= WAIT);
    assert_eq!(client.call(9, &request).await.throttle_time_ms, 0);
}

#[tokio::test]
async fn a_throttled_fetch_returns_records_and_the_next_is_read_when_the_fault_ends() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client.produce(0, records(1).bytes()).await;
    begin(&broker.control, Kind::Throttling, Trigger::Always, FOREVER);
    let response = client.call(11, &samples::fetch(0, 0)).await;
    assert_eq!(response.throttle_time_ms, 15 * 60 * 1000);
    let partition = &response.responses[0].partitions[0];
    assert!(!partition.records.as_ref().unwrap().is_empty());
    client.send(11, &samples::fetch(0, 0)).await;
    assert!(client.receives_nothing().await);

    end(&broker.control, Kind::Throttling);

    let response = client.receive::<FetchRequest>(11).await;
    assert_eq!(response.throttle_time_ms, 0);
}

#[tokio::test]
async fn a_leaderless_partition_rejects_every_request() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    assert_eq!(errors(&mut client).await, [NO_ERROR; 4]);
    begin(&broker.control, Kind::Leaderless, Trigger::Always, WAIT);
    let not_leader = ResponseError::NotLeaderOrFollower.code();
    let none = ResponseError::LeaderNotAvailable.code();
    let expected = [not_leader, not_leader, not_leader, none];
    assert_eq!(errors(&mut client).await, expected);
    let deleted = client.call(2, &samples::delete_records(1)).await;
    assert_eq!(deleted.topics[0].partitions[0].error_code, not_leader);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(deleted.topics[0].partitions[1].error_code, unknown);

    end(&broker.control, Kind::Leaderless);

    assert_eq!(errors(&mut client).await, [NO_ERROR; 4]);
    assert_eq!(client.list_offset(0, -1).await, 2);
}

#[tokio::test]
async fn a_counted_leaderless_fault_affects_only_that_many_requests() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    begin(&broker.control, Kind::Leaderless, Trigger::Next(2), WAIT);
    time_request(&mut client).await;
    for expected in [1, 1, 0] {
        let request: MetadataRequest = samples::metadata(&["t"]);
        let response = client.call(0, &request).await;
        let partitions = &response.topics[0].partitions;
        let leaderless = partitions.iter().filter(|it| it.leader_id == -1).count();
        assert_eq!(leaderless, 2 * expected);
    }
}

#[tokio::test]
async fn a_seed_selects_the_same_requests_in_every_run() {
    let run = async |seed| {
        let broker = Running::start().await;
        let mut client = broker.connect().await;
        let half = Trigger::Share(0.5);
        begin(
            &broker.control,
            Kind::Throttling,
            half,
            Duration::from_millis(1),
        );
        broker.control.faults().restart(seed);
        let mut affected = Vec::new();
        for _ in 0..64 {
            let response = client.call(11, &samples::fetch(0, 0)).await;
            affected.push(response.throttle_time_ms == 1);
        }
        affected
    };
    let affected = run(7).await;
    assert_eq!(affected, run(7).await);
    assert_ne!(affected, run(8).await);
    assert!((16..48).contains(&affected.iter().filter(|affected| **affected).count()));
}

#[tokio::test]
async fn an_active_fault_reports_how_many_times_are_left() {
    let broker = Running::start().await;
    let faults = broker.control.faults();
    assert_eq!(faults.get(Kind::Throttling), None);
    let next = |left| Fault {
        trigger: Trigger::Next(left),
        wait: Duration::from_millis(1),
    };
    faults.set(Kind::Throttling, Some(next(3)));
    broker.connect().await.fetch(0, 0).await;
    assert_eq!(faults.get(Kind::Throttling), Some(next(2)));
    faults.restart(1);
    assert_eq!(faults.get(Kind::Throttling), Some(next(2)));
    faults.set(Kind::Throttling, None);
    assert_eq!(faults.get(Kind::Throttling), None);
}
