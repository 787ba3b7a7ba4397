//! Tests the broker with rskafka, the client that the functions use.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rskafka::{
    client::{
        Client, ClientBuilder,
        error::{Error, ProtocolError},
        partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling},
    },
    record::{Record, RecordAndOffset},
};
use tokio::{task::JoinSet, time::timeout};

use super::{Running, TIMEOUT};

const RECORD_TIME_MS: i64 = 1_700_000_000_123;

async fn client(broker: &Running) -> Client {
    let connecting = ClientBuilder::new(vec![broker.address.to_string()]).build();
    timeout(TIMEOUT, connecting).await.unwrap().unwrap()
}

async fn partition(client: &Client, topic: &str, index: i32) -> PartitionClient {
    client
        .partition_client(topic, index, UnknownTopicHandling::Error)
        .await
        .unwrap()
}

fn record(key: &str, value: Vec<u8>) -> Record {
    Record {
        key: Some(key.into()),
        value: Some(value),
        headers: BTreeMap::from([
            ("ce_id".to_owned(), b"1".to_vec()),
            ("empty".to_owned(), Vec::new()),
        ]),
        timestamp: DateTime::from_timestamp_millis(RECORD_TIME_MS).unwrap(),
    }
}

async fn produce(partition: &PartitionClient, records: Vec<Record>) -> Vec<i64> {
    let produced = partition.produce(records, Compression::NoCompression);
    timeout(TIMEOUT, produced).await.unwrap().unwrap()
}

/// Fetches all records, starting at an offset.
async fn consume(partition: &PartitionClient, mut offset: i64) -> Vec<RecordAndOffset> {
    let mut all = Vec::new();
    loop {
        let (records, high_watermark) = partition
            .fetch_records(offset, 1..1_000_000, 0)
            .await
            .unwrap();
        all.extend(records);
        offset = all.last().map_or(offset, |last| last.offset + 1);
        if offset == high_watermark {
            return all;
        }
    }
}

#[tokio::test]
async fn a_record_is_fetched_exactly_as_produced() {
    let broker = Running::start().await;
    let client = client(&broker).await;
    let partition = partition(&client, "t", 0).await;
    let sent = [
        record("k", b"v".to_vec()),
        record("", Vec::new()),
        Record {
            key: None,
            value: None,
            headers: BTreeMap::new(),
            timestamp: DateTime::<Utc>::UNIX_EPOCH,
        },
    ];
    assert_eq!(produce(&partition, sent.to_vec()).await, [0, 1, 2]);
    assert_eq!(produce(&partition, sent.to_vec()).await, [3, 4, 5]);
    let received: Vec<_> = consume(&partition, 0)
        .await
        .into_iter()
        .map(|received| received.record)
        .collect();
    assert_eq!(received, [sent.clone(), sent].concat());
}

#[tokio::test]
async fn a_value_as_large_as_the_gateways_largest_message_is_fetched_intact() {
    let broker = Running::start().await;
    let client = client(&broker).await;
    let partition = partition(&client, "t", 1).await;
    let value: Vec<u8> = (0..128 * 1024_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    for _ in 0..20 {
        produce(&partition, vec![record("k", value.clone())]).await;
    }
    let received = consume(&partition, 0).await;
    assert_eq!(received.len(), 20);
    assert!(
        received
            .iter()
            .all(|received| received.record.value.as_ref() == Some(&value))
    );
}

#[tokio::test]
async fn a_record_larger_than_the_topics_limit_fails_without_retries() {
    let broker = Running::start().await;
    let client = client(&broker).await;
    let partition = partition(&client, "t", 0).await;
    let produced = partition.produce(
        vec![record("k", vec![0; 1024 * 1024])],
        Compression::NoCompression,
    );
    match timeout(TIMEOUT, produced).await.unwrap().unwrap_err() {
        Error::ServerError { protocol_error, .. } => {
            assert_eq!(protocol_error, ProtocolError::MessageTooLarge);
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn concurrent_producers_neither_lose_nor_duplicate_records() {
    const PRODUCERS: usize = 8;
    const RECORDS: usize = 100;
    let broker = Running::start().await;
    let mut producing = JoinSet::new();
    for producer in 0..PRODUCERS {
        let client = client(&broker).await;
        producing.spawn(async move {
            let partitions = [
                partition(&client, "t", 0).await,
                partition(&client, "t", 1).await,
            ];
            let mut acknowledged = Vec::new();
            for index in 0..RECORDS {
                let value = format!("{producer}:{index}");
                let offsets = produce(
                    &partitions[index % 2],
                    vec![record("k", value.clone().into())],
                )
                .await;
                acknowledged.push((index % 2, offsets[0], value));
            }
            acknowledged
        });
    }
    let mut acknowledged: Vec<_> = producing.join_all().await.concat();
    acknowledged.sort();

    let client = client(&broker).await;
    let mut stored = Vec::new();
    for index in [0, 1] {
        for received in consume(&partition(&client, "t", index).await, 0).await {
            let value = String::from_utf8(received.record.value.unwrap()).unwrap();
            stored.push((usize::try_from(index).unwrap(), received.offset, value));
        }
    }
    stored.sort();
    assert_eq!(stored.len(), PRODUCERS * RECORDS);
    assert_eq!(stored, acknowledged);
}

#[tokio::test]
async fn a_waiting_fetch_returns_as_soon_as_a_record_is_produced() {
    let broker = Running::start().await;
    let reader = client(&broker).await;
    let writer = client(&broker).await;
    let reading = partition(&reader, "t", 0).await;
    let mut waiting = JoinSet::new();
    waiting.spawn(async move {
        reading
            .fetch_records(0, 1..1_000_000, 25_000)
            .await
            .unwrap()
    });
    produce(
        &partition(&writer, "t", 0).await,
        vec![record("k", b"v".to_vec())],
    )
    .await;
    let (records, high_watermark) = timeout(TIMEOUT, waiting.join_next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!((records.len(), high_watermark), (1, 1));
}

#[tokio::test]
async fn topics_are_created_listed_and_deleted() {
    let broker = Running::start().await;
    let client = client(&broker).await;
    let controller = client.controller_client().unwrap();
    controller.create_topic("new", 5, 1, 1_000).await.unwrap();
    let topics = client.list_topics().await.unwrap();
    let found: Vec<_> = topics
        .iter()
        .map(|topic| (topic.name.as_str(), topic.partitions.len()))
        .collect();
    assert_eq!(found, [("new", 5), ("t", 2)]);
    controller.delete_topic("new", 1_000).await.unwrap();
    assert_eq!(client.list_topics().await.unwrap().len(), 1);
}

#[tokio::test]
async fn offsets_are_listed_and_records_deleted() {
    let broker = Running::start().await;
    let client = client(&broker).await;
    let partition = partition(&client, "t", 0).await;
    for _ in 0..4 {
        produce(&partition, vec![record("k", b"v".to_vec())]).await;
    }
    let at_or_after =
        |millis| OffsetAt::Timestamp(DateTime::from_timestamp_millis(millis).unwrap());
    for (at, offset) in [
        (OffsetAt::Earliest, 0),
        (OffsetAt::Latest, 4),
        (at_or_after(RECORD_TIME_MS), 0),
        (at_or_after(RECORD_TIME_MS + 1), -1),
    ] {
        assert_eq!(partition.get_offset(at).await.unwrap(), offset);
    }
    partition.delete_records(3, 1_000).await.unwrap();
    assert_eq!(partition.get_offset(OffsetAt::Earliest).await.unwrap(), 3);
    assert_eq!(consume(&partition, 3).await.len(), 1);
}
