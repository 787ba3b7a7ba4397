//! Produces records to chosen partitions.

use chrono::Utc;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

use crate::wait::within;

/// A producer for any topic.
#[derive(Debug)]
pub struct Producer {
    client: Client,
}

impl Producer {
    /// Connects to a cluster.
    pub async fn connect(brokers: &str) -> Self {
        let brokers = brokers.split(',').map(str::to_owned).collect();
        let client = within("a broker", ClientBuilder::new(brokers).build()).await;
        Self {
            client: client.unwrap(),
        }
    }

    /// Stores a record with one header, `name`, with a non-ASCII value. Returns its offset.
    pub async fn send(&self, topic: &str, partition: i32, key: &str, value: &str) -> i64 {
        let record = record(Some(key), Some(value), &[("name", "vë")]);
        self.store(topic, partition, vec![record]).await[0]
    }

    /// Stores records, in this order, and returns their offsets.
    pub async fn store(&self, topic: &str, partition: i32, records: Vec<Record>) -> Vec<i64> {
        store(&self.partition(topic, partition).await, records).await
    }

    /// A client for one partition, to write to it repeatedly.
    pub async fn partition(&self, topic: &str, partition: i32) -> PartitionClient {
        let unknown = UnknownTopicHandling::Retry;
        let partition = self.client.partition_client(topic, partition, unknown);
        within("a partition", partition).await.unwrap()
    }
}

/// Stores records in a partition, in this order, and returns their offsets.
pub async fn store(partition: &PartitionClient, records: Vec<Record>) -> Vec<i64> {
    let stored = partition.produce(records, Compression::NoCompression);
    within("an offset", stored).await.unwrap()
}

/// Builds a record. Without a value, it is a tombstone.
pub fn record(key: Option<&str>, value: Option<&str>, headers: &[(&str, &str)]) -> Record {
    let headers = headers.iter();
    Record {
        key: key.map(Into::into),
        value: value.map(Into::into),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect(),
        timestamp: Utc::now(),
    }
}
