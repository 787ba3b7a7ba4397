//! Finds partitions, partition leaders and group coordinators in a cluster.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use kafka_protocol::{
    ResponseError,
    messages::{
        FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName,
        metadata_request::MetadataRequestTopic, metadata_response::MetadataResponseTopic,
    },
    protocol::{Request, StrBytes},
};
use parking_lot::Mutex;
use sluice_kafka::Settings;
use thiserror::Error;

use super::broker_conn::{BrokerConn, BrokerConnError};

/// A Kafka cluster and the settings to connect to it.
#[derive(Debug)]
pub(super) struct Cluster {
    settings: Settings,
    /// The bootstrap servers, followed by the brokers from the last metadata response.
    brokers: Mutex<Vec<String>>,
    /// Counts requests, to start each at another broker.
    requests: AtomicUsize,
}

impl Cluster {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            brokers: Mutex::new(settings.brokers.clone()),
            requests: AtomicUsize::new(0),
            settings,
        }
    }

    /// The number of partitions of each topic, or the error for that topic.
    pub(super) async fn partitions<'a>(
        &self,
        topics: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Result<i32, ClusterError>>, ClusterError> {
        let names: Vec<&str> = topics.into_iter().collect();
        let metadata = self.metadata(&names).await?;
        let count = |name: &str| {
            let partitions = &topic(&metadata, name)?.partitions;
            if partitions.is_empty() {
                return Err(ClusterError::Missing(format!("partition of topic {name}")));
            }
            Ok(i32::try_from(partitions.len()).unwrap_or(i32::MAX))
        };
        let counts = names.iter().map(|name| ((*name).to_owned(), count(name)));
        Ok(counts.collect())
    }

    /// Connects to the leader of a partition.
    pub(super) async fn leader(&self, name: &str, index: i32) -> Result<BrokerConn, ClusterError> {
        let what = || format!("partition {index} of topic {name}");
        let metadata = self.metadata(&[name]).await?;
        let mut partitions = topic(&metadata, name)?.partitions.iter();
        let partition = partitions
            .find(|partition| partition.partition_index == index)
            .ok_or_else(|| ClusterError::Missing(what()))?;
        check(partition.error_code, what)?;
        let mut brokers = metadata.brokers.iter();
        let leader = brokers
            .find(|broker| broker.node_id == partition.leader_id)
            .ok_or_else(|| ClusterError::Missing(format!("leader of {}", what())))?;
        self.connect(&address(&leader.host, leader.port)).await
    }

    /// Connects to the coordinator of a group.
    pub(super) async fn coordinator(&self, group: &str) -> Result<BrokerConn, ClusterError> {
        let request = FindCoordinatorRequest::default().with_key(str_bytes(group));
        let found = self.request(FIND_COORDINATOR, &request).await?;
        check(found.error_code, || format!("coordinator of group {group}"))?;
        self.connect(&address(&found.host, found.port)).await
    }

    async fn metadata(&self, topics: &[&str]) -> Result<MetadataResponse, ClusterError> {
        let topics = topics.iter().map(|name| {
            MetadataRequestTopic::default().with_name(Some(TopicName(str_bytes(name))))
        });
        let request = MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(false);
        let metadata = self.request(METADATA, &request).await?;
        let brokers = metadata.brokers.iter();
        self.update_brokers(brokers.map(|broker| address(&broker.host, broker.port)));
        Ok(metadata)
    }

    /// Replaces the known brokers. Keeps the bootstrap servers, which may resolve to any broker.
    fn update_brokers(&self, found: impl Iterator<Item = String>) {
        let mut brokers = self.settings.brokers.clone();
        brokers.extend(found.filter(|broker| !self.settings.brokers.contains(broker)));
        *self.brokers.lock() = brokers;
    }

    /// Sends a request to one broker after another until one responds.
    ///
    /// Starts at another broker each time: a broker may accept the connection but not respond, or
    /// respond with stale metadata.
    async fn request<R: Request>(
        &self,
        version: i16,
        request: &R,
    ) -> Result<R::Response, ClusterError> {
        let mut brokers = self.brokers.lock().clone();
        let first = self.requests.fetch_add(1, Ordering::Relaxed);
        let count = brokers.len().max(1);
        brokers.rotate_left(first % count);
        let mut last = None;
        for broker in &brokers {
            match self.request_from(broker, version, request).await {
                Ok(response) => return Ok(response),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ClusterError::Missing("broker".to_owned())))
    }

    async fn request_from<R: Request>(
        &self,
        broker: &str,
        version: i16,
        request: &R,
    ) -> Result<R::Response, ClusterError> {
        let mut connection = self.connect(broker).await?;
        Ok(connection.call(version, request, Duration::ZERO).await?)
    }

    async fn connect(&self, broker: &str) -> Result<BrokerConn, ClusterError> {
        Ok(BrokerConn::connect(&self.settings, broker).await?)
    }
}

