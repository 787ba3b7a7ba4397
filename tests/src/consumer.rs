//! Reads records with a different client from the one that wrote them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};

use crate::wait::{eventually, within};

/// More bytes than any test writes to one partition.
const FETCH_BYTES_MAX: i32 = 64 * 1024 * 1024;

/// Milliseconds that a fetch may wait for records: none, since it only asks for stored ones.
const FETCH_WAIT_MS: i32 = 0;

/// One record, with the text parts as text.
#[derive(Clone, Debug)]
pub struct Record {
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// The key.
    pub key: String,
    /// The value, unchanged.
    pub value: Vec<u8>,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The timestamp.
    pub timestamp: DateTime<Utc>,
}

impl Record {
    /// The header of this name.
    ///
    /// # Panics
    /// Panics if there is none.
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

    /// The topics and their partition counts.
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
    /// Panics if there are more, or still fewer at the timeout.
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

    /// Calls the closure with each record that the topic holds now.
    pub async fn each(&self, topic: &str, mut show: impl FnMut(Record)) {
        for partition in &self.partitions(topic).await {
            read(partition, &mut show).await;
        }
    }

    /// The current end offset of each partition.
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

/// Calls the closure with each record that one partition holds now.
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
