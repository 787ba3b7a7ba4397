//! What the broker has, read by another client than the one that wrote it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};

use crate::wait::{eventually, within};

/// More bytes than any test writes to one partition.
const FETCH_BYTES_MAX: i32 = 64 * 1024 * 1024;

/// How long the broker may wait for more, in milliseconds: not at all, since only what it has
/// already is asked for.
const FETCH_WAIT_MS: i32 = 0;

/// One record, with the text parts as text.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it lies.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Its key.
    pub key: String,
    /// Its value, byte for byte.
    pub value: Vec<u8>,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its timestamp.
    pub timestamp: DateTime<Utc>,
}

impl Record {
    /// The header of this name.
    ///
    /// # Panics
    /// Panics where there is none.
    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.get(name);
        header.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    /// The value as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.value).unwrap()
    }
}

/// A reader of whole topics.
#[derive(Debug)]
pub struct Consumer {
    client: Client,
}

impl Consumer {
    /// Connects to a cluster.
    pub async fn connect(brokers: &str) -> Self {
        let brokers = brokers.split(',').map(str::to_owned).collect();
        let client = within("a broker", ClientBuilder::new(brokers).build()).await;
        Self {
            client: client.unwrap(),
        }
    }

    /// The topics, with their number of partitions.
    pub async fn topics(&self) -> BTreeMap<String, usize> {
        let topics = within("the topics", self.client.list_topics())
            .await
            .unwrap();
        let topics = topics.into_iter();
        topics
            .map(|topic| (topic.name, topic.partitions.len()))
            .collect()
    }

    /// Waits until the topic has `count` records and returns them, partition by partition.
    ///
    /// # Panics
    /// Panics where it gets no more than fewer, or has more.
    pub async fn records(&self, topic: &str, count: usize) -> Vec<Record> {
        let partitions = self.partitions(topic).await;
        let records = eventually(&format!("{count} records in {topic}"), async || {
            let mut records = Vec::new();
            for partition in &partitions {
                read(partition, &mut |record| records.push(record)).await;
            }
            (records.len() >= count).then_some(records)
        })
        .await;
        assert_eq!(records.len(), count, "records in {topic}: {records:#?}");
        records
    }

    /// Shows everything that the topic has at this moment, one record after the other.
    pub async fn each(&self, topic: &str, mut show: impl FnMut(Record)) {
        for partition in &self.partitions(topic).await {
            read(partition, &mut show).await;
        }
    }

    /// Where each partition of the topic ends at this moment.
    pub async fn ends(&self, topic: &str) -> Vec<i64> {
        let mut ends = Vec::new();
        for partition in &self.partitions(topic).await {
            ends.push(end(partition).await);
        }
        ends
    }

    async fn partitions(&self, topic: &str) -> Vec<PartitionClient> {
        let topics = self.topics().await;
        let count = topics
            .get(topic)
            .unwrap_or_else(|| panic!("no {topic} in {topics:?}"));
        let mut partitions = Vec::new();
        for partition in 0..i32::try_from(*count).unwrap() {
            let unknown = UnknownTopicHandling::Error;
            let client = self.client.partition_client(topic, partition, unknown);
            partitions.push(within("a partition", client).await.unwrap());
        }
        partitions
    }
}

async fn end(partition: &PartitionClient) -> i64 {
    let end = within("the end offset", partition.get_offset(OffsetAt::Latest)).await;
    end.unwrap()
}

/// Shows everything in one partition at this moment.
async fn read(partition: &PartitionClient, show: &mut impl FnMut(Record)) {
    let end = end(partition).await;
    let mut offset = 0;
    while offset < end {
        let fetch = partition.fetch_records(offset, 1..FETCH_BYTES_MAX, FETCH_WAIT_MS);
        let (fetched, _) = within("records", fetch).await.unwrap();
        offset = fetched.last().map_or(offset, |record| record.offset + 1);
        for fetched in fetched {
            show(Record {
                partition: partition.partition(),
                offset: fetched.offset,
                key: text(fetched.record.key.unwrap_or_default()),
                value: fetched.record.value.unwrap_or_default(),
                headers: fetched
                    .record
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name, text(value)))
                    .collect(),
                timestamp: fetched.record.timestamp,
            });
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}
