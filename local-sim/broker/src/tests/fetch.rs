//! Fetch: limits, long polling and errors.

use std::time::{Duration, Instant};

use kafka_protocol::{
    ResponseError,
    messages::{FetchRequest, FetchResponse, fetch_response::PartitionData},
};
use tokio::time::timeout;

use super::{OPTIONS, Running, TIMEOUT, samples, wire::Wire};
use crate::{
    Options,
    store::sample::{Sample, records},
};

/// A wait that lasts longer than any test.
const LONG_MS: i32 = 60_000;

fn bytes(partition: &PartitionData) -> usize {
    partition.records.as_ref().map_or(0, bytes::Bytes::len)
}

/// Returns the number of record bytes for each partition of topic `t`.
fn sizes(response: &FetchResponse) -> Vec<usize> {
    response.responses[0].partitions.iter().map(bytes).collect()
}

async fn fetch(client: &mut Wire, request: &FetchRequest) -> FetchResponse {
    timeout(TIMEOUT, client.call(11, request))
        .await
        .expect("a response before the fetch's maximum wait")
}

#[tokio::test]
async fn produced_batches_are_fetched_with_their_offsets() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let sent = records(3).bytes();
    client.produce(0, sent.clone()).await;
    client.produce(0, sent.clone()).await;
    let partition = client.fetch(0, 0).await;
    let fetched = partition.records.clone().unwrap();
    assert_eq!(fetched.len(), 2 * sent.len());
    assert_eq!(fetched[sent.len()..][..8], 3_i64.to_be_bytes());
    assert_eq!(fetched[sent.len()..][16..], sent[16..]);
    assert_eq!(
        (partition.high_watermark, partition.last_stable_offset),
        (6, 6)
    );
    assert_eq!((partition.log_start_offset, partition.error_code), (0, 0));
    assert_eq!(bytes(&client.fetch(0, 4).await), sent.len());
    assert_eq!(bytes(&client.fetch(0, 6).await), 0);
}

#[tokio::test]
async fn an_unreadable_position_fails_without_waiting() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client.produce(0, records(1).bytes()).await;
    for (partition, offset, error) in [
        (0, 2, ResponseError::OffsetOutOfRange),
        (0, -1, ResponseError::OffsetOutOfRange),
        (1, 1, ResponseError::OffsetOutOfRange),
        (2, 0, ResponseError::UnknownTopicOrPartition),
    ] {
        let request = samples::fetch(partition, offset).with_max_wait_ms(LONG_MS);
        let response = fetch(&mut client, &request).await;
        assert_eq!(
            response.responses[0].partitions[0].error_code,
            error.code(),
            "{partition} {offset}"
        );
        assert_eq!(response.responses[0].partitions[0].high_watermark, -1);
    }
}

#[tokio::test]
async fn the_first_batch_is_returned_even_if_it_exceeds_the_limits() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    for partition in [0, 1] {
        client.produce(partition, records(1).bytes()).await;
        client.produce(partition, records(1).bytes()).await;
    }
    let one = records(1).bytes().len();
    let limit = |bytes: usize| i32::try_from(bytes).unwrap();
    let mut check = async |bytes_max, partition_bytes_max| {
        let mut request = samples::fetch_from(&[(0, 0), (1, 0)]).with_max_bytes(bytes_max);
        for partition in &mut request.topics[0].partitions {
            partition.partition_max_bytes = partition_bytes_max;
        }
        sizes(&fetch(&mut client, &request).await)
    };
    assert_eq!(check(i32::MAX, i32::MAX).await, [2 * one, 2 * one]);
    assert_eq!(check(limit(3 * one), i32::MAX).await, [2 * one, one]);
    assert_eq!(check(i32::MAX, limit(one)).await, [one, one]);
    assert_eq!(check(i32::MAX, 1).await, [one, 0]);
    assert_eq!(check(1, i32::MAX).await, [one, 0]);
    assert_eq!(check(0, 0).await, [one, 0]);
    assert_eq!(check(-1, -1).await, [one, 0]);
}

