//! The cluster: which topics have which partitions, and who is responsible for what.

use std::{collections::BTreeMap, fmt::Display};

use kafka_protocol::{
    ResponseError,
    messages::{
        FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName,
        metadata_request::MetadataRequestTopic,
    },
    protocol::StrBytes,
};
use sluice_kafka::Settings;
use std::time::Duration;
use thiserror::Error;

use super::wire::{Wire, WireError};

/// A cluster that is connected with by some settings.
#[derive(Debug)]
pub(super) struct Cluster {
    settings: Settings,
}

impl Cluster {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The number of partitions of each of these topics.
    pub(super) async fn partitions<'a>(
        &self,
        topics: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, i32>, ClusterError> {
        let names: Vec<&str> = topics.into_iter().collect();
        let metadata = self.metadata(&names).await?;
        let mut partitions = BTreeMap::new();
        for topic in metadata.topics {
            let name = topic.name.unwrap_or_default().to_string();
            check(topic.error_code, || format!("topic {name}"))?;
            partitions.insert(
                name,
                i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
            );
        }
        Ok(partitions)
    }

    /// Connects with the broker that leads a partition.
    pub(super) async fn leader(&self, topic: &str, index: i32) -> Result<Wire, ClusterError> {
        let what = || format!("partition {index} of topic {topic}");
        let metadata = self.metadata(&[topic]).await?;
        let mut partitions = metadata.topics.iter().flat_map(|topic| &topic.partitions);
        let partition = partitions
            .find(|partition| partition.partition_index == index)
            .ok_or_else(|| ClusterError::unknown(what()))?;
        check(partition.error_code, what)?;
        let mut brokers = metadata.brokers.iter();
        let leader = brokers
            .find(|broker| broker.node_id == partition.leader_id)
            .ok_or_else(|| ClusterError::unknown(what()))?;
        self.connect(&leader.host, leader.port).await
    }

    /// Connects with the broker that keeps the offsets of a group.
    pub(super) async fn coordinator(&self, group: &str) -> Result<Wire, ClusterError> {
        let request = FindCoordinatorRequest::default().with_key(text(group));
        let found = self
            .any()
            .await?
            .call(FIND_COORDINATOR, &request, Duration::ZERO)
            .await?;
        check(found.error_code, || format!("the coordinator of {group}"))?;
        self.connect(&found.host, found.port).await
    }

    async fn metadata(&self, topics: &[&str]) -> Result<MetadataResponse, ClusterError> {
        let topics = topics
            .iter()
            .map(|name| MetadataRequestTopic::default().with_name(Some(TopicName(text(name)))));
        let request = MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(false);
        let mut wire = self.any().await?;
        Ok(wire.call(METADATA, &request, Duration::ZERO).await?)
    }

    /// Connects with the first of the brokers that answers.
    async fn any(&self) -> Result<Wire, ClusterError> {
        let mut last = None;
        for broker in &self.settings.brokers {
            match Wire::connect(&self.settings, broker).await {
                Ok(wire) => return Ok(wire),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(|| ClusterError::unknown("brokers".to_owned()), Into::into))
    }

    async fn connect(&self, host: &str, port: i32) -> Result<Wire, ClusterError> {
        let broker = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        Ok(Wire::connect(&self.settings, &broker).await?)
    }
}

/// Why something of a cluster cannot be had. Most of it passes.
#[derive(Debug, Error)]
pub(super) enum ClusterError {
    /// A broker says so.
    #[error("{what}: {error:?}")]
    Refused { what: String, error: ResponseError },
    /// A broker does not say anything of use.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl ClusterError {
    fn unknown(what: String) -> Self {
        Self::Refused {
            what,
            error: ResponseError::UnknownTopicOrPartition,
        }
    }
}

/// Makes an error of an error code.
pub(super) fn check<T: Display>(code: i16, what: impl FnOnce() -> T) -> Result<(), ClusterError> {
    if code == 0 {
        return Ok(());
    }
    Err(ClusterError::Refused {
        what: what().to_string(),
        error: ResponseError::try_from_code(code).unwrap_or(ResponseError::UnknownServerError),
    })
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Versions that Kafka has had since 0.11 and has in 4; nobody creates a topic by asking about it.
const METADATA: i16 = 4;
const FIND_COORDINATOR: i16 = 1;
