//! A broker with something wrong with it, until there is not.

use std::time::{Duration, Instant};

use kafka_protocol::{
    ResponseError,
    messages::{
        FetchRequest, FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
    },
};
use local_sim_faults::Trigger;
use tokio::time::timeout;

use super::{PATIENCE, Running, samples, wire::Wire};
use crate::{
    control::Control,
    faults::{Fault, Kind},
    limits::FAULT_WAIT_MAX,
    store::sample::records,
};

/// Longer than anything takes without it.
const WAIT: Duration = Duration::from_secs(1);
/// No test sees the end of it.
const FOR_EVER: Duration = FAULT_WAIT_MAX;
const NO_ERROR: i16 = 0;

fn begin(control: &Control, kind: Kind, trigger: Trigger, wait: Duration) {
    control.faults().set(kind, Some(Fault { trigger, wait }));
}

fn end(control: &Control, kind: Kind) {
    control.faults().set(kind, None);
}

/// How long a request of some kind takes, which no fault but slowness touches.
async fn ask(client: &mut Wire) -> Duration {
    let begun = Instant::now();
    client.call(3, &FindCoordinatorRequest::default()).await;
    begun.elapsed()
}

/// The error of producing to, fetching from, and finding the end and the leader of a partition.
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
async fn a_slow_broker_answers_late_what_it_did_at_once() {
    let broker = Running::start().await;
    let mut slow = broker.connect().await;
    begin(&broker.control, Kind::Slow, Trigger::Next(1), FOR_EVER);
    let request = samples::produce("t", 0, -1, records(1).bytes());
    slow.send(9, &request).await;
    assert!(slow.is_kept_waiting().await);

    let mut other = broker.connect().await;
    assert_eq!(other.list_offset(0, -1).await, 1);
    assert_eq!(broker.control.faults().get(Kind::Slow), None);

    end(&broker.control, Kind::Slow);
    slow.receive::<ProduceRequest>(9).await;
    assert!(ask(&mut slow).await < WAIT);
}

#[tokio::test]
async fn every_answer_of_a_slow_broker_takes_longer() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    begin(&broker.control, Kind::Slow, Trigger::Always, WAIT);
    for _ in 0..2 {
        assert!(ask(&mut client).await >= WAIT);
    }
    end(&broker.control, Kind::Slow);
    assert!(ask(&mut client).await < WAIT);
}

#[tokio::test]
async fn a_silent_broker_does_everything_once_it_is_so_no_more() {
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
        assert!(client.is_kept_waiting().await);
    }
    drop(gone);

    end(&broker.control, Kind::Silent);

    for client in &mut clients {
        client.receive::<ProduceRequest>(9).await;
    }
    // Also what its client does not wait for any more.
    let [client, _] = &mut clients;
    let stored = async {
        while client.list_offset(0, -1).await < 3 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, stored).await.unwrap();
}

#[tokio::test]
async fn what_one_silence_has_struck_waits_for_its_end() {
    let broker = Running::start().await;
    let mut struck = broker.connect().await;
    let mut other = broker.connect().await;
    begin(&broker.control, Kind::Silent, Trigger::Next(1), WAIT);
    struck.send(6, &samples::list_offsets("t", 0, -1)).await;
    assert!(struck.is_kept_waiting().await);
    assert_eq!(other.list_offset(0, -1).await, 0);
    let left = broker.control.faults().get(Kind::Silent).unwrap().trigger;
    assert_eq!(left, Trigger::Next(0));

    // Another in its place is an end too, and strikes anew.
    begin(&broker.control, Kind::Silent, Trigger::Next(1), WAIT);
    assert!(struck.is_kept_waiting().await);

    end(&broker.control, Kind::Silent);
    struck.receive::<ListOffsetsRequest>(6).await;
}

#[tokio::test]
async fn a_closed_broker_ends_all_connections_and_takes_no_new_ones() {
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
    ask(&mut broker.connect().await).await;
}

#[tokio::test]
async fn a_broker_may_close_a_few_connections_only() {
    let broker = Running::start().await;
    let mut idle = broker.connect().await;
    let mut struck = broker.connect().await;
    idle.list_offset(0, -1).await;
    struck.list_offset(0, -1).await;
    begin(&broker.control, Kind::Closed, Trigger::Next(2), WAIT);
    let request = samples::produce("t", 0, -1, records(1).bytes());
    struck.send(9, &request).await;
    assert!(struck.is_closed().await);
    assert!(broker.connect().await.is_closed().await);
    ask(&mut broker.connect().await).await;
    // Whose turn it was not goes on; and what was closed was not done before.
    assert_eq!(idle.list_offset(0, -1).await, 0);
    assert_eq!(broker.control.faults().get(Kind::Closed), None);
}

#[tokio::test]
async fn a_throttled_client_is_told_to_wait_and_not_read_from() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    begin(&broker.control, Kind::Throttling, Trigger::Next(1), WAIT);
    // No such request counts.
    ask(&mut client).await;
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
async fn a_throttled_fetch_brings_records_and_its_client_is_heard_again_at_the_end() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client.produce(0, records(1).bytes()).await;
    begin(&broker.control, Kind::Throttling, Trigger::Always, FOR_EVER);
    let response = client.call(11, &samples::fetch(0, 0)).await;
    assert_eq!(response.throttle_time_ms, 15 * 60 * 1000);
    let partition = &response.responses[0].partitions[0];
    assert!(!partition.records.as_ref().unwrap().is_empty());
    client.send(11, &samples::fetch(0, 0)).await;
    assert!(client.is_kept_waiting().await);

    end(&broker.control, Kind::Throttling);

    let response = client.receive::<FetchRequest>(11).await;
    assert_eq!(response.throttle_time_ms, 0);
}

#[tokio::test]
async fn a_partition_without_a_leader_takes_and_gives_nothing() {
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
async fn partitions_may_be_without_a_leader_for_some_requests_only() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    begin(&broker.control, Kind::Leaderless, Trigger::Next(2), WAIT);
    ask(&mut client).await;
    for expected in [1, 1, 0] {
        let request: MetadataRequest = samples::metadata(&["t"]);
        let response = client.call(0, &request).await;
        let partitions = &response.topics[0].partitions;
        let leaderless = partitions.iter().filter(|it| it.leader_id == -1).count();
        assert_eq!(leaderless, 2 * expected);
    }
}

#[tokio::test]
async fn chance_strikes_the_same_requests_in_every_run() {
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
        let mut struck = Vec::new();
        for _ in 0..64 {
            let response = client.call(11, &samples::fetch(0, 0)).await;
            struck.push(response.throttle_time_ms == 1);
        }
        struck
    };
    let struck = run(7).await;
    assert_eq!(struck, run(7).await);
    assert_ne!(struck, run(8).await);
    assert!((16..48).contains(&struck.iter().filter(|struck| **struck).count()));
}

#[tokio::test]
async fn what_is_in_force_is_shown_with_what_is_left() {
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