/// The metadata of one topic.
fn topic<'a>(
    metadata: &'a MetadataResponse,
    name: &str,
) -> Result<&'a MetadataResponseTopic, ClusterError> {
    let what = || format!("topic {name}");
    let is_named = |topic: &&MetadataResponseTopic| {
        let found = topic.name.as_ref();
        found.is_some_and(|found| found.as_str() == name)
    };
    let topic = metadata.topics.iter().find(is_named);
    let topic = topic.ok_or_else(|| ClusterError::Missing(what()))?;
    check(topic.error_code, what)?;
    Ok(topic)
}

fn address(host: &str, port: i32) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// An error of a request to the cluster. Most of them are temporary.
#[derive(Debug, Error)]
pub(super) enum ClusterError {
    /// The response lacks the requested item.
    #[error("the response has no {0}")]
    Missing(String),
    /// The response has an error code.
    #[error("{what}: {error:?}")]
    Code { what: String, error: ResponseError },
    /// The connection or the request failed.
    #[error(transparent)]
    Connection(#[from] BrokerConnError),
}

impl ClusterError {
    /// Whether a retry cannot succeed because Kafka calls the error not retriable.
    ///
    /// Examples are a record that is too large and a missing permission.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Code { error, .. } => !error.is_retriable(),
            Self::Connection(BrokerConnError::Encode(_)) => true,
            Self::Missing(_) | Self::Connection(_) => false,
        }
    }
}

/// Converts an error code; 0 is success.
pub(super) fn check<T: Display>(code: i16, what: impl FnOnce() -> T) -> Result<(), ClusterError> {
    if code == 0 {
        return Ok(());
    }
    Err(ClusterError::Code {
        what: what().to_string(),
        error: ResponseError::try_from_code(code).unwrap_or(ResponseError::UnknownServerError),
    })
}

pub(super) fn str_bytes(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Versions that Kafka 0.11 to 4 support. Metadata 4 can disable automatic topic creation.
const METADATA: i16 = 4;
const FIND_COORDINATOR: i16 = 1;

#[cfg(test)]
mod tests {
    use super::{super::scripted_broker::ScriptedBroker, *};

    #[tokio::test]
    async fn each_topic_has_its_own_result() {
        let gone = ResponseError::UnknownTopicOrPartition.code();
        let topics = [("a", 2, 0), ("empty", 0, 0), ("gone", 0, gone)];
        let broker = ScriptedBroker::start(move |request| request.metadata(&topics)).await;
        let names = ["a", "empty", "gone", "unlisted"];
        let found = broker.cluster().partitions(names).await.unwrap();
        let found = found
            .into_values()
            .map(|it| it.map_err(|error| error.to_string()));
        let expected = [
            Ok(2),
            Err("the response has no partition of topic empty".to_owned()),
            Err("topic gone: UnknownTopicOrPartition".to_owned()),
            Err("the response has no topic unlisted".to_owned()),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[tokio::test]
    async fn the_error_for_a_missing_leader_names_the_brokers_reason() {
        let forbidden = ResponseError::TopicAuthorizationFailed.code();
        let topics = [("a", 1, 0), ("secret", 0, forbidden)];
        let broker = ScriptedBroker::start(move |request| request.metadata(&topics)).await;
        let cluster = broker.cluster();
        let check = async |topic, partition| {
            let found = cluster.leader(topic, partition).await;
            found.map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(check("a", 0).await, Ok(()));
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(
            check("a", 1).await,
            error("the response has no partition 1 of topic a")
        );
        assert_eq!(
            check("secret", 0).await,
            error("topic secret: TopicAuthorizationFailed")
        );
    }
}
