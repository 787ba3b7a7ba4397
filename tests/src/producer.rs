//! Writes records, partition by partition.

use std::collections::BTreeMap;

use chrono::Utc;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

use crate::wait::within;

/// A writer of any topic.
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

    /// Stores a record with one header, `name`, whose value is no ASCII, and returns its offset.
    pub async fn send(&self, topic: &str, partition: i32, key: &str, value: &str) -> i64 {
        let record = Record {
            key: Some(key.into()),
            value: Some(value.into()),
            headers: BTreeMap::from([("name".to_owned(), "vë".into())]),
            timestamp: Utc::now(),
        };
        let unknown = UnknownTopicHandling::Retry;
        let partition = self.client.partition_client(topic, partition, unknown);
        let partition = within("a partition", partition).await.unwrap();
        let stored = partition.produce(vec![record], Compression::NoCompression);
        within("an offset", stored).await.unwrap()[0]
    }
}