#[tokio::test]
async fn a_fetch_without_records_returns_after_its_maximum_wait() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let begin = Instant::now();
    let response = fetch(&mut client, &samples::fetch(0, 0).with_max_wait_ms(100)).await;
    assert!(begin.elapsed() >= Duration::from_millis(100));
    assert_eq!(sizes(&response), [0]);
    assert_eq!(response.responses[0].partitions[0].error_code, 0);
}

#[tokio::test]
async fn a_waiting_fetch_returns_when_any_of_its_partitions_gets_a_record() {
    let broker = Running::start().await;
    for woken_by in [0, 1] {
        let mut consumer = broker.connect().await;
        let mut producer = broker.connect().await;
        let ends = [
            producer.list_offset(0, -1).await,
            producer.list_offset(1, -1).await,
        ];
        let request = samples::fetch_from(&[(0, ends[0]), (1, ends[1])]).with_max_wait_ms(LONG_MS);
        consumer.send(11, &request).await;
        producer.produce(woken_by, records(1).bytes()).await;
        let response = consumer.receive::<FetchRequest>(11).await;
        let partitions = &response.responses[0].partitions;
        let partition = partitions
            .iter()
            .find(|partition| partition.partition_index == woken_by)
            .unwrap();
        assert_eq!(bytes(partition), records(1).bytes().len());
    }
}

#[tokio::test]
async fn min_bytes_counts_the_records_of_all_partitions() {
    let broker = Running::start().await;
    let mut consumer = broker.connect().await;
    let mut producer = broker.connect().await;
    let one = records(1).bytes().len();
    let request = samples::fetch_from(&[(0, 0), (1, 0)])
        .with_max_wait_ms(LONG_MS)
        .with_min_bytes((3 * one).try_into().unwrap());
    consumer.send(11, &request).await;
    for partition in [0, 1, 0] {
        producer.produce(partition, records(1).bytes()).await;
    }
    assert_eq!(
        sizes(&consumer.receive::<FetchRequest>(11).await),
        [2 * one, one]
    );
}

#[tokio::test]
async fn a_fetch_without_partitions_does_not_wait() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let request = samples::fetch(0, 0)
        .with_topics(Vec::new())
        .with_max_wait_ms(LONG_MS);
    assert_eq!(fetch(&mut client, &request).await.responses.len(), 0);
}

#[tokio::test]
async fn fetch_sessions_are_not_supported() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let offered = client
        .call(11, &samples::fetch(0, 0).with_session_epoch(0))
        .await;
    assert_eq!((offered.session_id, offered.error_code), (0, 0));
    let continued = samples::fetch(0, 0)
        .with_session_id(5)
        .with_session_epoch(1);
    let rejected = client.call(11, &continued).await;
    assert_eq!(
        rejected.error_code,
        ResponseError::FetchSessionIdNotFound.code()
    );
}

#[tokio::test]
async fn offsets_dropped_by_retention_are_out_of_range() {
    let broker = Running::start_with(Options {
        retention_bytes: 64 * 1024,
        ..OPTIONS
    })
    .await;
    let mut client = broker.connect().await;
    let mut last = client.produce(0, records(1).bytes()).await;
    for _ in 0..100 {
        last = client
            .produce(
                0,
                Sample {
                    payload_len: 1024,
                    ..records(1)
                }
                .bytes(),
            )
            .await;
    }
    assert_eq!(last.base_offset, 100);
    let start = client.list_offset(0, -2).await;
    assert!((40..=60).contains(&start), "{start}");
    assert_eq!(
        client.fetch(0, start - 1).await.error_code,
        ResponseError::OffsetOutOfRange.code()
    );
    let kept = client.fetch(0, start).await;
    assert_eq!((kept.error_code, kept.log_start_offset), (0, start));
    assert_eq!(kept.records.unwrap()[..8], start.to_be_bytes());
}
